/* Follows a runtime until it execs the image's program (ptrace(2), PTRACE_O_SUSPEND_SECCOMP).
 *
 * seccomp is suspended in every tracee, and the option is handed down to what a tracee forks
 * (kernel/ptrace.c, Linux 4.3).  At the program's exec event none of its instructions has run:
 * detaching there makes the filter, loaded long ago, bind from the first.
 *
 * Two kinds of runtime:
 *  - single-threaded ones (crun, youki) fork their init and never exec before the program: the
 *    child is attached at birth;
 *  - multi-threaded ones (runc, anything in Go) cannot fork and go on, they vfork and exec
 *    themselves as "init".  Attaching every child at birth would break those that ask to be
 *    traced by the runtime itself (PTRACE_TRACEME, runc >= 1.2).  So the front's side only
 *    reports the end of a vfork, where the parent is held until the child is seized.
 */
#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "latch.h"

/* Names of our own: glibc has an enum, musl macros, and old headers lack some. */
enum { SEIZE = 0x4206, LISTEN = 0x4208, CONT = 7, DETACH = 17, SETOPTIONS = 0x4200,
       GETEVENTMSG = 0x4201 };
enum { ON_FORK = 1 << 1, ON_VFORK = 1 << 2, ON_CLONE = 1 << 3, ON_EXEC = 1 << 4,
       ON_VFORKDONE = 1 << 5, SUSPEND_SECCOMP = 1 << 21 };
enum { FORKED = 1, VFORKED = 2, CLONED = 3, EXECED = 4, VFORK_DONE = 5, STOPPED = 128 };

enum {
	FRONT_OPTIONS = ON_FORK | ON_CLONE | ON_VFORKDONE | SUSPEND_SECCOMP,
	THREADED_FRONT_OPTIONS = ON_CLONE | ON_VFORKDONE,
	INIT_OPTIONS = ON_FORK | ON_VFORK | ON_CLONE | ON_EXEC | SUSPEND_SECCOMP,
};

/* front is 0 for the tracer of a runtime's init, init 0 for that of a front. */
struct trace {
	pid_t front;
	pid_t init;
	int err;	/* why the init could not be followed */
};

/* The raw call: PTRACE requests that libcs do not know go through, and no request of ours
 * returns data.  ESRCH means that the tracee was just killed; the next wait tells. */
static long trace_request(long request, pid_t pid, long data)
{
	return syscall(SYS_ptrace, request, (long)pid, 0L, data);
}

int seize_front(pid_t pid)
{
	return trace_request(SEIZE, pid, FRONT_OPTIONS) ? errno : 0;
}

int seize_init(pid_t pid)
{
	return trace_request(SEIZE, pid, INIT_OPTIONS) ? errno : 0;
}

enum verdict { KEEP, RELEASE, DONE };

/* A tracee was exec'd.  The tracer has no filter (else it could not suspend others'), so a filter
 * on a tracee is the container's.  A task whose filter state and namespaces are its traced
 * parent's is a hook that the runtime's init runs in the container: it is released, and bound
 * by the filter there is, but the program is still to come. */
static enum verdict judge_exec(const struct trace *trace, pid_t pid)
{
	struct task task, parent;
	bool child_of_init;

	if (!task_read(&task, pid))
		return KEEP;
	child_of_init = task_read(&parent, task.parent) && parent.tracer == getpid() &&
			parent.seccomp == task.seccomp;
	if (task.seccomp)
		return child_of_init ? RELEASE : DONE;
	if (!task_in_container(pid))	/* the runtime's re-exec of itself, or a hook of the host's */
		return pid == trace->init ? KEEP : RELEASE;
	return child_of_init && task_in_container(task.parent) ? RELEASE : DONE;
}

static bool on_exec(const struct trace *trace, pid_t pid)
{
	enum verdict verdict = judge_exec(trace, pid);

	trace_request(verdict == KEEP ? CONT : DETACH, pid, 0);
	return verdict == DONE;
}

static void follow(struct trace *trace);

/* The runtime's init gets a tracer of its own, so that this one can leave by exiting: the kernel
 * then lets all threads of the front go at once, without stopping one. */
static int hand_over(pid_t init)
{
	int report[2], err = ECHILD;
	pid_t pid;

	if (pipe(report))
		return errno;
	pid = fork();
	if (pid == 0) {
		err = seize_init(init);
		if (write(report[1], &err, sizeof err) != sizeof err || err)
			_exit(1);
		close(report[0]);
		close(report[1]);
		follow(&(struct trace){ .init = init });
		_exit(0);
	}
	if (pid < 0)
		err = errno;
	close(report[1]);
	if (pid > 0 && read(report[0], &err, sizeof err) != sizeof err)
		err = ECHILD;
	close(report[0]);
	return err;
}

/* The front's thread is held here, and its init waits for word from it.  An init that cannot be
 * followed must not go on unexempted: some profiles would let it get far. */
static bool on_vfork_done(struct trace *trace, pid_t thread)
{
	unsigned long child = 0;

	if (trace_request(GETEVENTMSG, thread, (long)&child) == 0 && child &&
	    task_is_runtime_init((pid_t)child, trace->front)) {
		trace->err = hand_over((pid_t)child);
		if (trace->err == ESRCH)	/* it died by itself */
			trace->err = 0;
		if (trace->err)
			kill((pid_t)child, SIGKILL);
		return true;
	}
	trace_request(CONT, thread, 0);
	return false;
}

/* The first thread tells that this runtime does not fork its init. */
static void on_clone(const struct trace *trace, pid_t thread)
{
	if (trace->front)
		trace_request(SETOPTIONS, thread, THREADED_FRONT_OPTIONS);
	trace_request(CONT, thread, 0);
}

/* A new tracee's first stop, the end of a group-stop, or a group-stop (ptrace(2): a seized tracee
 * must be told to stay stopped by PTRACE_LISTEN, or SIGSTOP would not stop it). */
static void on_stop(const struct trace *trace, pid_t pid, int signal)
{
	if (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU) {
		trace_request(LISTEN, pid, 0);
		return;
	}
	if (trace->front && pid != trace->front)
		trace_request(SETOPTIONS, pid, task_is_thread_of(pid, trace->front) ?
			      THREADED_FRONT_OPTIONS : INIT_OPTIONS);
	trace_request(CONT, pid, 0);
}

/* Answers one stop; true when the tracer's work is done. */
static bool on_event(struct trace *trace, pid_t pid, int status)
{
	int signal = WSTOPSIG(status);

	switch (status >> 16) {
	case EXECED:
		return on_exec(trace, pid);
	case VFORK_DONE:
		return on_vfork_done(trace, pid);
	case CLONED:
		on_clone(trace, pid);
		return false;
	case STOPPED:
		on_stop(trace, pid, signal);
		return false;
	case FORKED:
	case VFORKED:
		trace_request(CONT, pid, 0);
		return false;
	default:	/* the signal goes on to its receiver */
		trace_request(CONT, pid, signal);
		return false;
	}
}

static void follow(struct trace *trace)
{
	bool done = false;

	while (!done) {
		int status;
		pid_t pid = waitpid(-1, &status, __WALL);

		if (pid < 0 && errno != EINTR)
			return;	/* ECHILD: the container was deleted, or never came to be */
		done = pid > 0 && WIFSTOPPED(status) && on_event(trace, pid, status);
	}
}

int follow_front(pid_t front)
{
	struct trace trace = { .front = front };

	follow(&trace);
	return trace.err;
}
