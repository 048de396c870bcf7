/* See inject.h.
 *
 * At the exec stop the tracee is still inside execve(2).  It is let run to the end of that call,
 * where its registers are those of the new program's first instruction; these are kept.  The
 * instruction that enters the kernel is written over that first one, for a program need not have
 * any at a place that is known, the tracee executes nothing but it, and at the end the program's
 * own bytes and registers are put back.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/wait.h>

#include "inject.h"
#include "wait.h"

enum { PEEK = 2, POKE = 5, TO_SYSCALL = 24, INTERRUPT = 0x4207, GET_MASK = 0x420a, SET_MASK = 0x420b };
enum { SYSCALL_INFO = 0x420e };
enum { SYSCALL_STOP = SIGTRAP | 0x80, SECCOMP_STOP = 7, EVENT_STOP = 128 };
enum { RED_ZONE = 512 }; /* below the stack pointer; 128 bytes on x86-64, none on arm64 */

static int request(long what, pid_t pid, unsigned long address, unsigned long data)
{
	return syscall(SYS_ptrace, what, (long)pid, address, data) ? errno : 0;
}

static bool is_stop_signal(int signal)
{
	return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

/* A process frozen by its control group (version 2) runs on only to a stop that its tracer asks for. */
static int wait_patiently(struct injection *injection, int *status)
{
	int found;

	if (!injection->patience)
		return wait_for_one(injection->pid, status) < 0 ? errno : 0;
	found = wait_for_a_while(injection->pid, status, injection->patience * 1000L);
	if (found)
		return found < 0 ? errno : 0;
	injection->interrupted = true;
	if (request(INTERRUPT, injection->pid, 0, 0))
		return ESRCH;
	return wait_for_one(injection->pid, status) < 0 ? errno : 0;
}

/* Is it still before the instruction that was to enter the kernel, although it had time? */
static bool has_not_moved(const struct injection *injection)
{
	struct registers registers;

	return injection->interrupted && !registers_get(injection->pid, &registers) &&
	       registers_pc(&registers) == injection->at;
}

/* Runs the tracee to its next entry into or exit from a system call.  Signals are blocked, all
 * but two: SIGKILL ends it, and SIGSTOP does stop its process, but this tracee is run on from that
 * (ptrace(2), "Group-stop").  So the kernel knows what becomes of the stop, and not this tracer: a
 * SIGCONT ends it when it is sent, blocked or not (signal(7)), and what remains of it holds the
 * tracee in the end.  Any other signal is a fault of what was injected (EFAULT): it cannot come from
 * the program, none of whose instructions runs. */
static int run_to_syscall(struct injection *injection)
{
	unsigned long signal = 0;
	int status;

	for (;;) {
		int err = request(TO_SYSCALL, injection->pid, 0, signal);

		if (err)
			return err;
		err = wait_patiently(injection, &status);
		if (err)
			return err;
		if (!WIFSTOPPED(status)) {
			injection->ended = status;
			return ESRCH;
		}
		if (WSTOPSIG(status) == SYSCALL_STOP && !(status >> 16))
			return 0;
		if (status >> 16 == EVENT_STOP && has_not_moved(injection))
			return ETIMEDOUT;
		signal = 0;
		if (status >> 16 == SECCOMP_STOP)
			continue; /* the gate's own, which is open for us */
		if (is_stop_signal(WSTOPSIG(status)))
			injection->stopped = true;
		else if (!(status >> 16))
			return EFAULT;
		if (!(status >> 16))
			signal = SIGSTOP;
	}
}

static int write_words(pid_t pid, unsigned long to, const unsigned char *from, size_t count)
{
	int err = 0;

	for (size_t i = 0; i < count && !err; i += sizeof(long)) {
		unsigned long word;

		memcpy(&word, from + i, sizeof word);
		err = request(POKE, pid, to + i, word);
	}
	return err;
}

/* In one call where that is permitted; `count` is a multiple of a word's size. */
static int write_memory(pid_t pid, unsigned long to, const unsigned char *from, size_t count)
{
	struct iovec here = { (void *)(uintptr_t)from, count }, there = { (void *)to, count };

	if (syscall(SYS_process_vm_writev, (long)pid, &here, 1L, &there, 1L, 0L) == (long)count)
		return 0;
	return write_words(pid, to, from, count);
}

static int write_entry(struct injection *injection)
{
	const struct abi *abi = registers_abi(&injection->registers);
	long word;
	int err;

	injection->at = registers_pc(&injection->registers);
	/* the raw call stores the word where `data` points */
	err = request(PEEK, injection->pid, injection->at, (unsigned long)&injection->word);
	if (err)
		return err;
	word = injection->word;
	memcpy(&word, abi->enter, abi->enter_length);
	err = request(POKE, injection->pid, injection->at, (unsigned long)word);
	injection->written = !err;
	return err;
}

static int block_signals(struct injection *injection, pid_t pid)
{
	unsigned long long all = ~0ULL;
	int err;

	*injection = (struct injection){ .pid = pid };
	err = request(GET_MASK, pid, sizeof all, (unsigned long)&injection->mask);
	return err ? err : request(SET_MASK, pid, sizeof all, (unsigned long)&all);
}

int inject_begin(struct injection *injection, pid_t pid)
{
	int err = block_signals(injection, pid);

	if (!err)
		err = run_to_syscall(injection);
	if (!err)
		err = registers_get(pid, &injection->registers);
	return err ? err : write_entry(injection);
}

/* A forked process begins with the answer 0 to the call that has made it, right behind the instruction
 * that entered the kernel. */
int inject_begin_at_birth(struct injection *injection, pid_t pid)
{
	struct registers registers;
	const struct abi *abi;
	unsigned long at, word = 0;
	int err = registers_get(pid, &registers);

	if (err)
		return err;
	abi = registers_abi(&registers);
	at = registers_pc(&registers) - abi->enter_length;
	err = request(PEEK, pid, at, (unsigned long)&word);
	if (err == EIO ||
	    (!err && (registers_result(&registers) || memcmp(&word, abi->enter, abi->enter_length))))
		return ENOEXEC;
	if (!err)
		err = block_signals(injection, pid);
	injection->registers = registers;
	injection->at = at;
	return err;
}

int inject_begin_anywhere(struct injection *injection, pid_t pid, const struct registers *registers,
			  unsigned long at)
{
	int err = block_signals(injection, pid);

	injection->registers = *registers;
	injection->at = at;
	return err;
}

int inject_begin_instead(struct injection *injection, pid_t pid)
{
	int err = block_signals(injection, pid);

	if (!err)
		err = registers_get(pid, &injection->registers);
	if (!err)
		err = registers_cancel(pid, &injection->registers);
	if (!err)
		err = run_to_syscall(injection); /* its exit */
	injection->at = registers_pc(&injection->registers) -
			registers_abi(&injection->registers)->enter_length;
	return err;
}

int inject_read(pid_t pid, unsigned long from, void *to, size_t count)
{
	struct iovec here = { to, count }, there = { (void *)from, count };
	unsigned char *bytes = to;
	int err = 0;

	if (syscall(SYS_process_vm_readv, (long)pid, &here, 1L, &there, 1L, 0L) == (long)count)
		return 0;
	for (size_t i = 0; i < count && !err; i += sizeof(long)) {
		unsigned long word;
		size_t rest = count - i < sizeof word ? count - i : sizeof word;

		err = request(PEEK, pid, from + i, (unsigned long)&word);
		memcpy(bytes + i, &word, err ? 0 : rest);
	}
	return err;
}

bool inject_ask(pid_t tid, struct at_call *at)
{
	return syscall(SYS_ptrace, (long)SYSCALL_INFO, (long)tid, sizeof *at, at) > 0;
}

/* Is it at the call that it is to make?  Who may write to its memory may have changed the one
 * instruction that it executes; what is in its registers now is what the kernel will do.  A kernel
 * that cannot tell has no hold and no gate (load.c). */
static bool is_at(const struct injection *injection, long number, const unsigned long args[ARGUMENTS])
{
	const struct abi *abi = registers_abi(&injection->registers);
	unsigned long mask = abi->pointer == 4 ? 0xffffffffUL : ~0UL;
	struct at_call at = { 0 };

	if (!inject_ask(injection->pid, &at))
		return errno == EIO;
	for (int i = 0; i < ARGUMENTS; i++)
		if ((at.args[i] & mask) != (args[i] & mask))
			return false;
	return at.op == AT_ENTRY_INTO_CALL && at.arch == abi->audit && (long)at.number == number;
}

int inject_call(struct injection *injection, long number, const unsigned long args[ARGUMENTS],
		long *result)
{
	struct registers registers = injection->registers;
	int err;

	registers_call(&registers, injection->at, number, args);
	err = registers_set(injection->pid, &registers);
	if (!err)
		err = run_to_syscall(injection); /* its entry */
	if (!err && !is_at(injection, number, args))
		err = EPERM;
	if (!err)
		err = run_to_syscall(injection); /* its exit */
	if (!err)
		err = registers_get(injection->pid, &registers);
	if (!err)
		*result = registers_result(&registers);
	return err;
}

int inject_replace_next(struct injection *injection, long *number)
{
	struct at_call at = { 0 };
	int err = run_to_syscall(injection); /* its entry */

	if (!err && (!inject_ask(injection->pid, &at) || at.op != AT_ENTRY_INTO_CALL))
		err = EPERM;
	*number = (long)at.number;
	if (!err)
		err = registers_make_harmless(injection->pid, &injection->registers);
	return err ? err : run_to_syscall(injection); /* its exit */
}

int inject_enter(struct injection *injection, unsigned long at, long number)
{
	struct registers registers = injection->registers;
	int err;

	registers_enter(&registers, at, number);
	err = registers_set(injection->pid, &registers);
	return err ? err : run_to_syscall(injection);
}

/* A tracee that was stopped is to trap once more before its own next instruction: there it is told
 * whether the stop still holds, as a group-stop.  If it is let go instead, the kernel stops it. */
int inject_end(struct injection *injection)
{
	int err = 0;

	if (injection->written)
		err = request(POKE, injection->pid, injection->at, (unsigned long)injection->word);
	if (!err)
		err = registers_set(injection->pid, &injection->registers);
	if (!err)
		err = request(SET_MASK, injection->pid, sizeof injection->mask,
			      (unsigned long)&injection->mask);
	if (!err && injection->stopped)
		err = request(INTERRUPT, injection->pid, 0, 0);
	return err;
}

/* struct sock_fprog with the instructions behind it, for a program with pointers of this size. */
static size_t lay_out(unsigned char *to, unsigned long address, unsigned pointer,
		      const struct filter *filter)
{
	uint16_t length = (uint16_t)filter->length;
	uint64_t code = address + 16;
	size_t offset = 0;

	memset(to, 0, 16);
	memcpy(to, &length, sizeof length);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	offset = sizeof code - pointer;
#endif
	memcpy(to + pointer, (const unsigned char *)&code + offset, pointer);
	memcpy(to + 16, filter->code, filter->length * 8);
	return 16 + filter->length * 8;
}

static int load_from(struct injection *injection, const struct filter *filter, unsigned long at,
		     long *result)
{
	const struct abi *abi = registers_abi(&injection->registers);

	/* SECCOMP_SET_MODE_FILTER; or PR_SET_SECCOMP, SECCOMP_MODE_FILTER */
	if (filter->by_prctl)
		return inject_call(injection, abi->nr_prctl, (unsigned long[]){ 22, 2, at, 0, 0, 0 },
				   result);
	return inject_call(injection, abi->nr_seccomp, (unsigned long[]){ 1, filter->flags, at, 0, 0, 0 },
			   result);
}

int inject_filter(struct injection *injection, const struct filter *filter, long *result)
{
	static unsigned char bytes[16 + MAX_INSTRUCTIONS * 8];
	const struct abi *abi = registers_abi(&injection->registers);
	unsigned long at = registers_sp(&injection->registers);
	size_t count;
	int err;

	if (at < RED_ZONE + sizeof bytes)
		return EFAULT;
	at = (at - RED_ZONE - 16 - filter->length * 8) & ~15UL;
	count = lay_out(bytes, at, abi->pointer, filter);
	err = write_memory(injection->pid, at, bytes, count);
	if (!err)
		err = load_from(injection, filter, at, result);
	if (err)
		return err;
	memset(bytes, 0, count); /* the kernel has its copy; the stack is as new */
	return write_memory(injection->pid, at, bytes, count);
}

/* A call whose result must not be an error. */
static int call_well(struct injection *injection, long number, const unsigned long args[ARGUMENTS],
		     unsigned long *result)
{
	long value = 0;
	int err = inject_call(injection, number, args, &value);

	*result = (unsigned long)value;
	return err || value >= 0 || value < -4095 ? err : (int)-value;
}

static bool holds(pid_t pid, unsigned long at, const unsigned char *bytes, size_t count)
{
	static unsigned char found[16 + MAX_INSTRUCTIONS * 8];

	return !inject_read(pid, at, found, count) && !memcmp(found, bytes, count);
}

/* A shared mapping that is not writable is not written to by those either who may write to the
 * tracee's private memory whatever its protection is (mm/gup.c: FOLL_FORCE is for what is copied at a
 * write).  What was written before the protection is found by comparing, and once more after the
 * load, for a writer that had got hold of the page.  The mapping stays until inject_unmap(): to take it
 * away is a call that the filter may deny. */
int inject_guarded(struct injection *injection, const struct filter *filter, long *result)
{
	static unsigned char bytes[16 + MAX_INSTRUCTIONS * 8];
	const struct abi *abi = registers_abi(&injection->registers);
	unsigned long at, none, size = 16 + filter->length * 8;
	size_t count;
	/* PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS; then PROT_READ */
	int err = call_well(injection, abi->nr_mmap,
			    (unsigned long[]){ 0, size, 3, 0x21, (unsigned long)-1, 0 }, &at);

	if (err)
		return err;
	if (abi->pointer == 4)
		at &= 0xffffffffUL;
	injection->page = at;
	injection->page_size = size;
	count = lay_out(bytes, at, abi->pointer, filter);
	err = write_memory(injection->pid, at, bytes, count);
	if (!err)
		err = call_well(injection, abi->nr_mprotect, (unsigned long[]){ at, size, 1, 0, 0, 0 },
				&none);
	if (!err && !holds(injection->pid, at, bytes, count))
		err = EPERM;
	if (!err)
		err = load_from(injection, filter, at, result);
	if (!err && !*result && !holds(injection->pid, at, bytes, count))
		err = EPERM;
	return err;
}

int inject_unmap(struct injection *injection)
{
	unsigned long none, args[ARGUMENTS] = { injection->page, injection->page_size };

	if (!injection->page)
		return 0;
	injection->page = 0;
	return call_well(injection, registers_abi(&injection->registers)->nr_munmap, args, &none);
}

#ifndef SYS_mmap /* 32-bit ARM, whose programs cannot be entered */
# define SYS_mmap SYS_mmap2
#endif

static int map(struct injection *injection, size_t count, int fd, unsigned long *at)
{
	/* PROT_READ | PROT_WRITE; MAP_PRIVATE, and without a file MAP_ANONYMOUS */
	unsigned long args[ARGUMENTS] = { 0, count, 3, fd < 0 ? 0x22 : 2, (unsigned long)fd, 0 };
	long result = 0;
	int err = inject_call(injection, SYS_mmap, args, &result);

	*at = (unsigned long)result;
	return err || result >= 0 || result < -4095 ? err : (int)-result;
}

int inject_mapped(struct injection *injection, const struct filter *filter, unsigned long *at, int its,
		  int own)
{
	static unsigned char bytes[16 + MAX_INSTRUCTIONS * 8];
	size_t count;
	int err = map(injection, sizeof bytes, -1, at);

	if (err)
		return err;
	count = lay_out(bytes, *at, sizeof(long), filter);
	err = write_memory(injection->pid, *at, bytes, count);
	if (!err || its < 0)
		return err;
	if (ftruncate(own, sizeof bytes))
		return errno;
	err = map(injection, sizeof bytes, its, at);
	if (err)
		return err;
	count = lay_out(bytes, *at, sizeof(long), filter);
	return pwrite(own, bytes, count, 0) == (ssize_t)count ? 0 : EIO;
}

void inject_exit(struct injection *injection, int status)
{
	const struct abi *abi = registers_abi(&injection->registers);
	unsigned long args[ARGUMENTS] = { (unsigned long)status };
	long result;

	if (injection->written && inject_call(injection, abi->nr_exit_group, args, &result) == ESRCH)
		return;
	kill(injection->pid, SIGKILL);
}
