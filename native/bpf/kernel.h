/* Types of the kernel, as far as the programs read them.
 *
 * preserve_access_index makes clang record every member access (CO-RE); the loader finds the member
 * by its name in the running kernel's BTF and patches the offset. So order and size mean nothing
 * here, only names do, and a member that a kernel lacks is reported by its name. */
#pragma once

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef int __s32;

#define PF_EXITING 4          /* task_struct.flags: past or just before sched_process_exit */
#define TASK_NEW 0x800 /* task_struct.__state: until wake_up_new_task(), after sched_process_fork */
#define PT_SUSPEND_SECCOMP 24 /* bit of task_struct.ptrace: PTRACE_O_SUSPEND_SECCOMP (21) << 3 */
#define PFA_NO_NEW_PRIVS 0    /* bit of task_struct.atomic_flags */
#define SECCOMP_MODE_FILTER 2
/* The mode of a thread that seccomp is killing (Linux 5.17, kernel/seccomp.c). */
#define SECCOMP_MODE_DEAD 3
#define MAX_PID_NS_LEVEL 32
#define MAX_ERRNO 4095
#define SIGKILL_BIT (1UL << (9 - 1))
#define SIGSYS_BIT (1UL << (31 - 1))
#define AF_UNIX 1
#define SIGSYS 31
#define SYS_SECCOMP 1 /* kernel_siginfo.si_code of a SIGSYS by seccomp */

#if defined(__TARGET_ARCH_x86)
#define TS_COMPAT 2 /* thread_info.status: in a 32-bit call (int 0x80 or sysenter) */
#elif defined(__TARGET_ARCH_arm64)
#define TIF_32BIT 22 /* bit of thread_info.flags: the whole task is 32-bit */
#endif

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	unsigned int val;
} kuid_t;

typedef struct {
	unsigned int val;
} kgid_t;

typedef struct {
	unsigned long sig[1];
} sigset_t;

struct ns_common {
	unsigned int inum;
};

struct task_struct;

struct pid_namespace {
	struct task_struct *child_reaper;
	struct ns_common ns;
};

struct mnt_namespace {
	struct ns_common ns;
};

struct net {
	struct ns_common ns;
};

struct ipc_namespace {
	struct ns_common ns;
};

struct uts_namespace {
	struct ns_common ns;
};

struct cgroup_namespace {
	struct ns_common ns;
};

struct user_namespace {
	struct ns_common ns;
};

struct nsproxy {
	struct uts_namespace *uts_ns;
	struct ipc_namespace *ipc_ns;
	struct mnt_namespace *mnt_ns;
	struct pid_namespace *pid_ns_for_children;
	struct net *net_ns;
	struct cgroup_namespace *cgroup_ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct cred {
	kuid_t uid;
	kgid_t gid;
	kuid_t euid;
	kgid_t egid;
	/* Arrays of two __u32 before Linux 6.3, a __u64 since: eight bytes, read by the helper. */
	__u64 cap_inheritable;
	__u64 cap_permitted;
	__u64 cap_effective;
	__u64 cap_bset;
	__u64 cap_ambient;
	struct user_namespace *user_ns;
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct qstr d_name;
};

struct path {
	struct dentry *dentry;
};

struct file {
	struct path f_path;
};

struct fs_struct {
	struct path root;
};

struct mm_struct {
	unsigned long arg_start;
	unsigned long arg_end;
	struct file *exe_file;
};

struct signal_struct {
	atomic_t live;
};

struct sigpending {
	sigset_t signal;
};

struct sock_filter;

struct sock_fprog_kern {
	__u16 len;
	struct sock_filter *filter;
};

struct bpf_prog {
	struct sock_fprog_kern *orig_prog;
};

struct seccomp_filter {
	struct seccomp_filter *prev;
	struct bpf_prog *prog;
};

struct seccomp {
	int mode;
	atomic_t filter_count; /* Linux 5.9 */
	struct seccomp_filter *filter;
};

struct thread_info {
	unsigned long flags;
#if defined(__TARGET_ARCH_x86)
	__u32 status;
#endif
};

struct bpf_local_storage;

struct task_struct {
	struct thread_info thread_info;
	unsigned int __state; /* Linux 5.14 */
	unsigned int flags;
	unsigned int ptrace;
	int exit_code;
	unsigned long atomic_flags;
	int pid;
	int tgid;
	__u64 start_boottime; /* Linux 5.5 */
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	struct cred *cred;
	char comm[16];
	struct fs_struct *fs;
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
	struct sigpending pending;
	struct seccomp seccomp;
	struct mm_struct *mm;
	struct bpf_local_storage *bpf_storage;
};

struct kernel_siginfo {
	int si_code;
};

struct linux_binprm {
	const char *filename;
};

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long bp;
	unsigned long ax;
	unsigned long bx;
	unsigned long r10;
	unsigned long r9;
	unsigned long r8;
	unsigned long cx;
	unsigned long dx;
	unsigned long si;
	unsigned long di;
	unsigned long orig_ax;
	unsigned long ip;
};
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
	__u64 regs[31];
	__u64 pc;
	__u64 orig_x0; /* regs[0] is the register of the result, too; this keeps the argument */
	__s32 syscallno;
};
#else
struct pt_regs;
#endif

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop
