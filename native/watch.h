/* Detects the runtime's load of the filter without stopping it at every call.
 *
 * A process that is stopped at each of its calls waits for its tracer some thousand times.  But few calls
 * of a runtime load a filter: libseccomp loads it, and the C library's syscall(3), prctl(2) and execve(2)
 * have one instruction each that enters the kernel.  There the tracer sets hardware breakpoints (x86-64).
 * A runtime without these libraries (static), or a machine whose breakpoints do not work, is stopped at
 * all calls.
 *
 * execve(2) removes breakpoints (arch/x86/kernel/process_64.c: flush_thread()): the program has none.  In
 * a process whose tracer has died they raise SIGTRAP, which ends it.
 */
#ifndef SECLATCH_WATCH_H
#define SECLATCH_WATCH_H

#include <stdbool.h>
#include <sys/types.h>

enum { BREAKPOINTS = 4, MOST_ARMED = 16 };

struct watch {
	/* A virtual machine may accept breakpoints and never report one: the first is set where it must
	 * be reached at once. */
	enum { UNTRIED, TRYING, WORKING, FAILING } state;
	pid_t tried;
	pid_t process; /* whose addresses these are */
	unsigned long at[BREAKPOINTS];
	pid_t armed[MOST_ARMED]; /* tasks that got breakpoints; may have ended or exec'd since */
	int armed_count;
};

/* At a tracee's first stop. */
void watch_newborn(struct watch *watch, pid_t tid);
/* Does the tracee have breakpoints instead of being stopped at each call? */
bool watch_has_breakpoints(pid_t tid);
/* At a SIGTRAP: was it a breakpoint?  From one at a load, or at a call that may precede one, the tracee
 * has none any more and must be stopped at its calls. */
bool watch_at_trap(struct watch *watch, pid_t tid, bool loaded);
/* At a call: the breakpoint set for the test has not been reported. */
void watch_at_call(struct watch *watch, pid_t tid);
/* At any stop, before the tracer lets go: removes the breakpoints, and returns the signal to deliver. */
int watch_disarm(pid_t tid, int status);

#endif
