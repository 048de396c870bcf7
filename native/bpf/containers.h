/* A container that is followed: every task that enters it, whichever process made the task. */
#pragma once

#include "segments.h"

enum {
	MAX_WORDS = 48, /* of an argv that are looked at; one longer than WORD_SIZE counts as several */
};

/* By mount namespace: containers of a pod may share their pid namespace, none shares its mounts. */
static __always_inline int is_in_container(struct task_struct *task)
{
	struct nsproxy *namespaces = READ(task->nsproxy);

	if (watch.mounts && READ(READ(namespaces->mnt_ns)->ns.inum) == watch.mounts)
		return 1;
	return watch.pids && READ(READ(namespaces->pid_ns_for_children)->ns.inum) == watch.pids;
}

/* Whether pid 1 of a new task's pid namespace is followed. That holds from the container's first process
 * on, before its mount namespace is known. Not by READ: the map needs a task's pointer that the verifier
 * knows to be one. */
static __always_inline int is_under_followed_init(struct task_struct *child)
{
	if (!watch.reapers)
		return 0;
	return find_state(child->nsproxy->pid_ns_for_children->child_reaper) != 0;
}

static __always_inline int is_same_word(const __u64 *one, const __u64 *other)
{
	for (int i = 0; i < WORD_SIZE / 8; i++)
		if (one[i] != other[i])
			return 0;
	return 1;
}

/* Whether the container's id is a word of the current task's argv, as for a runtime that is about to
 * start an exec session in it. Words are read one by one, so the loop is bounded by their number
 * (bounded loops: Linux 5.3). */
static __noinline int is_called_with_id(struct task_struct *task)
{
	struct mm_struct *mm = READ(task->mm);
	unsigned long position = READ(mm->arg_start), end = READ(mm->arg_end);

	if (!watch.word[0])
		return 0;
	for (int i = 0; i < MAX_WORDS && position < end; i++) {
		__u64 word[WORD_SIZE / 8] = {};
		long length = bpf_probe_read_user_str(word, WORD_SIZE, (void *)position);

		if (length <= 0)
			return 0;
		if (is_same_word(word, (void *)watch.word))
			return 1;
		position += length;
	}
	return 0;
}
