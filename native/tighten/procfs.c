/* What /proc says about threads (proc(5)).  See tighten.h. */
#include <ctype.h>
#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tighten.h"

ssize_t read_small_file(char *to, size_t size, const char *format, ...)
{
	char path[PATH_MAX];
	size_t count = 0;
	ssize_t got = -1;
	va_list args;
	int fd;

	*to = '\0';
	va_start(args, format);
	vsnprintf(path, sizeof path, format, args);
	va_end(args);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return -1;
	while (count < size - 1 && (got = read(fd, to + count, size - 1 - count)) > 0)
		count += (size_t)got;
	close(fd);
	to[count] = '\0';
	return got < 0 ? -1 : (ssize_t)count;
}

bool read_task_stat(pid_t pid, pid_t tid, struct task_stat *stat)
{
	char text[2048];
	const char *at;

	/* a name may have brackets and spaces, but nothing behind it has */
	if (read_small_file(text, sizeof text, "/proc/%d/task/%d/stat", pid, tid) <= 0 ||
	    !(at = strrchr(text, ')')))
		return false;
	return sscanf(at + 1,
		      " %c %d %*d %*d %*d %*d %lu %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
		      &stat->state, &stat->parent, &stat->flags, &stat->start) == 4;
}

bool read_task_call(pid_t pid, pid_t tid, struct task_call *call)
{
	unsigned long *args = call->args;
	char text[512];
	int found;

	if (read_small_file(text, sizeof text, "/proc/%d/task/%d/syscall", pid, tid) <= 0)
		return false;
	call->number = -2;
	found = sscanf(text, "%ld %lx %lx %lx %lx %lx %lx %lx %lx", &call->number, args, args + 1,
		       args + 2, args + 3, args + 4, args + 5, &call->sp, &call->pc);
	if (found != 9 && call->number >= 0)
		call->number = -2;
	return true;
}

unsigned long long read_task_status(pid_t pid, pid_t tid, const char *name, int base)
{
	static char text[1 << 20]; /* 65536 groups */
	char *line = text;

	if (read_small_file(text, sizeof text, "/proc/%d/task/%d/status", pid, tid) <= 0)
		return 0;
	for (; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, name, strlen(name)))
			return strtoull(line + strlen(name), NULL, base);
	}
	return 0;
}

bool is_32bit(pid_t pid)
{
	char head[EI_NIDENT + 1];

	return read_small_file(head, sizeof head, "/proc/%d/exe", pid) > EI_CLASS &&
	       head[EI_CLASS] == ELFCLASS32;
}

bool is_frozen(pid_t pid, pid_t tid)
{
	char channel[64];

	/* kernel/freezer.c; do_freezer_trap() in kernel/signal.c */
	return read_small_file(channel, sizeof channel, "/proc/%d/task/%d/wchan", pid, tid) > 0 &&
	       (!strcmp(channel, "__refrigerator") || !strcmp(channel, "do_freezer_trap") ||
		!strcmp(channel, "get_signal"));
}

bool is_gone(pid_t pid)
{
	struct task_stat stat;

	return !read_task_stat(pid, pid, &stat) || stat.state == 'X' ||
	       (stat.state == 'Z' && read_task_status(pid, pid, "Threads:", 10) <= 1);
}

size_t list_threads(pid_t pid, pid_t *tids, size_t most)
{
	const struct dirent *entry;
	char path[64];
	size_t count = 0;
	DIR *dir;

	snprintf(path, sizeof path, "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return 0;
	while (count < most && (entry = readdir(dir)))
		if (isdigit((unsigned char)*entry->d_name))
			tids[count++] = (pid_t)atoi(entry->d_name);
	closedir(dir);
	return count;
}

unsigned long find_in_vdso(pid_t pid, pid_t tid, const unsigned char *bytes, size_t count)
{
	static unsigned char code[1 << 16];
	unsigned long from, to, found = 0;
	char line[512];
	FILE *maps;

	/* of the thread: a first thread that has ended has no memory (proc(5)) */
	snprintf(line, sizeof line, "/proc/%d/task/%d/maps", pid, tid);
	maps = fopen(line, "re");
	if (!maps)
		return 0;
	while (!found && fgets(line, sizeof line, maps)) {
		const unsigned char *at;

		/* a file's name cannot be in brackets without a slash before it */
		if (strcmp(line + strcspn(line, "[/\n"), "[vdso]\n") ||
		    sscanf(line, "%lx-%lx", &from, &to) != 2 || to - from > sizeof code ||
		    inject_read(tid, from, code, to - from))
			continue;
		at = memmem(code, to - from, bytes, count);
		found = at ? from + (unsigned long)(at - code) : 0;
	}
	fclose(maps);
	return found;
}
