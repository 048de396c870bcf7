/* Reads a task's state into an event. */
#pragma once

#include "recorder.h"
#include "task.h"

static __always_inline void read_credentials(struct facts *facts, struct cred *cred)
{
	facts->uid = READ(cred->uid.val);
	facts->gid = READ(cred->gid.val);
	facts->euid = READ(cred->euid.val);
	facts->egid = READ(cred->egid.val);
	facts->users = READ(READ(cred->user_ns)->ns.inum);
	facts->capabilities[0] = READ(cred->cap_inheritable);
	facts->capabilities[1] = READ(cred->cap_permitted);
	facts->capabilities[2] = READ(cred->cap_effective);
	facts->capabilities[3] = READ(cred->cap_bset);
	facts->capabilities[4] = READ(cred->cap_ambient);
}

/* nsproxy is a null pointer once the task has passed exit_task_namespaces: zeros. */
static __always_inline void read_namespaces(struct facts *facts, struct nsproxy *namespaces)
{
	facts->mounts = READ(READ(namespaces->mnt_ns)->ns.inum);
	facts->net = READ(READ(namespaces->net_ns)->ns.inum);
	facts->ipc = READ(READ(namespaces->ipc_ns)->ns.inum);
	facts->uts = READ(READ(namespaces->uts_ns)->ns.inum);
	facts->cgroup = READ(READ(namespaces->cgroup_ns)->ns.inum);
}

static __noinline void read_facts(struct facts *facts, struct task_struct *task)
{
	struct pid *pid = READ(task->thread_pid);
	struct pid_number innermost = read_upid(pid, READ(pid->level));

	facts->filters = task->seccomp.filter_count.counter;
	facts->seccomp = task->seccomp.mode;
	facts->suspended = is_suspended(task);
	facts->no_new_privs = task->atomic_flags >> PFA_NO_NEW_PRIVS & 1;
	facts->root = (__u64)READ(READ(task->fs)->root.dentry);
	facts->pids = READ(innermost.ns->ns.inum);
	facts->local_pid = innermost.nr;
	read_credentials(facts, READ(task->cred));
	read_namespaces(facts, READ(task->nsproxy));
	bpf_probe_read_kernel(&facts->comm, sizeof(facts->comm), &task->comm);
}
