/* Starts the supervisor of a container whose annotations ask for a tighter profile once it is ready.
 *
 * The link `FRONT.tighten` beside the front leads to the supervisor, if the administrator enabled that at
 * install (src/seclatch/tighten/automatic).  It parses the annotations, and its report says that it
 * supervises the container, that there is nothing to do, or why nothing may start.  A container that asks
 * to be stopped if it cannot be tightened (`seclatch.unready=stop`) is not started where its supervisor
 * cannot be; what it asks is searched for as text then, as in bundle.c, and only a plain `keep` is taken
 * for one.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "attendant.h"
#include "latch.h"

static const char key[] = "seclatch.running", policy[] = "seclatch.unready";
enum { PATIENCE = 20000 }; /* milliseconds: Python's start on a busy machine */
enum { SUPERVISED = '1', NOTHING = '0', REFUSED = 'R' }; /* the report's first byte */

/* As engines write it, compact or not.  Quotation marks within a value are escaped.
 * `seclatch.unready.CONTAINER` overrides the plain key: which of a pod's containers this is, is unknown here.
 */
static bool asks_to_keep(const struct call *call)
{
	if (bundle_mentions(call, "\"seclatch.unready."))
		return false;
	return !bundle_mentions(call, policy) || bundle_mentions(call, "\"seclatch.unready\":\"keep\"") ||
	       bundle_mentions(call, "\"seclatch.unready\": \"keep\"");
}

/* Goes into JSON and into a terminal. */
static void make_plain(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\')
			*text = '?';
}

static bool continue_without(const struct call *call, const char *reason)
{
	char text[512];

	if (asks_to_keep(call)) {
		snprintf(text, sizeof text,
			 "not tightened: %.64s: %.300s; the container starts under its own profile alone",
			 call->container ? call->container : "?", reason);
		journal_warning(text);
		return true;
	}
	snprintf(text, sizeof text,
		 "it is to be stopped unless it is tightened (seclatch.unready), and %.300s", reason);
	refuse(call,
	       (struct refusal){ text, "`seclatch doctor` tries the supervisor; `seclatch install` with "
				       "--tighten-annotations sets it up" });
	return false;
}

/* The supervisor's own words: reason, a newline, remedy. */
static bool refuse_as_reported(const struct call *call, char *words)
{
	char *remedy = strchr(words, '\n');

	if (remedy)
		*remedy++ = '\0';
	make_plain(words);
	if (remedy)
		make_plain(remedy);
	refuse(call, (struct refusal){ words, remedy ? remedy : "look at the container's annotations" });
	return false;
}

bool supervise_if_asked(const struct call *call)
{
	char supervisor[PATH_MAX], report[512];
	ssize_t count;

	if (!bundle_mentions(call, key))
		return true;
	if (!beside_front(supervisor, sizeof supervisor, ".tighten") || *supervisor != '/')
		return continue_without(call, "annotations for it are not enabled here");
	if (!attendant_is_trusted(supervisor))
		return continue_without(call,
					"the supervisor is missing, or others than root can change it");
	count = attendant_start(supervisor, call, PATIENCE, report, sizeof report - 1);
	if (count < 0 && errno == ETIMEDOUT)
		return continue_without(call, "the supervisor was not ready within 20 seconds");
	if (count <= 0)
		return continue_without(call, count ? strerror(errno) :
						      "the supervisor ended without a report");
	report[count] = '\0';
	if (*report == REFUSED)
		return refuse_as_reported(call, report + 1);
	return *report == SUPERVISED || *report == NOTHING ||
	       continue_without(call, "the supervisor's report is not understood");
}
