/* Which system calls a stop disturbs, and how they go on (signal(7), "Interruption of system calls and
 * library functions by stop signals").  See tighten.h. */
#include <sys/socket.h>
#include <sys/syscall.h>

#include "tighten.h"

#if CAN_ENTER

# ifdef SYS_epoll_wait
#  define NR_EPOLL_WAIT SYS_epoll_wait
#  define NR_POLL SYS_poll
# else /* arm64 has none of them */
#  define NR_EPOLL_WAIT (-1)
#  define NR_POLL (-1)
# endif
# define NR_EPOLL_PWAIT2 441
# define NR_FUTEX_WAITV 449
# define NR_IO_URING_ENTER 426

enum kind {
	SLEEP, /* goes on by restart_syscall */
	SLEEP_UNTIL, /* only if it is relative: bit 0 of the flags is not set */
	SLEEP_FUTEX, /* only with a time-out */
	WAIT, /* fails with EINTR */
	WAIT_INT, /* with a time-out that is an int; negative: none */
	WAIT_POINTER, /* with a pointer to a time-out; NULL: none */
	TRANSFER, /* may do a part */
	RECEIVE, /* may do a part with MSG_WAITALL */
	SOCKETCALL, /* 32-bit x86: which one is the first argument */
	REPEAT, /* restarts, or fails with EINTR where a socket has a time-out */
};

struct rule {
	int number, x86_32, x86_32_time64; /* of this architecture; of 32-bit programs on x86-64 */
	enum kind kind;
	int argument; /* time-out or flags */
};

/* arch/x86/entry/syscalls/syscall_32.tbl */
static const struct rule rules[] = {
	{ SYS_restart_syscall, 0, -1, SLEEP, 0 },
	{ SYS_nanosleep, 162, -1, SLEEP, 0 },
	{ SYS_clock_nanosleep, 267, 407, SLEEP_UNTIL, 1 },
	{ NR_POLL, 168, -1, SLEEP, 0 },
	{ SYS_futex, 240, 422, SLEEP_FUTEX, 3 },
	{ NR_EPOLL_WAIT, 256, -1, WAIT_INT, 3 },
	{ SYS_epoll_pwait, 319, -1, WAIT_INT, 3 },
	{ NR_EPOLL_PWAIT2, NR_EPOLL_PWAIT2, -1, WAIT_POINTER, 3 },
	{ SYS_rt_sigtimedwait, 177, 421, WAIT_POINTER, 2 },
	{ SYS_semop, -1, -1, WAIT, 0 },
	{ SYS_semtimedop, 117 /* ipc */, 420, WAIT_POINTER, 3 },
	{ SYS_io_getevents, 247, -1, WAIT_POINTER, 4 },
	{ SYS_io_pgetevents, 385, 416, WAIT_POINTER, 4 },
	{ NR_IO_URING_ENTER, NR_IO_URING_ENTER, -1, WAIT, 0 },
	{ NR_FUTEX_WAITV, NR_FUTEX_WAITV, -1, WAIT_POINTER, 3 },
	{ SYS_recvfrom, 371, -1, RECEIVE, 3 },
	{ SYS_recvmsg, 372, -1, RECEIVE, 2 },
	{ SYS_recvmmsg, 337, 417, RECEIVE, 3 },
	{ -1, 102, -1, SOCKETCALL, 0 },
	{ SYS_write, 4, -1, TRANSFER, 0 },
	{ SYS_writev, 146, -1, TRANSFER, 0 },
	{ SYS_pwrite64, 181, -1, TRANSFER, 0 },
	{ SYS_pwritev, 334, -1, TRANSFER, 0 },
	{ SYS_pwritev2, 379, -1, TRANSFER, 0 },
	{ SYS_sendto, 369, -1, TRANSFER, 0 },
	{ SYS_sendmsg, 370, -1, TRANSFER, 0 },
	{ SYS_sendmmsg, 345, -1, TRANSFER, 0 },
	{ SYS_sendfile, 187, 239, TRANSFER, 0 },
	{ SYS_splice, 313, -1, TRANSFER, 0 },
	{ SYS_tee, 315, -1, TRANSFER, 0 },
	{ SYS_vmsplice, 316, -1, TRANSFER, 0 },
	{ SYS_copy_file_range, 377, -1, TRANSFER, 0 },
	{ SYS_getrandom, 355, -1, TRANSFER, 0 },
	{ SYS_close, 6, -1, TRANSFER, 0 }, /* its descriptor is gone; a late error would be EINTR */
	{ SYS_accept, -1, -1, REPEAT, 0 },
	{ SYS_accept4, 364, -1, REPEAT, 0 },
	{ SYS_connect, 362, -1, REPEAT, 0 },
	{ SYS_read, 3, -1, REPEAT, 0 },
	{ SYS_readv, 145, -1, REPEAT, 0 },
};

static const struct rule *find_rule(long number, bool compat)
{
	for (size_t i = 0; number >= 0 && i < sizeof rules / sizeof *rules; i++)
		if (compat ? rules[i].x86_32 == number || rules[i].x86_32_time64 == number :
			     rules[i].number == number)
			return rules + i;
	return NULL;
}

/* FUTEX_WAIT and FUTEX_WAIT_BITSET; the others with a time-out are restarted by the kernel. */
static bool waits_for_futex(const struct task_call *call)
{
	enum { PRIVATE = 128, CLOCK_REALTIME_FLAG = 256, FUTEX_WAIT = 0, FUTEX_WAIT_BITSET = 9 };
	unsigned long command = call->args[1] & ~(unsigned long)(PRIVATE | CLOCK_REALTIME_FLAG);

	return call->args[3] && (command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET);
}

static bool sends_by_socketcall(const struct task_call *call)
{
	/* <linux/net.h>: SYS_SEND, SYS_SENDTO, SYS_SENDMSG, SYS_SENDMMSG; and what may wait for all */
	static const unsigned char numbers[] = { 9, 11, 16, 20, 10, 12, 17, 19 };

	for (size_t i = 0; i < sizeof numbers; i++)
		if (call->args[0] == numbers[i])
			return true;
	return false;
}

static enum disturbance classify_by_rule(const struct rule *rule, const struct task_call *call)
{
	unsigned long argument = call->args[rule->argument];

	switch (rule->kind) {
	case SLEEP:
		return CONTINUES;
	case SLEEP_UNTIL:
		return argument & 1 ? RESTARTS : CONTINUES;
	case SLEEP_FUTEX:
		return waits_for_futex(call) ? CONTINUES : RESTARTS;
	case WAIT:
		return REPEATED;
	case WAIT_INT:
		return (int)argument < 0 ? REPEATED : TIMED;
	case WAIT_POINTER:
		return argument ? TIMED : REPEATED;
	case TRANSFER:
		return PARTIAL;
	case RECEIVE:
		return argument & MSG_WAITALL ? PARTIAL : RESTARTS;
	case SOCKETCALL:
		return sends_by_socketcall(call) ? PARTIAL : RESTARTS;
	case REPEAT:
		break;
	}
	return RESTARTS;
}

enum disturbance classify_call(const struct task_call *call, bool compat)
{
	const struct rule *rule = find_rule(call->number, compat);

	if (call->number < 0)
		return RUNS;
	return rule ? classify_by_rule(rule, call) : RESTARTS;
}

bool is_repeatable(long number, bool compat)
{
	const struct rule *rule = find_rule(number, compat);

	if (!rule || rule->number == SYS_close || rule->number == SYS_restart_syscall)
		return false;
	return rule->kind >= WAIT && rule->kind != SOCKETCALL;
}

bool begins_again(const struct task_call *call, bool compat)
{
	const struct rule *rule = find_rule(call->number, compat);

	return !rule || rule->number != SYS_restart_syscall;
}

int restart_errno(const struct task_call *call)
{
	enum { COMMAND = 0x7f, LOCK_PI = 6, WAIT_REQUEUE_PI = 11, LOCK_PI2 = 13 }; /* <linux/futex.h> */
	unsigned long command = call->args[1] & COMMAND;

	if (continues_by_restart(call))
		return RESTART_BLOCK;
	switch (call->number) {
	case SYS_rt_sigsuspend:
	case SYS_ppoll:
	case SYS_pselect6:
	case SYS_clock_nanosleep: /* with TIMER_ABSTIME */
	case SYS_msgrcv:
	case SYS_msgsnd:
		return RESTARTNOHAND;
	case SYS_futex:
		return command == LOCK_PI || command == LOCK_PI2 || command == WAIT_REQUEUE_PI ?
			       RESTARTNOINTR :
			       RESTARTSYS;
	default:
		return RESTARTSYS;
	}
}

bool is_vfork(long number, bool compat)
{
	enum { CLONE3 = 435, CLONE_I386 = 120, VFORK_I386 = 190 };

	if (compat)
		return number == CLONE_I386 || number == VFORK_I386 || number == CLONE3;
# ifdef SYS_vfork
	if (number == SYS_vfork)
		return true;
# endif
	return number == SYS_clone || number == CLONE3;
}

bool continues_by_restart(const struct task_call *call)
{
	return classify_call(call, false) == CONTINUES;
}

#else /* nothing is stopped there (main.c) */

enum disturbance classify_call(const struct task_call *call, bool compat)
{
	(void)call, (void)compat;
	return UNFIT;
}

bool is_repeatable(long number, bool compat)
{
	(void)number, (void)compat;
	return false;
}

bool is_vfork(long number, bool compat)
{
	(void)number, (void)compat;
	return false;
}

bool begins_again(const struct task_call *call, bool compat)
{
	(void)call, (void)compat;
	return false;
}

#endif

const char *name_disturbance(enum disturbance disturbance)
{
	static const char *const names[] = { "restarts", "runs",   "continues", "repeated",
					     "timed",	 "vforks", "partial",	"unfit" };

	return names[disturbance];
}
