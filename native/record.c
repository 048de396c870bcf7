/* Starts the recorder for a container whose annotations request it.
 *
 * Only if the administrator enabled annotations at install: then the link `FRONT.record` beside the front
 * leads to the recorder, a program owned by root.  The annotation's key is searched for as text, as in
 * bundle.c; the recorder parses the annotation, and exits if there is none.  It is reparented to init,
 * inherits no descriptor of the engine, and reports through descriptor 3 when it is ready.  The front
 * waits two seconds for that; whether or not it succeeds, the container starts.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <errno.h>

#include "birth.h"
#include "latch.h"

static const char key[] = "seclatch.record";
enum { READY = 3, PATIENCE = 2000 }; /* a descriptor; milliseconds */

/* The engine's pipes must not stay open: their reader would wait for the recorder's end. */
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

static void be_recorder(const char *recorder, const struct call *call, pid_t front, int report)
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
	if (report >= 0 && take_descriptors(report))
		execve(recorder,
		       (char *const[]){ (char *)recorder, pid, (char *)call->bundle, (char *)call->config,
					NULL },
		       environment);
	_exit(127);
}

/* A program that other users may write to is not executed in the engine's name.  The installer checks its
 * interpreter and directories (src/seclatch/engines/annotation_recorder.py). */
static bool is_trusted(const char *recorder)
{
	struct stat file;

	return !stat(recorder, &file) && S_ISREG(file.st_mode) && !(file.st_mode & (S_IWGRP | S_IWOTH)) &&
	       (file.st_uid == 0 || file.st_uid == geteuid());
}

static void start(const char *recorder, const struct call *call, int report)
{
	pid_t front = getpid(), between;
	bool subreaper = set_subreaper(false);

	between = fork_unannounced();
	if (between == 0) {
		if (fork_unannounced() == 0)
			be_recorder(recorder, call, front, report);
		_exit(0);
	}
	while (between > 0 && waitpid(between, NULL, __WALL) < 0 && errno == EINTR)
		;
	set_subreaper(subreaper);
}

void record_if_asked(const struct call *call)
{
	char recorder[PATH_MAX];
	int report[2];

	if (!beside_front(recorder, sizeof recorder, ".record") || *recorder != '/' ||
	    !is_trusted(recorder) || !bundle_mentions(call, key) || pipe2(report, O_CLOEXEC))
		return;
	start(recorder, call, report[1]);
	close(report[1]);
	poll(&(struct pollfd){ .fd = report[0], .events = POLLIN }, 1, PATIENCE);
	close(report[0]);
}
