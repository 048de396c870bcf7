/* Waits for tracees: for one of them without losing what the others report meanwhile. */
#ifndef SECLATCH_WAIT_H
#define SECLATCH_WAIT_H

#include <stdbool.h>
#include <sys/types.h>

/* As waitpid(2) with __WALL, but never interrupted. */
pid_t wait_for_any(int *status);
/* What others report is kept for wait_for_any.  Their ends must be taken even so: the kernel lets the
 * first thread of a process, and the first process of a pid namespace, end only after all others of
 * theirs have been waited for (kernel/pid_namespace.c: zap_pid_ns_processes()). */
pid_t wait_for_one(pid_t pid, int *status);
/* As wait_for_one(), but for no more than some seconds: 0 when they are over.  What is reported is kept for
 * wait_for_any(), so that the tracee stays stopped until then. */
pid_t await_stop(pid_t pid);
bool has_report(pid_t pid);
/* The same for at most so many microseconds: 0 when it has reported nothing.  SIGCHLD is blocked. */
pid_t wait_for_a_while(pid_t pid, int *status, long microseconds);
/* In a child, whose tracees are others. */
void forget_reports(void);

#endif
