/* The front: the program that an engine calls in place of runc or crun. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "harden.h"
#include "latch.h"

/* docker run's status for "not the program's fault" */
enum { FAILED = 125 };

/* False when nothing may start.  A bundle that does not exist is reported by the runtime: untraced, it
 * starts nothing that its filter does not bind. */
static bool latch(const struct call *call, enum mode mode)
{
	enum bundle bundle = call->bundle ? bundle_look(call) : BUNDLE_PLAIN;
	struct refusal refusal = { 0 };
	int err = 0;

	if (bundle == BUNDLE_HANDLER)
		refusal = (struct refusal){
			"the container's annotations choose a handler that runs "
			"the program inside of the runtime, and no exec lets a profile take hold",
			"use the bare runtime for this container"
		};
	else if (bundle == BUNDLE_UNREADABLE)
		refusal = refusal_of_bundle(errno);
	else if (bundle == BUNDLE_PLAIN && (err = attach(call, mode)))
		refusal = refusal_for(err, mode);
	if (refusal.reason)
		refuse(call, refusal);
	return !refusal.reason;
}

int main(int argc, char *argv[])
{
	static char runtime[PATH_MAX];
	struct call call;
	enum mode mode = MODE_AUTO;
	const char *problem;

	(void)argc;
	protect_relocations();
	call_read(&call, argv);
	problem = runtime_find(runtime);
	if (!problem && call.starts_process)
		problem = mode_find(&mode);
	if (problem) {
		refuse(&call, (struct refusal){ problem, "run `seclatch doctor`, or install again" });
		return FAILED;
	}
	if (call.bundle && !supervise_if_asked(&call))
		return FAILED;
	if (call.bundle)
		record_if_asked(&call);
	if (call.starts_process && mode != MODE_PLAIN && !latch(&call, mode))
		return FAILED;
	/* From here on this process is traced, and is the runtime. */
	argv[0] = runtime;
	execv(runtime, argv);
	dprintf(STDERR_FILENO, "seclatch: cannot execute %s: %s\n", runtime, strerror(errno));
	return errno == ENOENT ? 127 : 126;
}
