/* Facts about one task, from /proc.  A task that is gone answers false. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "latch.h"

static int open_file(pid_t pid, const char *file)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void keep_line(struct task *task, const char *line)
{
	if (!strncmp(line, "PPid:", 5))
		task->parent = atoi(line + 5);
	else if (!strncmp(line, "TracerPid:", 10))
		task->tracer = atoi(line + 10);
	else if (!strncmp(line, "Seccomp:", 8))
		task->seccomp = atoi(line + 8);
}

/* Read by pieces: the Groups line, which comes before Seccomp, has no useful bound. */
bool task_read(struct task *task, pid_t pid)
{
	char piece[2048], line[32];
	size_t length = 0;
	ssize_t n;
	int fd = open_file(pid, "status");

	*task = (struct task){ .seccomp = -1 };
	if (fd < 0)
		return false;
	while ((n = read(fd, piece, sizeof piece)) > 0)
		for (ssize_t i = 0; i < n; i++) {
			if (piece[i] != '\n') {
				if (length < sizeof line - 1)
					line[length++] = piece[i];
				continue;
			}
			line[length] = '\0';
			keep_line(task, line);
			length = 0;
		}
	close(fd);
	return task->seccomp >= 0;
}

bool task_has_capability(int capability)
{
	struct { unsigned version; int pid; } header = { .version = 0x20080522 };
	struct { unsigned effective, permitted, inheritable; } sets[2];

	return !syscall(SYS_capget, &header, sets) && (sets[0].effective >> capability & 1);
}

bool task_is_thread_of(pid_t tid, pid_t process)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/task/%d", (int)process, (int)tid);
	return !access(path, F_OK);
}

static bool shares_namespace(pid_t pid, const char *name)
{
	char path[64];
	struct stat own, its;

	snprintf(path, sizeof path, "/proc/self/ns/%s", name);
	if (stat(path, &own))
		return true;
	snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)pid, name);
	return stat(path, &its) || (own.st_ino == its.st_ino && own.st_dev == its.st_dev);
}

bool task_in_container(pid_t pid)
{
	return !shares_namespace(pid, "mnt") || !shares_namespace(pid, "pid");
}

static ssize_t read_arguments(pid_t pid, char *buffer, size_t size)
{
	int fd = open_file(pid, "cmdline");
	ssize_t n = fd < 0 ? -1 : read(fd, buffer, size);

	if (fd >= 0)
		close(fd);
	return n;
}

/* A vfork ends for the parent a little before the child is what it has exec'd: exec_mmap()
 * (fs/exec.c) lets the parent go first, then changes to the new memory, and the ELF loader sets
 * arg_start later still.  Until then the child shows the parent's arguments, or none.  It needs no
 * more than to be scheduled; a second is for a machine that swaps.  A dead child has no exe. */
static ssize_t await_arguments(pid_t pid, char *buffer, size_t size, const char *old, ssize_t count)
{
	char exe[64];
	ssize_t n = 0;

	snprintf(exe, sizeof exe, "/proc/%d/exe", (int)pid);
	for (int tries = 0; tries < 20000; tries++) {
		struct timespec pause = { .tv_nsec = 50000 };
		char byte;

		n = read_arguments(pid, buffer, size);
		if (n < 0 || readlink(exe, &byte, 1) < 0)
			return -1;
		if (n > 0 && (n != count || memcmp(buffer, old, (size_t)n)))
			break;
		nanosleep(&pause, NULL);
	}
	return n;
}

bool task_is_runtime_init(pid_t pid, pid_t front)
{
	static char own[PATH_MAX + sizeof "init"], its[sizeof own];
	ssize_t count = read_arguments(front, own, sizeof own), n;
	size_t name;

	if (count <= 0 || !memchr(own, '\0', (size_t)count))
		return false;
	name = strlen(own) + 1;
	n = await_arguments(pid, its, sizeof its, own, count);
	return n == (ssize_t)(name + sizeof "init") && !memcmp(own, its, name) &&
	       !memcmp(its + name, "init", sizeof "init");
}
