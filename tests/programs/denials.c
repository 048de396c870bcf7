/* Loads a filter on getppid and makes that call: denials ACTION [tsync|thread [fail]].
 *
 * Actions: errno (7), trap, kill (the process), kill_thread (in a second thread), log.
 * fail: it ends with 6 after that.
 * tsync: the filter reaches an existing thread, which issues the calls.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_barrier_t loaded;
static unsigned int calls = 3;
static volatile long second;

static void call(void)
{
	for (unsigned int i = 0; i < calls; i++)
		syscall(SYS_getppid);
}

static void *run(void *unused)
{
	second = syscall(SYS_gettid);
	pthread_barrier_wait(&loaded);
	call();
	return unused;
}

static unsigned int action(const char *name)
{
	if (!strcmp(name, "errno"))
		return SECCOMP_RET_ERRNO | 7;
	calls = !strcmp(name, "trap") ? 3 : 1;
	if (!strcmp(name, "trap"))
		return SECCOMP_RET_TRAP;
	if (!strcmp(name, "kill"))
		return SECCOMP_RET_KILL_PROCESS;
	return SECCOMP_RET_KILL_THREAD;
}

static void ignore(int number)
{
	(void)number;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action(argv[1])),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(*code), code };
	int other = argc > 2;
	int tsync = other && !strcmp(argv[2], "tsync");
	pthread_t thread;

	signal(SIGSYS, ignore);
	pthread_barrier_init(&loaded, NULL, 2);
	if (tsync)
		pthread_create(&thread, NULL, run, NULL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, tsync ? SECCOMP_FILTER_FLAG_TSYNC : 0,
		    &program))
		return 3;
	if (!other) {
		call();
		return 0;
	}
	if (!tsync)
		pthread_create(&thread, NULL, run, NULL);
	pthread_barrier_wait(&loaded);
	/* musl's pthread_join waits for what a killed thread never does */
	while (!syscall(SYS_tgkill, (long)getpid(), second, 0L))
		usleep(1000);
	return argc > 3 ? 6 : 0;
}
