/* What is read of a task by more than one object. */
#pragma once

#include "helpers.h"

static __always_inline __u32 is_suspended(struct task_struct *task)
{
	return task->ptrace >> PT_SUSPEND_SECCOMP & 1;
}

/* A task's number in a pid namespace. Without a gap, unlike the kernel's struct upid: until Linux 6.2 a
 * program that copies one is refused, as it reads a part of its stack that was not written. */
struct pid_number {
	struct pid_namespace *ns;
	__u64 nr;
};

/* A task's number as a pid namespace of this level has it: pid->numbers[level]. Zeros for a task
 * that is being reaped. */
static __always_inline struct pid_number read_upid(struct pid *pid, __u32 level)
{
	__u64 entry = (__u64)&pid->numbers;
	struct pid_number found;

	entry += (__u64)(level & (MAX_PID_NS_LEVEL - 1)) * size_of_type(struct upid);
	found.nr = READ(((struct upid *)entry)->nr);
	found.ns = READ(((struct upid *)entry)->ns);
	return found;
}

/* Whether it was a tracer, not seccomp, that kept the kernel from the call: a tracee that is killed
 * in a stop leaves the kernel without an entry, too. */
static __always_inline int is_killed_tracee(struct task_struct *task)
{
	return task->ptrace && task->pending.signal.sig[0] & SIGKILL_BIT;
}
