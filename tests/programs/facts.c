/* A stand-in runtime that starts nothing and prints, as JSON, its inherited state: a change by
 * the front would show.  Reads its standard input to the end and exits with FACTS_STATUS. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void print_words(const char *name, char **words)
{
	printf("\"%s\": [", name);
	for (int i = 0; words[i]; i++)
		printf("%s\"%s\"", i ? ", " : "", words[i]);
	printf("], ");
}

static void print_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	const char *comma = "";

	printf("\"fds\": [");
	while ((entry = readdir(dir)))
		if (*entry->d_name != '.' && atoi(entry->d_name) != dirfd(dir)) {
			printf("%s%s", comma, entry->d_name);
			comma = ", ";
		}
	closedir(dir);
	printf("], ");
}

static void print_signals(void)
{
	const char *lists[] = { "SigBlk:", "SigIgn:", "SigPnd:", "ShdPnd:" };
	char line[256];
	FILE *status = fopen("/proc/self/status", "re");

	while (fgets(line, sizeof line, status))
		for (int i = 0; i < 4; i++)
			if (!strncmp(line, lists[i], strlen(lists[i])))
				printf("\"%.6s\": \"%.16s\", ", lists[i], strchr(line, '\t') + 1);
	fclose(status);
}

int main(int argc, char **argv)
{
	const char *status = getenv("FACTS_STATUS");
	int subreaper = 0, death = 0;
	char line[65536];
	size_t input = 0;
	ssize_t n;

	(void)argc;
	while ((n = read(0, line, sizeof line)) > 0)
		input += (size_t)n;
	prctl(PR_GET_CHILD_SUBREAPER, &subreaper);
	prctl(PR_GET_PDEATHSIG, &death);
	printf("{\"pid\": %d, \"ppid\": %d, \"pgid\": %d, \"sid\": %d, \"input\": %zu, ",
	       getpid(), getppid(), getpgid(0), getsid(0), input);
	print_words("argv", argv);
	print_words("env", environ);
	print_files();
	print_signals();
	printf("\"subreaper\": %d, \"deathsig\": %d, ", subreaper, death);
	printf("\"children\": %s}\n",
	       waitpid(-1, NULL, WNOHANG | __WALL) < 0 && errno == ECHILD ? "false" : "true");
	return status ? atoi(status) : 0;
}
