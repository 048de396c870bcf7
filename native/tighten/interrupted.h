/* The system call in which a thread was stopped: which one, and how it is made to go on.
 *
 * x86: the kernel shows its own answer, -ERESTART…, and where the call is kept (orig_rax).  It restarts
 * after the last stop, by the registers that it finds then (arch_do_signal_or_restart()).
 *
 * arm64: the kernel has put back pc and x0 before the stop already, and does not say why (rewound_call.h).
 * Whether it is to go on by restart_syscall(2) shows at its next entry into the kernel, which it is run
 * to; it makes another call there, and the kernel remembers the sleep meanwhile.  At the exit of an injected
 * call it looks at x0 for a restart again, and restores the first argument of that call: so the last one has
 * the first argument of the interrupted one, and x0 gets the errno.  Both are munmap(2) with length 0, which
 * fails with EINVAL: where the present filters are in force, they must allow munmap in any case.
 */
#ifndef SECLATCH_INTERRUPTED_H
#define SECLATCH_INTERRUPTED_H

#include <errno.h>
#include <sys/syscall.h>

#include "rewound_call.h"
#include "tighten.h"

struct tracee {
	pid_t pid, tid;
	struct registers registers; /* behind the interrupted call, if there is one */
	struct task_call before; /* what it did just before it was stopped */
	long number; /* of the call in which it was stopped; -1: none */
	int restart; /* the errno with which the kernel is to find it (EINTR too), or 0: as it is */
	bool compat;
	bool rewound; /* arm64: pc was at the instruction that makes it again */
	unsigned long first; /* arm64: its first argument */
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
	if (tracee->restart == RESTART_BLOCK && options.never_restart)
		tracee->restart = RESTARTNOINTR;
}

/* Can it be let go as it is, with the registers of set_restart_at_stop()?  Unsuspended, restart_syscall(2)
 * is allowed, or it is to begin again. */
static inline bool restarts_from_stop(const struct tracee *tracee)
{
	return tracee->restart != RESTART_BLOCK || options.unsuspended;
}

/* Finds out whether the kernel continues the call by restart_syscall(2), and keeps it from doing so yet.  If a
 * filter would deny that, and none is suspended, the sleep begins again. */
static inline int settle_restart(struct injection *injection, struct tracee *tracee)
{
	(void)injection, (void)tracee;
	return 0;
}

/* In the stop to which it was brought. */
static inline void set_restart_at_stop(const struct tracee *tracee, struct registers *registers)
{
	if (tracee->restart)
		registers->user.rax = (unsigned long)(long)-tracee->restart;
}

static inline int save_vectors(const struct tracee *tracee)
{
	(void)tracee;
	return 0;
}

static inline int restore_vectors(const struct tracee *tracee)
{
	(void)tracee;
	return 0;
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
	static const unsigned char enter[] = { 0x01, 0x00, 0x00, 0xd4 }; /* svc #0 */
	struct user_regs_struct *user = &tracee->registers.user;
	struct a64_stop stop = { .sp = user->sp, .pc = user->pc };
	unsigned char bytes[sizeof enter];
	struct a64_call found;

	for (int i = 0; i < 9; i++)
		stop.x[i] = user->regs[i];
	stop.at_entry = !inject_read(tracee->tid, stop.pc, bytes, sizeof bytes) &&
			!memcmp(bytes, enter, sizeof enter);
	found = find_a64_call(&stop, &tracee->before);
	tracee->number = found.number;
	tracee->restart = found.restart;
	tracee->first = found.first;
	tracee->rewound = found.rewound;
	if (found.rewound)
		user->pc += sizeof enter;
}

/* A system call discards what the SVE registers have beyond those of V, and ends their streaming mode
 * (Documentation/arch/arm64/sve.rst): a thread that was in no call gets them back. */
enum { NT_SVE = 0x405, NT_STREAMING_SVE = 0x40b, SVE_IN_USE = 1, VECTORS = 1 << 15 };

static struct {
	unsigned char bytes[VECTORS]; /* struct user_sve_header first */
	size_t size;
	long note; /* 0: nothing is to be put back */
} vectors;

static inline int save_vectors(const struct tracee *tracee)
{
	static const long notes[] = { NT_STREAMING_SVE, NT_SVE };

	vectors.note = 0;
	for (size_t i = 0; tracee->number < 0 && !vectors.note && i < 2; i++) {
		struct iovec all = { vectors.bytes, sizeof vectors.bytes };
		uint32_t size;
		uint16_t flags;

		if (syscall(SYS_ptrace, 0x4204L, (long)tracee->tid, notes[i], &all))
			continue; /* EINVAL: this machine has none */
		memcpy(&size, vectors.bytes, sizeof size);
		memcpy(&flags, vectors.bytes + 12, sizeof flags);
		if (!(flags & SVE_IN_USE))
			continue;
		if (size > all.iov_len)
			return EBUSY;
		vectors.size = size;
		vectors.note = notes[i];
	}
	return 0;
}

static inline int restore_vectors(const struct tracee *tracee)
{
	struct iovec all = { vectors.bytes, vectors.size };

	if (!vectors.note)
		return 0;
	return syscall(SYS_ptrace, 0x4205L, (long)tracee->tid, vectors.note, &all) ? errno : 0;
}

static inline bool restarts_from_stop(const struct tracee *tracee)
{
	return tracee->restart != RESTART_BLOCK && (tracee->rewound || !tracee->restart);
}

static inline int settle_restart(struct injection *injection, struct tracee *tracee)
{
	const struct abi *abi = registers_abi(&tracee->registers);
	long number;
	int err;

	if (tracee->restart != RESTART_BLOCK)
		return 0;
	err = inject_replace_next(injection, &number);
	if (!err && number == abi->nr_restart_syscall && options.never_restart)
		tracee->restart = RESTARTNOINTR;
	if (err || number == abi->nr_restart_syscall)
		return err;
	tracee->restart = 0; /* it was about to make this call */
	tracee->registers.user.pc -= abi->enter_length;
	return 0;
}

static inline void set_restart_at_stop(const struct tracee *tracee, struct registers *registers)
{
	if (!tracee->restart)
		return;
	registers->user.pc -= 4;
	registers->user.regs[0] = tracee->first;
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
	err = inject_call(injection, registers_abi(registers)->nr_munmap,
			  (unsigned long[ARGUMENTS]){ tracee->first }, &none);
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

static inline bool restarts_from_stop(const struct tracee *tracee)
{
	(void)tracee;
	return true;
}

static inline int settle_restart(struct injection *injection, struct tracee *tracee)
{
	(void)injection, (void)tracee;
	return ENOEXEC;
}

static inline void set_restart_at_stop(const struct tracee *tracee, struct registers *registers)
{
	(void)tracee, (void)registers;
}

static inline int save_vectors(const struct tracee *tracee)
{
	(void)tracee;
	return 0;
}

static inline int restore_vectors(const struct tracee *tracee)
{
	(void)tracee;
	return 0;
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
