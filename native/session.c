/* Exec sessions of a container that was tightened: they get its running profile, too.
 *
 * Its supervisor leaves the filter in a file that only root writes, named as the container.  The tracer
 * looks for it at the session's exec stop, when the process is in the container's control group: either
 * the file is there, or the supervisor has still to bind the processes of that group, and this one with
 * them.  An engine gives the container's name as the last word; called by hand, any word of the command
 * may be it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "latch.h"
#include "session.h"

#define FOLDER "/run/seclatch/sessions"

/* src/seclatch/tighten/automatic/session_filter.py writes it; the filter follows. */
struct header {
	char magic[8];
	uint64_t flags, pid, start; /* of the container's first process, as in /proc/PID/stat */
};
static const char magic[] = "SESSION1";

static bool is_of_root(int fd, mode_t kind)
{
	struct stat status;

	return !fstat(fd, &status) && (status.st_mode & S_IFMT) == kind && status.st_uid == 0 &&
	       !(status.st_mode & (S_IWGRP | S_IWOTH));
}

/* Clock ticks since boot; 0 if there is no such process. */
static uint64_t read_start(uint64_t pid)
{
	enum { BEFORE_START = 20 };
	char path[40], text[1024], *word;
	ssize_t count;
	int fd;

	snprintf(path, sizeof path, "/proc/%llu/stat", (unsigned long long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	count = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
	if (fd >= 0)
		close(fd);
	text[count > 0 ? count : 0] = '\0';
	word = strrchr(text, ')'); /* the name may hold anything */
	for (int i = 0; word && i < BEFORE_START; i++)
		word = strchr(word + 1, ' ');
	return word ? strtoull(word, NULL, 10) : 0;
}

/* A file of an earlier start of the container, which a new one has not replaced yet, is none. */
static bool read_filter(int fd, struct filter *filter)
{
	struct header header;
	ssize_t count;

	if (read(fd, &header, sizeof header) != sizeof header ||
	    memcmp(header.magic, magic, sizeof header.magic) || !header.start ||
	    read_start(header.pid) != header.start)
		return false;
	count = read(fd, filter->code, sizeof filter->code);
	filter->flags = header.flags;
	filter->by_prctl = false;
	filter->length = count > 0 && !(count % 8) ? (unsigned)(count / 8) : 0;
	return true;
}

bool session_find(const struct call *call, struct filter *filter)
{
	bool found = false;
	int folder;

	if (!call->session)
		return false;
	folder = open(FOLDER, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	for (char *const *word = call->session; folder >= 0 && !found && *word; word++) {
		int fd = strchr(*word, '/') ?
				 -1 :
				 openat(folder, *word,
					O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

		found = fd >= 0 && is_of_root(folder, S_IFDIR) && is_of_root(fd, S_IFREG) &&
			read_filter(fd, filter);
		if (fd >= 0)
			close(fd);
	}
	if (folder >= 0)
		close(folder);
	return found;
}
