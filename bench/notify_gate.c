/* The other road to phases: one filter from the exec on, whose boot calls a supervisor lets pass.
 *
 *	notify_gate COUNT
 *
 * Prints, in ns a call, the best of 9 rounds of COUNT getppid(2): with no filter, with one that
 * allows it, with one that asks a supervisor (SECCOMP_USER_NOTIF_FLAG_CONTINUE); then the errno of
 * the call once the listener is closed, and of a second listener. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 9 };

static int load(unsigned action, unsigned long flags)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof code / sizeof *code, code };

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static double measure(long count)
{
	double best = 0;

	for (int round = 0; round < ROUNDS; round++) {
		struct timespec begin, end;
		double spent;

		clock_gettime(CLOCK_MONOTONIC, &begin);
		for (long i = 0; i < count; i++)
			syscall(SYS_getppid);
		clock_gettime(CLOCK_MONOTONIC, &end);
		spent = ((double)(end.tv_sec - begin.tv_sec) * 1e9 +
			 (double)(end.tv_nsec - begin.tv_nsec)) /
			(double)count;
		best = !round || spent < best ? spent : best;
	}
	return best;
}

static void supervise(int listener, long calls)
{
	for (long passed = 0; passed < calls;) {
		struct seccomp_notif asked;
		struct seccomp_notif_resp answer = { .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };

		memset(&asked, 0, sizeof asked);
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked))
			continue;
		answer.id = asked.id;
		passed += !ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
	}
}

int main(int argc, char **argv)
{
	long count = argc > 1 ? atol(argv[1]) : 10000;
	int listener, status;
	pid_t supervisor;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return 1;
	printf("none %.0f\n", measure(count));
	if (load(SECCOMP_RET_ALLOW, 0))
		return 1;
	printf("allow %.0f\n", measure(count));
	fflush(stdout);
	listener = load(SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
	if (listener < 0)
		return 1;
	supervisor = fork();
	if (!supervisor) {
		supervise(listener, ROUNDS * count);
		_exit(0);
	}
	close(listener);
	printf("notify %.0f\n", measure(count));
	waitpid(supervisor, &status, 0); /* its end closes the listener */
	errno = 0;
	syscall(SYS_getppid);
	printf("closed %d\n", errno);
	listener = load(SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
	printf("second %d\n", listener < 0 ? errno : 0);
	if (listener >= 0)
		printf("third %d\n",
		       load(SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER) < 0 ? errno : 0);
	return 0;
}
