/* A tracer for this process, before it becomes another program. */
#ifndef SECLATCH_BIRTH_H
#define SECLATCH_BIRTH_H

#include <stdbool.h>
#include <sys/types.h>

struct birth {
	/* Both are called in the tracer.  seize: 0 or an errno, at which nothing is left of it.
	 * work: afterwards, while this process goes on; returns the tracer's exit status. */
	int (*seize)(pid_t front, void *data);
	int (*work)(pid_t front, void *data);
	void *data;
	/* As a child of this process, that no wait(2) sees but one with __WALL.  For pid 1, which
	 * gets every orphan and would have to reap it. */
	bool as_child;
};

/* 0 once this process is traced, else an errno. */
int birth_of_tracer(const struct birth *birth);
/* The call that has answered with that errno; NULL where seize has. */
const char *birth_failed_at(void);

/* Closes every descriptor from `first` on: nothing of the engine's may stay open in the tracer of
 * a container that was created and waits for its start, neither its pipes nor its folders. */
void let_go_of_files(int first);

/* fork(2) but for the signal at its exit: the engine's SIGCHLD mask and handlers are inherited
 * by the runtime, which must not find one pending. */
pid_t fork_unannounced(void);

/* Answers what it was.  A front that is a subreaper (PR_SET_CHILD_SUBREAPER survives exec) would
 * get its grandchildren back. */
bool set_subreaper(bool on);

#endif
