/* Follows a runtime until it execs the image's program (ptrace(2), PTRACE_O_SUSPEND_SECCOMP).
 *
 * seccomp is suspended in every tracee, and children that a tracee forks inherit the option
 * (kernel/ptrace.c, Linux 4.3).  At the program's exec event none of its instructions has run:
 * detaching there makes the filter, which is loaded already, bind from the first one.
 *
 * Two kinds of runtime:
 *  - single-threaded ones (crun) fork their init and never exec before the program: the
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

#include "guard.h"
#include "latch.h"
#include "load.h"
#include "session.h"
#include "wait.h"
#include "watch.h"

/* Names with a prefix: glibc has an enum, musl macros, and old headers lack some. */
enum {
	SEIZE = 0x4206,
	LISTEN = 0x4208,
	CONT = 7,
	TO_CALL = 24,
	DETACH = 17,
	INTERRUPT = 0x4207,
	SETOPTIONS = 0x4200,
	GETEVENTMSG = 0x4201
};
enum {
	ON_FORK = 1 << 1,
	ON_VFORK = 1 << 2,
	ON_CLONE = 1 << 3,
	ON_EXEC = 1 << 4,
	ON_VFORKDONE = 1 << 5,
	ON_SECCOMP = 1 << 7,
	CALL_MARK = 1,
	SUSPEND_SECCOMP = 1 << 21
};
enum {
	FORKED = 1,
	VFORKED = 2,
	CLONED = 3,
	EXECED = 4,
	VFORK_DONE = 5,
	EXITING = 6,
	SECCOMP = 7,
	STOPPED = 128
};

enum {
	FRONT_OPTIONS = CALL_MARK | ON_FORK | ON_CLONE | ON_VFORKDONE,
	THREADED_FRONT_OPTIONS = CALL_MARK | ON_CLONE | ON_VFORKDONE,
	INIT_OPTIONS = CALL_MARK | ON_FORK | ON_VFORK | ON_CLONE | ON_EXEC,
};

/* front is 0 for the tracer of a runtime's init, init 0 for that of a front. */
struct trace {
	pid_t front;
	pid_t init;
	int err; /* why the init could not be followed */
	enum method method;
	const struct call *call;
	struct load load; /* METHOD_GATE: the state of the runtime's filter */
	struct watch watch; /* how its load is detected */
};

/* The option that lifts the filter: in the kernel, or by this tracer at each call. */
static long lifting(enum method method)
{
	return method == METHOD_SUSPEND ? SUSPEND_SECCOMP : ON_SECCOMP;
}

/* The raw call: PTRACE requests unknown to the libc are passed unchanged, and no request here returns
 * data.  ESRCH means that the tracee was just killed; the next wait reports it. */
static long trace_request(long request, pid_t pid, long data)
{
	return syscall(SYS_ptrace, request, (long)pid, 0L, data);
}

int seize_front(pid_t pid, enum method method)
{
	return trace_request(SEIZE, pid, FRONT_OPTIONS | lifting(method)) ? errno : 0;
}

static int seize_init(pid_t pid, enum method method)
{
	return trace_request(SEIZE, pid, INIT_OPTIONS | lifting(method)) ? errno : 0;
}

static bool is_of_front(const struct trace *trace, pid_t pid)
{
	return trace->front && (pid == trace->front || task_is_thread_of(pid, trace->front));
}

/* Must the filter's load be detected among the tracee's calls? */
static bool is_watched(const struct trace *trace, pid_t pid)
{
	return trace->method == METHOD_GATE && (!trace->load.loader || trace->load.unguarded) &&
	       !is_of_front(trace, pid);
}

/* Resumes the tracee, with a signal or 0; in gate mode until the next call that may be the filter's
 * load. */
static void go_on(const struct trace *trace, pid_t pid, int signal)
{
	bool to_call = is_watched(trace, pid) && !watch_has_breakpoints(pid);

	trace_request(to_call ? TO_CALL : CONT, pid, signal);
}

/* After the load a child of the front on the host's side is a hook that crun's front runs itself
 * (poststart): no filter binds it, and it must not end with this tracer.  This must be known for certain,
 * not only likely: a task that is let go so stays without the filter. */
static bool is_of_host(const struct trace *trace, const struct task *task, pid_t pid)
{
	struct task front;

	return trace->load.loader && trace->front && task->parent == trace->front &&
	       task->process != trace->load.loader && task_is_on_host(pid) &&
	       task_read(&front, trace->front) && front.seccomp == task->seccomp &&
	       front.no_new_privs == task->no_new_privs;
}

enum verdict { KEEP, RELEASE, HOOK, DONE };

/* A tracee was exec'd.  In any uncertain case the suspension ends.
 *
 * Where seccomp is suspended the tracer has no filter (else it could not suspend others'), so a filter on
 * a tracee is the container's; in gate mode this tracer has seen its load.  A task whose filter state and
 * namespaces equal its traced parent's is a hook that the runtime's init runs in the container: it is
 * released, and bound by the filter there is, but the program is still to come.
 */
static enum verdict judge_exec(const struct trace *trace, pid_t pid, struct task *task)
{
	struct task parent;
	bool child_of_init;

	*task = (struct task){ 0 };
	if (pid == trace->load.loader)
		return DONE;
	/* Exited, or hidden (proc(5), hidepid), or /proc shows another pid namespace's tasks.  After the
	 * load no task is let go for that: it would be without the filter. */
	if (!task_read(task, pid) || task->tracer != getpid())
		return trace->load.loader ? HOOK : RELEASE;
	if (trace->load.loader)
		return is_of_host(trace, task, pid) ? RELEASE : HOOK;
	child_of_init = task_read(&parent, task->parent) && parent.tracer == getpid() &&
			parent.seccomp == task->seccomp;
	if (task->seccomp && trace->method == METHOD_SUSPEND)
		return child_of_init ? HOOK : DONE;
	if (task_in_container(pid))
		return child_of_init && task_in_container(task->parent) ? RELEASE : DONE;
	if (pid == trace->init && task_is_named_init(pid)) /* the runtime's re-exec of itself */
		return KEEP;
	/* A hook on the host, or a program that shares all namespaces with it.  A front that is pid 1 has
	 * the tracer as its child, and crun would wait for it. */
	return trace->front == 1 ? DONE : RELEASE;
}

/* The container must not continue; the reason is in trace->load, and is reported while a process with the
 * container's stderr still exists. */
static bool stop_container(struct trace *trace, pid_t pid, pid_t heard)
{
	if (trace->load.problem.reason)
		refuse_late(trace->call, trace->load.problem, heard);
	load_stop(pid);
	return true;
}

static bool keep_hook_out(struct trace *trace, pid_t init, pid_t hook)
{
	const char *reason = guard_against_hook(hook, init);

	if (reason)
		trace->load.problem = (struct refusal){
			reason,
			"run that hook as a createContainer "
			"hook, leave CAP_SYS_PTRACE out, mount /proc without hidepid, or use the bare "
			"runtime for this container"
		};
	return !reason;
}

static const char *method_used(const struct trace *trace, const struct task *task)
{
	if (trace->method != METHOD_SUSPEND)
		return load_method(&trace->load);
	return task->seccomp ? "suspend" : "no filter";
}

/* True unless the container was tightened and its exec session could not be. */
static bool bind_session(struct trace *trace, pid_t pid)
{
	static struct filter filter;

	return !session_find(trace->call, &filter) ||
	       load_session(&trace->load, pid, &filter, trace->method == METHOD_SUSPEND);
}

static bool on_exec(struct trace *trace, pid_t pid)
{
	struct task task;
	enum verdict verdict = judge_exec(trace, pid, &task);
	pid_t init = trace->load.loader ? trace->load.loader : task.parent;

	if (verdict == KEEP) {
		go_on(trace, pid, 0);
		return false;
	}
	if (verdict == HOOK && !keep_hook_out(trace, init, pid))
		return stop_container(trace, pid, init);
	if (verdict != RELEASE && trace->load.loader && !load_at_exec(&trace->load, pid))
		return stop_container(trace, pid, pid);
	if (verdict == DONE && !bind_session(trace, pid))
		return stop_container(trace, pid, pid);
	trace_request(DETACH, pid, 0);
	if (verdict == DONE)
		journal_write(method_used(trace, &task), pid);
	return verdict == DONE;
}

/* A helper of the runtime on the host's side is let go before its exec: newuidmap(1) is a set-uid
 * program, and would gain nothing under a tracer without privileges. */
static bool on_call(struct trace *trace, pid_t pid)
{
	watch_at_call(&trace->watch, pid);
	if (trace->load.loader) { /* else the exit of a call from before the load */
		if (trace->load.unguarded)
			load_guard_at_close(&trace->load, pid);
		go_on(trace, pid, 0);
	} else if (pid != trace->init && load_sees_exec(pid) && !task_in_container(pid)) {
		trace_request(DETACH, pid, 0);
		return trace->front == 1; /* as in judge_exec */
	} else if (!load_at_call(&trace->load, pid)) {
		return stop_container(trace, pid, pid);
	} else {
		go_on(trace, pid, 0);
	}
	return false;
}

static bool on_gate(struct trace *trace, pid_t pid)
{
	if (!load_at_gate(&trace->load, pid))
		return stop_container(trace, pid, pid);
	go_on(trace, pid, 0);
	return false;
}

/* The exit of the thread that has loaded the gate, whose files are still open here (ptrace(2),
 * PTRACE_EVENT_EXIT).  Its status is as wait(2) reports it. */
static void on_exit_of_loader(struct trace *trace, pid_t tid)
{
	unsigned long status = 0;

	if (!trace_request(GETEVENTMSG, tid, (long)&status) && WTERMSIG((int)status) == SIGSYS &&
	    load_killed(&trace->load, trace->load.loader))
		refuse_late(trace->call, trace->load.problem, trace->load.loader);
	go_on(trace, tid, 0);
}

static void follow(struct trace *trace);

/* The runtime's init gets a tracer of its own, so that this one can detach by exiting: the kernel then
 * releases all threads of the front at once, without stopping one. */
static int hand_over(const struct trace *front, pid_t init)
{
	int report[2], err = ECHILD;
	pid_t pid;

	if (pipe(report))
		return errno;
	pid = fork();
	if (pid == 0) {
		err = seize_init(init, front->method);
		if (write(report[1], &err, sizeof err) != sizeof err || err)
			_exit(1);
		close(report[0]);
		close(report[1]);
		forget_reports();
		follow(&(struct trace){ .init = init,
					.method = front->method,
					.call = front->call,
					.load = front->load });
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

/* The front's thread is held here, and its init waits for a message from it.  An init that cannot be
 * followed must not continue unexempted: under some profiles it would get far. */
static bool on_vfork_done(struct trace *trace, pid_t thread)
{
	unsigned long child = 0;

	if (trace_request(GETEVENTMSG, thread, (long)&child) == 0 && child &&
	    task_is_runtime_init((pid_t)child, trace->front)) {
		trace->err = hand_over(trace, (pid_t)child);
		if (trace->err == ESRCH) /* it died by itself */
			trace->err = 0;
		if (trace->err)
			kill((pid_t)child, SIGKILL);
		return true;
	}
	go_on(trace, thread, 0);
	return false;
}

/* The front's first thread shows that this runtime does not fork its init.  The kernel reports any child
 * whose exit signal is not SIGCHLD as a clone event: threads, and clone3(2) with CLONE_PARENT. */
static void on_clone(const struct trace *trace, pid_t parent)
{
	unsigned long child = 0;

	if (trace->front && !trace_request(GETEVENTMSG, parent, (long)&child) &&
	    task_is_thread_of((pid_t)child, trace->front))
		trace_request(SETOPTIONS, parent, THREADED_FRONT_OPTIONS);
	go_on(trace, parent, 0);
}

/* Where seccomp is suspended there is no later stop before the container's own code may run.  An earlier
 * problem is not this tracee's: a runtime whose init was killed still runs the host's hooks. */
static bool guard_newborn(struct trace *trace, pid_t pid)
{
	int err = 0;

	if (trace->method == METHOD_SUSPEND && pid != trace->front)
		err = guard_at_birth(pid, INIT_OPTIONS | lifting(trace->method));
	if (!err || err == ESRCH)
		return true;
	trace->load.problem = (struct refusal){ "the memory of the runtime's init could not be guarded "
						"from the container's hooks",
						"use the bare runtime for this container" };
	return false;
}

/* A new tracee's first stop, the end of a group-stop, or a group-stop (ptrace(2): a seized tracee must be
 * kept stopped by PTRACE_LISTEN, or SIGSTOP would not stop it). */
static bool on_stop(struct trace *trace, pid_t pid, int signal)
{
	struct task task;

	if (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU) {
		trace_request(LISTEN, pid, 0);
		return false;
	}
	if (!guard_newborn(trace, pid))
		return stop_container(trace, pid, pid);
	if (trace->load.loader && task_read(&task, pid) && is_of_host(trace, &task, pid)) {
		trace_request(DETACH, pid, 0);
		return false;
	}
	if (trace->load.loader && !is_of_front(trace, pid))
		trace_request(SETOPTIONS, pid, LOADED_OPTIONS);
	else if (trace->front && pid != trace->front)
		trace_request(SETOPTIONS, pid,
			      task_is_thread_of(pid, trace->front) ?
				      THREADED_FRONT_OPTIONS :
				      INIT_OPTIONS | lifting(trace->method));
	if (is_watched(trace, pid) && !trace->load.loader)
		watch_newborn(&trace->watch, pid);
	go_on(trace, pid, 0);
	return false;
}

/* Handles one stop; true when the tracer's work is done. */
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
		return on_stop(trace, pid, signal);
	case SECCOMP:
		return on_gate(trace, pid);
	case EXITING:
		on_exit_of_loader(trace, pid);
		return false;
	case FORKED:
	case VFORKED:
		go_on(trace, pid, 0);
		return false;
	default:
		if (signal == (SIGTRAP | 0x80))
			return on_call(trace, pid);
		if (signal == SIGTRAP && watch_at_trap(&trace->watch, pid, trace->load.loader))
			signal = 0;
		go_on(trace, pid, signal); /* deliver it */
		return false;
	}
}

static bool stop_task(pid_t pid, int *status)
{
	return !trace_request(INTERRUPT, pid, 0) && await_stop(pid) > 0 &&
	       wait_for_one(pid, status) > 0 && WIFSTOPPED(*status);
}

/* A hook that crun's front has forked before the load of the filter may not have exec'd yet when the program
 * does. Its breakpoints would end it without this tracer.  Any other task keeps them, and ends by them. */
static void let_hooks_go(const struct trace *trace)
{
	for (int i = 0; i < trace->watch.armed_count; i++) {
		pid_t pid = trace->watch.armed[i];
		struct task task;
		int status;

		if (task_read(&task, pid) && task.tracer == getpid() && is_of_host(trace, &task, pid) &&
		    stop_task(pid, &status))
			trace_request(DETACH, pid, watch_disarm(pid, status));
	}
}

static void follow(struct trace *trace)
{
	bool done = false;

	while (!done) {
		int status = 0;
		pid_t pid = wait_for_any(&status);

		if (pid < 0)
			break; /* ECHILD: the container was deleted, or never existed */
		done = WIFSTOPPED(status) && on_event(trace, pid, status);
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS && load_killed(&trace->load, pid))
			refuse_late(trace->call, trace->load.problem, trace->front);
	}
	let_hooks_go(trace);
}

int follow_front(pid_t front, enum method method, bool exact_only, const struct call *call)
{
	struct trace trace = {
		.front = front, .method = method, .call = call, .load = { .exact_only = exact_only }
	};

	follow(&trace);
	return trace.err;
}
