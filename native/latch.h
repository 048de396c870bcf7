/* The latch: an OCI runtime front whose tracer keeps the profile off the runtime.
 *
 *   engine -> front (this pid execs the real runtime) -> ... -> exec of the image's program
 *             tracer (a grandchild, nobody's business)   ^ leaves here
 *
 * main.c decides what the call is and becomes the real runtime; attach.c puts the tracer on it;
 * trace.c follows until the program's exec; wait.c waits for tracees; task.c asks /proc about one task;
 * argv.c, bundle.c, runtime.c, record.c, journal.c, harden.c and refusal.c are what their names say;
 * guard.c keeps the container's code out of the runtime's memory.  Where seccomp cannot be suspended,
 * watch.c finds the runtime's load of the filter and load.c deals with it, by gate.c and inject.c.  No
 * allocation, no threads, no stdio streams.
 */
#ifndef SECLATCH_LATCH_H
#define SECLATCH_LATCH_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* ---- argv.c: what the engine asks for ------------------------------------------------------ */

struct call {
	bool starts_process; /* create, run or exec: a program will be exec'd */
	const char *log; /* the file of --log, or NULL */
	bool log_json; /* --log-format json */
	const char *bundle; /* create, run: where config.json is; NULL for the others */
	const char *config; /* crun's other name for it */
	const char *container; /* its name, or NULL where it is not sure which word that is */
	bool stays; /* run or exec, for sure: the front does not end before the start does */
};

void call_read(struct call *call, char *const argv[]);

/* ---- bundle.c: what the configuration must not ask for ------------------------------------- */

enum bundle { BUNDLE_PLAIN, BUNDLE_HANDLER, BUNDLE_ABSENT, BUNDLE_UNREADABLE };

/* BUNDLE_UNREADABLE with an errno. */
enum bundle bundle_look(const struct call *call);
bool bundle_mentions(const struct call *call, const char *word);

/* ---- runtime.c: which program is fronted, and how ------------------------------------------ */

/* auto: suspend where that is permitted, else by the gate.  refuse: only by what leaves the exact
 * profile on the program.  plain: not at all, the bare runtime. */
enum mode { MODE_AUTO, MODE_SUSPEND, MODE_GATE, MODE_REFUSE, MODE_PLAIN };

/* Both return NULL, or a sentence that says what is wrong. */
const char *runtime_find(char path[PATH_MAX]);
const char *mode_find(enum mode *mode);

/* Where the link beside the front with this suffix points to; false if there is none. */
bool beside_front(char *target, size_t size, const char *suffix);

/* ---- journal.c: how it went ---------------------------------------------------------------- */

void write_time(char *text, size_t size);
/* In the front, then in the tracer: a line in the system's log, and in the file of SECLATCH_LOG or the
 * .log link, if any. */
void journal_find(const struct call *call);
void journal_write(const char *road, pid_t pid);
/* A line in the system's log: when a start is refused late, engines quote what the runtime says last. */
void journal_refusal(const char *message);

/* ---- record.c: the recorder, where an annotation asks for it ------------------------------- */

/* Never keeps the container from starting, nor for long. */
void record_if_asked(const struct call *call);

/* ---- attach.c: the tracer's birth ---------------------------------------------------------- */

/* 0 once this process is traced with its seccomp suspended, else an errno; nothing is left.
 * What goes wrong later, the tracer writes into the call's log. */
int attach(const struct call *call, enum mode mode);

/* ---- trace.c: until the program's exec ----------------------------------------------------- */

/* How the profile is kept off the runtime: the kernel suspends it, which takes privileges; or the
 * tracer holds or gates it (load.h). */
enum road { ROAD_SUSPEND, ROAD_GATE };

/* Seizes pid as the front of a runtime. */
int seize_front(pid_t pid, enum road road);

/* Returns when the program has been exec'd or no tracee is left, with 0; or with an errno when the
 * runtime's init could not be followed (it was killed).  The caller must exit then: the kernel
 * detaches what remains. */
int follow_front(pid_t front, enum road road, bool exact_only, const struct call *call);

/* ---- task.c: facts about one task ---------------------------------------------------------- */

struct task {
	pid_t process;
	pid_t parent;
	pid_t tracer;
	long user, group; /* effective */
	int seccomp; /* mode: 0 none, 1 strict, 2 filter */
	bool no_new_privs;
	unsigned long long capabilities; /* effective */
	unsigned long long reachable; /* those that it could ever have in its user namespace */
};

/* capabilities(7), by number: kernel headers are not there for every libc */
enum { CAPABILITY_DAC_OVERRIDE = 1, CAPABILITY_KILL = 5, CAPABILITY_PTRACE = 19, CAPABILITY_ADMIN = 21 };

bool task_read(struct task *task, pid_t pid);
bool task_has_capability(int capability); /* this task, effective */
bool task_is_thread_of(pid_t tid, pid_t process);
/* How many threads it has; -1 when that is not to be known, or more than `most`. */
int task_list_threads(pid_t process, pid_t *threads, int most);
/* Known to be in a container, known not to be; neither where /proc does not tell. */
bool task_in_container(pid_t pid);
bool task_is_on_host(pid_t pid);
bool task_is_gone(pid_t pid);
bool task_shares_user_namespace(pid_t pid);
/* Is pid what runc calls "runc init", whatever runc is called: one argument, "init"? */
bool task_is_named_init(pid_t pid);
/* The same with the front's argv[0], of a child that may still be about to become it. */
bool task_is_runtime_init(pid_t pid, pid_t front);

/* ---- refusal.c: nothing starts, and one line says why -------------------------------------- */

struct refusal {
	const char *reason;
	const char *remedy;
};

struct refusal refusal_for(int err, enum mode mode);
struct refusal refusal_of_bundle(int err); /* BUNDLE_UNREADABLE */
void refuse(const struct call *call, struct refusal refusal);
/* In the tracer, whose own stderr is the front's only where call->stays; else on that of this process,
 * which is the container's. */
void refuse_late(const struct call *call, struct refusal refusal, pid_t pid);

#endif
