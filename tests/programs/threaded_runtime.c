/* A stand-in for a multi-threaded OCI runtime as runc >= 1.2 is one (Debian 13 has 1.1.15):
 *   threaded_runtime create PROGRAM [ARG...]
 * it starts threads, forks a helper that asks to be traced by it (PTRACE_TRACEME, as runc's
 * user-namespace helper does), vforks a hook, vforks itself as "init", lets it go on, and exits
 * with its status.  init starts threads too, leaves the mount namespace, loads a filter that
 * allows exit_group alone (ERRNO for the rest) with TSYNC, runs a hook under it, and execs.
 * STANDIN_WAIT names a file that must appear before init is made; STANDIN_NO_FILTER loads none,
 * STANDIN_NO_UNSHARE stays in the host's namespaces, STANDIN_KEEP_PTRACE keeps CAP_SYS_PTRACE,
 * STANDIN_DUMPABLE lets a hook's like write to init's memory.  STANDIN_NO_NEW_PRIVS sets no_new_privs,
 * STANDIN_OTHER_EXECS has another thread exec than the one that has loaded the filter: =untraced
 * one that its tracer does not get (CLONE_UNTRACED).
 * Prints errors on stderr, and exits with 100 + the step. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int fail(int step, const char *what)
{
	fprintf(stderr, "stand-in: %s: %s\n", what, strerror(errno));
	return 100 + step;
}

static void *idle(void *nothing)
{
	for (;;)
		pause();
	return nothing;
}

static void start_threads(void)
{
	pthread_t thread;

	for (int i = 0; i < 4; i++)
		pthread_create(&thread, NULL, idle, NULL);
}

/* As runc's helper: traced by its parent, stopped at its exec, then killed. */
static int run_traced_helper(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, 0, 0))
			_exit(errno);
		execl("/proc/self/exe", "runc", "--help", (char *)NULL);
		_exit(255);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) {
		errno = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
		return -1;
	}
	kill(pid, SIGKILL);
	return waitpid(pid, &status, 0) == pid ? 0 : -1;
}

/* As runtimes do for most containers. */
static int drop_ptrace_capability(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[2];

	if (prctl(PR_CAPBSET_DROP, CAP_SYS_PTRACE) || syscall(SYS_capget, &header, sets))
		return -1;
	sets[0].effective &= ~(1U << CAP_SYS_PTRACE);
	sets[0].permitted &= ~(1U << CAP_SYS_PTRACE);
	sets[0].inheritable &= ~(1U << CAP_SYS_PTRACE);
	return (int)syscall(SYS_capset, &header, sets);
}

static int load_filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_exit_group, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	};
	struct sock_fprog program = { sizeof code / sizeof *code, code };

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC,
			    &program);
}

/* fork(2) in a child that shares nothing: like a startContainer hook. */
static int run_hook(const char *hook)
{
	int status = 0;
	pid_t pid;

	if (!hook)
		return 0;
	pid = vfork();
	if (pid == 0) {
		if (getenv("STANDIN_DUMPABLE"))
			prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
		execl(hook, hook, (char *)NULL);
		_exit(126);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return status;
}

static int loaded[2];

static int exec_when_loaded(void *program)
{
	char byte;

	if (read(loaded[0], &byte, 1) == 1)
		execv(*(char **)program, program);
	_exit(106);
}

static int start_other(char **program, const char *kind)
{
	static char stack[1 << 16] __attribute__((aligned(16)));
	int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;

	if (!strcmp(kind, "untraced"))
		flags |= CLONE_UNTRACED;
	return pipe(loaded) || clone(exec_when_loaded, stack + sizeof stack, flags, program) < 0;
}

static int be_init(char **program)
{
	const char *other = getenv("STANDIN_OTHER_EXECS");
	char byte;

	if (read(3, &byte, 1) != 1)	/* the bootstrap data: nothing happens before it */
		return fail(1, "no bootstrap data");
	close(3);
	start_threads();
	if (!getenv("STANDIN_NO_UNSHARE") && unshare(CLONE_NEWNS))
		return fail(2, "unshare");
	if (!getenv("STANDIN_KEEP_PTRACE") && drop_ptrace_capability())
		return fail(2, "capabilities");
	if (getenv("STANDIN_NO_NEW_PRIVS") && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return fail(2, "no_new_privs");
	if (other && start_other(program, other))
		return fail(2, "thread");
	if (!getenv("STANDIN_NO_FILTER") && load_filter())
		return fail(3, "seccomp");
	if (getppid() < 0)	/* any call: denied unless suspended */
		return fail(4, "a call of the runtime's own was denied");
	if (run_hook(getenv("STANDIN_HOOK")))
		return fail(5, "hook");
	if (other && write(loaded[1], "", 1) == 1)
		idle(NULL);
	execv(program[0], program);
	return fail(6, "exec");
}

int main(int argc, char **argv)
{
	int bootstrap[2], status;
	pid_t pid;

	if (argc == 2 && !strcmp(argv[1], "init")) {
		char *program[] = { getenv("STANDIN_PROGRAM"), NULL };

		return be_init(program);
	}
	if (argc < 3)
		return fail(10, "usage");
	start_threads();
	if (run_traced_helper())
		return fail(11, "PTRACE_TRACEME in a helper");
	if (run_hook(getenv("STANDIN_HOST_HOOK")))
		return fail(12, "host hook");
	while (getenv("STANDIN_WAIT") && access(getenv("STANDIN_WAIT"), F_OK))
		usleep(1000);
	setenv("STANDIN_PROGRAM", argv[2], 1);
	if (pipe(bootstrap))
		return fail(13, "pipe");
	pid = vfork();
	if (pid == 0) {
		close(bootstrap[1]);
		dup2(bootstrap[0], 3);
		if (bootstrap[0] != 3)
			close(bootstrap[0]);
		execl("/proc/self/exe", argv[0], "init", (char *)NULL);
		_exit(127);
	}
	if (write(bootstrap[1], "x", 1) != 1)
		return fail(14, "write");
	if (waitpid(pid, &status, 0) != pid)
		return fail(15, "wait");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
