/* vfork, in the parent and again in a thread, each child with an exec. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static void *run(void *path)
{
	for (int i = 0; i < 10; i++) {
		char *argv[] = { path, NULL };
		pid_t child = vfork();

		if (child == 0) {
			execv(path, argv);
			_exit(127);
		}
		waitpid(child, NULL, 0);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc < 2)
		return 2;
	pthread_create(&thread, NULL, run, argv[1]);
	run(argv[1]);
	pthread_join(thread, NULL);
	return 0;
}
