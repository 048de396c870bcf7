/* The front: what an engine calls in place of runc or crun. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "latch.h"

/* docker run's status for "not the program's fault" */
enum { FAILED = 125 };

int main(int argc, char *argv[])
{
	static char runtime[PATH_MAX];
	struct call call;
	enum mode mode = MODE_SUSPEND;
	const char *problem;
	int err;

	(void)argc;
	call_read(&call, argv);
	problem = runtime_find(runtime);
	if (!problem && call.starts_process)
		problem = mode_find(&mode);
	if (problem) {
		refuse(&call, (struct refusal){ problem, "run `seclatch doctor`, or install again" });
		return FAILED;
	}
	if (call.starts_process && mode == MODE_SUSPEND) {
		err = attach(&call);
		if (err) {
			refuse(&call, refusal_for(err));
			return FAILED;
		}
	}
	/* From here on this process is traced, and is the runtime. */
	argv[0] = runtime;
	execv(runtime, argv);
	dprintf(STDERR_FILENO, "seclatch: cannot execute %s: %s\n", runtime, strerror(errno));
	return errno == ENOENT ? 127 : 126;
}
