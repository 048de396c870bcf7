/* Tries to have umask(2) executed although the filter's answer to it is SECCOMP_RET_TRACE, by
 * every method that may open such a gate from inside. Prints the methods that succeeded; exits
 * with their number. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdbool.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OPEN = 100 };

static long ptrace_by(int way, long request, long pid, long data)
{
#if defined(__x86_64__)
	if (way == 1) {		/* the 32-bit entry */
		long result = 26;

		__asm__ volatile("int $0x80" : "+a"(result) : "b"(request), "c"(pid), "d"(0L),
				 "S"(data) : "memory", "r8", "r9", "r10", "r11");
		return (int)result;
	}
	if (way == 2)		/* x32 */
		return syscall(0x40000000 | 521, request, pid, 0L, data);
	/* before Linux 5.4 (seccomp(2), NOTES): each other's numbers */
	if (way == 3)
		return syscall(521, request, pid, 0L, data);
	if (way == 4)
		return syscall(0x40000000 | 101, request, pid, 0L, data);
#endif
	return syscall(SYS_ptrace, request, pid, 0L, data);
}

static int call_it(void)
{
	return syscall(SYS_umask, 022L) >= 0 ? OPEN : 0;
}

/* The child's status, its stops answered as the tracer that opens the gate. */
static int follow(int way, pid_t child, bool set_options)
{
	int status;

	while (waitpid(child, &status, __WALL) == child && WIFSTOPPED(status)) {
		if (set_options)
			ptrace_by(way, PTRACE_SETOPTIONS, child, PTRACE_O_TRACESECCOMP);
		set_options = false;
		ptrace_by(way, PTRACE_CONT, child, 0);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

static int by_traceme(int way)
{
	pid_t child = fork();

	if (child == 0) {
		if (ptrace_by(way, PTRACE_TRACEME, 0, 0))
			_exit(0);
		raise(SIGSTOP);
		_exit(call_it());
	}
	return follow(way, child, true);
}

/* The child makes its call once the attempt is over. Where that has succeeded, the SIGSTOP of
 * PTRACE_ATTACH stops it on its way out of read(2). */
static int by_attaching(int way, long request)
{
	int ends[2], refused;
	pid_t child;
	char c = 0;

	if (pipe(ends))
		return 0;
	child = fork();
	if (child == 0) {
		if (read(ends[0], &c, 1) != 1)
			_exit(0);
		_exit(call_it());
	}
	refused = ptrace_by(way, request, child, request == PTRACE_SEIZE ? PTRACE_O_TRACESECCOMP : 0);
	if (write(ends[1], &c, 1) != 1)
		kill(child, SIGKILL);
	close(ends[0]);
	close(ends[1]);
	return follow(way, child, !refused && request == PTRACE_ATTACH);
}

/* The child alone holds the writing end of `end`, which hangs up when that exits. */
static void answer(int listener, int end)
{
	struct seccomp_notif asked = { 0 };
	struct seccomp_notif_resp told = { .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
	struct pollfd ready[] = { { .fd = listener, .events = POLLIN }, { .fd = end } };

	if (poll(ready, 2, -1) < 1 || !(ready[0].revents & POLLIN))
		return;		/* another filter has answered, more restrictively */
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked))
		return;
	told.id = asked.id;
	ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &told);
}

static int by_listener(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_umask, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { 4, code };
	pid_t child;
	int status, listener, ends[2];

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
				SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	if (listener < 0 || pipe(ends))
		return 0;
	child = fork();
	if (child == 0)
		_exit(call_it());
	close(ends[1]);
	answer(listener, ends[0]);
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

static int tell(const char *way, int status)
{
	if (status == OPEN)
		printf("%s\n", way);
	return status == OPEN;
}

int main(void)
{
	int open = tell("straight", call_it());

	for (int way = 0; way < 5; way++) {
		open += tell("traceme", by_traceme(way));
		open += tell("attach", by_attaching(way, PTRACE_ATTACH));
		open += tell("seize", by_attaching(way, PTRACE_SEIZE));
	}
	open += tell("listener", by_listener());
	return open;
}
