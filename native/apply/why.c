/* Explains why seclatch-apply started nothing, and what to do.
 *
 * Most often a container's filter is loaded already, and denies a call that is needed here: then the call
 * is named.  EPERM from a filter and from the kernel look alike; a call that the kernel answers otherwise
 * for every caller distinguishes them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "apply.h"

#define OR_ALLOW_EXEC "; or, if the profile allows execve, --allow-exec"

static char yama_scope(void)
{
	int fd = open("/proc/sys/kernel/yama/ptrace_scope", O_RDONLY | O_CLOEXEC);
	char scope = 0;

	if (fd >= 0 && read(fd, &scope, 1) != 1)
		scope = 0;
	if (fd >= 0)
		close(fd);
	return scope;
}

/* A filter may deny even the call that tests for its presence; EINVAL: a kernel without seccomp. */
static bool is_filtered(void)
{
	int mode = prctl(PR_GET_SECCOMP, 0L, 0L, 0L, 0L);

	return mode > 0 || (mode < 0 && errno != EINVAL);
}

bool is_denial(int err)
{
	return (err == EPERM || err == EACCES || err == ENOSYS) && is_filtered();
}

struct why why_denied(const char *call, int err)
{
	static char reason[160], remedy[160];

	snprintf(reason, sizeof reason, "%s(2): %s: a filter that is there already may forbid it", call,
		 strerror(err));
	snprintf(remedy, sizeof remedy, "allow %s in the outer profile", call);
	return (struct why){ reason, remedy };
}

struct why why_no_privs(int err)
{
	if (err == EINVAL)
		return (struct why){ "this kernel has no no_new_privs", "use Linux 3.5 or later" };
	return (struct why){ "the filter that is there already forbids prctl(PR_SET_NO_NEW_PRIVS)",
			     "allow prctl in the outer profile, or set no_new_privs outside (docker run "
			     "--security-opt no-new-privileges) and allow prctl" };
}

struct why why_not_loaded(int err)
{
	switch (err) {
	case EPERM:
	case ENOSYS:
	case EACCES:
		return (struct why){ "the filter that is there already forbids to load another "
				     "(seccomp(2), and prctl(PR_SET_SECCOMP))",
				     "allow seccomp in the outer profile" };
	case EINVAL:
		return (struct why){
			"the kernel refuses the filter: it is no valid seccomp program, "
			"was compiled for a machine of another byte order, or has unknown flags",
			"compile it on this machine, and look at it with `seclatch filter disassemble`"
		};
	case ENOMEM:
		return (struct why){ "too many filters are there already: the kernel allows 32768 "
				     "instructions in all",
				     "nest fewer" };
	case EBUSY:
		return (struct why){ "a filter with a listener is there already, and only one can be",
				     "take SCMP_ACT_NOTIFY out of one of the two profiles" };
	default:
		return (struct why){ strerror(err), "look at errno in seccomp(2)" };
	}
}

struct why why_not_traced(int err)
{
	char scope = yama_scope();

	if (err == EAGAIN || err == ENOMEM || err == EMFILE || err == ENFILE)
		return (struct why){ "no process or memory left for the tracer",
				     "raise the limits (ulimit -u and -n, pids.max, memory)" };
	if (err == ENOEXEC)
		return (struct why){ "programs can be entered on x86-64 and arm64 only, so far",
				     "if the profile allows execve, --allow-exec" };
	if (err == ECHILD)
		return (struct why){
			"the tracer ended before it was attached: killed, or the filter that "
			"is there already kills at ptrace",
			"allow ptrace in the outer profile" OR_ALLOW_EXEC
		};
	/* no process can continue process 0: ESRCH, unless a filter answers */
	if (syscall(SYS_ptrace, 7L, 0L, 0L, 0L) && errno != ESRCH)
		return (struct why){
			"the filter that is there already forbids ptrace(2)",
			"allow ptrace in the outer profile (Docker's default does on Linux 4.8 or "
			"later)" OR_ALLOW_EXEC
		};
	if (scope == '2' || scope == '3')
		return (struct why){ "kernel.yama.ptrace_scope forbids to trace even own processes",
				     "set kernel.yama.ptrace_scope to 0 or 1" OR_ALLOW_EXEC };
	return (struct why){
		"this process may not be traced: another tracer has it (strace, gdb?), "
		"its file is not readable, or a security module forbids it",
		"trace CMD instead; chmod a+r seclatch-apply; look for the denial in the audit log" OR_ALLOW_EXEC
	};
}

struct why why_not_entered(int err)
{
	switch (err) {
	case EIO:
	case EFAULT:
	case EPERM:
		return (struct why){ "CMD cannot be entered: its file may be executed but not read, or "
				     "its stack has no room (ulimit -s)",
				     "make it readable, or raise the limit" OR_ALLOW_EXEC };
	case ENOEXEC:
		return (struct why){
			"CMD is a 32-bit program, and those cannot be entered on this machine",
			"if the profile allows execve, --allow-exec"
		};
	default:
		return (struct why){ strerror(err), "look at errno in ptrace(2)" };
	}
}

struct why why_died(void)
{
	return (struct why){ "CMD was killed before it could be given its filter: by a signal, or by the "
			     "filter that is there already",
			     "allow seccomp in the outer profile" };
}

void complain(struct why why)
{
	dprintf(STDERR_FILENO, "seclatch-apply: nothing was started: %s\n  what to do: %s\n", why.reason,
		why.remedy);
}
