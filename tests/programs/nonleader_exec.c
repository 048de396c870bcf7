/* A thread other than the leader execs: it takes over the leader's id. */
#include <pthread.h>
#include <unistd.h>

static char **words;

static void *run(void *unused)
{
	for (int i = 0; i < 5; i++)
		getppid();
	execv(words[1], words + 1);
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc < 2)
		return 2;
	words = argv;
	pthread_create(&thread, NULL, run, NULL);
	for (;;)
		pause();
}
