/* Counts system calls at sys_enter: the program that runs at every call of every task. */
#pragma once

#include "arguments.h"
#include "denials.h"

static __noinline void count_rare(struct task_state *state, __u32 number, __u32 mode)
{
	struct rare_key key = { .segment = state->segment, .number = number, .mode = mode };

	if (count_key(&rare, &key))
		count_lost(lost_rare);
}

/* Whether a tracer injects this call into a program that has not begun. The latch (native/inject.c)
 * writes the instruction that enters the kernel over the program's first one. A program issues its own
 * calls from later addresses, as a number has to be loaded before; or it returns to there, and is traced
 * no more. */
static __noinline int is_injected(struct task_struct *task, struct task_state *state,
				  struct pt_regs *regs)
{
	if (task->ptrace && program_counter(regs) - ENTER_LENGTH == state->first)
		return 1;
	state->first = 0;
	return 0;
}

/* Whether there is no call at all: a tracee that is killed in its stop leaves without an entry on
 * x86; on arm64 (report_syscall, arch/arm64/kernel/ptrace.c) it passes sys_enter all the same, with
 * -1. A program's own call of number -1 is counted. */
static __always_inline int is_killed_entry(struct task_struct *task, __u64 number)
{
#if defined(__TARGET_ARCH_arm64)
	return (__s32)number == -1 && is_killed_tracee(task);
#else
	return 0;
#endif
}

static __always_inline int count(__u64 *ctx, const int notes_entry)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_state *state;
	struct pt_regs *regs;
	struct slot *slot;
	__u64 number;
	__u32 mode;

	if (!task->bpf_storage) /* most tasks of a host: they pay for two loads and a jump */
		return 0;
	state = find_state(task);
	if (!state)
		return 0;
	regs = (void *)ctx[0];
	number = ctx[1];
	if (notes_entry) {
		state->position = ENTERED;
		state->number = number;
	}
	notice_changes(task, state);
	mode = compat_mode(task);
	if (state->first && is_injected(task, state, regs)) {
		count_rare(state, number, mode | MODE_INJECTED);
		return 0;
	}
	if (mode || number >= NUMBERS) {
		if (!is_killed_entry(task, number))
			count_rare(state, number, mode);
		return 0;
	}
	slot = bpf_map_lookup_elem(&slots, &state->slot);
	if (!slot)
		return 0;
	atomic_add(&slot->counts[number], 1);
	if (argument_specs[number])
		keep_arguments(task, state, slot, regs, number);
	return 0;
}

/* With find_denial_after_check. */
SEC("tp_btf/sys_enter")
int count_call(__u64 *ctx)
{
	return count(ctx, 0);
}

/* With find_denial_at_exit, which compares exits with entries. */
SEC("tp_btf/sys_enter")
int count_entry(__u64 *ctx)
{
	return count(ctx, 1);
}
