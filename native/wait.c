/* See wait.h. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

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

bool has_report(pid_t pid)
{
	for (size_t i = 0; i < count; i++)
		if (kept[i].pid == pid)
			return true;
	return false;
}

enum { PAUSE = 100000, MOST_PAUSES = 100000 }; /* 100 us; some 10 seconds */

pid_t await_stop(pid_t pid)
{
	const struct timespec pause = { .tv_nsec = PAUSE };
	pid_t found;

	for (int pauses = 0; !has_report(pid) && pauses < MOST_PAUSES;) {
		int status;

		if (count == MOST_KEPT)
			return 0;
		found = waitpid(-1, &status, __WALL | WNOHANG);
		if (found > 0)
			kept[count++] = (struct report){ found, status };
		else if (found < 0 && errno != EINTR)
			return -1;
		else if (!found && !nanosleep(&pause, NULL))
			pauses++;
	}
	return has_report(pid) ? pid : 0;
}

pid_t wait_for_a_while(pid_t pid, int *status, long microseconds)
{
	struct timespec now, end, left;
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += microseconds / 1000000;
	end.tv_nsec += microseconds % 1000000 * 1000;
	for (;;) {
		pid_t found = waitpid(pid, status, __WALL | WNOHANG);
		long long nanoseconds;

		if (found)
			return found;
		clock_gettime(CLOCK_MONOTONIC, &now);
		nanoseconds = (end.tv_sec - now.tv_sec) * 1000000000LL + end.tv_nsec - now.tv_nsec;
		if (nanoseconds <= 0)
			return 0;
		/* not by spinning: the tracee may need this processor */
		left = (struct timespec){ (time_t)(nanoseconds / 1000000000),
					  (long)(nanoseconds % 1000000000) };
		sigtimedwait(&child, NULL, &left);
	}
}

void forget_reports(void)
{
	count = 0;
}
