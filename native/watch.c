/* See watch.h. */
#include <signal.h>
#include <stddef.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inject.h"
#include "symbol.h"
#include "watch.h"

/* Of a stop that is an event, or a mark of a call, nothing is delivered. */
static int signal_of(int status)
{
	return status >> 16 || WSTOPSIG(status) == (SIGTRAP | 0x80) ? 0 : WSTOPSIG(status);
}

#if defined(__x86_64__) && !defined(__ILP32__)

enum { PEEK_USER = 3, POKE_USER = 6 };
enum { STATUS = 6, CONTROL = 7 }; /* debug registers; 0 to 3 are addresses */
/* Intel SDM 3B, 18.2.4: local breakpoints on execution */
enum { ONE = 0x1, ALL = 0x55 };
enum { AT_SYSCALL, AT_PRCTL, AT_EXECVE, AT_FILTER };
/* libseccomp uses prctl(2) only where seccomp(2) was refused; crun calls prctl(2) for each capability. */
enum { ALL_BUT_PRCTL = ALL & ~(1 << 2 * AT_PRCTL) };
enum { LOAD_FILTER = 1, SET_SECCOMP = 22 }; /* SECCOMP_SET_MODE_FILTER, PR_SET_SECCOMP */

static unsigned long offset_of(int number)
{
	return offsetof(struct user, u_debugreg) + (size_t)number * sizeof(unsigned long);
}

static unsigned long peek(pid_t tid, int number)
{
	unsigned long value = 0;

	syscall(SYS_ptrace, (long)PEEK_USER, (long)tid, offset_of(number), &value);
	return value;
}

static bool poke(pid_t tid, int number, unsigned long value)
{
	return !syscall(SYS_ptrace, (long)POKE_USER, (long)tid, offset_of(number), value);
}

/* The one instruction of a short function that enters the kernel. */
static unsigned long find_entry(pid_t pid, unsigned long library, const char *name)
{
	unsigned char code[256];
	size_t size = 0;
	unsigned long at = symbol_find(pid, library, name, &size), found = 0;

	if (!at || size > sizeof code || inject_read(pid, at, code, size))
		return 0;
	for (size_t i = 0; i + 1 < size; i++)
		if (code[i] == 0x0f && code[i + 1] == 0x05) {
			if (found)
				return 0;
			found = at + i;
		}
	return found;
}

static bool find_addresses(struct watch *watch, pid_t pid)
{
	unsigned long libc = library_find(pid, "libc.so."), libseccomp;
	size_t size;

	libseccomp = libc ? library_find(pid, "libseccomp.so.") : 0;
	watch->process = 0;
	if (!libseccomp)
		return false;
	watch->at[AT_SYSCALL] = find_entry(pid, libc, "syscall");
	watch->at[AT_PRCTL] = find_entry(pid, libc, "prctl");
	watch->at[AT_EXECVE] = find_entry(pid, libc, "execve");
	watch->at[AT_FILTER] = symbol_find(pid, libseccomp, "seccomp_init", &size);
	for (int i = 0; i < BREAKPOINTS; i++)
		if (!watch->at[i])
			return false;
	watch->process = pid;
	return true;
}

/* False if there are too many: such a task is stopped at each call. */
static bool note_armed(struct watch *watch, pid_t tid)
{
	for (int i = 0; i < watch->armed_count; i++)
		if (watch->armed[i] == tid)
			return true;
	if (watch->armed_count == MOST_ARMED)
		return false;
	watch->armed[watch->armed_count++] = tid;
	return true;
}

/* Without one of them the tracee is stopped at each call. */
static void set_breakpoints(struct watch *watch, pid_t tid)
{
	if (!note_armed(watch, tid))
		return;
	for (int i = 0; i < BREAKPOINTS; i++)
		if (!poke(tid, i, watch->at[i]))
			return;
	if (!poke(tid, CONTROL, ALL_BUT_PRCTL))
		poke(tid, CONTROL, 0);
}

static void try(struct watch *watch, pid_t tid)
{
	struct registers registers;

	if (registers_get(tid, &registers) || !note_armed(watch, tid))
		return;
	watch->tried = tid;
	watch->state = poke(tid, 0, registers_pc(&registers)) && poke(tid, CONTROL, ONE) ? TRYING :
											   FAILING;
}

static bool is_thread(pid_t tid, pid_t process)
{
	return !syscall(SYS_tgkill, (long)process, (long)tid, 0L);
}

/* The address in a register distinguishes a tracee that had breakpoints from a newborn one.  The kernel
 * gives a newborn none, but shows its parent's control register as its own (arch/x86/kernel/process.c:
 * copy_thread()). */
void watch_newborn(struct watch *watch, pid_t tid)
{
	bool is_process = is_thread(tid, tid);

	if (peek(tid, 0))
		return;
	poke(tid, CONTROL, 0);
	if (watch->state == UNTRIED && is_process)
		try(watch, tid);
	else if (watch->state == WORKING &&
		 (is_process ? find_addresses(watch, tid) :
			       watch->process && is_thread(tid, watch->process)))
		set_breakpoints(watch, tid);
}

bool watch_has_breakpoints(pid_t tid)
{
	return (peek(tid, CONTROL) & ALL_BUT_PRCTL) == ALL_BUT_PRCTL;
}

/* libseccomp's feature tests have no program. */
static bool is_of_interest(const struct user_regs_struct *user)
{
	if (user->rax == SYS_seccomp)
		return user->rdi == LOAD_FILTER && user->rdx;
	if (user->rax == SYS_prctl)
		return user->rdi == SET_SECCOMP;
	return user->rax == SYS_execve || user->rax == SYS_execveat;
}

static void look_at_call(pid_t tid)
{
	struct registers registers;

	if (registers_get(tid, &registers))
		return;
	if (is_of_interest(&registers.user))
		poke(tid, CONTROL, 0);
	else if (registers.user.rax == SYS_seccomp)
		poke(tid, CONTROL, ALL);
}

bool watch_at_trap(struct watch *watch, pid_t tid, bool loaded)
{
	unsigned long hit = peek(tid, STATUS) & 0xf;

	if (!hit)
		return false;
	poke(tid, STATUS, 0);
	if (watch->state == TRYING && watch->tried == tid) {
		watch->state = WORKING;
		poke(tid, CONTROL, 0);
		if (find_addresses(watch, tid))
			set_breakpoints(watch, tid);
	} else if (loaded || hit & 1 << AT_FILTER) {
		poke(tid, CONTROL, 0);
	} else {
		look_at_call(tid);
	}
	return true;
}

void watch_at_call(struct watch *watch, pid_t tid)
{
	if (watch->state != TRYING || watch->tried != tid)
		return;
	watch->state = FAILING;
	poke(tid, CONTROL, 0);
}

int watch_disarm(pid_t tid, int status)
{
	bool hit = peek(tid, STATUS) & 0xf;

	poke(tid, CONTROL, 0);
	poke(tid, STATUS, 0);
	return hit && WSTOPSIG(status) == SIGTRAP ? 0 : signal_of(status);
}

#else

void watch_newborn(struct watch *watch, pid_t tid)
{
	(void)watch, (void)tid;
}

bool watch_has_breakpoints(pid_t tid)
{
	(void)tid;
	return false;
}

bool watch_at_trap(struct watch *watch, pid_t tid, bool loaded)
{
	(void)watch, (void)tid, (void)loaded;
	return false;
}

void watch_at_call(struct watch *watch, pid_t tid)
{
	(void)watch, (void)tid;
}

int watch_disarm(pid_t tid, int status)
{
	(void)tid;
	return signal_of(status);
}

#endif
