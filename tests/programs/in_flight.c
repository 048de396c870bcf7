/* A program in a system call of some kind, under a filter that kills for what a tracer injects; it says
 * what a stop has done to it.
 *
 *   in_flight KIND SECONDS
 *
 * Prints "ready" when its filter is on.  Exit status: 0 the call ended as it must and mkdir(2) is denied
 * by a further filter, 3 the same but mkdir is not denied, 1 the call was disturbed: standard error
 * says how, 4 it only took longer than it should.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LARGE = 1 << 20, THREADS = 12 };
enum { CANCELLED = -1 }; /* for a filter the number of a call that a tracer has cancelled */

static double seconds, began;
static struct timespec length;
static int ends[2], pair[2], poller;
static bool disturbed;
static pid_t helper;
static volatile sig_atomic_t ticks;
static char large[LARGE];

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void expect(const char *what, long got, long wanted, int error)
{
	if (got == wanted && (got >= 0 || errno == error))
		return;
	disturbed = true;
	fprintf(stderr, "%s: %ld instead of %ld, errno %d (%s)\n", what, got, wanted, errno, strerror(errno));
}

static bool is_denied(void)
{
	return mkdir("/proc/nowhere", 0) && errno == EPERM;
}

/* SPARES names calls that are injected and allowed, where the filter is not suspended. */
static bool is_spared(int number)
{
	const char *spares = getenv("SPARES");

	if (!spares || number == CANCELLED)
		return false;
	if (number == SYS_seccomp || number == SYS_restart_syscall)
		return strstr(spares, number == SYS_seccomp ? "seccomp" : "restart");
	return number != SYS_ptrace;
}

/* What a tracer injects, and by which a sleep goes on.  The C library needs the last ones itself when it
 * makes threads, and when it starts. */
static void confine(bool needs_memory_calls)
{
	static const int killing[] = { SYS_seccomp, SYS_ptrace, CANCELLED, SYS_restart_syscall, SYS_prctl,
				       SYS_munmap, SYS_mprotect };
	enum { COUNT = sizeof killing / sizeof *killing };
	struct sock_filter code[COUNT * 2 + 2] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	struct sock_fprog program = { COUNT * 2 + 2, code };

	for (int i = 0; i < COUNT; i++) {
		if (is_spared(killing[i]) || (needs_memory_calls && i >= COUNT - 3)) { /* no-ops */
			code[1 + 2 * i] = code[2 + 2 * i] = code[0];
			continue;
		}
		code[1 + 2 * i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)killing[i], 0, 1);
		code[2 + 2 * i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	}
	code[COUNT * 2 + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	if (!getenv("KEEP_PRIVILEGES"))
		prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program))
		_exit(9);
}

static void count_tick(int number)
{
	(void)number;
	ticks++;
}

static void later(void)
{
	nanosleep(&length, NULL);
}

/* A child that does something after the time. */
static void after(void (*act)(void))
{
	helper = fork();
	if (helper)
		return;
	later();
	act();
	_exit(0);
}

static void write_one(void)
{
	expect("helper's write", write(ends[1], "x", 1), 1, 0);
}

static void send_one(void)
{
	expect("helper's send", send(pair[1], "x", 1, 0), 1, 0);
}

static void send_half(void)
{
	expect("helper's send", send(pair[1], large, 50, 0), 50, 0);
}

static void drain(void)
{
	char some[4096];
	long count = 0;

	for (ssize_t got = 1; count < LARGE && got > 0; count += got)
		got = read(ends[0], some, sizeof some);
}

static void tick_parent(void)
{
	kill(getppid(), SIGUSR1);
}

/* ---- kinds */

static void do_nanosleep(void)
{
	expect("nanosleep", nanosleep(&length, NULL), 0, 0);
}

static void do_clock_nanosleep(void)
{
	expect("clock_nanosleep", clock_nanosleep(CLOCK_MONOTONIC, 0, &length, NULL), 0, 0);
}

static void do_clock_nanosleep_until(void)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += length.tv_sec;
	expect("clock_nanosleep", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL), 0, 0);
}

static void do_poll(void)
{
	expect("poll", poll(NULL, 0, (int)(seconds * 1000)), 0, 0);
}

static void do_poll_endless(void)
{
	struct pollfd one = { ends[0], POLLIN, 0 };

	after(write_one);
	expect("poll", poll(&one, 1, -1), 1, 0);
}

static void do_ppoll(void)
{
	expect("ppoll", ppoll(NULL, 0, &length, NULL), 0, 0);
}

static void do_select(void)
{
	struct timeval time = { length.tv_sec, length.tv_nsec / 1000 };

	expect("select", select(0, NULL, NULL, NULL, &time), 0, 0);
}

static void do_epoll(void)
{
	struct epoll_event event;

	after(write_one);
	expect("epoll_wait", epoll_wait(poller, &event, 1, -1), 1, 0);
}

static void do_epoll_pwait(void)
{
	struct epoll_event event;
	sigset_t none;

	sigemptyset(&none);
	after(write_one);
	expect("epoll_pwait", epoll_pwait(poller, &event, 1, -1, &none), 1, 0);
}

static void do_epoll_timed(void)
{
	struct epoll_event event;

	after(write_one);
	expect("epoll_wait", epoll_wait(poller, &event, 1, (int)(seconds * 10000)), 1, 0);
}

static void do_epoll_timeout(void)
{
	struct epoll_event event;

	expect("epoll_wait", epoll_wait(poller, &event, 1, (int)(seconds * 1000)), 0, 0);
}

static void do_futex(void)
{
	int word = 0;

	expect("futex", syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &length, NULL, 0), -1, ETIMEDOUT);
}

static void do_semtimedop(void)
{
	struct sembuf operation = { 0, -1, 0 };
	int semaphore = semget(IPC_PRIVATE, 1, 0600);

	expect("semtimedop", semtimedop(semaphore, &operation, 1, &length), -1, EAGAIN);
	semctl(semaphore, 0, IPC_RMID);
}

static void do_msgrcv(void)
{
	int queue = msgget(IPC_PRIVATE, 0600);
	struct { long type; char text; } message = { 1, 'x' };

	helper = fork();
	if (!helper) {
		later();
		_exit(msgsnd(queue, &message, 1, 0) != 0);
	}
	expect("msgrcv", msgrcv(queue, &message, 1, 0, 0), 1, 0);
	msgctl(queue, IPC_RMID, NULL);
}

static void do_sigtimedwait(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	expect("sigtimedwait", sigtimedwait(&set, NULL, &length), -1, EAGAIN);
}

static void do_sigsuspend(void)
{
	sigset_t all, none, found;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	sigemptyset(&none);
	after(tick_parent);
	expect("sigsuspend", sigsuspend(&none), -1, EINTR);
	expect("ticks", ticks, 1, 0);
	sigprocmask(SIG_SETMASK, NULL, &found);
	expect("the signal mask", sigismember(&found, SIGTERM), 1, 0);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void do_pause(void)
{
	after(tick_parent);
	expect("pause", pause(), -1, EINTR);
	expect("ticks", ticks, 1, 0);
}

static void do_read(void)
{
	char byte;

	after(write_one);
	expect("read", read(ends[0], &byte, 1), 1, 0);
}

static void do_recv(void)
{
	char byte;

	after(send_one);
	expect("recv", recv(pair[0], &byte, 1, 0), 1, 0);
}

static void do_recv_timeout(void)
{
	struct timeval time = { length.tv_sec, length.tv_nsec / 1000 };
	char byte;

	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
	expect("recv", recv(pair[0], &byte, 1, 0), -1, EAGAIN);
}

static void do_waitall(void)
{
	char bytes[100];

	send_half();
	after(send_half);
	expect("recv", recv(pair[0], bytes, sizeof bytes, MSG_WAITALL), sizeof bytes, 0);
}

static void do_accept(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM, 0), got;

	if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 5) ||
	    getsockname(listener, (struct sockaddr *)&address, &size))
		_exit(9);
	helper = fork();
	if (!helper) {
		later();
		_exit(connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&address, size) != 0);
	}
	got = accept(listener, NULL, NULL);
	expect("accept", got >= 0, 1, 0);
}

static void do_lock(void)
{
	struct flock lock = { .l_type = F_WRLCK };
	int file = memfd_create("lock", 0); /* tmpfile() allocates memory: by mprotect(2) with musl */

	helper = fork();
	if (!helper) {
		fcntl(file, F_SETLKW, &lock);
		later();
		later();
		_exit(0);
	}
	later();
	expect("fcntl", fcntl(file, F_SETLKW, &lock), 0, 0);
	seconds *= 2;
}

static void do_write(void)
{
	after(drain);
	expect("write", write(ends[1], large, LARGE), LARGE, 0);
}

static void do_spin(void)
{
	while (now() < began + seconds)
		;
}

#ifdef __aarch64__
/* How many bytes of an SVE register have changed while this runs; no call is made meanwhile. */
static long count_changed_bytes(void)
{
	long changed;

	__asm__ volatile(".arch_extension sve\n"
			 "	ptrue p3.b\n"
			 "	index z17.b, #3, #5\n"
			 "	movz x9, #3, lsl #16\n"
			 "1:	subs x9, x9, #1\n"
			 "	b.ne 1b\n"
			 "	ptrue p4.b\n"
			 "	index z18.b, #3, #5\n"
			 "	cmpeq p5.b, p3/z, z17.b, z18.b\n"
			 "	cntp x10, p4, p5.b\n"
			 "	cntb x9\n"
			 "	sub %0, x9, x10"
			 : "=r"(changed)
			 :
			 : "x9", "x10", "cc", "v17", "v18", "memory");
	return changed;
}

static void do_vectors(void)
{
	enum { SVE = 1 << 22 }; /* HWCAP_SVE */

	while (now() < began + seconds)
		if (getauxval(AT_HWCAP) & SVE)
			expect("changed bytes", count_changed_bytes(), 0, 0);
}
#else
# define do_vectors do_spin
#endif

static void do_calls(void)
{
	while (now() < began + seconds)
		for (int i = 0; i < 100; i++)
			if (syscall(SYS_getppid) <= 0)
				expect("getppid", -1, 1, 0);
}

static void do_signals(void)
{
	struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = { { 0, 0 }, { 0, 0 } };

	long before = -1;

	signal(SIGALRM, count_tick);
	setitimer(ITIMER_REAL, &often, NULL);
	/* until the time is over, and a signal has come after the binding */
	while (now() < began + seconds || (ticks == before && now() < began + 2 * seconds)) {
		struct timespec little = { 0, 50000 };

		if (nanosleep(&little, NULL))
			expect("nanosleep", -1, -1, EINTR);
		if (before < 0 && is_denied())
			before = ticks;
	}
	setitimer(ITIMER_REAL, &never, NULL);
	expect("later ticks", ticks > before, 1, 0);
}

static void do_vforks(void)
{
	while (now() < began + seconds) {
		volatile pid_t child = vfork();
		int status = 0;

		if (!child) {
			struct timespec little = { 0, 5000000 };

			nanosleep(&little, NULL);
			_exit(7);
		}
		expect("waitpid", waitpid(child, &status, 0), child, 0);
		expect("status", WEXITSTATUS(status), 7, 0);
	}
}

static void do_forks(void)
{
	while (now() < began + seconds) {
		pid_t child = fork();
		int status = 0;

		if (!child) {
			if (!fork())
				usleep(3000);
			usleep(2000);
			_exit(0);
		}
		expect("waitpid", waitpid(child, &status, 0), child, 0);
		expect("status", status, 0, 0);
	}
}

static void *sleep_little(void *none)
{
	usleep(1000);
	return none;
}

static void do_clones(void)
{
	while (now() < began + seconds) {
		pthread_t threads[4];

		for (int i = 0; i < 4; i++)
			expect("pthread_create", pthread_create(threads + i, NULL, sleep_little, NULL), 0, 0);
		for (int i = 0; i < 4; i++)
			pthread_join(threads[i], NULL);
	}
}

/* Executes itself again and again; `began` is kept in the environment. */
static void do_execs(void)
{
	char word[64];

	if (!getenv("BEGAN")) {
		snprintf(word, sizeof word, "%f", began);
		setenv("BEGAN", word, 1);
	}
	began = atof(getenv("BEGAN"));
	if (now() < began + seconds) {
		execl("/proc/self/exe", "in_flight", "execs", getenv("SECONDS"), (char *)NULL);
		expect("execl", -1, 0, 0);
	}
}

static void *pause_for_ever(void *none)
{
	for (;;)
		pause();
	return none;
}

static void *await_denial(void *denied)
{
	while (!is_denied())
		usleep(5000);
	*(volatile bool *)denied = true;
	return NULL;
}

static bool bound[THREADS];

static void start_threads(void *(*begin)(void *))
{
	for (int i = 0; i < THREADS; i++) {
		pthread_t thread;

		pthread_create(&thread, NULL, pause_for_ever, NULL);
		pthread_create(&thread, NULL, begin, bound + i);
	}
	later();
}

static int count_bound(void)
{
	int count = 0;

	for (int i = 0; i < THREADS; i++)
		count += bound[i];
	return count;
}

/* They are bound one by one where their filters differ, which takes time on a busy machine: once one is, the
 * others are waited for. */
static void expect_bound_threads(void)
{
	for (int k = 0; k < 20000 && count_bound() < THREADS && (k < 100 || count_bound()); k++)
		usleep(1000);
	for (int i = 0; i < THREADS; i++)
		expect("a bound thread", bound[i], 1, 0);
}

static void do_threads(void)
{
	start_threads(await_denial);
}

static void load_own_filter(unsigned number)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { 4, code };

	prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program))
		_exit(9);
}

/* Each thread has a filter of its own, so they cannot be synchronised. */
static void *diverge(void *denied)
{
	load_own_filter((unsigned)(SYS_kexec_load + ((bool *)denied - bound) % 3));
	return await_denial(denied);
}

static void do_divergent(void)
{
	start_threads(diverge);
}

static void *end_of_leader(void *none)
{
	usleep(50000);
	do_spin(); /* in no call: the tracer needs the vDSO */
	_exit(is_denied() ? 0 : 3);
	return none;
}

/* The first thread ends and stays as a zombie, others go on. */
static void do_zombie_leader(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, end_of_leader, NULL);
	pthread_exit(NULL);
}

/* In state D until the child ends. */
static void do_long_vfork(void)
{
	volatile pid_t child = vfork();

	if (!child) {
		syscall(SYS_nanosleep, &length, NULL);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

static const struct {
	const char *name;
	void (*run)(void);
} kinds[] = {
	{ "nanosleep", do_nanosleep }, { "clock_nanosleep", do_clock_nanosleep },
	{ "clock_nanosleep-until", do_clock_nanosleep_until }, { "poll", do_poll },
	{ "poll-endless", do_poll_endless }, { "ppoll", do_ppoll }, { "select", do_select },
	{ "epoll", do_epoll }, { "epoll_pwait", do_epoll_pwait }, { "epoll-timed", do_epoll_timed },
	{ "epoll-timeout", do_epoll_timeout }, { "futex", do_futex }, { "semtimedop", do_semtimedop },
	{ "msgrcv", do_msgrcv }, { "sigtimedwait", do_sigtimedwait }, { "sigsuspend", do_sigsuspend },
	{ "pause", do_pause }, { "read", do_read }, { "recv", do_recv }, { "recv-timeout", do_recv_timeout },
	{ "waitall", do_waitall }, { "accept", do_accept }, { "lock", do_lock }, { "write", do_write },
	{ "spin", do_spin }, { "vectors", do_vectors }, { "calls", do_calls }, { "signals", do_signals }, { "vforks", do_vforks },
	{ "forks", do_forks }, { "clones", do_clones }, { "execs", do_execs }, { "threads", do_threads },
	{ "divergent", do_divergent }, { "zombie-leader", do_zombie_leader },
	{ "long-vfork", do_long_vfork },
};

static void run(const char *name)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (!strcmp(kinds[i].name, name)) {
			kinds[i].run();
			return;
		}
	_exit(8);
}

static int finish(const char *name)
{
	double took = now() - began;

	if (helper)
		waitpid(helper, NULL, 0);
	if (!strcmp(name, "threads") || !strcmp(name, "divergent"))
		expect_bound_threads();
	if (disturbed)
		return 1;
	if (took < seconds * .9) {
		fprintf(stderr, "%s: ended after %.3f s\n", name, took);
		return 1;
	}
	if (took > seconds * 1.5 + 1)
		return 4;
	/* where the call could not be interrupted, the filter comes when it has ended */
	for (int i = 0; i < 2000 && (!strcmp(name, "write") || !strcmp(name, "waitall")) && !is_denied(); i++)
		usleep(1000);
	return is_denied() ? 0 : 3;
}

int main(int argc, char **argv)
{
	struct epoll_event event = { EPOLLIN, { .fd = 0 } };

	if (argc != 3)
		return 8;
	seconds = atof(argv[2]);
	setenv("SECONDS", argv[2], 1);
	length = (struct timespec){ (time_t)seconds, (long)((seconds - (double)(long)seconds) * 1e9) };
	signal(SIGUSR1, count_tick);
	poller = epoll_create1(EPOLL_CLOEXEC);
	if (pipe2(ends, O_CLOEXEC) || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) ||
	    epoll_ctl(poller, EPOLL_CTL_ADD, ends[0], &event))
		return 9;
	began = now();
	if (!getenv("BEGAN")) {
		if (strcmp(argv[1], "divergent"))
			confine(strstr("clones execs threads zombie-leader", argv[1]));
		if (write(1, "ready\n", 6) != 6)
			return 9;
	}
	run(argv[1]);
	return finish(argv[1]);
}
