/* Segments: begun, left, closed; and their events. */
#pragma once

#include "facts.h"

static __always_inline void fill_header(struct event *event, enum event_kind kind,
					struct task_struct *task, struct task_state *state,
					__u32 parent)
{
	event->kind = kind;
	event->tid = task->pid;
	event->time = bpf_ktime_get_ns();
	event->segment = state->segment;
	event->parent = parent;
	event->slot = state->slot;
	event->tgid = task->tgid;
	event->container = state->container;
	event->reserved = 0;
}

/* Room for an event of this type, whose header is filled in, or null: then its loss is counted. */
static __always_inline void *reserve_event(__u64 size, enum event_kind kind,
					   struct task_struct *task, struct task_state *state,
					   __u32 parent)
{
	struct event *event = bpf_ringbuf_reserve(&events, size, 0);

	if (event)
		fill_header(event, kind, task, state, parent);
	else
		count_lost(lost_events);
	return event;
}

static __always_inline __u32 take_slot(void)
{
	__u32 number = OVERFLOW_SLOT;
	__u64 next;

	if (bpf_map_pop_elem(&free_slots, &number) == 0)
		return number;
	next = __sync_fetch_and_add(&control.next_slot, 1);
	if (next < SLOTS)
		return next;
	count_lost(lost_slots);
	return OVERFLOW_SLOT;
}

/* A new segment with one task, the one whose state this is. */
static __noinline void begin_segment(struct task_state *state, enum event_kind kind, __u32 parent,
				     __u32 tgid)
{
	struct slot *slot;

	state->segment = __sync_fetch_and_add(&control.next_segment, 1);
	state->slot = take_slot();
	slot = bpf_map_lookup_elem(&slots, &state->slot);
	if (!slot)
		return;
	if (state->slot == OVERFLOW_SLOT) {
		atomic_add(&slot->tasks, 1);
		return;
	}
	slot->segment = state->segment;
	slot->parent = parent;
	slot->tgid = tgid;
	slot->kind = kind;
	slot->tasks = 1;
	slot->write_budget = 0;
}

static __always_inline void join_segment(struct task_state *state)
{
	struct slot *slot = bpf_map_lookup_elem(&slots, &state->slot);

	if (slot)
		atomic_add(&slot->tasks, 1);
}

/* Take a task out of its segment. The last one reports that the slot may be read and used again:
 * a fetching subtraction is a full barrier, so what the others counted is there by then. */
static __noinline void leave_segment(struct task_struct *task, struct task_state *state)
{
	struct slot *slot = bpf_map_lookup_elem(&slots, &state->slot);
	struct event closed = {};

	if (!slot)
		return;
	if (__sync_fetch_and_sub(&slot->tasks, 1) != 1 || state->slot == OVERFLOW_SLOT)
		return;
	fill_header(&closed, EVENT_CLOSED, task, state, 0);
	if (bpf_ringbuf_output(&events, &closed, sizeof(closed), BPF_RB_NO_WAKEUP))
		count_lost(lost_events);
}

static __noinline void send_segment(enum event_kind kind, struct task_struct *task,
				    struct task_state *state, __u32 parent)
{
	struct segment_event *event;

	event = reserve_event(sizeof(*event), kind, task, state, parent);
	if (!event)
		return;
	read_facts(&event->facts, task);
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
}

/* What the next system call of a task is compared with. */
static __always_inline void note_seccomp(struct task_struct *task, struct task_state *state)
{
	state->filters = task->seccomp.filter_count.counter;
	state->suspended = is_suspended(task);
}

static __always_inline struct task_state *find_state(struct task_struct *task)
{
	return bpf_task_storage_get(&tasks, (void *)task, 0, 0);
}

/* Follow a task from now on: its state, zeroed. */
static __always_inline struct task_state *follow_task(struct task_struct *task)
{
	struct task_state *state;

	state = bpf_task_storage_get(&tasks, (void *)task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!state)
		count_lost(lost_tasks);
	return state;
}

static __noinline void send_suspension(struct task_struct *task, struct task_state *state)
{
	struct suspension_event *event;

	event = reserve_event(sizeof(*event), EVENT_SUSPENSION, task, state, state->segment);
	if (!event)
		return;
	event->suspended = state->suspended;
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
}

/* Begin a segment when filters were loaded, report when seccomp is lifted or put back. Looked at
 * when a call is entered, denied or, where exits are looked at, left, and when the task ends: so the call
 * that loads a filter belongs to the segment before, and a thread that another one's TSYNC has put under
 * a filter notices by itself. */
static __noinline void update_seccomp(struct task_struct *task, struct task_state *state)
{
	__u32 filters = task->seccomp.filter_count.counter;
	__u32 suspended = is_suspended(task);

	if (state->filters != filters) {
		struct task_state before = *state;

		state->filters = filters;
		begin_segment(state, EVENT_FILTER, before.segment, task->tgid);
		send_segment(EVENT_FILTER, task, state, before.segment);
		leave_segment(task, &before);
	}
	if (state->suspended != suspended) {
		state->suspended = suspended;
		send_suspension(task, state);
	}
}

static __always_inline void notice_changes(struct task_struct *task, struct task_state *state)
{
	if (state->filters != (__u32)task->seccomp.filter_count.counter ||
	    state->suspended != is_suspended(task))
		update_seccomp(task, state);
}

/* Add one to a hash map's counter; also when another thread is first to add the key. */
static __always_inline int count_key(const void *map, const void *key)
{
	__u64 one = 1, *count = bpf_map_lookup_elem(map, key);

	if (!count) {
		if (bpf_map_update_elem(map, key, &one, BPF_NOEXIST) == 0)
			return 0;
		count = bpf_map_lookup_elem(map, key);
		if (!count)
			return -1; /* the map is full */
	}
	atomic_add(count, 1);
	return 0;
}
