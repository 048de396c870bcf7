/* seclatch-tighten: puts a further filter on processes that run already.
 *
 * seccomp(2) binds the process that calls it, so one thread of each process is made to call
 * seccomp(SET_MODE_FILTER, TSYNC), from outside (inject.h): the kernel then puts the filter on all
 * threads, asleep or running.  Threads whose filters differ cannot be synchronised; each of those is
 * made to call for itself.  The thread is seized with PTRACE_O_SUSPEND_SECCOMP, so whatever its
 * present filters deny does not matter.
 *
 * Unsuspended (--present) that takes no privilege: the present filters judge what is injected, and the
 * caller has found out that they allow it.  Filters cannot be read then, only counted
 * (/proc/PID/status, Linux 5.9).
 *
 *  main.c      options; all processes, until no new one appears
 *  members.c   which processes
 *  procfs.c    what /proc says about a thread
 *  calls.c     which system calls a stop disturbs
 *  process.c   one process: which of its threads, and when
 *  thread.c    one thread: stop, load, check, let go
 *  interrupted.h, rewound_call.h
 *              in which call it was stopped, and how that goes on
 */
#ifndef SECLATCH_TIGHTEN_H
#define SECLATCH_TIGHTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#include "inject.h"

enum { MAX_MEMBERS = 65536 }; /* processes, or threads of one */

/* ---- options (main.c) */

struct options {
	struct filter filter;
	bool never_no_new_privs; /* fail where the kernel would ask for it */
	bool dry_run;
	bool unsuspended;
	unsigned long long present; /* unsuspended: so many filters have all processes */
	bool never_restart; /* unsuspended: a filter denies restart_syscall(2) */
	struct timespec deadline; /* of waiting for processes that cannot be stopped */
};
extern struct options options;

bool is_past(const struct timespec *deadline);
long long microseconds_since(const struct timespec *begin);
unsigned long long count_ticks(void); /* since boot, as start times are */

/* ---- /proc (procfs.c) */

struct task_stat {
	char state;
	pid_t parent;
	unsigned long flags; /* PF_* */
	unsigned long long start; /* of the thread, in clock ticks since boot */
};

/* /proc/PID/task/TID/syscall.  number: -1 when it is in no call, -2 when it runs. */
struct task_call {
	long number;
	unsigned long args[ARGUMENTS], sp, pc;
};

/* All are false when there is no such thread any more. */
bool read_task_stat(pid_t pid, pid_t tid, struct task_stat *stat);
bool read_task_call(pid_t pid, pid_t tid, struct task_call *call);
/* A number in /proc/PID/task/TID/status; 0 if there is no such line.  `name` ends with a colon. */
unsigned long long read_task_status(pid_t pid, pid_t tid, const char *name, int base);
bool is_32bit(pid_t pid);
/* By a control group: of version 1 it is not stopped, of version 2 it does not run on. */
bool is_frozen(pid_t pid, pid_t tid);
/* It has ended; also as a zombie without other threads. */
bool is_gone(pid_t pid);
size_t list_threads(pid_t pid, pid_t *tids, size_t most);
/* An address in the vDSO where these bytes are; 0: none. */
unsigned long find_in_vdso(pid_t pid, pid_t tid, const unsigned char *bytes, size_t count);
ssize_t read_small_file(char *to, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- calls (calls.c) */

enum { RESTARTSYS = 512, RESTARTNOINTR, RESTARTNOHAND, RESTART_BLOCK = 516 }; /* <linux/errno.h> */

/* What a stop does to the call in which a thread is, from best to worst. */
enum disturbance {
	RESTARTS, /* the kernel makes it again by itself */
	RUNS, /* it is in no call, as far as can be seen */
	CONTINUES, /* by restart_syscall(2), which a filter may deny */
	REPEATED, /* it fails with EINTR, whatever interrupts it (signal(7)); can be made again */
	TIMED, /* the same with a time-out, which begins again */
	VFORKS, /* it waits for its child's exec, and stops after that */
	PARTIAL, /* it may have done a part, and would return early with it */
	UNFIT, /* the thread cannot be stopped: state D, ended, a kernel's worker, traced */
};

enum disturbance classify_call(const struct task_call *call, bool compat);
/* May it be made again after EINTR, for which nothing but a stop is the reason? */
bool is_repeatable(long number, bool compat);
/* The errno with which the kernel restarts it.  Only for arm64, which does not show its own answer. */
int restart_errno(const struct task_call *call);
/* Can a sleep be made again from its start, for want of restart_syscall(2)? */
bool begins_again(const struct task_call *call, bool compat);
bool is_vfork(long number, bool compat);
bool continues_by_restart(const struct task_call *call);
const char *name_disturbance(enum disturbance disturbance);

/* ---- one thread (thread.c) */

enum failure {
	NONE,
	GONE, /* the thread has ended, or become another program */
	NOT_SEIZED, /* errno of PTRACE_SEIZE */
	NOT_STOPPED, /* it did not come to a stop */
	NOT_ENTERED, /* no instruction that enters the kernel; an architecture that is not known */
	NEEDS_NO_NEW_PRIVS, /* and must not get it */
	REFUSED, /* the kernel refuses: errno of mmap(2), prctl(2) or seccomp(2) */
	CHANGED, /* another process or thread has written to the memory or registers used */
	DIFFERS, /* the filter is not there afterwards */
	DENIED, /* unsuspended: a filter has ended it for an injected call */
	OTHER_FILTERS, /* unsuspended: it has others than all have */
	UNRESTORED, /* its registers could not be put back: it ends with the worker */
	TRACER_LOST, /* the worker was killed */
	KILLED, /* it ended when the worker was killed (PTRACE_O_EXITKILL) */
	TRACER_BUSY, /* it is still waiting for the thread, in a call that takes long */
	PROCESS_IN_CALL, /* it waits in a call that a stop would spoil */
	UNSTOPPABLE, /* all its threads are UNFIT */
	FROZEN,
	TRACED,
	KEEPS_CHANGING,
};

struct outcome {
	enum failure failure;
	int err;
	pid_t tid, diverged; /* diverged: a thread whose filters differ from this one's */
	bool present; /* the filter was there already */
	bool no_new_privs; /* was set */
	bool short_count; /* its call has returned less than asked for, perhaps because of the stop */
	long number; /* of the system call in which it was stopped */
	enum disturbance disturbance;
	long long pause; /* microseconds */
};

struct process;

/* In a process of its own; the tracing has ended when this returns, but with TRACER_BUSY. */
struct outcome bind_thread(const struct process *process, pid_t tid, bool all_threads);
/* /proc/PID/task/TID/status */
unsigned long long count_filters(pid_t pid, pid_t tid);
/* Needs a filter no_new_privs in this thread? */
bool needs_no_new_privs(pid_t pid, pid_t tid);

/* ---- one process (process.c) */

struct process {
	pid_t pid;
	unsigned long long start;
	size_t threads, loads, present;
	bool no_new_privs;
	bool cut_short; /* an attempt was, and may have loaded the filter */
	struct outcome last;
	long long pause; /* the longest */
};

/* False: see `last`. */
bool bind_process(struct process *process);
/* Could it be bound now?  Nothing is touched. */
bool examine_process(struct process *process);

/* ---- which processes (members.c) */

struct root {
	pid_t pid;
	unsigned long long start; /* when `alone` */
};

enum { MAX_ROOTS = 8192 };

struct members {
	const char *cgroup; /* a folder, with those below */
	pid_t namespace_of; /* all in the pid namespace of this process */
	struct root roots[MAX_ROOTS]; /* and what descends from them, unless `alone` */
	size_t root_count;
	bool alone;
};

size_t list_members(const struct members *members, pid_t *pids, size_t most);

#endif
