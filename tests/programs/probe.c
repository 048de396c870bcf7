/*
 * The kernel as an oracle: load filters, issue one call, report the result.
 *
 * stdin: cases, each `struct request`, then `filters` times a u32 count and that many
 * struct sock_filter. stdout: one `struct answer` per case. Every case runs in a process of its own
 * with a thread that loads the filters (oldest first) and makes the call, so that killing the thread
 * and killing the process can be distinguished. After the load the thread makes no other call: it
 * writes its result to memory and spins until the process, which has no filter, ends.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NATIVE, COMPAT };
enum { RETURNED, TRAPPED, THREAD_KILLED, PROCESS_KILLED, REFUSED, SIGNALLED };

struct request {
	uint32_t number, abi, filters, unused;
	uint64_t args[6];
};

struct answer {
	uint32_t outcome, data; /* data: si_errno of a trap, errno of a refusal, signal */
	int64_t result;
	uint64_t pointer; /* seccomp_data.instruction_pointer of the call */
};

struct shared {
	volatile uint32_t done;
	struct answer answer;
};

static struct shared *shared;
static struct request request;
static struct sock_fprog *programs;
static char stack[65536] __attribute__((aligned(64)));

static void finish(uint32_t outcome, uint32_t data)
{
	shared->answer.outcome = outcome;
	shared->answer.data = data;
	__atomic_store_n(&shared->done, 1, __ATOMIC_SEQ_CST);
	for (;;)
		;
}

static void on_sigsys(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	finish(TRAPPED, (uint32_t)info->si_errno);
}

#if defined(__x86_64__)
static void native(const uint64_t *args)
{
	register uint64_t r10 __asm__("r10") = args[3];
	register uint64_t r8 __asm__("r8") = args[4];
	register uint64_t r9 __asm__("r9") = args[5];
	int64_t result;

	__asm__ volatile("lea 1f(%%rip), %%rcx\n\t"
			 "mov %%rcx, %[pointer]\n\t"
			 "syscall\n"
			 "1:"
			 : "=a"(result), [pointer] "=m"(shared->answer.pointer)
			 : "a"((uint64_t)request.number), "D"(args[0]), "S"(args[1]), "d"(args[2]),
			   "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	shared->answer.result = result;
}

/* ebp carries the sixth argument and cannot be named as an operand everywhere: swap it by hand. */
static void compat(const uint64_t *args)
{
	uint64_t sixth = args[5];
	int64_t result;

	__asm__ volatile("lea 1f(%%rip), %%r8\n\t"
			 "mov %%r8, %[pointer]\n\t"
			 "mov %[sixth], %%r9\n\t"
			 "push %%rbp\n\t"
			 "mov %%r9, %%rbp\n\t"
			 "int $0x80\n"
			 "1:\n\t"
			 "pop %%rbp"
			 : "=a"(result), [pointer] "=m"(shared->answer.pointer)
			 : "a"((uint64_t)request.number), "b"(args[0]), "c"(args[1]), "d"(args[2]),
			   "S"(args[3]), "D"(args[4]), [sixth] "r"(sixth)
			 : "r8", "r9", "r10", "r11", "memory");
	shared->answer.result = (int32_t)result;
}
#elif defined(__aarch64__)
static void native(const uint64_t *args)
{
	register uint64_t x8 __asm__("x8") = request.number;
	register uint64_t x0 __asm__("x0") = args[0];
	register uint64_t x1 __asm__("x1") = args[1];
	register uint64_t x2 __asm__("x2") = args[2];
	register uint64_t x3 __asm__("x3") = args[3];
	register uint64_t x4 __asm__("x4") = args[4];
	register uint64_t x5 __asm__("x5") = args[5];
	uint64_t pointer;

	__asm__ volatile("adr %[pointer], 1f\n\t"
			 "svc #0\n"
			 "1:"
			 : "+r"(x0), [pointer] "=&r"(pointer)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	shared->answer.pointer = pointer;
	shared->answer.result = (int64_t)x0;
}

static void compat(const uint64_t *args)
{
	(void)args;
	finish(REFUSED, ENOSYS);
}
#else
#error "no way to make a call on this architecture yet"
#endif

static int caller(void *unused)
{
	(void)unused;
	for (uint32_t i = 0; i < request.filters; i++)
		if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &programs[i]) != 0)
			finish(REFUSED, (uint32_t)errno);
	if (request.abi == COMPAT)
		compat(request.args);
	else
		native(request.args);
	finish(RETURNED, 0);
	return 0;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* In the process of one case: start the thread, wait for its result or its death. */
static void probe(void)
{
	struct sigaction action = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO};
	struct rlimit none = {0, 0};
	static volatile pid_t thread = -1;
	int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
		    CLONE_SYSVSEM | CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID;

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || sigaction(SIGSYS, &action, NULL) != 0)
		die("prepare");
	if (clone(caller, stack + sizeof(stack), flags, NULL, &thread, NULL, &thread) < 0)
		die("clone");
	while (!__atomic_load_n(&shared->done, __ATOMIC_SEQ_CST)) {
		if (thread == 0 && !shared->done) {
			shared->answer.outcome = THREAD_KILLED;
			break;
		}
		sched_yield();
	}
	_exit(0);
}

static int read_case(void)
{
	if (fread(&request, sizeof(request), 1, stdin) != 1)
		return 0;
	programs = calloc(request.filters + 1, sizeof(*programs));
	for (uint32_t i = 0; i < request.filters; i++) {
		uint32_t count;
		if (fread(&count, sizeof(count), 1, stdin) != 1)
			die("count");
		programs[i].len = (unsigned short)count;
		programs[i].filter = calloc(count + 1, sizeof(struct sock_filter));
		if (fread(programs[i].filter, sizeof(struct sock_filter), count, stdin) != count)
			die("program");
	}
	return 1;
}

static void free_case(void)
{
	for (uint32_t i = 0; i < request.filters; i++)
		free(programs[i].filter);
	free(programs);
}

int main(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die("mmap");
	while (read_case()) {
		int status;
		pid_t child;

		memset(shared, 0, sizeof(*shared));
		child = fork();
		if (child < 0)
			die("fork");
		if (child == 0)
			probe();
		if (waitpid(child, &status, 0) != child)
			die("waitpid");
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
			shared->answer.outcome = PROCESS_KILLED;
		else if (WIFSIGNALED(status)) {
			shared->answer.outcome = SIGNALLED;
			shared->answer.data = (uint32_t)WTERMSIG(status);
		} else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
			fprintf(stderr, "case died with status %#x\n", (unsigned)status);
			return 1;
		}
		if (fwrite(&shared->answer, sizeof(shared->answer), 1, stdout) != 1)
			die("write");
		free_case();
	}
	return 0;
}
