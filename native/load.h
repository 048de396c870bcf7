/* The runtime's own load of the filter, where seccomp cannot be suspended.
 *
 * Before the load no call needs to be lifted.  At the load the tracer reads the filter, byte for byte,
 * and either
 *  - holds it: the runtime gets success as the result, and the program is made to load it at its exec
 *    stop (inject.c).  That needs no_new_privs, which stays set, or
 *  - gates it (gate.c): the runtime loads a filter that lets this tracer open the calls that the
 *    runtime needs.
 */
#ifndef SECLATCH_LOAD_H
#define SECLATCH_LOAD_H

#include <stdbool.h>
#include <sys/types.h>

#include "inject.h"
#include "latch.h"

/* Options of the tracees from the load on, set before it is changed: PTRACE_O_TRACESYSGOOD, fork, vfork,
 * clone, exec, seccomp as in trace.c, and PTRACE_O_EXITKILL.  Only the tracer knows the held filter, and
 * only it closes the gate: its death must end each process that has not exec'd the program yet. */
enum { LOADED_OPTIONS = 1 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 7 | 1 << 20 };

struct load {
	bool exact_only; /* refuse rather than gate */
	pid_t loader; /* the process that has loaded a filter; 0: none so far */
	bool held; /* the filter is still to be loaded, at each exec */
	unsigned mark; /* of the gate's own answers */
	bool unguarded; /* the init is to be guarded when it closes `listener` */
	int listener;
	bool closed; /* the exact filter has been loaded over the gate */
	struct refusal problem; /* why the start must not continue, when one of these fails */
};

/* Makes a file in memory that the runtime will inherit; for a tracer without CAP_SYS_PTRACE, from which
 * an init may guard its memory.  In the tracer, load_keep_share() makes it descriptor 0. */
void load_share(void);
bool load_keep_share(void);

/* At the entry into or exit from a system call; from the load on, its exit is reported too
 * (PTRACE_O_TRACEEXIT).  False: the container must not start. */
bool load_at_call(struct load *load, pid_t tid);
/* The same after a load that has left the init `unguarded`. */
void load_guard_at_close(struct load *load, pid_t tid);
/* Is the tracee about to call execve(2)? */
bool load_sees_exec(pid_t tid);
/* At a call that a filter answers with SECCOMP_RET_TRACE: opens the gate, or answers ENOSYS. */
bool load_at_gate(const struct load *load, pid_t tid);
/* At the exec stop of a task that the filter is meant for: binds it. */
bool load_at_exec(struct load *load, pid_t pid);
/* At the exec stop of an exec session: binds it by a further filter. */
bool load_session(struct load *load, pid_t pid, const struct filter *filter, bool suspended);
/* The task was killed by its filter.  True: that is a problem, which has not been reported yet. */
bool load_killed(struct load *load, pid_t pid);
/* Kills the tracee at which one of these has failed. */
void load_stop(pid_t pid);
/* "hold", "gate+exact", "gate" or, when there was no load, "no filter". */
const char *load_method(const struct load *load);

#endif
