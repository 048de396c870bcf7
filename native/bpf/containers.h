/* Containers that are followed: every task that enters one, whichever process made the task. One set of
 * programs serves any number of them; what finds a task's container runs at fork and exec only. */
#pragma once

#include "segments.h"

enum {
	MAX_WORDS = 48, /* of an argv that are looked at; one longer than WORD_SIZE counts as several */
};

static __always_inline __u32 find_by_namespace(__u32 inode)
{
	__u32 *number = bpf_map_lookup_elem(&namespaces, &inode);

	return number ? *number : 0;
}

/* By mount namespace: containers of a pod may share their pid namespace, none shares its mounts. */
static __noinline __u32 find_container(struct task_struct *task)
{
	struct nsproxy *spaces = READ(task->nsproxy);
	__u32 number = find_by_namespace(READ(READ(spaces->mnt_ns)->ns.inum));

	return number ? number : find_by_namespace(READ(READ(spaces->pid_ns_for_children)->ns.inum));
}

/* The container of pid 1 of a new task's pid namespace. That holds from the container's first process
 * on, before its mount namespace is known. Not by READ: the map needs a task's pointer that the verifier
 * knows to be one. */
static __always_inline __u32 find_container_of_init(struct task_struct *child)
{
	struct task_state *init = find_state(child->nsproxy->pid_ns_for_children->child_reaper);
	struct container *found;

	if (!init || !init->container)
		return 0;
	found = bpf_map_lookup_elem(&containers, &init->container);
	return found && found->reapers ? init->container : 0;
}

/* Another user could name a container in the argv of any program, and so have the node's recorder reach
 * the limits of its recording. A kuid_t is of the initial user namespace, whichever the task is in. */
static __always_inline int may_name_container(struct task_struct *task)
{
	return !words_of_root || READ(READ(task->cred)->uid.val) == 0;
}

/* The container whose id is a word of the current task's argv, as for a runtime that is about to start
 * an exec session in it. Words are read one by one, so the loop is bounded by their number (bounded
 * loops: Linux 5.3). */
static __noinline __u32 find_container_in_argv(struct task_struct *task)
{
	struct mm_struct *mm = READ(task->mm);
	unsigned long position = READ(mm->arg_start), end = READ(mm->arg_end);

	if (!words_given || !may_name_container(task))
		return 0;
	for (int i = 0; i < MAX_WORDS && position < end; i++) {
		struct word word = {};
		long length = bpf_probe_read_user_str(&word, WORD_SIZE, (void *)position);
		__u32 *number;

		if (length <= 0)
			return 0;
		number = bpf_map_lookup_elem(&words, &word);
		if (number)
			return *number;
		position += length;
	}
	return 0;
}

static __always_inline int is_open(__u32 number)
{
	struct container *found = bpf_map_lookup_elem(&containers, &number);

	return found && found->open;
}

/* Whether the recording of a container has ended while the container goes on. */
static __always_inline int has_ended(__u32 number)
{
	return number && !bpf_map_lookup_elem(&containers, &number);
}
