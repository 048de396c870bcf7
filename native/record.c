/* Starts the recorder for a container whose annotations request it.
 *
 * Only if the administrator enabled annotations at install: then the link `FRONT.record` beside the front
 * leads to the recorder, a program owned by root.  The annotation's key is searched for as text, as in
 * bundle.c; the recorder parses the annotation, and exits if there is none.  It reports when it is ready,
 * or has nothing to record or has logged why not.  The front waits two seconds for that; whether or not it
 * succeeds, the container starts.  A recorder that ends without a report (its Python is gone, say) could
 * log nothing itself, so the front does.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "attendant.h"
#include "latch.h"

static const char key[] = "seclatch.record";
enum { PATIENCE = 2000 }; /* milliseconds */

/* Why there is no recorder; NULL if there is one. */
static const char *start_recorder(const char *recorder, const struct call *call)
{
	char report[2];
	ssize_t count;

	if (!attendant_is_trusted(recorder))
		return "it is missing, or others than root can change it";
	count = attendant_start(recorder, call, PATIENCE, report, sizeof report);
	if (!count)
		return "it ended without a report";
	if (count < 0)
		return errno == ETIMEDOUT ? "it was not ready within 2 seconds" : strerror(errno);
	return NULL;
}

static void log_failure(const char *recorder, const struct call *call, const char *reason)
{
	char text[640];

	snprintf(text, sizeof text,
		 "not recorded: %.64s: the recorder %.200s: %s; the container starts without it; "
		 "`seclatch doctor` tries the recorder",
		 call->container ? call->container : "?", recorder, reason);
	journal_warning(text);
}

void record_if_asked(const struct call *call)
{
	char recorder[PATH_MAX];
	const char *reason;

	if (!beside_front(recorder, sizeof recorder, ".record") || *recorder != '/' ||
	    !bundle_mentions(call, key))
		return;
	reason = start_recorder(recorder, call);
	if (reason)
		log_failure(recorder, call, reason);
}
