/* Makes the tracer of this process, which is about to become another program.
 *
 * That program must be what its caller knows it by: this pid, this parent.  The tracer must not be
 * its child either: crun waits for all of its children, and a tracer that waits for it in turn
 * would never end.  So it is a grandchild whose parent is gone before the program starts.
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

enum { SET_PTRACER = 0x59616d61 };	/* PR_SET_PTRACER, linux/prctl.h */

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
	getrlimit(RLIMIT_NOFILE, &limit);	/* Linux < 5.9 */
	for (int fd = first; (rlim_t)fd < limit.rlim_cur && fd < 65536; fd++)
		close(fd);
}

static void be_tracer(const struct birth *birth, pid_t front, int report)
{
	sigset_t none;
	int err;

	setsid();	/* signals for the caller's process group or terminal are not for us */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);	/* nobody need read what it says */
	prctl(PR_SET_NAME, "seclatch-tracer");
	err = birth->seize(front, birth->data);
	if (write(report, &err, sizeof err) != sizeof err || err)
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
	int err = errno;

	if (pid == 0)
		be_tracer(birth, front, report);
	_exit(pid < 0 && write(report, &err, sizeof err) != sizeof err);
}

int birth_of_tracer(const struct birth *birth)
{
	int report[2], err = ECHILD;
	pid_t front = getpid(), child;
	bool subreaper;

	if (pipe2(report, O_CLOEXEC))
		return errno;
	/* Yama (ptrace_scope 1) lets only ancestors trace, unless the tracee has said otherwise. */
	prctl(SET_PTRACER, -1L, 0L, 0L, 0L);
	subreaper = set_subreaper(false);
	child = fork_unannounced();
	if (child == 0 && birth->as_child)
		be_tracer(birth, front, report[1]);
	if (child == 0)
		be_between(birth, front, report[1]);
	if (child < 0)
		err = errno;
	close(report[1]);
	while (child > 0 && !birth->as_child && waitpid(child, NULL, __WALL) < 0 && errno == EINTR)
		;
	set_subreaper(subreaper);
	if (child > 0 && read(report[0], &err, sizeof err) != sizeof err)
		err = ECHILD;	/* the tracer could not be made, or died */
	prctl(SET_PTRACER, 0L, 0L, 0L, 0L);
	close(report[0]);
	return err;
}
