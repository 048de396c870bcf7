/* Starts a program of the administrator's beside a container's start: the recorder, the supervisor. */
#ifndef SECLATCH_ATTENDANT_H
#define SECLATCH_ATTENDANT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "latch.h"

/* A program that other users may write to is not executed in the engine's name.  The installer checks its
 * interpreter and directories (src/seclatch/engines/services/annotation_recorder.py). */
bool attendant_is_trusted(const char *program);

/* Starts it with the pid of this process, bundle and configuration's name as its words, reparented to init
 * and without a descriptor of the engine's; waits so many milliseconds for what it writes to descriptor 3.
 * Returns that report's length; 0 when it ended without one; -1 with an errno: of execve(2), or ETIMEDOUT. */
ssize_t attendant_start(const char *program, const struct call *call, int patience, char *report,
			size_t size);

#endif
