/* Records a call's arguments, as far as `argument_specs` requires it. */
#pragma once

#include "registers.h"
#include "segments.h"

enum { WRITE_BUDGET = 64 };

static __noinline void count_argument(struct task_state *state, __u32 number, __u32 index,
				      __u64 value)
{
	struct argument_key key = {
		.segment = state->segment, .number = number, .index = index, .value = value,
	};

	if (count_key(&arguments, &key))
		count_lost(lost_arguments);
}

static __always_inline void count_flags(struct task_state *state, __u32 number, __u64 address)
{
	__u64 flags;

	if (bpf_probe_read_user(&flags, sizeof(flags), (void *)address))
		count_lost(lost_arguments);
	else
		count_argument(state, number, 0, flags);
}

/* After a connect(2) to a Unix socket the beginnings of some writes are sent: there a client names the
 * container that its engine is to start, which is the only link from a command to a daemon's activity for
 * it. The recorder compares and keeps nothing of it. */
static __always_inline void notice_connect(struct slot *slot, __u64 address)
{
	__u16 family = 0;

	bpf_probe_read_user(&family, sizeof(family), (void *)address);
	if (family == AF_UNIX)
		slot->write_budget = WRITE_BUDGET;
}

static __always_inline void send_write(struct task_struct *task, struct task_state *state,
				       struct slot *slot, __u64 address, __u64 length)
{
	struct write_event *event;

	if (!slot->write_budget)
		return;
	slot->write_budget--;
	event = reserve_event(sizeof(*event), EVENT_SOCKET_WRITE, task, state, state->segment);
	if (!event)
		return;
	if (length > TEXT_SIZE)
		length = TEXT_SIZE;
	event->length = length;
	bpf_probe_read_user(event->text, length, (void *)address);
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
}

/* The same of a denied call; memory that an argument points to is not read. */
static __noinline void keep_denied_arguments(struct task_state *state, struct pt_regs *regs,
					     __u32 number)
{
	__u32 spec = argument_specs[number & (NUMBERS - 1)];

	if (spec & KEEP_ARG0)
		count_argument(state, number, DENIED_ARGUMENT | 0, argument0(regs));
	if (spec & KEEP_ARG1)
		count_argument(state, number, DENIED_ARGUMENT | 1, argument1(regs));
	if (spec & KEEP_ARG2)
		count_argument(state, number, DENIED_ARGUMENT | 2, argument2(regs));
	if (spec & KEEP_ARG3)
		count_argument(state, number, DENIED_ARGUMENT | 3, argument3(regs));
}

/* Count distinct values by segment, call and index. */
static __noinline void keep_arguments(struct task_struct *task, struct task_state *state,
				      struct slot *slot, struct pt_regs *regs, __u32 number)
{
	__u32 spec = argument_specs[number & (NUMBERS - 1)];

	if (spec & KEEP_ARG0)
		count_argument(state, number, 0, argument0(regs));
	if (spec & KEEP_ARG1)
		count_argument(state, number, 1, argument1(regs));
	if (spec & KEEP_ARG2)
		count_argument(state, number, 2, argument2(regs));
	if (spec & KEEP_ARG3)
		count_argument(state, number, 3, argument3(regs));
	if (spec & KEEP_FLAGS_BEHIND_ARG0)
		count_flags(state, number, argument0(regs));
	if (spec & IS_CONNECT)
		notice_connect(slot, argument1(regs));
	if (spec & IS_WRITE)
		send_write(task, state, slot, argument1(regs), argument2(regs));
}
