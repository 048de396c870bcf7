/* Children, of which the last has a thread that loads a filter of its own as soon as this process has one.
 *
 *   late_filter COUNT
 *
 * Prints the process id of the last child. */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static pid_t parent;

static bool has_filter(pid_t pid)
{
	char path[64], line[256];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/status", pid);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof line, file))
		found |= !strncmp(line, "Seccomp:\t2", strlen("Seccomp:\t2"));
	if (file)
		fclose(file);
	return found;
}

static void *load_own(void *none)
{
	struct sock_filter allow[] = { { 6, 0, 0, SECCOMP_RET_ALLOW } };
	struct sock_fprog filter = { 1, allow };

	while (!has_filter(parent))
		;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
	pause();
	return none;
}

static void be_child(bool loads)
{
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (loads)
		pthread_create(&thread, NULL, load_own, NULL);
	for (;;)
		pause();
}

int main(int count, char *arguments[])
{
	pid_t last = 0;

	parent = getpid();
	for (int left = count > 1 ? atoi(arguments[1]) : 1; left > 0; left--) {
		last = fork();
		if (!last)
			be_child(left == 1);
	}
	printf("%d\n", last);
	fflush(stdout);
	for (;;)
		pause();
}
