/* The latch: an OCI runtime front whose tracer keeps the profile off the runtime.
 *
 *   engine -> front (this pid execs the real runtime) -> ... -> exec of the image's program
 *             tracer (a grandchild, nobody's business)   ^ leaves here
 *
 * main.c decides what the call is and becomes the real runtime; attach.c puts the tracer on it;
 * trace.c follows until the program's exec; wait.c waits for tracees; task.c asks /proc about one task;
 * argv.c, bundle.c, runtime.c, record.c, supervise.c, session.c, attendant.c, journal.c, harden.c and refusal.c are what their names say;
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

/* ---- argv.c: the engine's command line ------------------------------------------------------ */

struct call {
	bool starts_process; /* create, run or exec: a program will be exec'd */
	const char *log; /* the file of --log, or NULL */
	bool log_json; /* --log-format json */
	const char *bundle; /* create, run: where config.json is; NULL for the others */
	const char *config; /* crun's other name for it */
	const char *container; /* its name, or NULL if it is uncertain which word that is */
	bool stays; /* run or exec, for certain: the front does not end before the start does */
	char *const
		*session; /* exec: the words after it, one of which is the container's name; or NULL */
};

void call_read(struct call *call, char *const argv[]);

/* ---- bundle.c: refused configurations ------------------------------------------------------- */

enum bundle { BUNDLE_PLAIN, BUNDLE_HANDLER, BUNDLE_ABSENT, BUNDLE_UNREADABLE };

/* Opens the configuration for reading. */
int bundle_open(const struct call *call);
/* BUNDLE_UNREADABLE with an errno. */
enum bundle bundle_look(const struct call *call);
bool bundle_mentions(const struct call *call, const char *word);

/* ---- runtime.c: the fronted program and the mode --------------------------------------------- */

/* auto: suspend where that is permitted, else the gate. refuse: only methods that leave the exact profile
 * on the program. plain: the bare runtime. */
enum mode { MODE_AUTO, MODE_SUSPEND, MODE_GATE, MODE_REFUSE, MODE_PLAIN };

/* Both return NULL, or a message that names the error. */
const char *runtime_find(char path[PATH_MAX]);
const char *mode_find(enum mode *mode);

/* Reads the target of the link beside the front with this suffix; false if there is none. */
bool beside_front(char *target, size_t size, const char *suffix);

/* ---- journal.c: the log of starts ----------------------------------------------------------- */

void write_time(char *text, size_t size);
/* In the front, then in the tracer: writes a line to the system log, and to the file of SECLATCH_LOG or
 * the .log link, if any. */
void journal_find(const struct call *call);
void journal_write(const char *method, pid_t pid);
/* Writes a line to the system log: when a start is refused late, engines quote the runtime's last
 * message. */
void journal_refusal(const char *message);
/* Writes a line to the system log about a start that goes on. */
void journal_warning(const char *message);

/* ---- record.c: asks the recorder, if an annotation requests it ------------------------------ */

/* Never prevents the container's start, nor delays it for long. */
void record_if_asked(const struct call *call);

/* ---- supervise.c: the supervisor, if an annotation requests it ------------------------------- */

/* False: nothing may start; the reason has been printed. */
bool supervise_if_asked(const struct call *call);

/* ---- attach.c: the tracer's birth ---------------------------------------------------------- */

/* 0 once this process is traced with its seccomp suspended, else an errno, without side effects.  Later
 * errors are written by the tracer into the call's log. */
int attach(const struct call *call, enum mode mode);

/* ---- trace.c: until the program's exec ----------------------------------------------------- */

/* How the profile is kept off the runtime: the kernel suspends it, which takes privileges; or the
 * tracer holds or gates it (load.h). */
enum method { METHOD_SUSPEND, METHOD_GATE };

/* Seizes pid as the front of a runtime. */
int seize_front(pid_t pid, enum method method);

/* Returns 0 when the program has been exec'd or no tracee is left; or an errno when the runtime's init
 * could not be followed (it was killed).  The caller must exit then: the kernel detaches the remaining
 * tracees. */
int follow_front(pid_t front, enum method method, bool exact_only, const struct call *call);

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

/* capabilities(7), by number: some libcs come without kernel headers */
enum { CAPABILITY_DAC_OVERRIDE = 1, CAPABILITY_KILL = 5, CAPABILITY_PTRACE = 19, CAPABILITY_ADMIN = 21 };

bool task_read(struct task *task, pid_t pid);
bool task_has_capability(int capability); /* this task, effective */
bool task_is_thread_of(pid_t tid, pid_t process);
/* Number of its threads; -1 if it is unknown, or greater than `most`. */
int task_list_threads(pid_t process, pid_t *threads, int most);
/* Known to be in a container, known not to be; neither where /proc does not show it. */
bool task_in_container(pid_t pid);
bool task_is_on_host(pid_t pid);
bool task_is_gone(pid_t pid);
bool task_shares_user_namespace(pid_t pid);
/* Is pid the process that runc calls "runc init", whatever runc's file is called: one argument,
 * "init"? */
bool task_is_named_init(pid_t pid);
/* The same with the front's argv[0], for a child that may still be about to become it. */
bool task_is_runtime_init(pid_t pid, pid_t front);

/* ---- refusal.c: refuses a start and prints the reason --------------------------------------- */

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
