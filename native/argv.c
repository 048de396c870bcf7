/* Finds the subcommand behind the runtime's global options.
 *
 * runc (urfave/cli) accepts -name and --name, crun (argp) and youki (clap) --name; a value follows as the
 * next word or behind '='.  An option that is unknown here may or may not have a value: then every later
 * word counts as a possible subcommand.  Tracing a call that starts nothing is harmless; missing one that
 * does would leave the runtime under the profile.
 */
#include <string.h>

#include "latch.h"

/* Characters of a container's name (runc: validateID; crun accepts any that a file name may have). */
#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+.-"

static bool is_one_of(const char *word, size_t length, const char *const list[])
{
	for (; *list; list++)
		if (strlen(*list) == length && !memcmp(word, *list, length))
			return true;
	return false;
}

/* `restore` is not among them: CRIU gives each task its filter back after its last own system call, no
 * program is exec'd, and a second tracer would keep CRIU from attaching. */
static bool starts_process(const char *word)
{
	static const char *const commands[] = { "create", "run", "exec", NULL };

	return is_one_of(word, strlen(word), commands);
}

/* crun accepts file:PATH, syslog:NAME and journald:NAME beside a path. */
static const char *log_file(const char *value)
{
	if (!strncmp(value, "syslog:", 7) || !strncmp(value, "journald:", 9))
		return NULL;
	return value + (strncmp(value, "file:", 5) ? 0 : 5);
}

static void keep_global(struct call *call, const char *name, size_t length, const char *value)
{
	static const char *const log[] = { "log", "l", NULL };
	static const char *const format[] = { "log-format", NULL };

	if (is_one_of(name, length, log))
		call->log = log_file(value);
	else if (is_one_of(name, length, format))
		call->log_json = !strcmp(value, "json");
}

/* -b DIR, -bDIR, -dbDIR, -b=DIR, -bundle DIR, --bundle DIR, --bundle=DIR, --bun DIR: forms that one or the
 * other parser accepts; crun's -d has no value. */
static const char *value_of(char *const word[], char letter, const char *name)
{
	bool one_dash = word[0][1] != '-';
	const char *rest = word[0] + 2 - one_dash;
	size_t length = strcspn(rest, "=");

	if (length && !strncmp(rest, name, length)) {
		rest += length;
	} else {
		rest += one_dash ? strspn(rest, "d") : 0;
		if (!one_dash || *rest++ != letter)
			return NULL;
	}
	if (!*rest)
		return word[1];
	return rest + (*rest == '=');
}

/* Engines pass the program of `exec` in a file, and not as words behind the container's name; the
 * program's own words must not be taken for the runtime's options. */
static bool has_program_in_file(char *const words[])
{
	static const char *const file[] = { "process", "p", NULL };
	static const char *const with_value[] = { "additional-gids",
						  "apparmor",
						  "c",
						  "cap",
						  "cgroup",
						  "console-socket",
						  "cwd",
						  "e",
						  "env",
						  "g",
						  "pid-file",
						  "preserve-fds",
						  "process-label",
						  "u",
						  "user",
						  NULL };

	for (; *words && words[0][0] == '-'; words++) {
		const char *name = *words + 1 + (words[0][1] == '-');
		size_t length = strcspn(name, "=");

		if (is_one_of(name, length, file))
			return true;
		if (!name[length] && words[1] && is_one_of(name, length, with_value))
			words++;
	}
	return false;
}

/* The last word of all, if the runtime accepts no more words than the name. */
static void find_name(struct call *call, const char *command, char *const words[])
{
	bool alone = strcmp(command, "exec") || has_program_in_file(words);
	const char *last = NULL;

	for (; *words; words++)
		last = *words;
	if (alone && last && *last != '-' && strlen(last) < NAME_MAX &&
	    strspn(last, NAME_LETTERS) == strlen(last))
		call->container = last;
}

static void read_start(struct call *call, char *const words[])
{
	call->bundle = ".";
	call->config = "config.json";
	for (; *words && strcmp(*words, "--"); words++) {
		const char *value;

		if (words[0][0] != '-')
			continue;
		value = value_of(words, 'b', "bundle");
		call->bundle = value ? value : call->bundle;
		value = value_of(words, 'f', "config");
		call->config = value ? value : call->config;
	}
}

static size_t read_globals(struct call *call, char *const argv[], bool *sure)
{
	static const char *const with_value[] = { "root", "log",      "log-format",	"log-level",
						  "criu", "rootless", "cgroup-manager", "r",
						  "l",	  NULL };
	static const char *const alone[] = {
		"debug", "systemd-cgroup", "help", "h", "version", "v", "s", "V", NULL
	};
	size_t i = 1;

	for (; argv[i] && argv[i][0] == '-'; i++) {
		const char *name = argv[i] + 1 + (argv[i][1] == '-');
		size_t length = strcspn(name, "=");

		if (!*name) /* "--": the command follows; "-": a word */
			return i + (argv[i][1] == '-');
		if (!is_one_of(name, length, with_value))
			*sure = *sure && is_one_of(name, length, alone);
		else if (name[length] == '=')
			keep_global(call, name, length, name + length + 1);
		else if (argv[i + 1])
			keep_global(call, name, length, argv[++i]);
	}
	return i;
}

void call_read(struct call *call, char *const argv[])
{
	bool sure = true;
	size_t i;

	*call = (struct call){ 0 };
	if (!argv[0])
		return;
	i = read_globals(call, argv, &sure);
	while (argv[i] && !sure && !starts_process(argv[i]))
		i++;
	if (!argv[i] || !starts_process(argv[i]))
		return;
	call->starts_process = true;
	call->stays = sure && strcmp(argv[i], "create");
	find_name(call, argv[i], argv + i + 1);
	if (strcmp(argv[i], "exec"))
		read_start(call, argv + i + 1);
	else
		call->session = argv + i + 1;
}
