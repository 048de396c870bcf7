/* Copies a process's filters when it is denied something for the first time.
 *
 * A filter may be gone a moment later, with its process. The copy says which rule denied the call,
 * and settles what the kernel's state leaves open (ERRNO, TRACE or USER_NOTIF). A process's filters
 * only grow in number as long as it lives, so an address names a filter together with the process.
 */
#pragma once

#include "watch.h"

static __always_inline void fill_copy(struct filter_copy *copy, struct copied_key *key,
				      struct seccomp_filter *filter, __u32 length)
{
	copy->started = key->started;
	copy->tgid = key->tgid;
	copy->filter = key->filter;
	copy->previous = (__u64)READ(filter->prev);
	copy->length = length;
}

/* The size of an event is fixed when it is reserved. */
static __always_inline int send_copy(struct copied_key *key, struct seccomp_filter *filter,
				     struct sock_filter *code, __u32 length, const __u32 room)
{
	struct filter_copy *copy = bpf_ringbuf_reserve(&copies, sizeof(*copy) + room * 8, 0);

	if (!copy)
		return -1;
	if (bpf_probe_read_kernel(copy->code, bound((__u64)length * 8, room * 8 - 1), code))
		length = 0;
	fill_copy(copy, key, filter, length);
	bpf_ringbuf_submit(copy, BPF_RB_NO_WAKEUP);
	return 0;
}

static __noinline int copy_filter(struct copied_key *key)
{
	struct seccomp_filter *filter = (void *)key->filter;
	struct sock_fprog_kern *original = READ(READ(filter->prog)->orig_prog);
	__u32 length = original ? READ(original->len) : 0;
	struct sock_filter *code = original ? READ(original->filter) : 0;

	if (!code || length >= LARGE)
		length = 0;
	if (length < SMALL)
		return send_copy(key, filter, code, length, SMALL);
	return send_copy(key, filter, code, length, LARGE);
}

/* The newest filter of a task. One that seccomp ends has none any more when its end is reported
 * (do_exit, seccomp_filter_release): then the process's first thread's. */
static __always_inline __u64 newest_filter(struct task_struct *task)
{
	__u64 filter = (__u64)READ(task->seccomp.filter);

	return filter ? filter : (__u64)READ(READ(task->group_leader)->seccomp.filter);
}

static __noinline void copy_filters(struct task_struct *task, __u64 started, __u32 tgid)
{
	struct copied_key key = { .started = started, .tgid = tgid };
	__u32 one = 1;

	key.filter = newest_filter(task);
	for (int i = 0; i < LAYERS && key.filter; i++) {
		if (bpf_map_lookup_elem(&copied, &key))
			return; /* then those below it are, too */
		if (copy_filter(&key))
			return; /* no room: again with the next event */
		bpf_map_update_elem(&copied, &key, &one, BPF_ANY);
		key.filter = (__u64)READ(((struct seccomp_filter *)key.filter)->prev);
	}
}
