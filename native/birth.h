/* A tracer for this process, before it becomes another program. */
#ifndef SECLATCH_BIRTH_H
#define SECLATCH_BIRTH_H

#include <stdbool.h>
#include <sys/types.h>

struct birth {
	/* Both are called in the tracer. seize: 0 or an errno; on failure the tracer leaves nothing
	 * behind. work: afterwards, while this process continues; returns the tracer's exit status. */
	int (*seize)(pid_t front, void *data);
	int (*work)(pid_t front, void *data);
	void *data;
	/* The tracer is a child of this process that wait(2) sees only with __WALL.  For pid 1, to which
	 * every orphan is reparented, and which would have to reap it. */
	bool as_child;
};

/* 0 once this process is traced, else an errno. */
int birth_of_tracer(const struct birth *birth);
/* The call that failed with that errno; NULL if `seize` has. */
const char *birth_failed_at(void);

/* Closes every descriptor from `first` on: no pipe and no directory of the engine may stay open in the
 * tracer of a container that was created and waits for its start. */
void let_go_of_files(int first);

/* fork(2) without a signal at the child's exit: the runtime inherits the engine's SIGCHLD mask and
 * handlers, and must not find one pending. */
pid_t fork_unannounced(void);

/* Returns the former setting.  A front that is a subreaper (PR_SET_CHILD_SUBREAPER survives exec) would
 * get its grandchildren back. */
bool set_subreaper(bool on);

#endif
