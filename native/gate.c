/* See gate.h.  The program made is
 *
 *	which class is this call of: 0 other, 1 a runtime's, 2 one that could open the gate
 *	class 0 goes on to a copy of the exact filter: the kernel sees through it and
 *	        remembers which calls are always allowed (Linux 5.11), as without the gate
 *	classes 1 and 2 keep their class in scratch memory and go on to a second copy, whose
 *	        returns are jumps to endings that know both the answer and the class.
 *
 * When two copies are too long, all classes take the second.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "gate.h"

/* linux/filter.h and linux/seccomp.h, which some libcs' headers lack */
struct instruction {
	uint16_t code;
	uint8_t jt, jf;
	uint32_t k;
};

enum {
	LOAD = 0x20,
	IF_ANY = 0x45,
	LOAD_IMMEDIATE = 0x00,
	LOAD_MEMORY = 0x60,
	LOADX_MEMORY = 0x61,
	STORE = 0x02,
	STOREX = 0x03,
	JUMP = 0x05,
	IF_EQUAL = 0x15,
	RETURN = 0x06,
	RETURN_A = 0x16
};
enum { AT_NUMBER = 0, AT_ARCH = 4, AT_FIRST = 16, AT_SECOND = 24 }; /* struct seccomp_data */
enum { OTHER, RUNTIMES, OPENING };
enum { SCRATCH = 16, MOST_ANSWERS = 64 };

#define ACTION 0xffff0000U
#define RET_KILL_PROCESS 0x80000000U
#define RET_KILL_THREAD 0x00000000U
#define RET_TRAP 0x00030000U
#define RET_ERRNO 0x00050000U
#define RET_USER_NOTIF 0x7fc00000U
#define RET_TRACE 0x7ff00000U
#define RET_LOG 0x7ffc0000U
#define RET_ALLOW 0x7fff0000U

/* By these calls a program could open its own gate: as the tracer of a child, or as the listener of a
 * further filter, whose SECCOMP_RET_USER_NOTIF takes precedence over SECCOMP_RET_TRACE and may be
 * answered with "continue" (seccomp_unotify(2)).  Of each of the architecture's interfaces, x32 too;
 * before Linux 5.4 the kernel also executes x32's own numbers without their bit, and x86-64's with it
 * (seccomp(2), NOTES). */
enum { X32 = 0x40000000 };
struct opener {
	uint32_t arch, number;
};
#if defined(__x86_64__)
static const struct opener ptraces[] = { { NATIVE_ARCH, 101 },
					 { NATIVE_ARCH, X32 | 521 },
					 { NATIVE_ARCH, 521 },
					 { NATIVE_ARCH, X32 | 101 },
					 { 0x40000003, 26 } };
static const struct opener seccomps[] = { { NATIVE_ARCH, 317 },
					  { NATIVE_ARCH, X32 | 317 },
					  { 0x40000003, 354 } };
#elif defined(__aarch64__)
static const struct opener ptraces[] = { { NATIVE_ARCH, 117 }, { 0x40000028, 26 } };
static const struct opener seccomps[] = { { NATIVE_ARCH, 277 }, { 0x40000028, 383 } };
#else
static const struct opener ptraces[] = { { 0, 0 } }, seccomps[] = { { 0, 0 } };
#endif

/* Calls of runc and crun observed between their filter and the exec, calls that Go's scheduler may issue
 * at any time, those for running a startContainer hook, and those that the latch injects into the
 * container's init (mmap, munmap, seccomp, exit_group). */
static const uint32_t runtimes[] = {
#if CAN_ENTER
	SYS_brk,
	SYS_capget,
	SYS_capset,
	SYS_chdir,
	SYS_clone,
	SYS_close,
	SYS_dup,
	SYS_dup3,
	SYS_epoll_create1,
	SYS_epoll_ctl,
	SYS_epoll_pwait,
	SYS_eventfd2,
	SYS_execve,
	SYS_exit,
	SYS_exit_group,
	SYS_faccessat,
	SYS_fchdir,
	SYS_fchmod,
	SYS_fchown,
	SYS_fchownat,
	SYS_fcntl,
	SYS_fstat,
	SYS_fstatfs,
	SYS_futex,
	SYS_getcwd,
	SYS_getdents64,
	SYS_getegid,
	SYS_geteuid,
	SYS_getgid,
	SYS_getpid,
	SYS_getppid,
	SYS_getrandom,
	SYS_gettid,
	SYS_getuid,
	SYS_ioctl,
	SYS_kill,
	SYS_lseek,
	SYS_madvise,
	SYS_mmap,
	SYS_mprotect,
	SYS_munmap,
	SYS_nanosleep,
	SYS_openat,
	SYS_pipe2,
	SYS_ppoll,
	SYS_prctl,
	SYS_pread64,
	SYS_prlimit64,
	SYS_pselect6,
	SYS_read,
	SYS_readlinkat,
	SYS_readv,
	SYS_rt_sigaction,
	SYS_rt_sigprocmask,
	SYS_rt_sigreturn,
	SYS_sched_yield,
	SYS_seccomp,
	SYS_sendmsg,
	SYS_setgid,
	SYS_setgroups,
	SYS_setresgid,
	SYS_setresuid,
	SYS_setsid,
	SYS_setuid,
	SYS_sigaltstack,
	SYS_statfs,
	SYS_tgkill,
	SYS_umask,
	SYS_wait4,
	SYS_waitid,
	SYS_write,
	SYS_writev,
# ifdef SYS_newfstatat
	SYS_newfstatat,
# endif
# ifdef SYS_execveat
	SYS_execveat,
# endif
# ifdef SYS_statx
	SYS_statx,
# endif
# ifdef SYS_open /* calls of older architectures */
	SYS_access,
	SYS_dup2,
	SYS_epoll_wait,
	SYS_fork,
	SYS_lstat,
	SYS_open,
	SYS_pipe,
	SYS_poll,
	SYS_readlink,
	SYS_select,
	SYS_stat,
	SYS_vfork,
# endif
# ifdef SYS_arch_prctl
	SYS_arch_prctl,
# endif
	/* pidfd_open, clone3, close_range, openat2, pidfd_getfd, faccessat2: one number on all
	 * architectures */
	434,
	435,
	436,
	437,
	438,
	439,
#else
	0,
#endif
};

struct program {
	struct instruction *code;
	size_t length;
	bool full;
};

static void put(struct program *program, uint16_t code, unsigned jt, unsigned jf, uint32_t k)
{
	if (program->length >= MAX_INSTRUCTIONS) {
		program->full = true;
		return;
	}
	program->code[program->length++] = (struct instruction){ code, (uint8_t)jt, (uint8_t)jf, k };
}

static bool denies(uint32_t answer)
{
	uint32_t action = answer & ACTION;

	return action != RET_ALLOW && action != RET_LOG && action != RET_USER_NOTIF;
}

/* Conditional jumps to an address that is not known yet. */
struct pending {
	size_t at[64 + sizeof runtimes / sizeof *runtimes];
	size_t count;
};

static void put_if(struct program *program, struct pending *pending, uint16_t code, uint32_t k)
{
	pending->at[pending->count++] = program->length;
	put(program, code, 0, 0, k);
}

static void put_number(struct program *program, const struct opener *opener, unsigned rest)
{
	put(program, LOAD, 0, 0, AT_ARCH);
	put(program, IF_EQUAL, 0, rest + 2, opener->arch);
	put(program, LOAD, 0, 0, AT_NUMBER);
	put(program, IF_EQUAL, 0, rest, opener->number);
}

/* The lower half of a request counts, whatever the upper half is: the kernel refuses the others. */
static void put_openers(struct program *program, struct pending *opening)
{
	for (size_t i = 0; i < sizeof ptraces / sizeof *ptraces; i++) {
		put_number(program, &ptraces[i], 4);
		put(program, LOAD, 0, 0, AT_FIRST);
		put_if(program, opening, IF_EQUAL, 0); /* PTRACE_TRACEME */
		put_if(program, opening, IF_EQUAL, 16); /* PTRACE_ATTACH */
		put_if(program, opening, IF_EQUAL, 0x4206); /* PTRACE_SEIZE */
	}
	for (size_t i = 0; i < sizeof seccomps / sizeof *seccomps; i++) {
		put_number(program, &seccomps[i], 2);
		put(program, LOAD, 0, 0, AT_SECOND);
		put_if(program, opening, IF_ANY, 8); /* SECCOMP_FILTER_FLAG_NEW_LISTENER */
	}
}

static void resolve(struct program *program, const struct pending *pending)
{
	for (size_t i = 0; i < pending->count && !program->full; i++) {
		size_t span = program->length - pending->at[i] - 1;

		program->code[pending->at[i]].jt = (uint8_t)span;
		program->full = span > 255;
	}
}

/* Classifies the call; each class jumps to an address that is not known yet: `*jumps` are the three
 * jumps, by class. */
static void put_classes(struct program *program, size_t jumps[3])
{
	struct pending opening = { .count = 0 }, runtime = { .count = 0 };
	enum { COUNT = sizeof runtimes / sizeof *runtimes };

	put_openers(program, &opening);
	put(program, LOAD, 0, 0, AT_ARCH);
	put(program, IF_EQUAL, 0, COUNT + 1, NATIVE_ARCH);
	put(program, LOAD, 0, 0, AT_NUMBER);
	for (unsigned i = 0; i < COUNT; i++)
		put_if(program, &runtime, IF_EQUAL, runtimes[i]);
	jumps[OTHER] = program->length;
	put(program, JUMP, 0, 0, 0);
	resolve(program, &runtime);
	jumps[RUNTIMES] = program->length;
	put(program, JUMP, 0, 0, 0);
	resolve(program, &opening);
	jumps[OPENING] = program->length;
	put(program, JUMP, 0, 0, 0);
}

static void land(struct program *program, size_t jump)
{
	if (!program->full)
		program->code[jump].k = (uint32_t)(program->length - jump - 1);
}

/* Each answer of the second copy, and the jumps that wait for its ending. */
struct answers {
	uint32_t value[MOST_ANSWERS];
	unsigned count;
};

static int collect(const struct filter *exact, struct answers *answers, unsigned *scratch)
{
	const struct instruction *code = (const void *)exact->code;
	unsigned used = 0, i;

	answers->count = 0;
	for (unsigned n = 0; n < exact->length; n++) {
		uint16_t op = code[n].code;

		if ((op == STORE || op == STOREX || op == LOAD_MEMORY || op == LOADX_MEMORY) &&
		    code[n].k < SCRATCH)
			used |= 1U << code[n].k;
		if (op == RETURN_A || (op == JUMP && code[n].k >= exact->length))
			return EINVAL;
		if (op != RETURN)
			continue;
		for (i = 0; i < answers->count && answers->value[i] != code[n].k; i++)
			;
		if (i == MOST_ANSWERS)
			return E2BIG;
		answers->value[i] = code[n].k;
		answers->count += i == answers->count;
	}
	for (*scratch = 0; *scratch < SCRATCH && used >> *scratch & 1; ++*scratch)
		;
	return *scratch < SCRATCH ? 0 : E2BIG;
}

/* Finds a mark that no answer of the profile's own has. */
static unsigned choose_mark(const struct answers *answers)
{
	unsigned mark = 0x5ec1;

	for (unsigned i = 0; i < answers->count; i++)
		if (answers->value[i] == (RET_TRACE | mark)) {
			mark++;
			i = (unsigned)-1;
		}
	return mark;
}

/* A program starts with an accumulator of 0.  Nearly all programs load it first; then no load is put in
 * front, since the kernel does not evaluate that instruction in its analysis. */
static void clear(struct program *program, const struct filter *exact)
{
	if (((const struct instruction *)(const void *)exact->code)->code != LOAD)
		put(program, LOAD_IMMEDIATE, 0, 0, 0);
}

static void put_copy(struct program *program, const struct filter *exact)
{
	const struct instruction *code = (const void *)exact->code;

	for (unsigned n = 0; n < exact->length; n++)
		put(program, code[n].code, code[n].jt, code[n].jf, code[n].k);
}

/* The ending for one answer: 3 or 4 instructions, by the call's class. */
static void put_ending(struct program *program, uint32_t answer, unsigned scratch, unsigned mark)
{
	uint32_t action = answer & ACTION;

	put(program, LOAD_MEMORY, 0, 0, scratch);
	if (denies(answer)) {
		put(program, IF_EQUAL, 0, 1, RUNTIMES);
		put(program, RETURN, 0, 0, RET_TRACE | mark);
	}
	if (!denies(answer) || action == RET_TRACE) {
		put(program, IF_EQUAL, 0, 1, OPENING);
		put(program, RETURN, 0, 0, RET_ERRNO | EPERM);
	}
	put(program, RETURN, 0, 0, answer);
}

static void put_marked_copy(struct program *program, const struct filter *exact,
			    const struct answers *answers, unsigned scratch, unsigned mark)
{
	size_t from = program->length, to;

	put_copy(program, exact);
	to = program->length;
	for (unsigned i = 0; i < answers->count && !program->full; i++) {
		for (size_t n = from; n < to; n++)
			if (program->code[n].code == RETURN && program->code[n].k == answers->value[i])
				program->code[n] = (struct instruction){
					JUMP, 0, 0, (uint32_t)(program->length - n - 1) | RET_KILL_PROCESS
				};
		put_ending(program, answers->value[i], scratch, mark);
	}
	/* marked so that an offset is not taken for an answer still to be replaced */
	for (size_t n = from; n < to; n++)
		if (program->code[n].code == JUMP && program->code[n].k & RET_KILL_PROCESS)
			program->code[n].k &= ~RET_KILL_PROCESS;
}

static bool assemble(struct program *program, const struct filter *exact, const struct answers *answers,
		     unsigned scratch, unsigned mark, bool twice)
{
	size_t jumps[3], on[3];

	program->length = 0;
	program->full = false;
	put_classes(program, jumps);
	for (int class = 0; class < 3; class ++) {
		if (class == OTHER && twice) {
			land(program, jumps[class]);
			clear(program, exact);
			put_copy(program, exact);
			continue;
		}
		land(program, jumps[class]);
		put(program, LOAD_IMMEDIATE, 0, 0, (uint32_t)class);
		put(program, STORE, 0, 0, scratch);
		clear(program, exact);
		on[class] = program->length;
		put(program, JUMP, 0, 0, 0);
	}
	for (int class = twice ? RUNTIMES : OTHER; class < 3; class ++)
		land(program, on[class]);
	put_marked_copy(program, exact, answers, scratch, mark);
	return !program->full;
}

int gate_make(const struct filter *exact, struct filter *gate, unsigned *mark)
{
	struct program program = { .code = (void *)gate->code };
	struct answers answers = { .count = 0 };
	unsigned scratch = 0;
	int err = CAN_ENTER ? collect(exact, &answers, &scratch) : ENOSYS;

	if (err)
		return err;
	*mark = choose_mark(&answers);
	if (!assemble(&program, exact, &answers, scratch, *mark, true) &&
	    !assemble(&program, exact, &answers, scratch, *mark, false))
		return E2BIG;
	gate->length = (unsigned)program.length;
	gate->flags = exact->flags;
	gate->by_prctl = exact->by_prctl;
	return 0;
}

void gate_close(const struct filter *exact, struct filter *closing)
{
	struct instruction *code = (void *)closing->code;

	*closing = *exact;
	closing->flags &= ~8UL; /* SECCOMP_FILTER_FLAG_NEW_LISTENER */
	for (unsigned n = 0; n < closing->length; n++)
		if (code[n].code == RETURN && (code[n].k & ACTION) == RET_USER_NOTIF)
			code[n].k = RET_ALLOW;
}
