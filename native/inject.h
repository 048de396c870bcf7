/* Makes a stopped tracee call the kernel, and leaves no trace of it.
 *
 * seccomp(2) binds the thread that calls it: a filter can be put on another process only by letting
 * that process make the call.  At the exec stop of a program, before its first instruction, that
 * is what these do, from outside.  No privilege is needed but to be its tracer.
 */
#ifndef SECLATCH_INJECT_H
#define SECLATCH_INJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "registers.h"

enum { MAX_INSTRUCTIONS = 4096 }; /* BPF_MAXINSNS, <linux/bpf_common.h> */

/* A filter as the kernel is given it: struct sock_filter[length], 8 bytes each. */
struct filter {
	unsigned length; /* instructions */
	unsigned long flags; /* SECCOMP_FILTER_FLAG_* */
	bool by_prctl; /* load with prctl(2), for an outer filter forbids seccomp(2) */
	unsigned char code[MAX_INSTRUCTIONS * 8] __attribute__((aligned(8)));
};

struct injection {
	pid_t pid;
	struct registers registers; /* what the tracee is to go on with */
	unsigned long at; /* where the instruction is that enters the kernel */
	long word; /* what was there before, if it was written */
	bool written;
	unsigned long long mask; /* its blocked signals */
	bool stopped; /* by a signal that came meanwhile; may be over */
	unsigned long page, page_size; /* mapped by inject_guarded(), 0: none */
	/* Milliseconds to wait for the tracee before it is interrupted; 0: for ever. */
	int patience;
	bool interrupted; /* it was */
	int ended; /* its wait status if it has died meanwhile (wait(2)) */
};

/* All return 0 or an errno; ESRCH when the tracee has died (then `*status` in inject_call's case
 * tells how).  The tracee is seized with PTRACE_O_TRACESYSGOOD. */

/* From a PTRACE_EVENT_EXEC stop. */
int inject_begin(struct injection *injection, pid_t pid);
/* From the entry into a system call, which is not made: `registers_set_result(&registers, …)` says
 * what the tracee shall get from it.  The instruction is there already. */
int inject_begin_instead(struct injection *injection, pid_t pid);
/* From the first stop of a process that was just forked.  ENOEXEC for one that was not, or whose
 * registers are not to be had. */
int inject_begin_at_birth(struct injection *injection, pid_t pid);
/* From any stop; `at`: an instruction of the tracee's that enters the kernel.  Its own code and memory
 * are not written to. */
int inject_begin_anywhere(struct injection *injection, pid_t pid, const struct registers *registers,
			  unsigned long at);
/* `result` is the kernel's: negative errno on failure.  ETIMEDOUT: it did not come to the call within
 * `patience` (a frozen process), and the call is not made once the registers are put back. */
int inject_call(struct injection *injection, long number, const unsigned long args[ARGUMENTS],
		long *result);
/* From any stop, with no register changed: to the next call that the tracee makes by itself, at `at`.  It makes
 * munmap(2) of nothing instead.  Only arm64 needs it. */
int inject_replace_next(struct injection *injection, long *number);
/* To the entry into a call without arguments, for good. */
int inject_enter(struct injection *injection, unsigned long at, long number);
/* A tracee that is not let go then must have its next PTRACE_EVENT_STOP answered: a stop that came
 * meanwhile and still holds is told by it. */
int inject_end(struct injection *injection);

/* A tracee's entry into a system call: struct ptrace_syscall_info (ptrace(2), Linux 5.3), as far as
 * an entry is concerned. */
struct at_call {
	uint8_t op, pad[3];
	uint32_t arch;
	uint64_t pc, sp, number, args[6], more[4];
};
enum { AT_ENTRY_INTO_CALL = 1 };

/* False with an errno: ESRCH, or EIO where the kernel cannot tell. */
bool inject_ask(pid_t tid, struct at_call *at);

/* Between begin and end: loads the filter; `result` as above. */
int inject_filter(struct injection *injection, const struct filter *filter, long *result);
/* The same from memory that nobody can write to: a container's other programs may write to what is
 * private to the tracee (/proc/PID/mem, process_vm_writev(2)).  EPERM when one has. */
int inject_guarded(struct injection *injection, const struct filter *filter, long *result);

/* Takes away what inject_guarded() has mapped: where the tracee's filters let it. */
int inject_unmap(struct injection *injection);

/* The tracee's memory. */
int inject_read(pid_t pid, unsigned long from, void *to, size_t count);
/* Between begin and end, memory of the tracee with the filter in it, as seccomp(2) takes it.  Where
 * it cannot be written to: by a file that the tracee has as `its` and the caller as `own`. */
int inject_mapped(struct injection *injection, const struct filter *filter, unsigned long *at, int its,
		  int own);

/* Ends the tracee, which has done nothing yet, with this status; by SIGKILL if it must be. */
void inject_exit(struct injection *injection, int status);

#endif
