/* Puts the tracer on this process.
 *
 * The front must become the runtime: pid, parent, standard streams and exit status are what the
 * engine knows it by.  The tracer must not be the runtime's child: crun waits for all of its
 * children, and a tracer that waits for it in turn would never end.  So it is a grandchild whose
 * parent is gone before the runtime starts.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "latch.h"

/* fork(2) but for the signal at its exit: the engine's SIGCHLD mask and handlers are inherited
 * by the runtime, which must not find one pending.  All arguments 0, so their order, which
 * differs between architectures, does not matter. */
static pid_t fork_unannounced(void)
{
	return (pid_t)syscall(SYS_clone, 0L, 0L, 0L, 0L, 0L);
}

/* Nothing of the engine's may stay open in the tracer of a container that was created and waits
 * for its start: neither its pipes nor its folders. */
static void let_go_of_files(void)
{
	struct rlimit limit = { .rlim_cur = 65536 };

#ifdef SYS_close_range
	if (!syscall(SYS_close_range, 0L, ~0U, 0L))
		return;
#endif
	getrlimit(RLIMIT_NOFILE, &limit);	/* Linux < 5.9 */
	for (int fd = 0; (rlim_t)fd < limit.rlim_cur && fd < 65536; fd++)
		close(fd);
}

/* Without CAP_SYS_PTRACE the seizing works, but a set-uid program would not gain its user
 * (security/commoncap.c: a traced exec is downgraded unless the tracer has the capability), and
 * the container would run another program than without the latch. */
static int seize(pid_t front)
{
	return task_has_capability(CAPABILITY_PTRACE) ? seize_front(front) : EPERM;
}

static void be_tracer(const struct call *call, pid_t front, int report)
{
	sigset_t none;
	int err;

	setsid();	/* signals for the engine's process group or terminal are not for us */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGCHLD, SIG_DFL);
	prctl(PR_SET_NAME, "seclatch-tracer");
	err = seize(front);
	if (write(report, &err, sizeof err) != sizeof err || err)
		_exit(1);
	if (chdir("/"))
		_exit(1);
	let_go_of_files();
	err = follow_front(front);
	if (err)
		refuse(call, refusal_for(err));
	_exit(err != 0);
}

/* A front that is a subreaper (PR_SET_CHILD_SUBREAPER survives exec) would get the tracer back. */
static bool set_subreaper(bool on)
{
	int was = 0;

	prctl(PR_GET_CHILD_SUBREAPER, &was);
	if (was != on)
		prctl(PR_SET_CHILD_SUBREAPER, on);
	return was;
}

int attach(const struct call *call)
{
	int report[2], err = ECHILD;
	pid_t front = getpid(), between;
	bool subreaper;

	if (pipe2(report, O_CLOEXEC))
		return errno;
	subreaper = set_subreaper(false);
	between = fork_unannounced();
	if (between == 0) {
		if (fork() == 0)
			be_tracer(call, front, report[1]);
		_exit(0);
	}
	if (between < 0)
		err = errno;
	close(report[1]);
	while (between > 0 && waitpid(between, NULL, __WALL) < 0 && errno == EINTR)
		;
	set_subreaper(subreaper);
	if (between > 0 && read(report[0], &err, sizeof err) != sizeof err)
		err = ECHILD;	/* the tracer could not be made, or died */
	close(report[0]);
	return err;
}
