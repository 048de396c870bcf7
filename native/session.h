/* The filter that exec sessions of a tightened container get.  See session.c. */
#ifndef SECLATCH_SESSION_H
#define SECLATCH_SESSION_H

#include <stdbool.h>

#include "inject.h"
#include "latch.h"

/* True if the call is an exec into a container that was tightened; a filter of length 0 could not be
 * read, and nothing may start then. */
bool session_find(const struct call *call, struct filter *filter);

#endif
