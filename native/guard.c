/* See guard.h.
 *
 * Until the program's exec no filter binds the runtime's init, while the container's own code may run
 * beside it: startContainer hooks, and programs of containers that share its pid namespace.  They are
 * bound, but a process that can write to init's memory could make init act for it.  The kernel lets a
 * process of the same user and no fewer capabilities do so, if the memory is "dumpable" (ptrace(2),
 * "Ptrace access mode checking"). crun's init is not, runc's only if it joins a namespace or changes its
 * user.  So the latch makes it undumpable: at birth where seccomp is suspended, at its load with the
 * other methods. exec(2) ends that: the program has the same state as without the latch.
 *
 * CAP_SYS_PTRACE in the user namespace where the runtime was exec'd overrides it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guard.h"
#include "harden.h"

enum { SET_DUMPABLE = 4 }; /* PR_SET_DUMPABLE */
enum { SET_OPTIONS = 0x4200, KILL_AT_EXIT = 1 << 20 }; /* ptrace(2) */

#ifdef SYS_setfsuid32 /* 32-bit ARM: the other calls have 16 bits (setfsuid(2)) */
enum { SET_FSUID = SYS_setfsuid32, SET_FSGID = SYS_setfsgid32 };
#else
enum { SET_FSUID = SYS_setfsuid, SET_FSGID = SYS_setfsgid };
#endif

int guard(struct injection *injection)
{
	unsigned long none[ARGUMENTS] = { SET_DUMPABLE };
	long result = 0;
	int err = inject_call(injection, registers_abi(&injection->registers)->nr_prctl, none, &result);

	return err || result >= 0 ? err : (int)-result;
}

static int set_options(pid_t pid, long options)
{
	return syscall(SYS_ptrace, (long)SET_OPTIONS, (long)pid, 0L, options) ? errno : 0;
}

/* If the tracer died in between, the newborn process must not continue with changed registers and blocked
 * signals: PTRACE_O_EXITKILL. */
int guard_at_birth(pid_t pid, long options)
{
	struct injection injection;
	int err;

	if (!CAN_ENTER || syscall(SYS_tgkill, (long)pid, (long)pid, 0L))
		return 0;
	err = set_options(pid, options | KILL_AT_EXIT);
	if (!err)
		err = inject_begin_at_birth(&injection, pid);
	if (err == ENOEXEC) /* of another size; or no newborn: its stop is the end of another stop */
		return set_options(pid, options);
	if (!err)
		err = guard(&injection);
	if (!err)
		err = inject_end(&injection);
	return err ? err : set_options(pid, options);
}

struct credentials {
	struct {
		unsigned version;
		int pid;
	} header;
	struct {
		unsigned effective, permitted, inheritable;
	} sets[2];
	long user, group; /* of access to files, which decide about /proc/PID/mem */
};

/* Takes the credentials that a neighbour of init may have: its user and group, and all of this tracer's
 * capabilities but CAP_SYS_PTRACE.  A change of user removes some from the effective set
 * (capabilities(7)).  False if this tracer may not take them. */
static bool become_neighbour(const struct credentials *own, const struct task *init)
{
	struct credentials as = *own;

	syscall(SET_FSGID, (long)init->group);
	syscall(SET_FSUID, (long)init->user);
	if (syscall(SET_FSUID, -1L) != init->user || syscall(SET_FSGID, -1L) != init->group)
		return false;
	as.sets[0].effective = as.sets[0].permitted & ~(1U << CAPABILITY_PTRACE);
	as.sets[1].effective = as.sets[1].permitted;
	return !syscall(SYS_capset, &as.header, as.sets);
}

static void become_oneself(struct credentials *own)
{
	syscall(SET_FSUID, own->user);
	syscall(SET_FSGID, own->group);
	syscall(SYS_capset, &own->header, own->sets);
}

/* Is the answer a denial?  A check that cannot be made, for whatever reason, is not one. */
static bool is_refused(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd < 0 && (errno == EACCES || errno == EPERM || errno == ENOENT || errno == ESRCH);
}

/* The files of a process that is not dumpable belong to root (proc(5)). */
static bool is_undumpable(const char *path, const struct task *init)
{
	struct stat file;

	return !stat(path, &file) && (long)file.st_uid != init->user;
}

/* May a process of the same user write to its memory?  Tested by opening it. */
static bool is_open(const struct task *init)
{
	struct credentials own = { .header = { .version = 0x20080522 } };
	char path[32];
	bool refused;

	snprintf(path, sizeof path, "/proc/%d/mem", (int)init->process);
	if (syscall(SYS_capget, &own.header, own.sets))
		return true;
	own.group = syscall(SET_FSGID, -1L);
	own.user = syscall(SET_FSUID, -1L);
	refused = become_neighbour(&own, init) ? is_refused(path) : is_undumpable(path, init);
	become_oneself(&own);
	return !refused;
}

const char *guard_against_hook(pid_t hook, pid_t init)
{
	struct task task, target;

	if (!task_read(&task, hook) || !task_read(&target, init))
		return task_is_gone(hook) || task_is_gone(init) ?
			       NULL :
			       "/proc does not show a startContainer hook, or the runtime, to the latch";
	if (capabilities_dropped()) /* the credentials that is_open() uses */
		return "a startContainer hook runs that the configuration does not name";
	if (task.reachable >> CAPABILITY_PTRACE & 1 && task_shares_user_namespace(hook))
		return "a startContainer hook has CAP_SYS_PTRACE, and so could write to the memory of "
		       "the runtime, which no filter binds yet";
	if (is_open(&target) && !task_is_gone(init))
		return "a startContainer hook could write to the memory of the runtime, which no filter "
		       "binds yet";
	return NULL;
}
