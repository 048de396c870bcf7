/* The system call in which a thread was stopped: which one, and how it is made to go on.
 *
 * x86: the kernel shows its own answer, -ERESTART…, and where the call is kept (orig_rax).  It restarts
 * after the last stop, by the registers that it finds then (arch_do_signal_or_restart()).
 *
 * arm64: the kernel has put back pc and x0 before the stop already, and does not say why (do_signal() in
 * arch/arm64/kernel/signal.c).  So what /proc/TID/syscall said just before the stop is compared with pc
 * and sp.  At the exit of an injected call the kernel looks at x0 for a restart again, and restores the
 * first argument of that call: so the last one is getpid(2) with the first argument of the
 * interrupted one.
 */
#ifndef SECLATCH_INTERRUPTED_H
#define SECLATCH_INTERRUPTED_H

#include <errno.h>
#include <sys/syscall.h>

#include "tighten.h"

enum { RESTARTSYS = 512, RESTARTNOINTR, RESTARTNOHAND, RESTART_BLOCK = 516 }; /* <linux/errno.h> */

struct tracee {
	pid_t pid, tid;
	struct registers registers; /* behind the interrupted call, if there is one */
	struct task_call before; /* what it did just before it was stopped */
	long number; /* of the call in which it was stopped; -1: none */
	int restart; /* the errno with which the kernel is to find it (EINTR too), or 0: as it is */
	bool compat;
	struct timespec since;
	long long pause; /* microseconds until it was let go */
};

#if defined(__x86_64__) && !defined(__ILP32__)

static inline void find_interrupted_call(struct tracee *tracee)
{
	const struct user_regs_struct *user = &tracee->registers.user;
	long result = registers_result(&tracee->registers);

	tracee->number = tracee->compat ? (int)user->orig_rax : (long)user->orig_rax;
	tracee->restart = 0;
	if (tracee->number < 0)
		tracee->number = -1;
	else if ((result <= -RESTARTSYS && result >= -RESTARTNOHAND) || result == -RESTART_BLOCK ||
		 result == -EINTR)
		tracee->restart = (int)-result;
}

/* Would the kernel, when the thread goes on from this stop, put the number of restart_syscall(2) in place of
 * an injected call's that is made where the interrupted one was? */
static inline bool is_restarted_there(const struct tracee *tracee)
{
	(void)tracee;
	return false;
}

/* In the stop to which it was brought. */
static inline void set_restart_at_stop(const struct tracee *tracee, struct registers *registers)
{
	if (tracee->restart)
		registers->user.rax = (unsigned long)(long)-tracee->restart;
}

/* At the exit of an injected call. */
static inline int set_restart(struct injection *injection, const struct tracee *tracee,
			      struct registers *registers)
{
	(void)injection;
	set_restart_at_stop(tracee, registers);
	return 0;
}

/* Has it returned less than it was asked to write? */
static inline bool has_short_count(const struct tracee *tracee)
{
	long result = registers_result(&tracee->registers), number = tracee->number;

	return !tracee->compat &&
	       (number == SYS_write || number == SYS_sendto || number == SYS_pwrite64) && result > 0 &&
	       (unsigned long)result < tracee->registers.user.rdx;
}

#elif defined(__aarch64__) && !defined(__ILP32__)

static inline void find_interrupted_call(struct tracee *tracee)
{
	struct user_regs_struct *user = &tracee->registers.user;
	const struct task_call *before = &tracee->before;

	tracee->number = -1;
	tracee->restart = 0;
	if (before->number < 0 || before->sp != user->sp)
		return;
	if (before->pc == user->pc) {
		tracee->number = before->number;
		tracee->restart = (long)user->regs[0] == -EINTR ? EINTR : 0;
	} else if (before->pc == user->pc + 4 && before->args[0] == user->regs[0]) {
		tracee->number = before->number;
		user->pc += 4;
		tracee->restart = continues_by_restart(before) ? RESTART_BLOCK :
				  ends_at_any_handler(before)  ? RESTARTNOHAND :
								 RESTARTSYS;
	}
}

/* do_signal() compares pc with the interrupted call's after the stop, and calls setup_restart_syscall(). */
static inline bool is_restarted_there(const struct tracee *tracee)
{
	return tracee->restart == RESTART_BLOCK;
}

static inline void set_restart_at_stop(const struct tracee *tracee, struct registers *registers)
{
	if (!tracee->restart)
		return;
	registers->user.pc -= 4;
	registers->user.regs[0] = tracee->before.args[0];
}

static inline int set_restart(struct injection *injection, const struct tracee *tracee,
			      struct registers *registers)
{
	long none;
	int err;

	if (injection->interrupted || !tracee->restart) {
		set_restart_at_stop(tracee, registers);
		return 0;
	}
	err = inject_call(injection, registers_abi(registers)->nr_getpid,
			  (unsigned long[ARGUMENTS]){ tracee->before.args[0] }, &none);
	registers->user.regs[0] = (unsigned long)(long)-tracee->restart;
	return err;
}

static inline bool has_short_count(const struct tracee *tracee)
{
	(void)tracee;
	return false;
}

#else

static inline void find_interrupted_call(struct tracee *tracee)
{
	tracee->number = -1;
}

static inline bool is_restarted_there(const struct tracee *tracee)
{
	(void)tracee;
	return false;
}

static inline void set_restart_at_stop(const struct tracee *tracee, struct registers *registers)
{
	(void)tracee, (void)registers;
}

static inline int set_restart(struct injection *injection, const struct tracee *tracee,
			      struct registers *registers)
{
	(void)injection, (void)tracee, (void)registers;
	return ENOEXEC;
}

static inline bool has_short_count(const struct tracee *tracee)
{
	(void)tracee;
	return false;
}

#endif
#endif
