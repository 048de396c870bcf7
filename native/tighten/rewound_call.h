/* arm64: which call a thread was in, from the registers of its stop.
 *
 * Before the stop the kernel has put pc back to the instruction that enters it, and x0 to the first argument,
 * if it is to make the call again; x1 to x5, x8 and sp are as they were.  A call that fails with EINTR keeps
 * pc, and its first argument is lost: that is known from /proc/TID/syscall, read before the stop.  The thread
 * is traced by then, so that no handler has run meanwhile: its signal would have been reported first.
 * (arch/arm64/kernel/signal.c, do_signal(); Linux 5.10 to 6.12)
 *
 * No register of the machine is named here, so that tests run this on any architecture.
 */
#ifndef SECLATCH_REWOUND_CALL_H
#define SECLATCH_REWOUND_CALL_H

#include <errno.h>

#include "tighten.h"

struct a64_stop {
	unsigned long x[9], sp, pc;
	bool at_entry; /* the instruction at pc enters the kernel */
};

struct a64_call {
	long number; /* -1: none, as far as can be seen */
	unsigned long first; /* its first argument */
	int restart; /* errno; RESTART_BLOCK: perhaps, its entry shows it (settle_restart()) */
	bool rewound;
};

/* Is this the call that was shown before the stop?  Its arguments from the given one on. */
static inline bool is_shown_call(const struct a64_stop *stop, const struct task_call *before, int from)
{
	if (before->number < 0 || before->number != (int)stop->x[8] || before->sp != stop->sp)
		return false;
	for (int i = from; i < ARGUMENTS; i++)
		if (before->args[i] != stop->x[i])
			return false;
	return true;
}

static inline struct a64_call find_a64_call(const struct a64_stop *stop, const struct task_call *before)
{
	struct a64_call found = { .number = -1, .first = stop->x[0] };
	struct task_call now = { .number = (int)stop->x[8], .sp = stop->sp, .pc = stop->pc };

	if ((long)stop->x[0] == -EINTR && before->pc == stop->pc && is_shown_call(stop, before, 1)) {
		found.number = before->number;
		found.first = before->args[0];
		found.restart = EINTR;
		return found;
	}
	if (!stop->at_entry)
		return found;
	memcpy(now.args, stop->x, sizeof now.args);
	found.rewound = continues_by_restart(&now) ||
			(before->pc == stop->pc + 4 && is_shown_call(stop, before, 0));
	if (found.rewound) {
		found.number = now.number;
		found.restart = restart_errno(&now);
	}
	return found;
}

#endif
