/* Follows tasks that run already.
 *
 * /proc would be sufficient for one process. But a container forks while it is being read, its threads
 * start and exit, and a pid of /proc is not the kernel's own number when the recorder runs in a
 * container. So an iterator of tasks (Linux 5.8) visits every task that the recorder may see; the other
 * programs follow their later forks. The recorder runs it until a pass finds nothing new: a thread may
 * precede its leader, a child its parent. */
#pragma once

#include "containers.h"
#include "registers.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, DAEMONS);
	__type(key, __u32);   /* pid */
	__type(value, __u32); /* its segment and slot, which the recorder has filled in */
} daemons SEC(".maps");

/* The call at the top of its stack: the one that it is in, or else some call of before. */
static __always_inline void note_last_call(struct task_struct *task, struct task_state *state)
{
	state->position = FOUND;
	state->number = call_number(bpf_task_pt_regs(task));
}

/* Whether a task is not followed and may be.
 *
 * A task is in the kernel's list before sched_process_fork is reported: follow_fork would follow it a
 * second time, in a segment that has no end. So a task that is being forked is left to that, and counted
 * if it is of a followed process: that may be followed only since sched_process_fork was reported. */
static __always_inline int is_new(struct task_struct *task)
{
	/* An exiting task's state would never be taken back: it has passed sched_process_exit. */
	if (task->flags & PF_EXITING || find_state(task))
		return 0;
	if (!(task->__state & TASK_NEW))
		return 1;
	if (find_state(task->group_leader) || find_state(task->real_parent->group_leader))
		atomic_add(&control.forking, 1);
	return 0;
}

/* A task's pid in the recorder's own pid namespace, whose level is the current task's. */
static __always_inline __u32 read_seen_pid(struct task_struct *task)
{
	struct task_struct *recorder = bpf_get_current_task_btf();

	return read_upid(READ(task->thread_pid), READ(READ(recorder->thread_pid)->level)).nr;
}

/* A thread joins its leader's segment, once that is followed. */
static __always_inline void adopt_thread(struct task_struct *task)
{
	struct task_state *leader = find_state(task->group_leader), *state;

	if (!leader)
		return;
	state = follow_task(task);
	if (!state)
		return;
	state->segment = leader->segment;
	state->slot = leader->slot;
	state->container = leader->container;
	note_seccomp(task, state);
	note_last_call(task, state);
	join_segment(state);
	atomic_add(&control.adopted, 1);
}

static __noinline void send_member(struct task_struct *task, struct task_state *state,
				   __u32 parent, __u32 seen_pid, __u32 by_pid)
{
	struct member_event *event;

	event = reserve_event(sizeof(*event), EVENT_MEMBER, task, state, parent);
	if (!event)
		return;
	read_facts(&event->facts, task);
	event->seen_pid = seen_pid;
	event->by_pid = by_pid;
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
}

static __always_inline void adopt_process(struct task_struct *task)
{
	__u32 seen_pid = read_seen_pid(task), parent_segment = 0;
	int by_pid = adoption.process && adoption.process == seen_pid;
	__u32 container = adoption.container;
	struct task_state *state;

	if (!by_pid) {
		struct task_state *parent = find_state(task->real_parent->group_leader);

		if (parent)
			parent_segment = parent->segment;
		container = parent ? parent->container : find_container(task);
		if (!parent && !container)
			return;
	}
	state = follow_task(task);
	if (!state)
		return;
	state->container = container;
	note_seccomp(task, state);
	note_last_call(task, state);
	begin_segment(state, EVENT_MEMBER, parent_segment, task->tgid);
	send_member(task, state, parent_segment, seen_pid, by_pid);
	atomic_add(&control.adopted, 1);
}

/* The processes of a container, or one process; and what they have forked. */
SEC("iter/task")
int adopt_container(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (!task || !is_new(task)) /* null: the call after the last task */
		return 0;
	if (task->pid == task->tgid)
		adopt_process(task);
	else
		adopt_thread(task);
	return 0;
}

/* Follow the tasks no more whose container's recording has ended: their slots are for others. */
SEC("iter/task")
int release_containers(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct task_state *state;

	if (!task || task->flags & PF_EXITING) /* that one leaves by itself */
		return 0;
	state = find_state(task);
	if (!state || !has_ended(state->container))
		return 0;
	leave_segment(task, state);
	bpf_task_storage_delete(&tasks, task);
	return 0;
}

/* Engines: all threads of the processes in `daemons`, which have a segment already. */
SEC("iter/task")
int adopt_daemons(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct task_state *state;
	__u32 tgid, *number;

	if (!task || !is_new(task))
		return 0;
	tgid = task->tgid;
	number = bpf_map_lookup_elem(&daemons, &tgid);
	if (!number)
		return 0;
	state = follow_task(task);
	if (!state)
		return 0;
	state->segment = state->slot = *number;
	note_seccomp(task, state);
	note_last_call(task, state);
	join_segment(state);
	atomic_add(&control.adopted, 1);
	return 0;
}
