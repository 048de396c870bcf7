/* Keeps the container's code out of the memory of the runtime's init. */
#ifndef SECLATCH_GUARD_H
#define SECLATCH_GUARD_H

#include "inject.h"
#include "latch.h"

/* At a tracee's first stop, if it is a process and not a thread: makes its memory unwritable for other
 * processes (PR_SET_DUMPABLE, 0).  `options` are its PTRACE_O_*, which are restored.  Returns 0 or an
 * errno; a tracee that cannot be entered is left unchanged. */
int guard_at_birth(pid_t pid, long options);

/* The same within an injection. */
int guard(struct injection *injection);

/* At the exec of a startContainer hook, a child of init: NULL, or the reason why it must not run. */
const char *guard_against_hook(pid_t hook, pid_t init);

#endif
