/* Four threads for ever, each issuing a call of its own that the others never issue. */
#include <pthread.h>
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>

static const long numbers[] = { SYS_getppid, SYS_getuid, SYS_getegid, SYS_gettid };

static void *call(void *number)
{
	for (;;) {
		syscall(*(const long *)number);
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	}
	return NULL;
}

int main(void)
{
	pthread_t thread;

	for (int i = 1; i < 4; i++)
		pthread_create(&thread, NULL, call, (void *)&numbers[i]);
	call((void *)&numbers[0]);
}
