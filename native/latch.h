/* The latch: an OCI runtime front whose tracer keeps the profile off the runtime.
 *
 *   engine -> front (this pid execs the real runtime) -> ... -> exec of the image's program
 *             tracer (a grandchild, nobody's business)   ^ leaves here
 *
 * main.c decides what the call is and becomes the real runtime; attach.c puts the tracer on it;
 * trace.c follows until the program's exec; task.c asks /proc about one task; argv.c, runtime.c
 * and refusal.c are what their names say.  No allocation, no threads, no stdio streams.
 */
#ifndef SECLATCH_LATCH_H
#define SECLATCH_LATCH_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* ---- argv.c: what the engine asks for ------------------------------------------------------ */

struct call {
	bool starts_process;	/* create, run or exec: a program will be exec'd */
	const char *log;	/* --log, or NULL */
	bool log_json;		/* --log-format json */
};

void call_read(struct call *call, char *const argv[]);

/* ---- runtime.c: which program is fronted, and how ------------------------------------------ */

enum mode { MODE_SUSPEND, MODE_PLAIN };

/* Both return NULL, or a sentence that says what is wrong. */
const char *runtime_find(char path[PATH_MAX]);
const char *mode_find(enum mode *mode);

/* ---- attach.c: the tracer's birth ---------------------------------------------------------- */

/* 0 once this process is traced with its seccomp suspended, else an errno; nothing is left.
 * What goes wrong later, the tracer writes into the call's log. */
int attach(const struct call *call);

/* ---- trace.c: until the program's exec ----------------------------------------------------- */

/* Seizes pid as the front of a runtime (threads, forks) or as its init (everything it makes). */
int seize_front(pid_t pid);
int seize_init(pid_t pid);

/* Returns when the program has been exec'd or no tracee is left, with 0; or with an errno when the
 * runtime's init could not be followed (it was killed).  The caller must exit then: the kernel
 * detaches what remains. */
int follow_front(pid_t front);

/* ---- task.c: facts about one task ---------------------------------------------------------- */

struct task {
	pid_t parent;
	pid_t tracer;
	int seccomp;	/* mode: 0 none, 1 strict, 2 filter */
};

/* capabilities(7), by number: kernel headers are not there for every libc */
enum { CAPABILITY_PTRACE = 19, CAPABILITY_ADMIN = 21 };

bool task_read(struct task *task, pid_t pid);
bool task_has_capability(int capability);	/* this task, effective */
bool task_is_thread_of(pid_t tid, pid_t process);
bool task_in_container(pid_t pid);
/* Is pid what runc calls "runc init": its parent's argv[0] and the one argument "init"? */
bool task_is_runtime_init(pid_t pid, pid_t front);

/* ---- refusal.c: nothing starts, and one line says why -------------------------------------- */

struct refusal {
	const char *reason;
	const char *remedy;
};

struct refusal refusal_for(int err);
void refuse(const struct call *call, struct refusal refusal);

#endif
