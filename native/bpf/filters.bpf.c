/* Reads filters: an iterator that runs for every task and changes and stops nothing.
 *
 * For each task with seccomp it writes a header and one `layer` for each filter, the newest first.
 * A filter's instructions are copied into `store` when it is met for the first time. That the kernel
 * keeps them as they were loaded (bpf_prog.orig_prog) is the doing of CONFIG_CHECKPOINT_RESTORE, and
 * on x86 and arm64 of the action cache too (Linux 5.11; kernel/seccomp.c, seccomp_prepare_filter).
 *
 * A filter lives as long as a task holds it, and a task drops its own when it ends
 * (seccomp_filter_release): what was copied counts only if the task still has the same one
 * afterwards.
 *
 * Linux 5.8 will do: nothing of later kernels is used where it is not looked for first. */
#include "helpers.h"

enum {
	LAYERS = 64, /* filters of one task that are looked at */
	MAX_INSTRUCTIONS = 4096,
	LARGEST = MAX_INSTRUCTIONS * 8,
	STORE = 2 << 20, /* Linux 5.15 takes no value of an array above 4 MB (E2BIG), 6.1 does */
	NOT_COPIED = 0xffffffff,
};

/* Ids as the reader's pid namespace has them: that is the iterator's, too. */
struct task_header {
	__u32 tid;
	__u32 pid;
	__u32 mode;
	__u32 filters;
	__u32 layers; /* that follow */
	__u32 reserved;
};

struct copy {
	__u32 position; /* in `store`, or NOT_COPIED */
	__u32 size;
};

struct layer {
	__u64 filter; /* the kernel's address: the same for all tasks that inherited it */
	struct copy copy;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 16);
	__type(key, __u64);
	__type(value, struct copy);
} copied SEC(".maps");

struct store {
	char bytes[STORE + 2 * LARGEST]; /* what the masks of copy_instructions() leave possible */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct store);
} store SEC(".maps");

__u64 used = 0; /* bytes of `store` */

/* 0 for a task that is being reaped. */
static __always_inline __u32 read_pid(struct task_struct *task, __u32 level)
{
	__u64 entry = (__u64)&READ(task->thread_pid)->numbers;

	entry += (__u64)(level & (MAX_PID_NS_LEVEL - 1)) * size_of_type(struct upid);
	return READ(((struct upid *)entry)->nr);
}

/* The pid namespace level of the reader. bpf_get_current_task_btf is of Linux 5.11 only. */
static __always_inline __u32 reader_level(void)
{
	struct task_struct *reader = bpf_get_current_task();

	return READ(READ(reader->thread_pid)->level);
}

static __always_inline __u32 count_layers(struct seccomp_filter *filter)
{
	__u32 count = 0;

	for (__u32 i = 0; i < LAYERS && filter; i++) {
		filter = READ(filter->prev);
		count++;
	}
	return count;
}

/* Copy a filter's instructions to the end of `store`; NOT_COPIED where they are not to be had, or
 * no longer belong to the task. The recorder comes again when `store` is full. */
static __noinline int copy_instructions(struct copy *copy, struct task_struct *task,
					struct seccomp_filter *filter, struct seccomp_filter *head)
{
	struct sock_fprog_kern *original = READ(READ(filter->prog)->orig_prog);
	__u64 position = used, size;
	__u32 first = 0;
	void *code;
	struct store *memory = bpf_map_lookup_elem(&store, &first);

	if (!memory || !original)
		return -1;
	size = (__u64)READ(original->len) * 8;
	if (size > LARGEST || position > STORE - LARGEST)
		return -1;
	code = READ(original->filter);
	position = bound(position, STORE - 1);
	size = bound(size, 2 * LARGEST - 1);
	if (bpf_probe_read_kernel(&memory->bytes[position], size, code))
		return -1;
	if (READ(task->seccomp.filter) != head)
		return -1;
	copy->position = position;
	copy->size = size;
	used = position + size;
	return 0;
}

static __always_inline void write_layer(struct seq_file *file, struct task_struct *task,
					struct seccomp_filter *filter, struct seccomp_filter *head)
{
	struct layer layer = { .filter = (__u64)filter, .copy = { .position = NOT_COPIED } };
	struct copy *known = bpf_map_lookup_elem(&copied, &layer.filter);

	if (known)
		layer.copy = *known;
	else if (copy_instructions(&layer.copy, task, filter, head) == 0)
		bpf_map_update_elem(&copied, &layer.filter, &layer.copy, BPF_ANY);
	bpf_seq_write(file, &layer, sizeof(layer));
}

/* A record that does not fit is dropped as a whole and its task visited again. */
SEC("iter/task")
int read_filters(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct seq_file *file = ctx->meta->seq;
	struct seccomp_filter *head, *filter;
	struct task_header header = {};
	__u32 level;

	if (!task || !task->seccomp.mode) /* null: the call after the last task */
		return 0;
	level = reader_level();
	head = filter = READ(task->seccomp.filter);
	header.tid = read_pid(task, level);
	header.pid = read_pid(READ(task->group_leader), level);
	header.mode = task->seccomp.mode;
	header.layers = count_layers(head);
	header.filters = header.layers;
	if (member_exists(task->seccomp.filter_count)) /* Linux 5.9 */
		header.filters = task->seccomp.filter_count.counter;
	bpf_seq_write(file, &header, sizeof(header));
	for (__u32 i = 0; i < LAYERS && filter; i++) {
		if (i >= header.layers)
			break;
		write_layer(file, task, filter, head);
		filter = READ(filter->prev);
	}
	return 0;
}

EMIT_TYPE(task_header);
EMIT_TYPE(layer);

char _license[] SEC("license") = "GPL"; /* the helpers that read memory ask for it */
