/* sleeper CALL [SECONDS]: under a filter that kills for restart_syscall, sleeps (two seconds) in
 * CALL: nanosleep, clock_nanosleep, poll, futex, epoll_wait, pause and read (both until SIGALRM), or spin (in none).
 * "ready" before; afterwards "RESULT ERROR MILLISECONDS" of the call. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void wake(int number) { (void)number; }

static long sleep_in(const char *call, int seconds)
{
	struct timespec length = { seconds, 0 };
	int word = 0, ends[2];
	char c;

	if (!strcmp(call, "nanosleep"))
		return nanosleep(&length, NULL);
	if (!strcmp(call, "clock_nanosleep"))
		return syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &length, NULL);
	if (!strcmp(call, "poll"))
		return poll(NULL, 0, seconds * 1000);
	if (!strcmp(call, "futex"))
		return syscall(SYS_futex, &word, FUTEX_WAIT, 0, &length, NULL, 0);
	if (!strcmp(call, "epoll_wait")) {
		struct epoll_event event;

		return epoll_wait(epoll_create1(0), &event, 1, seconds * 1000);
	}
	if (!strcmp(call, "spin")) {
		for (long long end = now() + seconds * 1000LL; now() < end;)
			;
		return 0;
	}
	sigaction(SIGALRM, &(struct sigaction){ .sa_handler = wake }, NULL);
	alarm((unsigned)seconds);
	if (!strcmp(call, "read"))
		return pipe(ends) ? 1 : read(ends[0], &c, 1);
	return pause();
}

int main(int argc, char **argv)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_restart_syscall, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = { sizeof code / sizeof *code, code };
	long long began;
	long result;

	if (argc < 2 || argc > 3 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return 1;
	puts("ready");
	fflush(stdout);
	began = now();
	errno = 0;
	result = sleep_in(argv[1], argc > 2 ? atoi(argv[2]) : 2);
	printf("%ld %s %lld\n", result, strerror(errno), now() - began);
	return 0;
}
