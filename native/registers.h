/* Registers of a stopped tracee, as far as making it call the kernel needs them.
 *
 * One instruction enters the kernel (`enter`, of `enter_length` bytes); the number and the
 * arguments are in registers (syscall(2)).  A 32-bit x86 program in a 64-bit kernel is handled;
 * on other architectures than these two a tracee cannot be entered, and that is said.
 */
#ifndef SECLATCH_REGISTERS_H
#define SECLATCH_REGISTERS_H

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <unistd.h>

/* What differs between the kernel's interfaces to 32-bit and 64-bit programs. */
struct abi {
	unsigned char enter[4];
	unsigned enter_length;
	unsigned pointer; /* bytes */
	uint32_t audit; /* AUDIT_ARCH_* */
	long nr_seccomp, nr_prctl, nr_exit_group, nr_mmap, nr_mprotect, nr_munmap;
	long nr_restart_syscall;
};

#define NATIVE_CALLS                                                                                     \
	NATIVE_ARCH, SYS_seccomp, SYS_prctl, SYS_exit_group, SYS_mmap, SYS_mprotect, SYS_munmap,         \
		SYS_restart_syscall

enum { ARGUMENTS = 6 };

#if defined(__x86_64__) && !defined(__ILP32__)
# define CAN_ENTER 1
# define CAN_ENTER_32BIT 1
# define NATIVE_ARCH 0xc000003eU /* AUDIT_ARCH_X86_64 */

struct registers {
	struct user_regs_struct user;
};

/* PTRACE_GETREGS speaks the tracer's layout, also of a 32-bit tracee (arch/x86/kernel/ptrace.c). */
static inline int registers_get(pid_t pid, struct registers *registers)
{
	return syscall(SYS_ptrace, 12L, (long)pid, 0L, &registers->user) ? errno : 0;
}

static inline int registers_set(pid_t pid, const struct registers *registers)
{
	return syscall(SYS_ptrace, 13L, (long)pid, 0L, &registers->user) ? errno : 0;
}

static inline const struct abi *registers_abi(const struct registers *registers)
{
	static const struct abi native = { { 0x0f, 0x05 }, 2, 8, NATIVE_CALLS };
	static const struct abi i386 = {
		{ 0xcd, 0x80 }, 2, 4, 0x40000003, 354, 172, 252, 192, 125, 91, 0
	};

	return registers->user.cs == 0x23 ? &i386 : &native; /* __USER32_CS */
}

static inline void registers_call(struct registers *registers, unsigned long at, long number,
				  const unsigned long args[ARGUMENTS])
{
	struct user_regs_struct *user = &registers->user;

	/* not in a system call: nothing for the kernel to restart */
	user->orig_rax = (unsigned long)-1;
	user->rip = at;
	user->rax = (unsigned long)number;
	if (user->cs == 0x23) {
		user->rbx = args[0], user->rcx = args[1], user->rdx = args[2];
		user->rsi = args[3], user->rdi = args[4], user->rbp = args[5];
	} else {
		user->rdi = args[0], user->rsi = args[1], user->rdx = args[2];
		user->r10 = args[3], user->r8 = args[4], user->r9 = args[5];
	}
}

/* A call without arguments. */
static inline void registers_enter(struct registers *registers, unsigned long at, long number)
{
	registers->user.orig_rax = (unsigned long)-1;
	registers->user.rip = at;
	registers->user.rax = (unsigned long)number;
}

# define registers_pc(registers) ((unsigned long)(registers)->user.rip)
# define registers_sp(registers) ((unsigned long)(registers)->user.rsp)

static inline void registers_set_result(struct registers *registers, long result)
{
	registers->user.rax = (unsigned long)result;
	registers->user.orig_rax = (unsigned long)-1;
}

/* At the entry into a system call: cancels it, with the result -ENOSYS, which the kernel has put into
 * rax before the entry. */
static inline int registers_cancel(pid_t pid, const struct registers *registers)
{
	struct registers changed = *registers;

	changed.user.orig_rax = (unsigned long)-1;
	return registers_set(pid, &changed);
}

/* At the entry into a system call: munmap(2) of nothing is made instead, which fails with EINVAL. */
static inline int registers_make_harmless(pid_t pid, const struct registers *registers)
{
	struct registers changed = *registers;

	changed.user.orig_rax = SYS_munmap;
	changed.user.rsi = 0;
	return registers_set(pid, &changed);
}

static inline long registers_result(const struct registers *registers)
{
	return registers->user.cs == 0x23 ? (int)registers->user.rax : (long)registers->user.rax;
}

#elif defined(__aarch64__) && !defined(__ILP32__)
# define CAN_ENTER 1
# define CAN_ENTER_32BIT 0
# define NATIVE_ARCH 0xc00000b7U /* AUDIT_ARCH_AARCH64 */

struct registers {
	struct user_regs_struct user;
};

/* ENOEXEC: a 32-bit tracee, whose registers are fewer. */
static inline int registers_get(pid_t pid, struct registers *registers)
{
	struct iovec all = { &registers->user, sizeof registers->user };

	if (syscall(SYS_ptrace, 0x4204L, (long)pid, (long)NT_PRSTATUS, &all))
		return errno;
	return all.iov_len == sizeof registers->user ? 0 : ENOEXEC;
}

static inline int registers_set(pid_t pid, const struct registers *registers)
{
	struct iovec all = { (void *)&registers->user, sizeof registers->user };

	return syscall(SYS_ptrace, 0x4205L, (long)pid, (long)NT_PRSTATUS, &all) ? errno : 0;
}

static inline const struct abi *registers_abi(const struct registers *registers)
{
	static const struct abi native = { { 0x01, 0x00, 0x00, 0xd4 }, 4, 8, NATIVE_CALLS };

	(void)registers;
	return &native;
}

enum { BRANCH_TYPE = 3 << 10 }; /* PSTATE.BTYPE */

/* A thread stopped right behind an indirect branch may execute nothing but a landing pad in a guarded page, as
 * the vDSO's are (Arm Architecture Reference Manual, FEAT_BTI): SIGILL. */
static inline void registers_enter(struct registers *registers, unsigned long at, long number)
{
	registers->user.pc = at;
	registers->user.pstate &= ~(unsigned long)BRANCH_TYPE;
	registers->user.regs[8] = (unsigned long)number;
}

static inline void registers_call(struct registers *registers, unsigned long at, long number,
				  const unsigned long args[ARGUMENTS])
{
	registers_enter(registers, at, number);
	for (int i = 0; i < ARGUMENTS; i++)
		registers->user.regs[i] = args[i];
}

# define registers_pc(registers) ((unsigned long)(registers)->user.pc)
# define registers_sp(registers) ((unsigned long)(registers)->user.sp)

static inline void registers_set_result(struct registers *registers, long result)
{
	registers->user.regs[0] = (unsigned long)result;
}

static inline int registers_cancel(pid_t pid, const struct registers *registers)
{
	struct registers changed = *registers;
	int none = -1, err;
	struct iovec number = { &none, sizeof none };

	/* a call that is not made leaves x0 as it is (arch/arm64/kernel/syscall.c): its first argument
	 * would be its result, and 1 is no error */
	changed.user.regs[0] = (unsigned long)-ENOSYS;
	err = registers_set(pid, &changed);
	if (err)
		return err;
	/* NT_ARM_SYSTEM_CALL: x8 is not looked at any more */
	return syscall(SYS_ptrace, 0x4205L, (long)pid, 0x404L, &number) ? errno : 0;
}

/* A cancelled call is the number -1 for a filter (arch/arm64/kernel/ptrace.c, syscall_trace_enter()), whose
 * default action may kill. */
static inline int registers_make_harmless(pid_t pid, const struct registers *registers)
{
	struct registers changed = *registers;
	int munmap = SYS_munmap, err;
	struct iovec number = { &munmap, sizeof munmap };

	changed.user.regs[1] = 0; /* of nothing: EINVAL */
	err = registers_set(pid, &changed);
	return !err && syscall(SYS_ptrace, 0x4205L, (long)pid, 0x404L, &number) ? errno : err;
}

static inline long registers_result(const struct registers *registers)
{
	return (long)registers->user.regs[0];
}

#else
# define CAN_ENTER 0
# define CAN_ENTER_32BIT 0
# define NATIVE_ARCH 0U

struct registers {
	int none;
};

static inline int registers_get(pid_t pid, struct registers *registers)
{
	(void)pid, (void)registers;
	return ENOEXEC;
}

static inline int registers_set(pid_t pid, const struct registers *registers)
{
	(void)pid, (void)registers;
	return ENOEXEC;
}

static inline const struct abi *registers_abi(const struct registers *registers)
{
	static const struct abi none = { { 0 }, 1, sizeof(long), 0, -1, -1, -1, -1, -1, -1, -1 };

	(void)registers;
	return &none;
}

static inline void registers_call(struct registers *registers, unsigned long at, long number,
				  const unsigned long args[ARGUMENTS])
{
	(void)registers, (void)at, (void)number, (void)args;
}

static inline void registers_enter(struct registers *registers, unsigned long at, long number)
{
	(void)registers, (void)at, (void)number;
}

static inline void registers_set_result(struct registers *registers, long result)
{
	(void)registers, (void)result;
}

static inline int registers_cancel(pid_t pid, const struct registers *registers)
{
	(void)pid, (void)registers;
	return ENOEXEC;
}

static inline int registers_make_harmless(pid_t pid, const struct registers *registers)
{
	(void)pid, (void)registers;
	return ENOEXEC;
}

# define registers_pc(registers) ((void)(registers), 0UL)
# define registers_sp(registers) ((void)(registers), 0UL)
# define registers_result(registers) ((void)(registers), -1L)
#endif

#endif
