/* Counts a denial, and sends the first of its kind in an epoch with its details. */
#pragma once

#include "watch_filters.h"

static __always_inline void read_values(struct denied_key *key, const __u64 *arguments)
{
	__u8 spec;

	if (key->mode & DENIAL_COMPAT || key->number >= NUMBERS)
		return;
	spec = value_arguments[key->number & (NUMBERS - 1)];
	if (spec & KEEP_ARG0)
		key->values[0] = arguments[0];
	if (spec & KEEP_ARG1)
		key->values[1] = arguments[1];
	if (spec & KEEP_ARG2)
		key->values[2] = arguments[2];
}

/* A process's number in the watcher's pid namespace; 0 if it is not visible from there. */
static __always_inline __u32 read_visible(struct task_struct *task)
{
	struct pid *pid = READ(task->thread_pid);
	struct pid_number seen;

	if (READ(pid->level) < watcher.level)
		return 0;
	seen = read_upid(pid, watcher.level);
	return READ(seen.ns->ns.inum) == watcher.pids ? seen.nr : 0;
}

/* The oldest ancestor in the task's pid namespace: that namespace's first process, unless a runtime
 * started it from outside; and the process above it, a shim, a monitor or a runtime. */
static __noinline void find_origin(struct denial *event, struct task_struct *task)
{
	struct task_struct *found = task;

	event->origin = event->outside = 0;
	for (int i = 0; i < MAX_ANCESTORS && found; i++) {
		struct pid *pid = READ(READ(found->group_leader)->thread_pid);
		struct pid_number innermost = read_upid(pid, READ(pid->level));

		if (READ(innermost.ns->ns.inum) != event->pids) {
			event->outside = read_visible(READ(found->group_leader));
			return;
		}
		event->origin = innermost.nr;
		found = READ(found->real_parent);
	}
}

static __always_inline void read_program(struct denial *event, struct task_struct *task)
{
	struct file *file = READ(READ(task->mm)->exe_file);
	const unsigned char *name = READ(READ(file->f_path.dentry)->d_name.name);

	event->program[0] = 0;
	bpf_probe_read_kernel_str(event->program, sizeof(event->program), name);
}

static __always_inline void read_text(struct denial *event)
{
	__u32 index = 0;
	long length;

	event->length = 0;
	event->text[0] = 0;
	if (!(event->key.mode & DENIAL_COMPAT) && event->key.number < NUMBERS)
		index = path_arguments[event->key.number & (NUMBERS - 1)];
	if (!index)
		return;
	/* paths are among the first four arguments */
	length = bpf_probe_read_user_str(event->text, sizeof(event->text),
					 (void *)event->arguments[(index - 1) & 3]);
	if (length > 0)
		event->length = length;
}

static __noinline void send_denial(struct task_struct *task, struct pt_regs *regs, struct denied_key *key,
				   __u64 now)
{
	struct denial *event = bpf_ringbuf_reserve(&denials, sizeof(*event), 0);
	struct pid *pid = READ(task->thread_pid);
	struct pid_number innermost;

	if (!event) {
		atomic_add(&watcher.unsent, 1);
		return;
	}
	event->key = *key;
	event->time = now;
	event->pointer = instruction_pointer(regs);
	read_arguments(event->arguments, regs, key->mode & DENIAL_COMPAT);
	event->filter = newest_filter(task);
	event->filters = task->seccomp.filter_count.counter;
	event->cgroup = bpf_get_current_cgroup_id();
	event->tid = read_visible(task);
	event->uid = READ(READ(task->cred)->uid.val);
	innermost = read_upid(pid, READ(pid->level));
	event->pids = READ(innermost.ns->ns.inum);
	event->reaper = READ(READ(innermost.ns->child_reaper)->start_boottime);
	find_origin(event, task);
	bpf_probe_read_kernel(&event->comm, sizeof(event->comm), &task->comm);
	read_program(event, task);
	read_text(event);
	bpf_ringbuf_submit(event, 0); /* wakes the watcher, if it waits */
}

/* Count by key; return whether this is the first in the epoch. */
static __always_inline int count_denied(struct denied_key *key, __u64 now)
{
	struct denied_count *known = bpf_map_lookup_elem(&denied, key);

	if (!known) {
		struct denied_count first = {};

		bpf_map_update_elem(&denied, key, &first, BPF_NOEXIST);
		known = bpf_map_lookup_elem(&denied, key);
	}
	if (!known) {
		atomic_add(&watcher.uncounted, 1);
		return 0;
	}
	atomic_add(&known->count, 1);
	known->last = now;
	if (known->epoch == watcher.epoch + 1)
		return 0;
	known->epoch = watcher.epoch + 1;
	return 1;
}

static __noinline void note_denial(struct task_struct *task, __u32 number, enum denial_answer answer,
				   __s32 error, enum denial_mode mode)
{
	struct pt_regs *regs = bpf_task_pt_regs(task);
	struct task_struct *leader = task->group_leader;
	struct denied_key key = { .number = number, .answer = answer, .error = error };
	__u64 arguments[6], now = bpf_ktime_get_ns();

	key.tgid = read_visible(leader);
	if (!key.tgid)
		return;
	key.mode = mode | (compat_mode(task) ? DENIAL_COMPAT : 0);
	key.started = leader->start_boottime;
	read_arguments(arguments, regs, key.mode & DENIAL_COMPAT);
	read_values(&key, arguments);
	if (!count_denied(&key, now))
		return;
	copy_filters(task, key.started, key.tgid);
	send_denial(task, regs, &key, now);
}

static __always_inline __s32 result_errno(__u64 result, __u32 compat)
{
	__s64 value = compat ? (__s32)result : (__s64)result;

	return value < 0 && value >= -MAX_ERRNO ? -value : 0;
}

/* Which answer the task's state shows, after seccomp has kept the kernel from a call. */
static __always_inline void note_answer(struct task_struct *task, __u64 result, enum denial_mode mode)
{
	__u32 number = call_number(bpf_task_pt_regs(task));

	if (task->seccomp.mode == SECCOMP_MODE_DEAD)
		note_denial(task, number, ANSWER_KILL, 0, mode);
	else if (task->pending.signal.sig[0] & SIGSYS_BIT)
		note_denial(task, number, ANSWER_TRAP, 0, mode);
	else
		note_denial(task, number, ANSWER_RETURNED, result_errno(result, compat_mode(task)), mode);
}
