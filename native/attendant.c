/* See attendant.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attendant.h"
#include "birth.h"

enum { READY = 3 }; /* the descriptor of the report */
enum { NOT_EXECUTED = 'x' }; /* a report of two bytes: this and the errno of execve(2) */

/* The engine's pipes must not stay open: their reader would wait for the program's end. */
static bool take_descriptors(int report)
{
	int null = open("/dev/null", O_RDWR);

	for (int fd = 0; fd < READY; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			return false;
	if (dup2(report, READY) < 0)
		return false;
	let_go_of_files(READY + 1);
	return true;
}

static void be_attendant(const char *program, const struct call *call, pid_t front, int report)
{
	char *const environment[] = { (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
				      (char *)"LANG=C.UTF-8", NULL };
	sigset_t none;
	char pid[16];

	setsid();
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	snprintf(pid, sizeof pid, "%d", (int)front);
	report = fcntl(report, F_DUPFD, READY + 1); /* out of the way of 0, 1, 2 */
	if (report >= 0 && take_descriptors(report)) {
		execve(program,
		       (char *const[]){ (char *)program, pid, (char *)call->bundle, (char *)call->config,
					NULL },
		       environment);
		/* ENOENT also if the interpreter in the script's first line is gone (execve(2)). */
		(void)!write(READY, (const char[]){ NOT_EXECUTED, (char)errno }, 2);
	}
	_exit(127);
}

bool attendant_is_trusted(const char *program)
{
	struct stat file;

	return !stat(program, &file) && S_ISREG(file.st_mode) && !(file.st_mode & (S_IWGRP | S_IWOTH)) &&
	       (file.st_uid == 0 || file.st_uid == geteuid());
}

static void start(const char *program, const struct call *call, int report)
{
	pid_t front = getpid(), between;
	bool subreaper = set_subreaper(false);

	between = fork_unannounced();
	if (between == 0) {
		if (fork_unannounced() == 0)
			be_attendant(program, call, front, report);
		_exit(0);
	}
	while (between > 0 && waitpid(between, NULL, __WALL) < 0 && errno == EINTR)
		;
	set_subreaper(subreaper);
}

static ssize_t await_report(int from, int patience, char *report, size_t size)
{
	ssize_t count;
	int ready;

	do
		ready = poll(&(struct pollfd){ .fd = from, .events = POLLIN }, 1, patience);
	while (ready < 0 && errno == EINTR);
	if (!ready)
		errno = ETIMEDOUT;
	if (ready <= 0)
		return -1;
	count = read(from, report, size);
	if (count == 2 && report[0] == NOT_EXECUTED) {
		errno = (unsigned char)report[1];
		return -1;
	}
	return count;
}

ssize_t attendant_start(const char *program, const struct call *call, int patience, char *report,
			size_t size)
{
	ssize_t count;
	int ends[2], err;

	if (pipe2(ends, O_CLOEXEC))
		return -1;
	start(program, call, ends[1]);
	close(ends[1]);
	count = await_report(ends[0], patience, report, size);
	err = errno;
	close(ends[0]);
	errno = err;
	return count;
}
