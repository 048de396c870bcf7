/* seclatch-apply: becomes a program that is under a compiled filter from its first instruction.
 *
 * seclatch-apply [--allow-exec] [--flags N] FILTER [--] CMD [ARG]...
 *
 * A filter cannot be loaded before execve(2) unless it allows execve.  So this process is traced by a
 * grandchild of its own, which needs no privilege, becomes CMD, and is made to load the filter at the
 * exec stop (inject.c). no_new_privs is set before: the kernel requires it, and so CMD gains nothing from
 * a set-uid file that the filter was not meant for.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "apply.h"
#include "birth.h"
#include "inject.h"

enum { SEIZE = 0x4206, DETACH = 17, CONT = 7, LISTEN = 0x4208 };
enum { ON_SYSCALL_MARK = 1, ON_EXEC = 1 << 4, KILL_AT_EXIT = 1 << 20 };
enum { EXECED = 4, STOPPED = 128 };
enum { FAILED = 125 }; /* env(1)'s and docker run's status for "not the program's fault" */

static struct filter filter;

/* KILL_AT_EXIT: if the tracer dies before the filter is loaded, CMD must not run without it. */
static int seize(pid_t front, void *data)
{
	(void)data;
	return syscall(SYS_ptrace, (long)SEIZE, (long)front, 0L,
		       (long)(ON_SYSCALL_MARK | ON_EXEC | KILL_AT_EXIT)) ?
		       errno :
		       0;
}

/* At the exec stop; 0 once CMD is under the filter, and continues. */
static int bind_program(pid_t pid)
{
	struct injection injection;
	long result = 0;
	int err = inject_begin(&injection, pid);

	if (!err)
		err = inject_filter(&injection, &filter, &result);
	if (!err && !result)
		err = inject_end(&injection);
	if (!err && !result)
		return syscall(SYS_ptrace, (long)DETACH, (long)pid, 0L, 0L) ? errno : 0;
	if (err == ESRCH) {
		complain(why_died());
		return err;
	}
	complain(err ? why_not_entered(err) : why_not_loaded((int)-result));
	inject_exit(&injection, FAILED);
	return ECANCELED;
}

static bool is_group_stop(int status)
{
	int signal = WSTOPSIG(status);

	return status >> 16 == STOPPED &&
	       (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU);
}

static int work(pid_t front, void *data)
{
	int status;

	(void)data;
	/* errors must be written to the standard error, which is CMD's as well */
	close(0);
	close(1);
	let_go_of_files(3);
	for (;;) {
		if (waitpid(front, &status, __WALL) < 0) {
			if (errno == EINTR)
				continue;
			if (is_denial(errno))
				complain(why_denied("wait4", errno));
			return 1;
		}
		if (!WIFSTOPPED(status))
			return 0; /* CMD could not be executed; the front has printed the reason */
		if (status >> 16 == EXECED)
			return bind_program(front) != 0;
		syscall(SYS_ptrace, is_group_stop(status) ? (long)LISTEN : (long)CONT, (long)front, 0L,
			status >> 16 ? 0L : (long)WSTOPSIG(status));
	}
}

#if defined(SYS_open) && !defined(__GLIBC__)
# define OPEN "open"
# define OPEN_NOTHING SYS_open, NULL, 0L
#else
# define OPEN "openat"
# define OPEN_NOTHING SYS_openat, (long)AT_FDCWD, NULL, 0L
#endif

/* Files have such errors of their own.  Without a name there is no file: EFAULT, unless a filter answers,
 * which happens first. */
static const char *fail_to_open(void)
{
	int err = errno;

	if (is_denial(err) && syscall(OPEN_NOTHING) < 0 && errno == err)
		complain(why_denied(OPEN, err));
	else
		return strerror(err);
	return "";
}

static const char *fail_to_read(void)
{
	if (!is_denial(errno))
		return strerror(errno);
	complain(why_denied("read", errno));
	return "";
}

/* NULL; or the error, which is "" when it has been printed. */
static const char *read_filter(const char *path, int fd)
{
	static unsigned char excess;
	size_t count = 0;
	ssize_t n = 0;

	if (path)
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return fail_to_open();
	while (count < sizeof filter.code &&
	       (n = read(fd, filter.code + count, sizeof filter.code - count)) > 0)
		count += (size_t)n;
	if (n >= 0 && count == sizeof filter.code)
		n = read(fd, &excess, 1) > 0 ? 1 : 0;
	if (n < 0)
		return fail_to_read();
	close(fd);
	filter.length = (unsigned)(count / 8);
	if (n > 0)
		return "longer than 4096 instructions, the kernel's limit";
	if (!count || count % 8)
		return "not a compiled filter: no whole number of 8-byte instructions";
	return NULL;
}

/* True when this process may load a filter.  Tested with a NULL program, which is refused with EFAULT
 * only after all other checks (kernel/seccomp.c). */
static bool may_load(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L)) {
		complain(why_no_privs(errno));
		return false;
	}
	if (syscall(SYS_seccomp, 1L, filter.flags, NULL) && errno == EFAULT)
		return true;
	if (!filter.flags && prctl(PR_SET_SECCOMP, 2L, NULL) && errno == EFAULT)
		return filter.by_prctl = true;
	complain(why_not_loaded(errno));
	return false;
}

static bool load_here(void)
{
	struct {
		unsigned short length;
		void *code;
	} program = { (unsigned short)filter.length, filter.code };

	if (filter.by_prctl ? !prctl(PR_SET_SECCOMP, 2L, &program) :
			      !syscall(SYS_seccomp, 1L, filter.flags, &program))
		return true;
	complain(why_not_loaded(errno));
	return false;
}

/* Without these calls the tracer could only die, and this process with it.  Tested with arguments that
 * the kernel refuses: descriptor -1, and an option that does not exist. */
static const char *find_denied(void)
{
	if (syscall(SYS_write, -1L, NULL, 0L) < 0 && errno != EBADF)
		return "write";
	return syscall(SYS_wait4, -1L, NULL, 0x100L, NULL) < 0 && errno != EINVAL ? "wait4" : NULL;
}

static bool trace_here(void)
{
	const char *call = find_denied();
	int err = errno;

	if (!call) {
		err = CAN_ENTER ? birth_of_tracer(&(struct birth){
					  .seize = seize, .work = work, .as_child = getpid() == 1 }) :
				  ENOEXEC;
		call = birth_failed_at();
		call = err && call && is_denial(err) ? call : NULL;
	}
	if (err)
		complain(call ? why_denied(call, err) : why_not_traced(err));
	return !err;
}

/* As for a file that cannot be opened. */
static int fail_to_execute(const struct options *options)
{
	int err = errno;

	dprintf(STDERR_FILENO, "seclatch-apply: cannot execute %s: %s%s\n",
		printable(options->command[0]), strerror(err),
		options->allow_exec && err != ENOENT ?
			" (with --allow-exec the filter must allow execve)" :
			"");
	if (!options->allow_exec && is_denial(err) && syscall(SYS_execve, NULL, NULL, NULL) < 0 &&
	    errno == err)
		complain(why_denied("execve", err));
	return err == ENOENT ? 127 : 126;
}

int main(int argc, char *argv[])
{
	struct options options;
	const char *problem;

	(void)argc;
	if (!options_read(&options, argv))
		return options.status;
	filter.flags = options.flags;
	problem = read_filter(options.filter, options.fd);
	if (problem && !*problem)
		return FAILED;
	if (problem) {
		dprintf(STDERR_FILENO,
			"seclatch-apply: reading the filter %s: %s\n"
			"  what to do: make one with `seclatch profile compile --format bpf`\n",
			options.filter ? printable(options.filter) : "that was handed over", problem);
		return FAILED;
	}
	if (!may_load() || !(options.allow_exec ? load_here() : trace_here()))
		return FAILED;
	execvp(options.command[0], options.command);
	return fail_to_execute(&options);
}
