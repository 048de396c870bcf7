/* Binds one process: by the thread that a stop disturbs least, at a moment when it disturbs none.
 * See tighten.h. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tighten.h"

enum { PF_WORKER = 0x10 | 0x4000 }; /* <linux/sched.h>: IO and user workers; they make no calls */
/* microseconds: between attempts; until a SIGKILL has effect, and until it is seen */
enum { PAUSE = 1000, DYING = 5000000, PASSING = 20000 };
/* A thread that runs may be within a long write(2), between two of its sleeps: whether it is in a call
 * cannot be seen.  It is looked at so often, and must run each time. */
enum { GLANCES = 12, GLANCE = 150 };
enum { LATE_PASSES = 3 }; /* over threads when the time is over: the last may have bound all */

static enum disturbance look(pid_t pid, pid_t tid, bool compat)
{
	struct task_stat stat;
	struct task_call call;
	enum disturbance found;

	if (!read_task_stat(pid, tid, &stat) || stat.flags & PF_WORKER || strchr("ZXxI", stat.state))
		return UNFIT;
	if (stat.state == 'D')
		return read_task_call(pid, tid, &call) && is_vfork(call.number, compat) ? VFORKS : UNFIT;
	if (stat.state == 't' && read_task_status(pid, tid, "TracerPid:", 10))
		return UNFIT;
	/* stopped by a signal, as by a tracer: the call has its result, but is still shown */
	if (stat.state == 'T')
		return RESTARTS;
	if (!read_task_call(pid, tid, &call))
		return UNFIT;
	found = classify_call(&call, compat);
	if (found != CONTINUES || !options.never_restart)
		return found;
	/* one that is in restart_syscall(2) itself could not begin again */
	return begins_again(&call, compat) ? TIMED : PARTIAL;
}

/* 0: none. */
static pid_t choose_thread(pid_t pid, const pid_t *tids, size_t count, enum disturbance *best)
{
	bool compat = is_32bit(pid);
	pid_t chosen = 0;

	*best = UNFIT;
	for (size_t i = 0; i < count && *best != RESTARTS; i++) {
		enum disturbance found = look(pid, tids[i], compat);

		/* strace and gdb trace all threads of a process, but need not */
		if (found < *best && !read_task_status(pid, tids[i], "TracerPid:", 10)) {
			*best = found;
			chosen = tids[i];
		}
	}
	return chosen;
}

static enum failure explain_unfit(pid_t pid, const pid_t *tids, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (read_task_status(pid, tids[i], "TracerPid:", 10))
			return TRACED;
		if (is_frozen(pid, tids[i]))
			return FROZEN;
	}
	return UNSTOPPABLE;
}

static void note(struct process *process, const struct outcome *outcome)
{
	process->last = *outcome;
	if (outcome->pause > process->pause)
		process->pause = outcome->pause;
	if (outcome->failure || outcome->diverged)
		return;
	process->no_new_privs |= outcome->no_new_privs;
	process->present += outcome->present;
	process->loads += !outcome->present;
}

static bool can_be_left_out(pid_t pid, pid_t tid)
{
	struct task_stat stat;

	return !read_task_stat(pid, tid, &stat) || stat.flags & PF_WORKER || strchr("ZXx", stat.state);
}

static bool keeps_running(pid_t pid, pid_t tid)
{
	bool compat = is_32bit(pid);

	for (int i = 0; i < GLANCES; i++) {
		usleep(GLANCE);
		if (look(pid, tid, compat) == PARTIAL)
			return false;
	}
	return true;
}

static enum failure wait_for_thread(pid_t pid, pid_t tid, bool compat)
{
	for (;;) {
		enum disturbance found = look(pid, tid, compat);

		if (can_be_left_out(pid, tid))
			return GONE;
		if (found < PARTIAL && (found != RUNS || keeps_running(pid, tid)))
			return NONE;
		if (is_past(&options.deadline))
			return found == PARTIAL ? PROCESS_IN_CALL : explain_unfit(pid, &tid, 1);
		usleep(PAUSE);
	}
}

/* PTRACE_O_EXITKILL: a worker that is killed takes the process with it while the registers are not its
 * own.  That is never passed over as a process that has ended by itself. */
static bool is_dying(pid_t pid)
{
	enum { PF_EXITING = 4, PF_SIGNALED = 0x400, KILL_PENDING = 1 << (9 - 1) };
	struct task_stat stat;

	return !read_task_stat(pid, pid, &stat) || stat.flags & (PF_EXITING | PF_SIGNALED) ||
	       (read_task_status(pid, pid, "SigPnd:", 16) | read_task_status(pid, pid, "ShdPnd:", 16)) &
		       KILL_PENDING;
}

static bool has_died_with_worker(pid_t pid)
{
	/* the worker has been waited for, so the signal has been sent */
	for (int i = 0; i < DYING / PAUSE && (is_dying(pid) || i < PASSING / PAUSE); i++) {
		if (is_gone(pid))
			return true;
		usleep(PAUSE);
	}
	return is_gone(pid);
}

static struct outcome bind_one_of_many(const struct process *process, pid_t tid, bool compat)
{
	struct outcome outcome = { .tid = tid, .number = -1 };

	outcome.failure = wait_for_thread(process->pid, tid, compat);
	if (!outcome.failure)
		outcome = bind_thread(process, tid, false);
	if (outcome.failure == TRACER_LOST && has_died_with_worker(process->pid))
		outcome.failure = KILLED;
	return outcome;
}

/* Passes over the threads of one process, and those that are known to be bound. */
struct passes {
	bool compat;
	bool calm; /* since the last pass began, none was without the filter */
	size_t tries;
	unsigned long long began, loaded; /* clock ticks; loaded: last */
	struct {
		pid_t tid;
		unsigned long long start;
	} done[MAX_MEMBERS];
	size_t dones;
};

static bool is_done(const struct passes *passes, pid_t tid, unsigned long long start)
{
	for (size_t i = 0; i < passes->dones; i++)
		if (passes->done[i].tid == tid && passes->done[i].start == start)
			return true;
	return false;
}

/* Unsuspended, filters can only be counted.  A thread with one more that is not known to be bound was created
 * by one that is if it began after the last load, and no thread was without then.  One that began earlier may
 * have loaded one of its own, and did if that was before the first load. */
static enum holding {
	WITHOUT,
	INHERITED,
	UNDECIDED,
	OTHERS
} judge_thread(const struct passes *passes, pid_t pid, pid_t tid, unsigned long long start)
{
	unsigned long long count = count_filters(pid, tid);

	if (!options.unsuspended || count == options.present)
		return WITHOUT;
	if (count != options.present + 1 || start < passes->began)
		return OTHERS;
	if (passes->calm && passes->loaded && start > passes->loaded + 1)
		return INHERITED;
	return is_past(&options.deadline) ? OTHERS : UNDECIDED;
}

/* GONE: look again. */
static struct outcome bind_or_judge(const struct process *process, struct passes *passes, pid_t tid,
				    unsigned long long start)
{
	struct outcome outcome = { .tid = tid, .number = -1 };
	enum holding holding = judge_thread(passes, process->pid, tid, start);

	if (holding == WITHOUT) {
		outcome = bind_one_of_many(process, tid, passes->compat);
		passes->loaded = count_ticks();
		passes->calm = false;
		passes->tries++;
	} else if (holding == INHERITED)
		outcome.present = true;
	else
		outcome.failure = holding == UNDECIDED || can_be_left_out(process->pid, tid) ?
					  GONE :
					  OTHER_FILTERS;
	return outcome;
}

static bool bind_new_threads(struct process *process, struct passes *passes, bool *news)
{
	static pid_t tids[MAX_MEMBERS];
	size_t count = list_threads(process->pid, tids, MAX_MEMBERS);
	size_t before = passes->tries;

	for (size_t i = 0; i < count && passes->dones < MAX_MEMBERS; i++) {
		struct task_stat stat;
		struct outcome outcome;

		if (can_be_left_out(process->pid, tids[i]) ||
		    !read_task_stat(process->pid, tids[i], &stat) || is_done(passes, tids[i], stat.start))
			continue;
		*news = true;
		outcome = bind_or_judge(process, passes, tids[i], stat.start);
		if (outcome.failure == GONE)
			continue;
		note(process, &outcome);
		if (outcome.failure)
			return false;
		passes->done[passes->dones].tid = tids[i];
		passes->done[passes->dones++].start = stat.start;
	}
	passes->calm = passes->tries == before;
	return true;
}

/* Each thread for itself, until none is new: one that is born has its creator's filters. */
static bool bind_each_thread(struct process *process)
{
	static struct passes passes;
	bool news = true;
	int late = 0;

	passes.compat = is_32bit(process->pid);
	passes.calm = false;
	passes.began = count_ticks();
	passes.loaded = passes.dones = passes.tries = 0;
	while (news && !is_gone(process->pid)) {
		news = false;
		if (!bind_new_threads(process, &passes, &news))
			return false;
		late += news && is_past(&options.deadline);
		if (late == LATE_PASSES) {
			process->last.failure = KEEPS_CHANGING;
			return false;
		}
		if (news && passes.calm)
			usleep(PAUSE);
	}
	return true;
}

/* Unsuspended: an attempt for all threads that was cut short has bound all, or none and one has loaded a
 * filter of its own. */
static bool has_bound_all(struct process *process)
{
	static pid_t tids[MAX_MEMBERS];
	size_t count = list_threads(process->pid, tids, MAX_MEMBERS);

	for (size_t i = 0; i < count; i++)
		if (count_filters(process->pid, tids[i]) != options.present + 1 &&
		    !can_be_left_out(process->pid, tids[i]))
			process->last.failure = OTHER_FILTERS;
	return !process->last.failure;
}

/* May another attempt end better? */
static bool is_passing(const struct outcome *outcome)
{
	switch (outcome->failure) {
	case GONE: /* the thread; or the process has become another program */
	case NOT_STOPPED:
	case PROCESS_IN_CALL:
	case FROZEN:
	case TRACER_LOST:
		return true;
	case NOT_SEIZED: /* it may be traced for a moment, or execute another program */
		return true;
	case REFUSED:
		return outcome->err == EAGAIN || outcome->err == EINTR;
	default:
		return false;
	}
}

static bool attempt(struct process *process, pid_t tid, bool *again)
{
	struct outcome outcome;

	if (options.filter.by_prctl) { /* which binds the calling thread alone */
		*again = false;
		return bind_each_thread(process);
	}
	outcome = bind_thread(process, tid, true);
	*again = is_passing(&outcome);
	process->cut_short |= outcome.failure == TRACER_LOST;
	if (outcome.failure == TRACER_LOST && has_died_with_worker(process->pid)) {
		outcome.failure = KILLED;
		*again = false;
	}
	note(process, &outcome);
	if (outcome.failure)
		return false;
	if (outcome.present && options.unsuspended)
		return has_bound_all(process);
	/* others may have been left without by an attempt that was cut short */
	if (outcome.diverged || (outcome.present && process->threads > 1))
		return bind_each_thread(process);
	return true;
}

/* 32-bit programs on arm64 have registers of another kind: they are left as they are. */
static bool can_be_entered(struct process *process)
{
	if (CAN_ENTER_32BIT || !is_32bit(process->pid))
		return true;
	process->last.failure = NOT_ENTERED;
	return false;
}

bool bind_process(struct process *process)
{
	static pid_t tids[MAX_MEMBERS];

	while (!is_gone(process->pid) && can_be_entered(process)) {
		size_t count = list_threads(process->pid, tids, MAX_MEMBERS);
		enum disturbance found;
		pid_t tid = choose_thread(process->pid, tids, count, &found);
		bool again = true;
		bool spoils = found == PARTIAL || (found == RUNS && !keeps_running(process->pid, tid));

		process->threads = count;
		if (tid && !spoils) {
			if (attempt(process, tid, &again))
				return true;
			if (!again)
				return false;
		} else {
			process->last.failure = spoils ? PROCESS_IN_CALL :
							 explain_unfit(process->pid, tids, count);
		}
		if (is_past(&options.deadline))
			return is_gone(process->pid);
		usleep(PAUSE);
	}
	return is_gone(process->pid);
}

bool examine_process(struct process *process)
{
	static pid_t tids[MAX_MEMBERS];
	size_t count = list_threads(process->pid, tids, MAX_MEMBERS);
	enum disturbance found;
	pid_t tid = choose_thread(process->pid, tids, count, &found);

	process->threads = count;
	process->last = (struct outcome){ .tid = tid, .number = -1, .disturbance = found };
	if (is_gone(process->pid))
		return true;
	if (!can_be_entered(process))
		return false;
	if (!tid)
		process->last.failure = explain_unfit(process->pid, tids, count);
	else if (is_frozen(process->pid, tid))
		process->last.failure = FROZEN;
	else if (found == PARTIAL)
		process->last.failure = PROCESS_IN_CALL;
	process->no_new_privs = tid && needs_no_new_privs(process->pid, tid);
	if (process->no_new_privs && options.never_no_new_privs)
		process->last.failure = NEEDS_NO_NEW_PRIVS;
	for (size_t i = 0; options.unsuspended && i < count; i++)
		if (count_filters(process->pid, tids[i]) != options.present &&
		    !can_be_left_out(process->pid, tids[i]))
			process->last.failure = OTHER_FILTERS;
	return !process->last.failure;
}
