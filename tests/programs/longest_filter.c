/* longest_filter N [THREADS]: each of THREADS threads (1) loads N filters of its own, all different,
 * as long as the kernel accepts (4096 instructions); prints "ready" and sleeps until it is
 * killed. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { LONGEST = 4096 };

static int count, threads = 1;
static int number;

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

static void load(void)
{
	static struct sock_filter code[LONGEST];
	struct sock_fprog program = { LONGEST, code };

	pthread_mutex_lock(&one_at_a_time);
	for (int n = 0; n < count; n++) {
		for (int i = 0; i < LONGEST - 1; i++)
			code[i] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, number);
		code[LONGEST - 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
		number++;
		if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
			perror("seccomp"), exit(1);
	}
	pthread_mutex_unlock(&one_at_a_time);
}

static pthread_barrier_t all;

static void *work(void *unused)
{
	load();
	pthread_barrier_wait(&all);
	for (;;)
		pause();
	return unused;
}

int main(int argc, char **argv)
{
	count = argc > 1 ? atoi(argv[1]) : 1;
	threads = argc > 2 ? atoi(argv[2]) : 1;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	pthread_barrier_init(&all, NULL, threads);
	for (int n = 1; n < threads; n++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, work, NULL))
			return 1;
	}
	load();
	pthread_barrier_wait(&all);
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
