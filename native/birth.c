/* Creates the tracer of this process, which is about to become another program.
 *
 * The caller must find that program under this pid and with this parent.  The tracer must not be its
 * child either: crun waits for all of its children, and a tracer that waits for crun in turn would never
 * end.  So it is a grandchild whose parent has exited before the program starts.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "birth.h"

enum { SET_PTRACER = 0x59616d61 }; /* PR_SET_PTRACER, linux/prctl.h */

/* All arguments 0, so their order, which differs between architectures, does not matter. */
pid_t fork_unannounced(void)
{
	return (pid_t)syscall(SYS_clone, 0L, 0L, 0L, 0L, 0L);
}

void let_go_of_files(int first)
{
	struct rlimit limit = { .rlim_cur = 65536 };

#ifdef SYS_close_range
	if (!syscall(SYS_close_range, (long)first, ~0U, 0L))
		return;
#endif
	getrlimit(RLIMIT_NOFILE, &limit); /* Linux < 5.9 */
	for (int fd = first; (rlim_t)fd < limit.rlim_cur && fd < 65536; fd++)
		close(fd);
}

/* A report from the intermediate processes to this one, which is the same program: a string is at the
 * same address here. */
struct report {
	int err;
	const char *call;
};

static const char *failed;

const char *birth_failed_at(void)
{
	return failed;
}

static void be_tracer(const struct birth *birth, pid_t front, int report)
{
	struct report result = { 0 };
	sigset_t none;

	setsid(); /* signals for the caller's process group or terminal are not for the tracer */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_IGN); /* its reports may have no reader */
	prctl(PR_SET_NAME, "seclatch-tracer");
	result.err = birth->seize(front, birth->data);
	if (write(report, &result, sizeof result) != sizeof result || result.err)
		_exit(1);
	_exit(birth->work(front, birth->data));
}

bool set_subreaper(bool on)
{
	int was = 0;

	prctl(PR_GET_CHILD_SUBREAPER, &was);
	if (was != on)
		prctl(PR_SET_CHILD_SUBREAPER, on);
	return was;
}

static void be_between(const struct birth *birth, pid_t front, int report)
{
	pid_t pid = fork_unannounced();
	struct report result = { errno, "clone" };

	if (pid == 0)
		be_tracer(birth, front, report);
	_exit(pid < 0 && write(report, &result, sizeof result) != sizeof result);
}

static int fail_at(const char *call, int err)
{
	failed = call;
	return err;
}

/* Reads the report of the tracer or of the intermediate process; ECHILD if neither has sent one. */
static int hear(int report)
{
	struct report result;
	ssize_t n = read(report, &result, sizeof result);

	if (n < 0)
		return fail_at("read", errno);
	return n == sizeof result ? fail_at(result.call, result.err) : ECHILD;
}

int birth_of_tracer(const struct birth *birth)
{
	pid_t front = getpid(), child;
	int report[2], err;
	bool subreaper;

	if (front <= 0) /* by a filter: an errno, or -1 in its place */
		return fail_at("getpid", front < -1 ? (int)-front : EPERM);
	if (pipe2(report, O_CLOEXEC))
		return fail_at("pipe2", errno);
	/* Yama (ptrace_scope 1) lets only ancestors trace, unless the tracee has named another
	 * process. */
	prctl(SET_PTRACER, -1L, 0L, 0L, 0L);
	subreaper = set_subreaper(false);
	child = fork_unannounced();
	if (child == 0 && birth->as_child)
		be_tracer(birth, front, report[1]);
	if (child == 0)
		be_between(birth, front, report[1]);
	err = child < 0 ? fail_at("clone", errno) : 0;
	close(report[1]);
	while (child > 0 && !birth->as_child && waitpid(child, NULL, __WALL) < 0 && errno == EINTR)
		;
	set_subreaper(subreaper);
	if (child > 0)
		err = hear(report[0]);
	prctl(SET_PTRACER, 0L, 0L, 0L, 0L);
	close(report[0]);
	return err;
}
