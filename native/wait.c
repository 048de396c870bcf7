/* See wait.h. */
#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "wait.h"

/* A tracee that has stopped reports nothing more before it is let go, but its death. */
enum { MOST_KEPT = 1024 };
struct report {
	pid_t pid;
	int status;
};
static struct report kept[MOST_KEPT];
static size_t count;

static pid_t wait_for(pid_t pid, int *status)
{
	pid_t found;

	do {
		found = waitpid(pid, status, __WALL);
	} while (found < 0 && errno == EINTR);
	return found;
}

/* The oldest kept report of `pid`, or of any with -1; 0 if there is none. */
static pid_t take_kept(pid_t pid, int *status)
{
	for (size_t i = 0; i < count; i++) {
		struct report report = kept[i];

		if (pid > 0 && report.pid != pid)
			continue;
		count--;
		memmove(kept + i, kept + i + 1, (count - i) * sizeof *kept);
		*status = report.status;
		return report.pid;
	}
	return 0;
}

pid_t wait_for_any(int *status)
{
	pid_t pid = take_kept(-1, status);

	return pid ? pid : wait_for(-1, status);
}

pid_t wait_for_one(pid_t pid, int *status)
{
	pid_t found = take_kept(pid, status);

	while (!found) {
		found = wait_for(count < MOST_KEPT ? -1 : pid, status);
		if (found < 0 || found == pid)
			break;
		kept[count++] = (struct report){ found, *status };
		found = 0;
	}
	return found;
}

void forget_reports(void)
{
	count = 0;
}
