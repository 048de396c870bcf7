/* Starts the recorder for a container whose annotations request it.
 *
 * Only if the administrator enabled annotations at install: then the link `FRONT.record` beside the front
 * leads to the recorder, a program owned by root.  The annotation's key is searched for as text, as in
 * bundle.c; the recorder parses the annotation, and exits if there is none.  It is reparented to init,
 * inherits no descriptor of the engine, and writes a byte to descriptor 3 when it is ready, or has nothing
 * to record or has logged why not.  The front waits two seconds for that; whether or not it succeeds, the
 * container starts.  A recorder that ends without a report (its Python is gone, say) could log nothing
 * itself, so the front does.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <errno.h>

#include "birth.h"
#include "latch.h"

static const char key[] = "seclatch.record";
enum { READY = 3, PATIENCE = 2000 }; /* a descriptor; milliseconds */
enum { NOT_EXECUTED = 'x' }; /* a report of two bytes: this and the errno of execve(2) */

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
	if (report >= 0 && take_descriptors(report)) {
		execve(recorder,
		       (char *const[]){ (char *)recorder, pid, (char *)call->bundle, (char *)call->config,
					NULL },
		       environment);
		/* ENOENT also if the interpreter in the script's first line is gone (execve(2)). */
		(void)!write(READY, (const char[]){ NOT_EXECUTED, (char)errno }, 2);
	}
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

/* Why there is no recorder, by the report that came within the time; NULL if there is one. */
static const char *failure_of(int report)
{
	unsigned char bytes[2] = { 0 };
	int ready;

	do
		ready = poll(&(struct pollfd){ .fd = report, .events = POLLIN }, 1, PATIENCE);
	while (ready < 0 && errno == EINTR);
	if (!ready)
		return "it was not ready within 2 seconds";
	if (read(report, bytes, sizeof bytes) <= 0)
		return "it ended without a report";
	return bytes[0] == NOT_EXECUTED ? strerror(bytes[1]) : NULL;
}

static void log_failure(const char *recorder, const struct call *call, const char *reason)
{
	char text[640];

	snprintf(text, sizeof text,
		 "not recorded: %.64s: the recorder %.200s: %s; the container starts without it; "
		 "`seclatch doctor` tries the recorder",
		 call->container ? call->container : "?", recorder, reason);
	journal_warning(text);
}

void record_if_asked(const struct call *call)
{
	char recorder[PATH_MAX];
	const char *reason = "it is missing, or others than root can change it";
	int report[2];

	if (!beside_front(recorder, sizeof recorder, ".record") || *recorder != '/' ||
	    !bundle_mentions(call, key))
		return;
	if (is_trusted(recorder)) {
		if (pipe2(report, O_CLOEXEC))
			reason = strerror(errno);
		else {
			start(recorder, call, report[1]);
			close(report[1]);
			reason = failure_of(report[0]);
			close(report[0]);
		}
	}
	if (reason)
		log_failure(recorder, call, reason);
}
