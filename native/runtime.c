/* Selects the fronted program, and whether it is latched.
 *
 * Both are configured by symbolic links beside the front, made at install: `FRONT.runtime` points to the
 * real runtime, `FRONT.mode` to one of mode_find's words.  A link is read and replaced in one system call
 * each, and needs no parser.  Without a link the name decides: seclatch-runc fronts the first runc on
 * PATH.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "latch.h"

#define PREFIX "seclatch-"
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* The path passed to the kernel: argv[0] is chosen by the caller, and /proc/self/exe has its links
 * resolved. */
static const char *own_path(void)
{
	return (const char *)getauxval(AT_EXECFN);
}

bool beside_front(char *target, size_t size, const char *suffix)
{
	char link[PATH_MAX];
	ssize_t n;

	if ((size_t)snprintf(link, sizeof link, "%s%s", own_path(), suffix) >= sizeof link)
		return false;
	n = readlink(link, target, size - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	return true;
}

static bool is_other_program(const char *path)
{
	struct stat self, other;

	if (stat(path, &other) || !S_ISREG(other.st_mode) || access(path, X_OK))
		return false;
	return stat("/proc/self/exe", &self) || self.st_dev != other.st_dev ||
	       self.st_ino != other.st_ino;
}

/* Two fronts that lead to each other would exec each other for ever. */
static bool is_front(const char *path)
{
	char link[PATH_MAX], byte;

	return (size_t)snprintf(link, sizeof link, "%s.runtime", path) >= sizeof link ||
	       readlink(link, &byte, 1) > 0;
}

static const char *search_path(char path[PATH_MAX], const char *name)
{
	const char *dir = getenv("PATH");

	for (dir = dir && *dir ? dir : DEFAULT_PATH; *dir; dir += *dir == ':') {
		size_t length = strcspn(dir, ":");
		int n = snprintf(path, PATH_MAX, "%.*s/%s", (int)length, dir, name);

		/* With an empty or relative entry the caller's directory would decide. */
		if (*dir == '/' && n > 0 && n < PATH_MAX && is_other_program(path))
			return NULL;
		dir += length;
	}
	return "the real runtime is not on PATH";
}

const char *runtime_find(char path[PATH_MAX])
{
	const char *name = strrchr(own_path(), '/');

	if (beside_front(path, PATH_MAX, ".runtime")) {
		if (*path != '/')
			return "the .runtime link beside the front is not an absolute path";
		if (!is_other_program(path))
			return "the .runtime link beside the front leads to no other program";
		return is_front(path) ? "the .runtime link beside the front leads to a front" : NULL;
	}
	name = name ? name + 1 : own_path();
	if (strncmp(name, PREFIX, sizeof PREFIX - 1) || !name[sizeof PREFIX - 1])
		return "the front is not called seclatch-RUNTIME and has no .runtime link beside it";
	return search_path(path, name + sizeof PREFIX - 1);
}

const char *mode_find(enum mode *mode)
{
	static const char *const words[] = { [MODE_AUTO] = "auto",
					     [MODE_SUSPEND] = "suspend",
					     [MODE_GATE] = "gate",
					     [MODE_REFUSE] = "refuse",
					     [MODE_PLAIN] = "plain" };
	char link[16];
	const char *word = getenv("SECLATCH_MODE");

	if (!word || !*word)
		word = beside_front(link, sizeof link, ".mode") ? link : "auto";
	for (*mode = MODE_AUTO; *mode <= MODE_PLAIN; ++*mode)
		if (!strcmp(word, words[*mode]))
			return NULL;
	return "the mode (SECLATCH_MODE or the .mode link) is none of auto, suspend, gate, refuse, plain";
}
