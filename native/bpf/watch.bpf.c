/* Records denials by one of three methods; docs/decisions/0097 compares their coverage and cost.
 *
 * At the end of the kernel's check (`end_check`, fexit of __secure_computing): every filtered call
 * pays. By the tracepoints of system calls (`enter_call`, `leave_call`), where a kernel has no
 * fexit: every task of the host pays. By the signals that seccomp sends and the calls that it logs
 * (`send_signal`, `log_call`): only denials pay, and ERRNO is found only if the filter was loaded with
 * SECCOMP_FILTER_FLAG_LOG. */
#include "watch_denials.h"

/* Run by the watcher in itself, once. */
SEC("raw_tp")
int find_watcher(__u64 *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pid *pid = READ(task->thread_pid);

	watcher.level = READ(pid->level);
	watcher.pids = READ(read_upid(pid, watcher.level).ns->ns.inum);
	return 0;
}

static __always_inline struct call_state *find_state(struct task_struct *task)
{
	return bpf_task_storage_get(&states, (void *)task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
}

static __always_inline void mark_killed(struct task_struct *task)
{
	struct call_state *state;

	if (task->seccomp.mode != SECCOMP_MODE_DEAD)
		return;
	state = find_state(task);
	if (state)
		state->killed = 1;
}

SEC("fexit/__secure_computing")
int end_check(__u64 *ctx)
{
	struct task_struct *task;
	__u64 result = 0;

	bpf_get_func_ret(ctx, &result);
	if ((__s32)result != -1)
		return 0;
	task = bpf_get_current_task_btf();
	if (is_killed_tracee(task))
		return 0;
	mark_killed(task);
	note_answer(task, call_result(bpf_task_pt_regs(task)), 0);
	return 0;
}

SEC("tp_btf/sys_enter")
int enter_call(__u64 *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct call_state *state;

	if (task->seccomp.mode < SECCOMP_MODE_FILTER)
		return 0;
	state = find_state(task);
	if (state)
		state->position = INSIDE;
	return 0;
}

/* The kernel calls seccomp before it reports a call to sys_enter (syscall_trace_enter): an exit without
 * an entry is a denial. A thread's first observed exit may belong to an earlier call: it counts if the
 * call failed, and the watcher evaluates the filter. */
SEC("tp_btf/sys_exit")
int leave_call(__u64 *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	enum call_position before;
	struct call_state *state;

	if (task->seccomp.mode < SECCOMP_MODE_FILTER)
		return 0;
	state = find_state(task);
	if (!state)
		return 0;
	before = state->position;
	state->position = OUTSIDE;
	if (before == INSIDE || is_killed_tracee(task))
		return 0;
	if (before == NOT_SEEN && !(task->pending.signal.sig[0] & SIGSYS_BIT) &&
	    task->seccomp.mode != SECCOMP_MODE_DEAD && !result_errno(ctx[1], compat_mode(task)))
		return 0;
	mark_killed(task);
	note_answer(task, ctx[1], before == NOT_SEEN ? DENIAL_UNSURE : 0);
	return 0;
}

/* SECCOMP_RET_KILL_THREAD with other threads alive: do_exit within seccomp itself. */
SEC("tp_btf/sched_process_exit")
int end_thread(__u64 *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct call_state *state;

	if (task->seccomp.mode != SECCOMP_MODE_DEAD)
		return 0;
	state = find_state(task);
	if (state && state->killed)
		return 0;
	note_denial(task, call_number(bpf_task_pt_regs(task)), ANSWER_KILL, 0, 0);
	return 0;
}

/* signal_generate(sig, info, task, group, result): SIGSYS that seccomp forces on a thread. */
SEC("tp_btf/signal_generate")
int send_signal(__u64 *ctx)
{
	struct kernel_siginfo *info = (void *)ctx[1];
	struct task_struct *task;

	if (ctx[0] != SIGSYS || READ(info->si_code) != SYS_SECCOMP)
		return 0;
	task = bpf_get_current_task_btf();
	mark_killed(task);
	note_denial(task, call_number(bpf_task_pt_regs(task)),
		    task->seccomp.mode == SECCOMP_MODE_DEAD ? ANSWER_KILL : ANSWER_TRAP, 0, 0);
	return 0;
}

static __always_inline enum denial_answer name_action(__u32 action)
{
	switch (action >> 16) {
	case 0x7ffc:
		return ANSWER_LOG;
	case 0x7ff0:
		return ANSWER_TRACE;
	case 0x7fc0:
		return ANSWER_NOTIFY;
	case 0x0005:
		return ANSWER_ERRNO;
	case 0x0003:
		return ANSWER_TRAP;
	case 0x0000:
		return ANSWER_KILL_THREAD;
	default:
		return ANSWER_KILL_PROCESS;
	}
}

/* audit_seccomp(syscall, signr, code): what seccomp logs, by sysctl kernel.seccomp.actions_logged. */
SEC("fentry/audit_seccomp")
int log_call(__u64 *ctx)
{
	enum denial_answer answer = name_action(ctx[2]);
	struct task_struct *task;
	__s32 error = 0;

	if (!(audited >> answer & 1))
		return 0;
	task = bpf_get_current_task_btf();
	if (answer != ANSWER_LOG)
		error = result_errno(call_result(bpf_task_pt_regs(task)), compat_mode(task));
	note_denial(task, ctx[0], answer, error, 0);
	return 0;
}

EMIT_TYPE(denial);
EMIT_TYPE(filter_copy);

char _license[] SEC("license") = "GPL"; /* the helpers that read memory ask for it */
