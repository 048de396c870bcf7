/* Attaches the tracer to this process, which then becomes the runtime. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "birth.h"
#include "harden.h"
#include "latch.h"
#include "load.h"
#include "registers.h"

struct attachment {
	struct call call;
	bool hooks; /* the configuration contains the name startContainer, perhaps without hooks */
	enum mode mode;
	enum method method;
};

/* Without CAP_SYS_PTRACE the seizing works, but a set-uid program would not gain its user
 * (security/commoncap.c: a traced exec is downgraded unless the tracer has the capability), and the
 * program would run with another user than without the latch. */
static int seize_suspended(pid_t front)
{
	return task_has_capability(CAPABILITY_PTRACE) ? seize_front(front, METHOD_SUSPEND) : EPERM;
}

/* Without a /proc of this pid namespace the program's exec could not be observed. */
static int seize(pid_t front, void *data)
{
	struct attachment *attachment = data;
	struct task task;
	int err = attachment->mode == MODE_GATE ? EPERM : seize_suspended(front);
	bool shown;

	attachment->method = err ? METHOD_GATE : METHOD_SUSPEND;
	if (CAN_ENTER && (err == EPERM || err == EINVAL || err == EIO) &&
	    attachment->mode != MODE_SUSPEND)
		err = seize_front(front, METHOD_GATE);
	if (err)
		return err;
	errno = 0;
	shown = task_read(&task, front);
	if (!shown && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
		return errno;
	return shown && task.tracer == getpid() ? 0 : ENOTSUP;
}

/* The tracer leaves the directory to which a relative --log is relative. */
static void keep_log(struct call *call)
{
	static char path[PATH_MAX];
	size_t length;

	if (!call->log || *call->log == '/')
		return;
	if (!getcwd(path, sizeof path))
		*path = '\0';
	length = strlen(path);
	snprintf(path + length, sizeof path - length, "/%s", call->log);
	call->log = length && strlen(path) < sizeof path - 1 ? path : NULL;
}

/* A created container waits for its start without its front, and the reader of the front's stderr may
 * wait for its end: stderr is kept only where the front stays as well. */
static void keep_files(const struct call *call)
{
	int first = load_keep_share() ? 1 : 0;

	if (call->stays) {
		if (!first)
			close(STDIN_FILENO);
		close(STDOUT_FILENO);
		first = STDERR_FILENO + 1;
	}
	let_go_of_files(first);
}

static int work(pid_t front, void *data)
{
	struct attachment *attachment = data;
	struct call *call = &attachment->call;
	int err;

	keep_log(call);
	if (chdir("/"))
		return 1;
	keep_files(call);
	drop_capabilities(attachment->hooks);
	err = follow_front(front, attachment->method, attachment->mode == MODE_REFUSE, call);
	if (err)
		refuse_late(call, refusal_for(err, attachment->mode), front);
	return err != 0;
}

int attach(const struct call *call, enum mode mode)
{
	struct attachment attachment = { .call = *call, .mode = mode };

	/* a number that is free here may become another file's */
	if (fcntl(STDERR_FILENO, F_GETFD) < 0)
		attachment.call.stays = false;
	journal_find(call);
	attachment.hooks = call->bundle && bundle_mentions(call, "startContainer");
	if (mode != MODE_SUSPEND && !task_has_capability(CAPABILITY_PTRACE))
		load_share();
	return birth_of_tracer(&(struct birth){ .seize = seize, .work = work, .data = &attachment });
}
