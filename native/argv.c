/* Finds the subcommand behind the runtime's global options.
 *
 * runc (urfave/cli) takes -name and --name, crun (argp) and youki (clap) --name; a value follows
 * as the next word or behind '='.  An option that is not known here may or may not take a value:
 * then every later word counts as a possible subcommand.  Tracing a call that starts nothing is
 * harmless; missing one that does would leave the runtime under the profile.
 */
#include <string.h>

#include "latch.h"

static bool is_one_of(const char *word, size_t length, const char *const list[])
{
	for (; *list; list++)
		if (strlen(*list) == length && !memcmp(word, *list, length))
			return true;
	return false;
}

/* `restore` is not among them: CRIU gives each task its filter back after its last own system
 * call, no program is exec'd, and a second tracer would keep CRIU from attaching. */
static bool starts_process(const char *word)
{
	static const char *const commands[] = { "create", "run", "exec", NULL };

	return is_one_of(word, strlen(word), commands);
}

static void keep_log_option(struct call *call, const char *name, size_t length, const char *value)
{
	if (length == 3 && !memcmp(name, "log", 3))
		call->log = value;
	else if (length == 10 && !memcmp(name, "log-format", 10))
		call->log_json = !strcmp(value, "json");
	else if (length == 1 && *name == 'l')
		call->log = value;
}

void call_read(struct call *call, char *const argv[])
{
	static const char *const with_value[] = { "root", "log", "log-format", "log-level", "criu",
		"rootless", "cgroup-manager", "r", "l", NULL };
	static const char *const alone[] = { "debug", "systemd-cgroup", "help", "h", "version",
		"v", "s", "V", NULL };
	bool sure = true;
	size_t i = 1;

	*call = (struct call){ 0 };
	if (!argv[0])
		return;
	for (; argv[i] && argv[i][0] == '-'; i++) {
		const char *name = argv[i] + 1 + (argv[i][1] == '-');
		size_t length = strcspn(name, "=");

		if (!*name) {	/* "--": the command follows; "-": a word */
			i += argv[i][1] == '-';
			break;
		}
		if (!is_one_of(name, length, with_value)) {
			sure = sure && is_one_of(name, length, alone);
			continue;
		}
		if (name[length] == '=')
			keep_log_option(call, name, length, name + length + 1);
		else if (argv[i + 1])
			keep_log_option(call, name, length, argv[++i]);
	}
	if (!argv[i])
		return;
	call->starts_process = starts_process(argv[i]);
	for (; !sure && argv[i] && !call->starts_process; i++)
		call->starts_process = starts_process(argv[i]);
}
