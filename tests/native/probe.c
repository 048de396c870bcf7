/* Calls the latch's functions by themselves:  probe argv WORD...  |  probe refusal ERRNO
 * probe fuzz SEED COUNT: random argument lists; the sanitizers and the assertions judge. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "latch.h"

static const char *const vocabulary[] = {
	"create", "run", "exec", "state", "restore", "--", "-", "", "--log", "--log=/x", "--log-format",
	"--log-format=json", "json", "--root", "-root", "--debug", "--systemd-cgroup", "-l", "-r", "=",
	"--=", "-=x", "--unknown", "--unknown=create", "---", "--log-format=", "createx", "id",
};
enum { WORDS = sizeof vocabulary / sizeof *vocabulary, MOST = 12, LENGTH = 24 };

static uint64_t state;

static unsigned next(unsigned below)	/* xorshift64 */
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state % below);
}

/* Each word is an allocation of its own size, so that reading past one is seen. */
static char *make_word(void)
{
	char noise[LENGTH + 1] = { 0 };

	if (next(4))
		return strdup(vocabulary[next(WORDS)]);
	for (unsigned i = 0, length = next(LENGTH); i < length; i++)
		noise[i] = (char)(1 + next(255));
	return strdup(noise);
}

static void fuzz_once(void)
{
	unsigned count = next(MOST);
	char **argv = calloc(count + 1, sizeof *argv);
	bool named = false, pointed = false;
	struct call call;

	for (unsigned i = 0; i < count; i++) {
		argv[i] = make_word();
		named |= i > 0 && (!strcmp(argv[i], "create") || !strcmp(argv[i], "run") ||
				   !strcmp(argv[i], "exec"));
	}
	call_read(&call, argv);
	assert(named || !call.starts_process);
	for (unsigned i = 0; i < count; i++)
		pointed |= call.log >= argv[i] && call.log <= argv[i] + strlen(argv[i]);
	assert(!call.log || pointed);
	for (unsigned i = 0; i < count; i++)
		free(argv[i]);
	free(argv);
}

int main(int argc, char **argv)
{
	struct refusal refusal;
	struct call call;

	if (argc > 1 && !strcmp(argv[1], "argv")) {
		call_read(&call, argv + 1);
		printf("%d %d %s\n", call.starts_process, call.log_json, call.log ? call.log : "");
	} else if (argc == 3 && !strcmp(argv[1], "refusal")) {
		refusal = refusal_for(atoi(argv[2]));
		printf("%s\n%s\n", refusal.reason, refusal.remedy);
	} else if (argc == 4 && !strcmp(argv[1], "fuzz")) {
		state = strtoull(argv[2], NULL, 10) | 1;
		for (long i = 0; i < atol(argv[3]); i++)
			fuzz_once();
	} else {
		return 2;
	}
	return 0;
}
