/* Denied calls: those that seccomp answered in the kernel's place.
 *
 * The kernel calls seccomp before it reports a call to the sys_enter tracepoint
 * (syscall_trace_enter), so a denied call never appears there. One of two programs finds it:
 *
 * - find_denial_after_check, at the end of the kernel's check (fexit). Calls of tasks without a filter
 *   do not come there, so they pay for the program at sys_enter alone. It takes a kernel that lets BPF
 *   trace its functions.
 * - find_denial_at_exit: a denied call passes sys_exit nevertheless, and an exit without an entry is a
 *   denial. Every call of every task pays for a second tracepoint. Detail mode has that anyway.
 *
 * SECCOMP_RET_KILL_THREAD in a process of several threads ends in do_exit within seccomp itself, which
 * neither sees; sched_process_exit reports it (processes.h). */
#pragma once

#include "arguments.h"

static __noinline void send_denial(struct task_struct *task, struct task_state *state,
				   struct rare_key *key)
{
	struct denial_event *event;

	event = reserve_event(sizeof(*event), EVENT_DENIAL, task, state, state->segment);
	if (!event)
		return;
	event->number = key->number;
	event->mode = key->mode;
	event->error = key->error;
	event->reserved = 0;
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
}

/* The errno that seccomp answered with, 0 if none: trapped, killed, or a supervisor's result. */
static __always_inline __s32 denial_errno(struct task_struct *task, __u64 result, __u32 mode)
{
	__s64 value = mode & MODE_COMPAT ? (__s32)result : (__s64)result;

#if defined(__TARGET_ARCH_arm64)
	/* SECCOMP_RET_TRAP and KILL put the registers back: the result is the first argument. */
	if (task->pending.signal.sig[0] & SIGSYS_BIT)
		return 0;
#endif
	return value < 0 && value >= -MAX_ERRNO ? -value : 0;
}

static __noinline void count_denial(struct task_struct *task, struct task_state *state,
				    struct pt_regs *regs, __u64 result)
{
	struct rare_key key = { .segment = state->segment };

	key.number = call_number(regs);
	key.mode = compat_mode(task) | MODE_DENIED;
	key.error = denial_errno(task, result, key.mode);
	/* One event for the first of its kind: there may be millions. */
	if (!bpf_map_lookup_elem(&rare, &key))
		send_denial(task, state, &key);
	if (count_key(&rare, &key))
		count_lost(lost_rare);
	if (!(key.mode & MODE_COMPAT) && key.number < NUMBERS)
		keep_denied_arguments(state, regs, key.number);
}

/* Whether this exit may belong to the call that was entered last. Exits are ignored before a task has
 * a filter. When another thread's TSYNC loads the first one, this may be the end of an earlier call,
 * or a denial already: then it has another number. The same holds for a thread that was found
 * running. (A denial of the same number as the last call is taken for its end: one at most a
 * thread.) */
static __always_inline int ends_last_call(struct task_state *state, struct pt_regs *regs,
					  __u32 position, __u32 filters_before)
{
	if (position == ENTERED && filters_before == state->filters)
		return 1;
	if (position == REFUSED || position == OUTSIDE)
		return 0;
	return call_number(regs) == state->number;
}

/* __secure_computing(), which is called for tasks with SYSCALL_WORK_SECCOMP alone, returns -1 to skip the
 * call. The result that seccomp has set for it is in the registers already. */
SEC("fexit/__secure_computing")
int find_denial_after_check(__u64 *ctx)
{
	struct task_struct *task;
	struct task_state *state;
	struct pt_regs *regs;
	__u64 skip = 0;

	bpf_get_func_ret(ctx, &skip);
	if ((__s32)skip != -1)
		return 0;
	task = bpf_get_current_task_btf();
	state = find_state(task);
	if (!state || is_killed_tracee(task))
		return 0;
	notice_changes(task, state);
	if (task->seccomp.mode == SECCOMP_MODE_DEAD)
		state->killed = 1;
	regs = bpf_task_pt_regs(task);
	count_denial(task, state, regs, call_result(regs));
	return 0;
}

SEC("tp_btf/sys_exit")
int find_denial_at_exit(__u64 *ctx)
{
	struct pt_regs *regs = (void *)ctx[0];
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_state *state;
	__u32 filters, position;

	if (task->seccomp.mode < SECCOMP_MODE_FILTER)
		return 0;
	state = find_state(task);
	if (!state)
		return 0;
	filters = state->filters;
	notice_changes(task, state);
	position = state->position;
	state->position = OUTSIDE;
	if (ends_last_call(state, regs, position, filters))
		return 0;
	state->position = REFUSED;
	if (is_killed_tracee(task))
		return 0;
	if (task->seccomp.mode == SECCOMP_MODE_DEAD)
		state->killed = 1;
	count_denial(task, state, regs, ctx[1]);
	return 0;
}
