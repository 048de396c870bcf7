/* See load.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>

#include "gate.h"
#include "guard.h"
#include "inject.h"
#include "load.h"
#include "wait.h"

enum { GETEVENTMSG = 0x4201, SETOPTIONS = 0x4200, INTERRUPT = 0x4207, ON_EXIT = 1 << 6 };
enum { MODE_FILTER = 1, SET_SECCOMP = 22, BY_PRCTL = 2, NEW_LISTENER = 8 };

static struct filter exact, changed;

static bool fail(struct load *load, const char *reason, const char *remedy)
{
	load->problem = (struct refusal){ reason, remedy };
	return false;
}

static bool fail_unseen(struct load *load)
{
	return fail(load, "/proc does not show the container's process to the latch",
		    "mount /proc without hidepid for the engine, or with its group (gid=)");
}

bool load_sees_exec(pid_t tid)
{
	struct at_call at = { 0 };

	if (!inject_ask(tid, &at) || at.op != AT_ENTRY_INTO_CALL || at.arch != NATIVE_ARCH)
		return false;
#ifdef SYS_execveat
	if (at.number == SYS_execveat)
		return true;
#endif
	return at.number == SYS_execve;
}

/* A load of a filter, and not one of libseccomp's feature tests, which pass no program.  Returns the
 * address of the struct sock_fprog. */
static uint64_t find_program(const struct at_call *at)
{
	if (at->op != AT_ENTRY_INTO_CALL || at->arch != NATIVE_ARCH)
		return 0;
	exact.by_prctl = at->number == SYS_prctl && at->args[0] == SET_SECCOMP && at->args[1] == BY_PRCTL;
	exact.flags = exact.by_prctl ? 0 : at->args[1];
	if (exact.by_prctl || (at->number == SYS_seccomp && at->args[0] == MODE_FILTER))
		return at->args[2];
	return 0;
}

/* A file in memory that the runtime's init has inherited under this number, and this tracer has as
 * CHANNEL.  An init that guards its memory (PR_SET_DUMPABLE) from a tracer without CAP_SYS_PTRACE is made
 * to write its filter there itself, and to map another from there. */
static int shared = -1;
enum { CHANNEL = 0, HIGH = 100 };

void load_share(void)
{
#ifdef SYS_memfd_create
	int fd = (int)syscall(SYS_memfd_create, "seclatch", 0L);

	shared = fd < 0 ? -1 : fcntl(fd, F_DUPFD, HIGH);
	if (fd >= 0)
		close(fd);
#endif
}

bool load_keep_share(void)
{
	return shared >= 0 && dup2(shared, CHANNEL) == CHANNEL;
}

static int read_through(struct injection *injection, uint64_t from, void *to, size_t count)
{
	unsigned long args[ARGUMENTS] = { (unsigned long)shared, from, count };
	long result = 0;
	int err = inject_read(injection->pid, from, to, count);

	if (!err || shared < 0)
		return err;
	err = inject_call(injection, SYS_pwrite64, args, &result);
	if (err || result != (long)count)
		return err ? err : EFAULT;
	return pread(CHANNEL, to, count, 0) == (ssize_t)count ? 0 : EIO;
}

/* The container's own code, a startContainer hook, must not inherit it from init. */
static int close_share_at_exec(struct injection *injection)
{
	unsigned long args[ARGUMENTS] = { (unsigned long)shared, F_SETFD, FD_CLOEXEC };
	long result;

	return shared < 0 ? 0 : inject_call(injection, SYS_fcntl, args, &result);
}

/* 0; or EFAULT, EINVAL: the kernel's own answers. */
static int take_program(struct injection *injection, uint64_t address)
{
	struct {
		uint16_t length;
		uint64_t code;
	} program;
	int err = read_through(injection, address, &program, sizeof program);

	if (!err && (!program.length || program.length > MAX_INSTRUCTIONS))
		err = EINVAL;
	exact.length = program.length;
	return err ? err : read_through(injection, program.code, exact.code, exact.length * 8);
}

/* Before the first change to a tracee that must not continue without this tracer: a runtime whose load
 * was cancelled would take the result of an injected call for the kernel's answer to its own. */
static int end_with_tracer(pid_t tid, int options)
{
	return syscall(SYS_ptrace, (long)SETOPTIONS, (long)tid, 0L, (long)(LOADED_OPTIONS | options)) ?
		       errno :
		       0;
}

enum { MOST_THREADS = 512 };

/* Stops it, if it runs.  EPERM: a thread that this tracer is not attached to, and whose exec it would not
 * see. */
static int end_thread_with_tracer(pid_t tid, bool *running)
{
	struct task task;
	int err;

	if (!has_report(tid)) {
		if (syscall(SYS_ptrace, (long)INTERRUPT, (long)tid, 0L,
			    0L)) /* one that has ended, or that */
			return task_read(&task, tid) && task.tracer != getpid() ? EPERM : 0;
		*running = true;
		if (await_stop(tid) <= 0)
			return EBUSY;
	}
	err = end_with_tracer(tid, 0);
	return err == ESRCH ? 0 : err;
}

/* Each other thread of the process may be the one that execs, and the loading one, with its
 * PTRACE_O_EXITKILL, has exited by then.  So they are stopped, again until no running one is found, which
 * could have started another.  They continue when wait_for_any() reports their stops. */
static int end_threads_with_tracer(pid_t process, pid_t loading)
{
	static pid_t threads[MOST_THREADS];
	bool running = true;

	while (running) {
		int count = task_list_threads(process, threads, MOST_THREADS), err;

		running = false;
		if (count < 0)
			return EAGAIN;
		for (int i = 0; i < count; i++)
			if (threads[i] != loading && (err = end_thread_with_tracer(threads[i], &running)))
				return err;
	}
	return 0;
}

/* The runtime gets 0 for its load. */
static int hold(struct load *load, struct injection *injection)
{
	int err = guard(injection);

	if (!err)
		err = end_threads_with_tracer(load->loader, injection->pid);
	load->held = true;
	registers_set_result(&injection->registers, 0);
	return err ? err : inject_end(injection);
}

/* A runtime's parent process takes the listener out of the init by pidfd_getfd(2), which needs the rights
 * of a tracer over it: CAP_SYS_PTRACE, or an init that is not guarded yet.  The init waits for that, and
 * then closes its own descriptor. */
static bool must_guard_later(void)
{
	return exact.flags & NEW_LISTENER && !task_has_capability(CAPABILITY_PTRACE);
}

/* The runtime loads the gate by the call that it has issued, from memory of its own. */
static int load_gate(struct load *load, struct injection *injection, const struct at_call *call)
{
	unsigned long args[ARGUMENTS], at = 0;
	long result = 0;
	int err = inject_mapped(injection, &changed, &at, shared, CHANNEL);

	for (int i = 0; i < ARGUMENTS; i++)
		args[i] = call->args[i];
	args[2] = at;
	load->unguarded = must_guard_later();
	if (!err && !load->unguarded) /* before the load: the profile may deny prctl(2) */
		err = guard(injection);
	if (!err)
		err = inject_call(injection, (long)call->number, args, &result);
	if (err)
		return err;
	if (result < 0)
		load->loader = 0; /* the runtime gets the error, and handles it */
	load->listener = (int)result;
	registers_set_result(&injection->registers, result);
	return inject_end(injection);
}

/* Where tracer and container share the user namespace, a set-uid program would not gain its user when its
 * tracer has no CAP_SYS_PTRACE (security/commoncap.c), and the program would run with another user than
 * without the latch. */
static bool spoils_setuid(pid_t tid, const struct task *task)
{
	return !task->no_new_privs && !task_has_capability(CAPABILITY_PTRACE) &&
	       task_shares_user_namespace(tid);
}

static bool replace_load(struct load *load, struct injection *injection, const struct task *task,
			 const struct at_call *call)
{
	int err;

	load->loader = task->process;
	if (task->no_new_privs && !(exact.flags & NEW_LISTENER)) {
		err = hold(load, injection);
	} else {
		err = gate_make(&exact, &changed, &load->mark);
		if (err == E2BIG || err == EINVAL)
			return fail(
				load,
				err == E2BIG ?
					"the profile is too long for a gate" :
					"the runtime's filter is not of a kind that a gate can be made of",
				"set no_new_privs, with which no gate is needed, or simplify the "
				"profile");
		err = err ? err : load_gate(load, injection, call);
	}
	return !err || err == ESRCH ||
	       fail(load, "the runtime's load of its filter could not be replaced",
		    "run the runtime from a rootless engine, or in a user namespace (unshare -r)");
}

bool load_at_call(struct load *load, pid_t tid)
{
	struct injection injection;
	struct at_call call = { 0 };
	struct task task;
	uint64_t address;
	int err;

	if (!inject_ask(tid, &call))
		return errno == ESRCH || fail(load, "this kernel does not tell a tracer of system calls",
					      "use Linux 5.3 or later");
	address = find_program(&call);
	if (!address)
		return true;
	if (!task_read(&task, tid))
		return task_is_gone(tid) || fail_unseen(load);
	if (spoils_setuid(tid, &task))
		return fail(load, "no CAP_SYS_PTRACE, and no user namespace of the container's own",
			    "give the engine CAP_SYS_PTRACE, or set no_new_privs");
	err = end_with_tracer(tid, ON_EXIT);
	if (!err)
		err = inject_begin_instead(&injection, tid);
	if (!err)
		err = take_program(&injection, address);
	if (!err)
		err = close_share_at_exec(&injection);
	if (!err)
		return replace_load(load, &injection, &task, &call);
	/* the kernel's answer to an invalid address, or to a length of 0 */
	registers_set_result(&injection.registers, err == EINVAL ? -EINVAL : -EFAULT);
	if (err != EINVAL && err != ESRCH)
		return fail(
			load,
			"the runtime's memory cannot be read: it guards itself, and the latch "
			"has no CAP_SYS_PTRACE over it",
			"run the runtime from a rootless engine, or in a user namespace (unshare -r)");
	return err == ESRCH || !inject_end(&injection);
}

/* The call is restarted after the guard: an agent that handles close(2) may take its time.  The result of
 * the guard is checked at the exec of a hook (guard_against_hook), since here the profile, and its agent,
 * can affect prctl(2).  A tracee that cannot be entered any more is dying. */
void load_guard_at_close(struct load *load, pid_t tid)
{
	struct injection injection;
	struct at_call call = { 0 };
	unsigned long args[ARGUMENTS];

	if (!inject_ask(tid, &call) || call.op != AT_ENTRY_INTO_CALL || call.arch != NATIVE_ARCH ||
	    call.number != SYS_close || (int)call.args[0] != load->listener ||
	    !task_is_thread_of(tid, load->loader))
		return;
	load->unguarded = false;
	for (int i = 0; i < ARGUMENTS; i++)
		args[i] = call.args[i];
	if (inject_begin_instead(&injection, tid) || guard(&injection) == ESRCH)
		return;
	registers_call(&injection.registers, injection.at, SYS_close, args);
	inject_end(&injection);
}

bool load_at_gate(const struct load *load, pid_t tid)
{
	unsigned long data = 0;
	struct registers registers;

	if (syscall(SYS_ptrace, (long)GETEVENTMSG, (long)tid, 0L, &data) || data == load->mark)
		return true;
	/* the profile's own SCMP_ACT_TRACE: the kernel's answer without a tracer */
	if (registers_get(tid, &registers))
		return false;
	registers_set_result(&registers, -ENOSYS);
	return !registers_set(tid, &registers) && !registers_cancel(tid, &registers);
}

static struct injection at_exec;

static bool inject(pid_t pid, const struct filter *filter, long *result)
{
	int err = end_with_tracer(pid, 0);

	if (!err)
		err = inject_begin(&at_exec, pid);
	if (!err)
		err = inject_guarded(&at_exec, filter, result);
	if (!err && !*result)
		err = inject_end(&at_exec);
	return !err && !*result;
}

void load_stop(pid_t pid)
{
	if (at_exec.pid == pid)
		inject_exit(&at_exec, 125);
	else
		kill(pid, SIGKILL);
}

bool load_at_exec(struct load *load, pid_t pid)
{
	struct task task;
	long result = 0;

	if (load->held)
		return inject(pid, &exact, &result) ||
		       fail(load, "the container's filter could not be loaded at the program's exec",
			    "look at the profile with `seclatch profile check`; the program's file must "
			    "be readable for its user");
	if (!task_read(&task, pid))
		return task_is_gone(pid) || fail_unseen(load);
	if (task.no_new_privs || task.capabilities >> CAPABILITY_ADMIN & 1) {
		gate_close(&exact, &changed);
		load->closed = true;
		return inject(pid, &changed, &result) ||
		       fail(load, "the kernel refused to load the profile over its gate",
			    "look at the profile with `seclatch profile check`");
	}
	if (load->exact_only)
		return fail(load,
			    "only a gate is possible: no_new_privs is off and the program has no "
			    "CAP_SYS_ADMIN",
			    "set no_new_privs, or choose the mode `gate`");
	return true;
}

/* Where the runtime's filter is suspended it stays so until the further one is on. */
bool load_session(struct load *load, pid_t pid, const struct filter *filter, bool suspended)
{
	enum { SUSPEND_SECCOMP = 1 << 21, SET_NO_NEW_PRIVS = 38 };
	struct task task;
	long result = 0;
	int err = end_with_tracer(pid, suspended ? SUSPEND_SECCOMP : 0);

	if (!err)
		err = filter->length ? inject_begin(&at_exec, pid) : ENOEXEC;
	if (!err && !task_read(&task, pid))
		err = ESRCH;
	if (!err && !task.no_new_privs && !(task.capabilities >> CAPABILITY_ADMIN & 1))
		err = inject_call(&at_exec, SYS_prctl, (unsigned long[ARGUMENTS]){ SET_NO_NEW_PRIVS, 1 },
				  &result);
	if (!err && !result)
		err = inject_guarded(&at_exec, filter, &result);
	if (!err && !result)
		err = suspended ? inject_unmap(&at_exec) : 0;
	if (!err && !result)
		err = inject_end(&at_exec);
	return (!err && !result) ||
	       fail(load,
		    "the running profile of the container could not be loaded for this exec session",
		    "annotate the container with seclatch.exec=boot, with which sessions get the profile "
		    "that it was started with");
}

bool load_killed(struct load *load, pid_t pid)
{
	return load->loader && load->loader == pid && !load->held && !load->problem.reason &&
	       !fail(load, "the profile killed the runtime at a call that the gate does not open",
		     "set no_new_privs, with which no gate is needed, or answer with SCMP_ACT_ERRNO");
}

const char *load_method(const struct load *load)
{
	if (!load->loader)
		return "no filter";
	if (load->held)
		return "hold";
	return load->closed ? "gate+exact" : "gate";
}
