/* Which processes are meant: of a control group, of a pid namespace, or a tree.  See tighten.h. */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tighten.h"

enum { MAX_DEPTH = 64 }; /* of groups in groups */

static size_t read_procs(int folder, pid_t *pids, size_t most)
{
	int fd = openat(folder, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	FILE *file;
	size_t count = 0;

	if (fd < 0)
		return 0;
	file = fdopen(fd, "r");
	if (!file) {
		close(fd);
		return 0;
	}
	while (count < most && fscanf(file, "%d", pids + count) == 1)
		count += pids[count] > 0;
	fclose(file);
	return count;
}

static size_t list_group(int folder, pid_t *pids, size_t most, int depth)
{
	size_t count = read_procs(folder, pids, most);
	DIR *dir = depth < MAX_DEPTH ? fdopendir(folder) : NULL;
	const struct dirent *entry;

	if (!dir) {
		close(folder);
		return count;
	}
	while ((entry = readdir(dir))) {
		int below;

		if (entry->d_type != DT_DIR || *entry->d_name == '.')
			continue;
		below = openat(folder, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below >= 0)
			count += list_group(below, pids + count, most - count, depth + 1);
	}
	closedir(dir);
	return count;
}

static ino_t read_namespace(pid_t pid)
{
	struct stat found;
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/ns/pid", pid);
	return stat(path, &found) ? 0 : found.st_ino;
}

static size_t list_namespace(ino_t namespace, pid_t *pids, size_t most)
{
	DIR *dir = opendir("/proc");
	const struct dirent *entry;
	size_t count = 0;

	if (!dir)
		return 0;
	while (count < most && (entry = readdir(dir))) {
		pid_t pid = isdigit((unsigned char)*entry->d_name) ? (pid_t)atoi(entry->d_name) : 0;

		if (pid && namespace && read_namespace(pid) == namespace)
			pids[count++] = pid;
	}
	closedir(dir);
	return count;
}

static size_t add_children(pid_t pid, pid_t *pids, size_t count, size_t most)
{
	static char text[1 << 20];
	static pid_t tids[MAX_MEMBERS];
	size_t threads = list_threads(pid, tids, MAX_MEMBERS);

	for (size_t i = 0; i < threads; i++) {
		char *at = text, *end;
		long child;

		if (read_small_file(text, sizeof text, "/proc/%d/task/%d/children", pid, tids[i]) <= 0)
			continue;
		while (count < most && (child = strtol(at, &end, 10)) > 0) {
			pids[count++] = (pid_t)child;
			at = end;
		}
	}
	return count;
}

static bool is_meant(const struct members *members, const struct root *root)
{
	struct task_stat stat;

	return !members->alone ||
	       (read_task_stat(root->pid, root->pid, &stat) && stat.start == root->start);
}

/* The roots and, unless they are meant alone, their descendants: parents before children. */
static size_t list_trees(const struct members *members, pid_t *pids, size_t most)
{
	size_t count = 0;

	for (size_t i = 0; i < members->root_count && count < most; i++)
		if (is_meant(members, members->roots + i))
			pids[count++] = members->roots[i].pid;
	for (size_t i = 0; i < count && !members->alone; i++)
		count = add_children(pids[i], pids, count, most);
	return count;
}

size_t list_members(const struct members *members, pid_t *pids, size_t most)
{
	static ino_t namespace;
	int folder;

	if (members->cgroup) {
		folder = open(members->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		return folder < 0 ? 0 : list_group(folder, pids, most, 0);
	}
	if (!members->namespace_of)
		return list_trees(members, pids, most);
	if (!namespace)
	namespace = read_namespace(members->namespace_of);
	return list_namespace(namespace, pids, most);
}
