/* Binds one thread: stops it, has it load the filter, checks, and lets it go on.  See tighten.h.
 *
 * Its call goes on as if nothing had been, because the kernel decides how, and when the thread is let
 * go: a stop leaves -ERESTART… in the register for the result (arch/x86/kernel/signal.c), the
 * injected calls are made, the registers are put back, and PTRACE_DETACH makes the kernel look again
 * for signals and restarts.  Three kinds need help:
 *  - calls that fail with EINTR whatever interrupts them (epoll_wait): nothing but this tracer has, so
 *    -EINTR becomes -ERESTARTNOHAND: again, or EINTR when a signal's handler is to run;
 *  - sleeps that go on by restart_syscall(2) (-ERESTART_RESTARTBLOCK), which a filter may deny: let in
 *    while seccomp is suspended, and left when it sleeps (leave_in_restart);
 *  - code within a restartable sequence (rseq(2)): let go on until it is out.
 *
 * Killed before the first write of registers, the tracer leaves the thread as any stop does; from then
 * to PTRACE_DETACH, by which the filter is on, PTRACE_O_EXITKILL ends the process with it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>

#include "interrupted.h"
#include "tighten.h"
#include "wait.h"

enum {
	CONT = 7,
	DETACH = 17,
	TO_SYSCALL = 24,
	SET_OPTIONS = 0x4200,
	SEIZE = 0x4206,
	INTERRUPT = 0x4207,
	SET_MASK = 0x420b,
	GET_FILTER = 0x420c,
	GET_RSEQ = 0x420f,
};
enum { SYSGOOD = 1, EXITKILL = 1 << 20, SUSPEND_SECCOMP = 1 << 21 };
enum { SYSCALL_STOP = SIGTRAP | 0x80, EVENT_STOP = 128 };
enum { TSYNC = 1 };
enum { STEP = 100, PATIENCE = 3000, GRACE = 3000 }; /* milliseconds */
enum { GLANCE = 50, PROMPT = 500 }; /* microseconds */
enum { MAX_ATTEMPTS = 100 };

static int request(long what, pid_t tid, unsigned long address, const void *data)
{
	return syscall(SYS_ptrace, what, (long)tid, address, data) ? errno : 0;
}

/* SUSPEND_SECCOMP takes CAP_SYS_ADMIN in the initial user namespace (ptrace_setoptions()). */
static unsigned long tracer_options(void)
{
	return SYSGOOD | (options.unsuspended ? 0 : SUSPEND_SECCOMP);
}

/* ---- stop */

static bool is_stuck(const struct tracee *tracee)
{
	struct task_stat stat;

	return !read_task_stat(tracee->pid, tracee->tid, &stat) || strchr("DZXx", stat.state);
}

/* A thread on its way to a stop is waited for, however busy the machine: to give it up would leave it
 * with a call that fails with EINTR. */
static int stop(struct tracee *tracee)
{
	int status, waited = 0;
	long patience = PROMPT;
	bool vforks;

	read_task_call(tracee->pid, tracee->tid, &tracee->before);
	vforks = is_vfork(tracee->before.number, is_32bit(tracee->pid));
	clock_gettime(CLOCK_MONOTONIC, &tracee->since);
	if (request(INTERRUPT, tracee->tid, 0, NULL))
		return ESRCH;
	for (;;) {
		pid_t found = wait_for_a_while(tracee->tid, &status, patience);
		bool stuck = !found && is_stuck(tracee);

		if (found < 0 || (found && !WIFSTOPPED(status)))
			return ESRCH;
		if (!found) {
			waited += patience / 1000;
			if (stuck && waited >= STEP && (!vforks || is_past(&options.deadline)))
				return ETIMEDOUT;
			if (!stuck && waited >= 10 * PATIENCE)
				return ETIMEDOUT;
			/* what it waits for in state D (vfork(2), a disk) is no pause of ours */
			if (stuck)
				clock_gettime(CLOCK_MONOTONIC, &tracee->since);
			patience = stuck ? 1000 : STEP * 1000L;
			continue;
		}
		if (status >> 16 == EVENT_STOP)
			return 0;
		/* a signal is about to be handled: let it, and stop in the handler */
		if (request(CONT, tracee->tid, 0, (void *)(long)WSTOPSIG(status)) ||
		    request(INTERRUPT, tracee->tid, 0, NULL))
			return ESRCH;
	}
}

/* A sequence that the kernel aborts when it finds the program interrupted there, and would not find
 * with other registers (rseq(2), kernel/rseq.c). */
static bool is_in_rseq(const struct tracee *tracee)
{
	struct {
		uint64_t area;
		uint32_t size, signature, flags, pad;
	} where = { 0 };
	struct {
		uint32_t version, flags;
		uint64_t start, length, abort;
	} section;
	uint64_t pointer = 0;

	if (syscall(SYS_ptrace, (long)GET_RSEQ, (long)tracee->tid, sizeof where, &where) < 0 ||
	    !where.area)
		return false;
	if (inject_read(tracee->tid, where.area + 8, &pointer, 8) || !pointer ||
	    inject_read(tracee->tid, pointer, &section, sizeof section))
		return false;
	return registers_pc(&tracee->registers) - section.start < section.length;
}

static int look_at_call(struct tracee *tracee)
{
	int err = registers_get(tracee->tid, &tracee->registers);

	if (err)
		return err;
	tracee->compat = registers_abi(&tracee->registers)->pointer == 4;
	find_interrupted_call(tracee);
	if (tracee->restart == EINTR)
		tracee->restart = is_repeatable(tracee->number, tracee->compat) ? RESTARTNOHAND : 0;
	return 0;
}

static int stop_well(struct tracee *tracee)
{
	int err = stop(tracee);

	for (int i = 0; !err; i++) {
		err = look_at_call(tracee);
		if (err || tracee->number >= 0 || !is_in_rseq(tracee))
			return err;
		if (i == MAX_ATTEMPTS)
			return EBUSY;
		if (request(CONT, tracee->tid, 0, NULL))
			return ESRCH;
		err = stop(tracee);
	}
	return err;
}

/* ---- let go */

static bool is_asleep(const struct tracee *tracee)
{
	struct task_stat stat;
	struct task_call call;

	return read_task_stat(tracee->pid, tracee->tid, &stat) && strchr("SD", stat.state) &&
	       read_task_call(tracee->pid, tracee->tid, &call) && call.number >= 0;
}

/* At a call's entry PTRACE_DETACH would make the kernel believe that a signal is pending
 * (__ptrace_unlink(): TIF_SIGPENDING), and the call may fail with EINTR; a tracer that ends leaves a
 * thread that runs or sleeps undisturbed. */
static int leave_running(struct tracee *tracee)
{
	int err = request(SET_OPTIONS, tracee->tid, 0, (void *)(long)SYSGOOD);

	return err ? err : request(CONT, tracee->tid, 0, NULL);
}

/* restart_syscall(2) does nothing but go on with what the kernel has remembered. */
static int leave_in_restart(struct tracee *tracee)
{
	unsigned long signal = 0;
	int status;

	for (;;) {
		pid_t found;

		if (request(TO_SYSCALL, tracee->tid, 0, (void *)signal))
			return ESRCH;
		if (!tracee->pause)
			tracee->pause = microseconds_since(&tracee->since);
		do {
			found = wait_for_a_while(tracee->tid, &status, GLANCE);
			if (!found && is_asleep(tracee))
				return 0;
		} while (!found);
		if (found < 0 || !WIFSTOPPED(status))
			return ESRCH;
		if (WSTOPSIG(status) == SYSCALL_STOP && !(status >> 16))
			return leave_running(tracee);
		if (status >> 16)
			return request(DETACH, tracee->tid, 0, NULL);
		signal = (unsigned long)WSTOPSIG(status);
	}
}

static int set_mask(const struct injection *injection)
{
	return request(SET_MASK, injection->pid, sizeof injection->mask, &injection->mask);
}

static int leave_by_restart(struct injection *injection, struct tracee *tracee)
{
	const struct abi *abi = registers_abi(&injection->registers);
	int err = inject_enter(injection, registers_pc(&tracee->registers) - abi->enter_length,
			       abi->nr_restart_syscall);

	if (!err)
		err = set_mask(injection);
	/* from here on nothing of the thread's is held back, and the filter is on */
	if (!err)
		err = request(SET_OPTIONS, tracee->tid, 0, (void *)tracer_options());
	return err ? err : leave_in_restart(tracee);
}

/* Is it at the exit of an injected call, and not in the stop that it was brought to?  Then the kernel
 * will look at its registers for a restart, also on arm64. */
static int let_go(struct injection *injection, struct tracee *tracee)
{
	struct registers registers = tracee->registers;
	int err;

	/* a frozen process is where it was stopped: the kernel continues its call, as after any stop */
	if (tracee->restart == RESTART_BLOCK && !injection->interrupted && !options.unsuspended)
		return leave_by_restart(injection, tracee);
	err = set_restart(injection, tracee, &registers);
	if (!err)
		err = restore_vectors(tracee);
	if (!err)
		err = registers_set(tracee->tid, &registers);
	if (!err)
		err = set_mask(injection);
	return err ? err : request(DETACH, tracee->tid, 0, NULL);
}

/* ---- load */

unsigned long long count_filters(pid_t pid, pid_t tid)
{
	return read_task_status(pid, tid, "Seccomp_filters:", 10);
}

/* Unsuspended: whether it was loaded in addition to those that were there. */
static bool has_filter(pid_t pid, pid_t tid)
{
	static unsigned char found[MAX_INSTRUCTIONS * 8];

	if (options.unsuspended)
		return count_filters(pid, tid) == options.present + 1;
	for (unsigned long i = 0;; i++) {
		long length = syscall(SYS_ptrace, (long)GET_FILTER, (long)tid, i, NULL);

		if (length < 0)
			return false;
		if (length == (long)options.filter.length &&
		    syscall(SYS_ptrace, (long)GET_FILTER, (long)tid, i, found) == length &&
		    !memcmp(found, options.filter.code, (size_t)length * 8))
			return true;
	}
}

bool needs_no_new_privs(pid_t pid, pid_t tid)
{
	enum { SYS_ADMIN = 21 };

	return !read_task_status(pid, tid, "NoNewPrivs:", 10) &&
	       !(read_task_status(pid, tid, "CapEff:", 16) >> SYS_ADMIN & 1);
}

/* Behind the call in which it is, or else in the vDSO.  Nothing is ever written over code: other threads
 * may be running it. */
static int find_entry(const struct tracee *tracee, unsigned long *at)
{
	const struct abi *abi = registers_abi(&tracee->registers);
	unsigned char bytes[4];

	*at = registers_pc(&tracee->registers) - abi->enter_length;
	if (!inject_read(tracee->tid, *at, bytes, abi->enter_length) &&
	    !memcmp(bytes, abi->enter, abi->enter_length))
		return 0;
	/* a 64-bit program in a 32-bit call, say: it would be continued by a number of the other table */
	if (tracee->restart == RESTART_BLOCK)
		return EBUSY;
	*at = find_in_vdso(tracee->pid, tracee->tid, abi->enter, abi->enter_length);
	return *at ? 0 : ENOEXEC;
}

static enum failure name_error(int err)
{
	switch (err) {
	case 0:
		return NONE;
	case ESRCH:
		return GONE;
	case EPERM:
	case EFAULT:
		return CHANGED;
	case ETIMEDOUT:
		return FROZEN;
	default:
		return REFUSED;
	}
}

static bool is_ended_by_filter(const struct injection *injection)
{
	return WIFSIGNALED(injection->ended) && WTERMSIG(injection->ended) == SIGSYS;
}

static void load(pid_t pid, struct injection *injection, struct outcome *outcome, bool all_threads)
{
	const struct abi *abi = registers_abi(&injection->registers);
	struct filter *filter = &options.filter;
	long result = 0;
	int err = 0;

	/* PR_SET_NO_NEW_PRIVS */
	if (outcome->no_new_privs)
		err = inject_call(injection, abi->nr_prctl, (unsigned long[ARGUMENTS]){ 38, 1 }, &result);
	filter->flags = all_threads ? filter->flags | TSYNC : filter->flags & ~(unsigned long)TSYNC;
	if (!err && !result)
		err = inject_guarded(injection, filter, &result);
	if (!err && result > 0)
		outcome->diverged = (pid_t)result;
	if (!err && result < 0)
		err = (int)-result, outcome->failure = REFUSED;
	else
		outcome->failure = name_error(err);
	outcome->err = err;
	if (!outcome->failure && !result && !has_filter(pid, injection->pid))
		outcome->failure = DIFFERS;
	if (outcome->failure == GONE && is_ended_by_filter(injection))
		outcome->failure = DENIED;
	if (!injection->ended && inject_unmap(injection) == ESRCH)
		outcome->failure = is_ended_by_filter(injection) ? DENIED : GONE;
}

static enum failure load_and_leave(struct tracee *tracee, struct outcome *outcome, bool all_threads)
{
	struct injection injection;
	unsigned long at;
	int err = find_entry(tracee, &at);

	if (!err)
		err = save_vectors(tracee);
	outcome->no_new_privs = needs_no_new_privs(tracee->pid, tracee->tid);
	if (!err && outcome->no_new_privs && options.never_no_new_privs)
		outcome->failure = NEEDS_NO_NEW_PRIVS;
	if (err)
		outcome->failure = err == EBUSY ? PROCESS_IN_CALL : NOT_ENTERED;
	if (outcome->failure)
		return outcome->failure;
	err = request(SET_OPTIONS, tracee->tid, 0, (void *)(tracer_options() | EXITKILL));
	if (!err)
		err = inject_begin_anywhere(&injection, tracee->tid, &tracee->registers, at);
	if (err)
		return GONE;
	injection.patience = PATIENCE;
	outcome->err = settle_restart(&injection, tracee);
	outcome->failure = name_error(outcome->err);
	if (!outcome->failure)
		load(tracee->pid, &injection, outcome, all_threads);
	err = injection.ended ? 0 : let_go(&injection, tracee);
	if (err)
		outcome->failure = err == ESRCH ? GONE : UNRESTORED;
	if (outcome->failure == UNRESTORED) /* PTRACE_O_EXITKILL is still on */
		outcome->err = err;
	return outcome->failure;
}

/* Nothing was changed: only a call that the stop has ended is helped to go on. */
static void leave_untouched(struct tracee *tracee)
{
	struct injection untouched;
	unsigned long at = registers_pc(&tracee->registers) -
			   registers_abi(&tracee->registers)->enter_length;

	if (!restarts_from_stop(tracee)) {
		request(SET_OPTIONS, tracee->tid, 0, (void *)(tracer_options() | EXITKILL));
		if (inject_begin_anywhere(&untouched, tracee->tid, &tracee->registers, at))
			return;
		untouched.patience = PATIENCE;
		if (settle_restart(&untouched, tracee) != ESRCH)
			let_go(&untouched, tracee);
		return;
	}
	if (tracee->restart) {
		struct registers registers = tracee->registers;

		set_restart_at_stop(tracee, &registers);
		registers_set(tracee->tid, &registers);
	}
	request(DETACH, tracee->tid, 0, NULL);
}

static enum failure seize(const struct tracee *tracee, unsigned long long start, struct outcome *outcome)
{
	struct task_stat stat;
	int err = request(SEIZE, tracee->tid, 0, (void *)tracer_options());

	outcome->err = err;
	if (err)
		return err == ESRCH ? GONE : NOT_SEIZED;
	/* the number cannot be another thread's from now on */
	if (!read_task_stat(tracee->pid, tracee->tid, &stat))
		return GONE;
	if (read_task_stat(tracee->pid, tracee->pid, &stat) && stat.start != start)
		return GONE;
	return NONE;
}

/* A thread that has one more may have loaded that itself a moment ago: it is this one only if an attempt for
 * all threads was cut short, which the caller goes on to judge by the others. */
static bool has_other_filters(const struct process *process, const struct outcome *outcome,
			      bool all_threads)
{
	if (!options.unsuspended)
		return false;
	if (outcome->present)
		return !all_threads || !process->cut_short;
	return count_filters(process->pid, outcome->tid) != options.present;
}

static struct outcome bind_here(const struct process *process, pid_t tid, bool all_threads)
{
	struct outcome outcome = { .tid = tid, .number = -1 };
	struct tracee tracee = { .pid = process->pid, .tid = tid, .number = -1 };
	int err;

	outcome.failure = seize(&tracee, process->start, &outcome);
	if (outcome.failure)
		return outcome;
	err = stop_well(&tracee);
	if (err) {
		outcome.err = err;
		outcome.failure = err == ESRCH ? GONE : err == ENOEXEC ? NOT_ENTERED : NOT_STOPPED;
		return outcome;
	}
	outcome.number = tracee.number;
	outcome.disturbance = classify_call(&tracee.before, tracee.compat);
	/* PARTIAL: it was chosen when it was stopped, and a SIGCONT came just then */
	outcome.short_count = (outcome.disturbance == RUNS || outcome.disturbance == PARTIAL) &&
			      has_short_count(&tracee);
	outcome.present = has_filter(process->pid, tid);
	if (has_other_filters(process, &outcome, all_threads))
		outcome.failure = OTHER_FILTERS;
	if (!outcome.present && !outcome.failure)
		load_and_leave(&tracee, &outcome, all_threads);
	if (outcome.present || outcome.failure == NEEDS_NO_NEW_PRIVS || outcome.failure == NOT_ENTERED ||
	    outcome.failure == PROCESS_IN_CALL || outcome.failure == OTHER_FILTERS)
		leave_untouched(&tracee);
	outcome.pause = tracee.pause ? tracee.pause : microseconds_since(&tracee.since);
	return outcome;
}

/* ---- the process that traces */

static void work(int report, const struct process *process, pid_t tid, bool all_threads)
{
	struct sched_param urgent = { .sched_priority = 1 };
	struct outcome outcome;
	sigset_t signals;

	sigfillset(&signals);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	sched_setscheduler(0, SCHED_FIFO, &urgent); /* the program waits for us */
	outcome = bind_here(process, tid, all_threads);
	_exit(write(report, &outcome, sizeof outcome) != sizeof outcome);
}

static int milliseconds_left(void)
{
	struct timespec now;
	long long left;

	clock_gettime(CLOCK_MONOTONIC, &now);
	left = (options.deadline.tv_sec - now.tv_sec) * 1000LL +
	       (options.deadline.tv_nsec - now.tv_nsec) / 1000000;
	return left < 0 ? GRACE : (int)left + GRACE;
}

struct outcome bind_thread(const struct process *process, pid_t tid, bool all_threads)
{
	struct outcome outcome = { .tid = tid, .number = -1, .failure = TRACER_LOST };
	struct pollfd answer = { .events = POLLIN };
	int ends[2], answered;
	pid_t worker;

	if (pipe2(ends, O_CLOEXEC))
		return outcome;
	worker = fork();
	if (!worker)
		work(ends[1], process, tid, all_threads);
	close(ends[1]);
	answer.fd = ends[0];
	do {
		answered = worker < 0 ? 0 : poll(&answer, 1, milliseconds_left());
	} while (answered < 0 && errno == EINTR);
	if (worker > 0 && !answered)
		outcome.failure = TRACER_BUSY;
	else if (read(ends[0], &outcome, sizeof outcome) != (ssize_t)sizeof outcome)
		outcome = (struct outcome){ .tid = tid, .number = -1, .failure = TRACER_LOST };
	close(ends[0]);
	if (worker > 0 && outcome.failure != TRACER_BUSY)
		waitpid(worker, NULL, 0);
	return outcome;
}
