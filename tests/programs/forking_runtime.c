/* A stand-in for a single-threaded OCI runtime (as crun is one) whose init is not:
 *   forking_runtime create PROGRAM
 * forks its init, which starts a thread, leaves the mount namespace, loads a filter that answers
 * all but exit_group with errno 7, and execs. Exits with its status. With STANDIN_KILL the filter kills
 * instead, and init issues a call that no runtime issues. STANDIN_POSTSTOP is a program that is run when
 * init has ended, as hooks are (crun). */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void *idle(void *nothing)
{
	for (;;)
		pause();
	return nothing;
}

static int be_init(char **program)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_exit_group, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 7),
	};
	struct sock_fprog filter = { sizeof code / sizeof *code, code };
	pthread_t thread;

	if (getenv("STANDIN_KILL"))
		code[3].k = SECCOMP_RET_KILL_PROCESS;
	if (pthread_create(&thread, NULL, idle, NULL) || unshare(CLONE_NEWNS))
		return 101;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter))
		return 102;
	if (getpgid(0) < 0)
		return 103;
	execv(program[0], program);
	return 104;
}

/* 0; 106 if it was killed, or failed. */
static int run_hook(const char *hook)
{
	int status = 0;
	pid_t pid = hook ? fork() : 0;

	if (hook && pid == 0) {
		execl(hook, hook, (char *)NULL);
		_exit(1);
	}
	return hook && (waitpid(pid, &status, 0) != pid || status) ? 106 : 0;
}

int main(int argc, char **argv)
{
	int status;
	pid_t pid;

	if (argc < 3)
		return 100;
	pid = fork();
	if (pid == 0)
		_exit(be_init(argv + 2));
	if (waitpid(pid, &status, 0) != pid)
		return 105;
	if (run_hook(getenv("STANDIN_POSTSTOP")))
		return 106;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
