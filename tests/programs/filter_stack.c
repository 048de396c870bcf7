/* filter_stack HOW N: loads N filters, the i-th of which answers getpgid with errno i (from 1), says
 * "ready" and sleeps until it is killed.
 * HOW main: before a thread is made, which inherits them. own: by a second thread, which keeps them
 * for itself. tsync: by the first thread, for a second that exists already. fork: before a child,
 * whose parent then ends. strict: none, strict mode in a second thread. dead: by the first thread, for
 * which they are KILL_THREAD, and which then calls getpgid. left: as main, but the first thread ends. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int count;
static unsigned flags, action = SECCOMP_RET_ERRNO;

static void load(void)
{
	for (int i = 1; i <= count; i++) {
		struct sock_filter code[] = {
			BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_getpgid, 0, 1),
			BPF_STMT(BPF_RET | BPF_K, action | i),
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		};
		struct sock_fprog program = { sizeof code / sizeof *code, code };

		if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program))
			perror("seccomp"), exit(1);
	}
}

static void sleep_on(void)
{
	for (;;)
		pause();
}

static void *second(void *what)
{
	if (!strcmp(what, "own"))
		load(), puts("ready");
	if (!strcmp(what, "strict")) {
		puts("ready");
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
		for (char c;;)
			syscall(SYS_read, 0, &c, 1);
	}
	sleep_on();
	return NULL;
}

int main(int argc, char **argv)
{
	const char *how = argc == 3 ? argv[1] : "";
	pthread_t thread;

	setvbuf(stdout, NULL, _IOLBF, 0);
	count = argc == 3 ? atoi(argv[2]) : 0;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (!strcmp(how, "main") || !strcmp(how, "fork") || !strcmp(how, "left"))
		load();
	if (!strcmp(how, "fork")) {
		if (fork())
			_exit(0);
	} else if (pthread_create(&thread, NULL, second, (void *)how)) {
		return 1;
	}
	if (!strcmp(how, "tsync"))
		flags = SECCOMP_FILTER_FLAG_TSYNC, load();
	if (!strcmp(how, "dead")) {
		action = SECCOMP_RET_KILL_THREAD;
		load();
		puts("ready");
		syscall(SYS_getpgid, 0);
	}
	if (strcmp(how, "own") && strcmp(how, "strict"))
		puts("ready");
	if (!strcmp(how, "left"))
		pthread_exit(NULL);
	sleep_on();
}
