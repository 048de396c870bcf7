/* Checks whether a container's program will be exec'd at all.
 *
 * crun can pass a container to a handler (wasm, krun) that runs the program inside of crun's own process:
 * there is no exec at which the filter could take effect, and the suspension would last as long as the
 * container.  An annotation selects the handler, and users who may set one need not be root.  The
 * annotation's name is searched for as text: engines write their configuration without escapes, and a
 * name that occurs elsewhere only makes the latch refuse the start.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "latch.h"

static const char *const handlers[] = { "run.oci.handler", "module.wasm.image", NULL };
enum { LONGEST = 32 };

static bool names_one(const char *text, size_t length, const char *const names[])
{
	for (const char *const *name = names; *name; name++)
		if (memmem(text, length, *name, strlen(*name)))
			return true;
	return false;
}

/* -1 with an errno.  A pipe is not opened: the runtime would miss data read here,
 * and later data would be missed here. */
int bundle_open(const struct call *call)
{
	struct stat file;
	int dir = open(call->bundle, O_PATH | O_DIRECTORY | O_CLOEXEC), fd, err;

	if (dir < 0)
		return -1;
	fd = openat(dir, call->config, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	err = errno;
	close(dir);
	if (fd >= 0 && !fstat(fd, &file) && S_ISREG(file.st_mode))
		return fd;
	if (fd >= 0)
		close(fd);
	errno = fd >= 0 ? EINVAL : err;
	return -1;
}

/* Whether one of the names (shorter than LONGEST) occurs anywhere in the configuration; less than 0 with
 * an errno when it cannot be read to its end. */
static int search(const struct call *call, const char *const names[])
{
	/* the end is kept in front of the next block: a name may span two blocks */
	static char piece[LONGEST + 16384];
	size_t kept = 0;
	ssize_t n = 0;
	int fd = bundle_open(call), err;
	bool found = false;

	if (fd < 0)
		return -1;
	while (!found && (n = read(fd, piece + kept, sizeof piece - kept)) > 0) {
		size_t length = kept + (size_t)n;

		found = names_one(piece, length, names);
		kept = length < LONGEST ? length : LONGEST;
		memmove(piece, piece + length - kept, kept);
	}
	err = errno;
	close(fd);
	errno = err;
	return n < 0 ? -1 : found;
}

/* Of a path that leads to no file for this process: it leads to none for the runtime either. */
static bool is_of_path(int err)
{
	return err == ENOENT || err == ENOTDIR || err == EACCES || err == ELOOP || err == ENAMETOOLONG;
}

enum bundle bundle_look(const struct call *call)
{
	int found = search(call, handlers);

	if (found < 0)
		return is_of_path(errno) ? BUNDLE_ABSENT : BUNDLE_UNREADABLE;
	return found ? BUNDLE_HANDLER : BUNDLE_PLAIN;
}

bool bundle_mentions(const struct call *call, const char *word)
{
	return search(call, (const char *const[]){ word, NULL }) > 0;
}
