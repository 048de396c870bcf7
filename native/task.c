/* Facts about one task, from /proc.  For a task that has exited they return false. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
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

/* "Uid:	real	effective	saved	of file access" */
static long effective_of(const char *ids)
{
	char *rest;

	strtol(ids, &rest, 10);
	return strtol(rest, NULL, 10);
}

static void keep_line(struct task *task, const char *line)
{
	if (!strncmp(line, "Tgid:", 5))
		task->process = atoi(line + 5);
	else if (!strncmp(line, "PPid:", 5))
		task->parent = atoi(line + 5);
	else if (!strncmp(line, "TracerPid:", 10))
		task->tracer = atoi(line + 10);
	else if (!strncmp(line, "Uid:", 4))
		task->user = effective_of(line + 4);
	else if (!strncmp(line, "Gid:", 4))
		task->group = effective_of(line + 4);
	else if (!strncmp(line, "CapEff:", 7))
		task->capabilities = strtoull(line + 7, NULL, 16);
	else if (!strncmp(line, "CapInh:", 7) || !strncmp(line, "CapPrm:", 7) ||
		 !strncmp(line, "CapBnd:", 7))
		task->reachable |= strtoull(line + 7, NULL, 16);
	else if (!strncmp(line, "NoNewPrivs:", 11))
		task->no_new_privs = atoi(line + 11);
	else if (!strncmp(line, "Seccomp:", 8))
		task->seccomp = atoi(line + 8);
}

/* Read in blocks: the Groups line, which comes before Seccomp, has no useful bound. */
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
	struct {
		unsigned version;
		int pid;
	} header = { .version = 0x20080522 };
	struct {
		unsigned effective, permitted, inheritable;
	} sets[2];

	return !syscall(SYS_capget, &header, sets) && (sets[0].effective >> capability & 1);
}

bool task_is_thread_of(pid_t tid, pid_t process)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/task/%d", (int)process, (int)tid);
	return !access(path, F_OK);
}

/* getdents64(2): what readdir(3) does with memory of its own. */
struct entry {
	uint64_t inode;
	int64_t next;
	unsigned short size;
	unsigned char type;
	char name[];
};

int task_list_threads(pid_t process, pid_t *threads, int most)
{
	char entries[2048] __attribute__((aligned(8)));
	int fd = open_file(process, "task"), count = 0;
	long size = 0;

	while (fd >= 0 && (size = syscall(SYS_getdents64, (long)fd, entries, sizeof entries)) > 0)
		for (long at = 0; at < size;) {
			const struct entry *entry = (const void *)(entries + at);
			pid_t tid = atoi(entry->name);

			if (tid > 0 && count < most)
				threads[count] = tid;
			count += tid > 0;
			at += entry->size;
		}
	if (fd >= 0)
		close(fd);
	return fd < 0 || size < 0 || count > most ? -1 : count;
}

enum known { UNKNOWN, SHARED, OTHER };

static enum known compare_namespace(pid_t pid, const char *name)
{
	char path[64];
	struct stat own, its;

	snprintf(path, sizeof path, "/proc/self/ns/%s", name);
	if (stat(path, &own))
		return UNKNOWN;
	snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)pid, name);
	if (stat(path, &its))
		return UNKNOWN;
	return own.st_ino == its.st_ino && own.st_dev == its.st_dev ? SHARED : OTHER;
}

/* The map of a user namespace is readable where the namespace itself is not, and differs between most
 * namespaces; two that map alike cannot be told apart. */
static enum known compare_user_map(pid_t pid)
{
	char own[4096], its[sizeof own];
	int self = open_file(getpid(), "uid_map"), other = open_file(pid, "uid_map");
	ssize_t here = self < 0 ? -1 : read(self, own, sizeof own);
	ssize_t there = other < 0 ? -1 : read(other, its, sizeof its);

	if (self >= 0)
		close(self);
	if (other >= 0)
		close(other);
	if (here <= 0 || there < 0)
		return UNKNOWN;
	return here == there && !memcmp(own, its, (size_t)here) ? SHARED : OTHER;
}

bool task_in_container(pid_t pid)
{
	return compare_namespace(pid, "mnt") == OTHER || compare_namespace(pid, "pid") == OTHER;
}

/* A process that is not dumpable hides its namespaces from a tracer without privileges, as crun's front
 * does, and so does its forked child until that execs.  The container of such a tracer has a user
 * namespace of its own. */
bool task_is_on_host(pid_t pid)
{
	enum known mounts = compare_namespace(pid, "mnt"), pids = compare_namespace(pid, "pid");

	if (mounts != UNKNOWN && pids != UNKNOWN)
		return mounts == SHARED && pids == SHARED;
	return mounts != OTHER && pids != OTHER && !task_has_capability(CAPABILITY_ADMIN) &&
	       compare_user_map(pid) == SHARED;
}

bool task_is_gone(pid_t pid)
{
	return kill(pid, 0) && errno == ESRCH;
}

bool task_shares_user_namespace(pid_t pid)
{
	return compare_user_map(pid) != OTHER && compare_namespace(pid, "user") != OTHER;
}

static ssize_t read_arguments(pid_t pid, char *buffer, size_t size)
{
	int fd = open_file(pid, "cmdline");
	ssize_t n = fd < 0 ? -1 : read(fd, buffer, size);

	if (fd >= 0)
		close(fd);
	return n;
}

/* A vfork ends for the parent a little before the child has become the exec'd program: exec_mmap()
 * (fs/exec.c) releases the parent first, then switches to the new memory, and the ELF loader sets
 * arg_start later still.  Until then the child shows the parent's arguments, or none.  It only needs to
 * be scheduled; the limit of a second is for a machine that swaps.  A dead child has no exe. */
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

/* Two words, the second "init". */
static bool are_init_arguments(const char *words, ssize_t count)
{
	const char *end = count > 0 ? memchr(words, '\0', (size_t)count) : NULL;

	return end && words + count - end - 1 == sizeof "init" && !memcmp(end + 1, "init", sizeof "init");
}

bool task_is_named_init(pid_t pid)
{
	static char words[PATH_MAX + sizeof "init"];

	return are_init_arguments(words, read_arguments(pid, words, sizeof words));
}

bool task_is_runtime_init(pid_t pid, pid_t front)
{
	static char own[PATH_MAX + sizeof "init"], its[sizeof own];
	ssize_t count = read_arguments(front, own, sizeof own);

	if (count <= 0 || !memchr(own, '\0', (size_t)count))
		return false;
	return are_init_arguments(its, await_arguments(pid, its, sizeof its, own, count)) &&
	       !strcmp(own, its);
}
