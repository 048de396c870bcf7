/* Follows processes from fork to exit; the program that registers the first one. */
#pragma once

#include "containers.h"
#include "denials.h"

static __always_inline int is_leader(struct task_struct *task)
{
	return task->pid == task->tgid;
}

/* Run by a thread on itself (BPF_PROG_TEST_RUN, for raw tracepoints since Linux 5.10): from here on
 * it is followed. That it does so itself makes it right in any pid namespace. */
SEC("raw_tp")
int register_self(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_state *state = follow_task(task);

	if (!state)
		return 0;
	state->position = ENTERED;
	note_seccomp(task, state);
	begin_segment(state, EVENT_ROOT, 0, task->tgid);
	send_segment(EVENT_ROOT, task, state, 0);
	return task->pid;
}

/* A task that is not followed forks, perhaps into the container. */
static __noinline void follow_joining(struct task_struct *child)
{
	struct task_state *state;
	__u32 container;

	if (!is_leader(child))
		return;
	container = find_container(child);
	if (!container)
		container = find_container_of_init(child);
	if (!is_open(container))
		return;
	state = follow_task(child);
	if (!state)
		return;
	state->container = container;
	state->position = ENTERED;
	note_seccomp(child, state);
	begin_segment(state, EVENT_JOINED, 0, child->tgid);
	send_segment(EVENT_JOINED, child, state, 0);
}

/* sched_process_fork(parent, child): before the child runs. The forking thread counts as parent,
 * also with CLONE_PARENT, which changes where the child's end is reported and not what made it. */
SEC("tp_btf/sched_process_fork")
int follow_fork(__u64 *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_struct *child = (void *)ctx[1];
	struct task_state *parent = find_state(task), *state;

	if (!parent) {
		if (watches_containers)
			follow_joining(child);
		return 0;
	}
	if (has_ended(parent->container))
		return 0;
	state = follow_task(child);
	if (!state)
		return 0;
	state->position = ENTERED; /* its first sys_exit is clone's, which it did not enter */
	state->number = parent->number;
	state->container = parent->container;
	note_seccomp(child, state);
	if (is_leader(child)) {
		begin_segment(state, EVENT_FORK, parent->segment, child->tgid);
		send_segment(EVENT_FORK, child, state, parent->segment);
	} else {
		state->segment = parent->segment;
		state->slot = parent->slot;
		join_segment(state);
	}
	return 0;
}

static __always_inline void read_argv(struct exec_event *event, struct mm_struct *mm)
{
	unsigned long begin = READ(mm->arg_start), size = READ(mm->arg_end) - begin;

	event->args_size = size;
	if (size > ARGS_MAX)
		size = ARGS_MAX;
	event->args_fit = bpf_probe_read_user(event->args, size, (void *)begin) ? 0 : size;
}

static __noinline void send_exec(struct task_struct *task, struct task_state *state, __u32 parent,
				 struct linux_binprm *bprm)
{
	struct exec_event *event;

	event = reserve_event(sizeof(*event), EVENT_EXEC, task, state, parent);
	if (!event)
		return;
	read_facts(&event->facts, task);
	bpf_probe_read_kernel_str(event->file, sizeof(event->file), READ(bprm->filename));
	read_argv(event, READ(task->mm));
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
}

/* A task that is not followed execs: perhaps it has entered the container without a fork, perhaps it is a
 * runtime that is about to start an exec session in it. */
static __noinline struct task_state *follow_stranger(struct task_struct *task)
{
	__u32 container = find_container(task);
	struct task_state *state;

	if (!container)
		container = find_container_in_argv(task);
	if (!is_open(container))
		return 0;
	state = follow_task(task);
	if (state)
		state->container = container;
	return state;
}

/* sched_process_exec(task, old_pid, bprm): past the point of no return, before user space.
 *
 * When a thread other than the leader execs, it takes over the leader's id, but its task_struct, and
 * with it its state, remains; the leader has passed sched_process_exit by now (de_thread waits for
 * that). */
SEC("tp_btf/sched_process_exec")
int follow_exec(__u64 *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_state *state = find_state(task), before = {};

	if (state) {
		before = *state;
	} else {
		state = watches_containers ? follow_stranger(task) : 0;
		if (!state)
			return 0;
	}
	state->position = ENTERED;
	state->first = 0;
	note_seccomp(task, state);
	if (task->ptrace) /* the registers are those with which it returns from exec (START_THREAD) */
		state->first = program_counter(bpf_task_pt_regs(task));
	begin_segment(state, EVENT_EXEC, before.segment, task->tgid);
	send_exec(task, state, before.segment, (void *)ctx[2]);
	if (before.segment)
		leave_segment(task, &before);
	return 0;
}

static __noinline void send_exit(struct task_struct *task, struct task_state *state)
{
	struct exit_event *event;

	event = reserve_event(sizeof(*event), EVENT_EXIT, task, state, state->segment);
	if (!event)
		return;
	event->code = task->exit_code;
	event->reserved = 0;
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
}

/* sched_process_exit(task): of each thread; the last one of a process sends the event. */
SEC("tp_btf/sched_process_exit")
int follow_exit(__u64 *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_state *state = find_state(task);

	if (!state)
		return 0;
	/* Another thread's TSYNC may have loaded a filter since this one's last call was entered. */
	notice_changes(task, state);
	/* SECCOMP_RET_KILL_THREAD with other threads alive: do_exit within seccomp itself. */
	if (task->seccomp.mode == SECCOMP_MODE_DEAD && !state->killed)
		count_denial(task, state, bpf_task_pt_regs(task), 0);
	if (READ(READ(task->signal)->live.counter) == 0)
		send_exit(task, state);
	leave_segment(task, state);
	return 0;
}
