/* The registers of a system call, by architecture. */
#pragma once

#include "helpers.h"

enum { NUMBERS = 512 }; /* numbers 0 to 511 of the native ABI have counters and constants */

/* Bits of rare_key.mode. */
enum call_mode {
	MODE_COMPAT = 1,   /* by the 32-bit ABI */
	MODE_DENIED = 2,
	MODE_INJECTED = 4, /* made by the program's tracer, before its first instruction */
};

/* What is kept of a call's arguments: a byte by number. */
enum argument_spec {
	KEEP_ARG0 = 1,
	KEEP_ARG1 = 2,
	KEEP_ARG2 = 4,
	KEEP_ARG3 = 8,
	KEEP_FLAGS_BEHIND_ARG0 = 16, /* clone3(2): the first 8 bytes of a structure */
	IS_CONNECT = 32,
	IS_WRITE = 64,
};

#if defined(__TARGET_ARCH_x86)

enum { ENTER_LENGTH = 2 }; /* bytes of `syscall` and of `int 0x80` */

static __always_inline __u32 call_number(struct pt_regs *regs)
{
	return regs->orig_ax;
}

static __always_inline __u64 instruction_pointer(struct pt_regs *regs)
{
	return regs->ip;
}

static __always_inline __u32 program_counter(struct pt_regs *regs)
{
	return regs->ip;
}

/* MODE_COMPAT in a 32-bit call, else 0. The number alone is ambiguous: a 64-bit process may use int
 * 0x80. */
static __always_inline __u32 compat_mode(struct task_struct *task)
{
	return (task->thread_info.status & TS_COMPAT) / TS_COMPAT * MODE_COMPAT;
}

static __always_inline __u64 call_result(struct pt_regs *regs)
{
	return regs->ax;
}

static __always_inline __u64 argument0(struct pt_regs *regs) { return regs->di; }
static __always_inline __u64 argument1(struct pt_regs *regs) { return regs->si; }
static __always_inline __u64 argument2(struct pt_regs *regs) { return regs->dx; }
static __always_inline __u64 argument3(struct pt_regs *regs) { return regs->r10; }

static __always_inline void read_arguments(__u64 *arguments, struct pt_regs *regs, __u32 compat)
{
	arguments[0] = compat ? regs->bx : regs->di;
	arguments[1] = compat ? regs->cx : regs->si;
	arguments[2] = regs->dx;
	arguments[3] = compat ? regs->si : regs->r10;
	arguments[4] = compat ? regs->di : regs->r8;
	arguments[5] = compat ? regs->bp : regs->r9;
}

#elif defined(__TARGET_ARCH_arm64)

enum { ENTER_LENGTH = 4 }; /* bytes of `svc` */

static __always_inline __u32 call_number(struct pt_regs *regs)
{
	return regs->syscallno;
}

static __always_inline __u64 instruction_pointer(struct pt_regs *regs)
{
	return regs->pc;
}

static __always_inline __u32 program_counter(struct pt_regs *regs)
{
	return regs->pc;
}

static __always_inline __u32 compat_mode(struct task_struct *task)
{
	return (task->thread_info.flags >> TIF_32BIT & 1) * MODE_COMPAT;
}

static __always_inline __u64 call_result(struct pt_regs *regs)
{
	return regs->regs[0];
}

static __always_inline __u64 argument0(struct pt_regs *regs) { return regs->orig_x0; }
static __always_inline __u64 argument1(struct pt_regs *regs) { return regs->regs[1]; }
static __always_inline __u64 argument2(struct pt_regs *regs) { return regs->regs[2]; }
static __always_inline __u64 argument3(struct pt_regs *regs) { return regs->regs[3]; }

static __always_inline void read_arguments(__u64 *arguments, struct pt_regs *regs, __u32 compat)
{
	arguments[0] = regs->orig_x0;
	arguments[1] = regs->regs[1];
	arguments[2] = regs->regs[2];
	arguments[3] = regs->regs[3];
	arguments[4] = regs->regs[4];
	arguments[5] = regs->regs[5];
}

#else
#error "compile with -D__TARGET_ARCH_x86 or -D__TARGET_ARCH_arm64"
#endif
