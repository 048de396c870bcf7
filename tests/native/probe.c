/* Calls the latch's functions by themselves:  probe argv WORD...  |  probe refusal ERRNO
 * probe gate
 * probe fuzz SEED COUNT: random argument lists; the sanitizers and the assertions judge. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gate.h"
#include "latch.h"

/* A filter on stdin becomes its gate on stdout, behind the mark (4 bytes). */
static int make_gate(void)
{
	static struct filter exact, gate;
	size_t count = fread(exact.code, 1, sizeof exact.code, stdin);
	unsigned mark;
	int err;

	exact.length = (unsigned)(count / 8);
	err = gate_make(&exact, &gate, &mark);
	if (err)
		return err;
	fwrite(&mark, sizeof mark, 1, stdout);
	fwrite(gate.code, 8, gate.length, stdout);
	return 0;
}

static const char *const vocabulary[] = {
	"create", "run", "exec", "state", "restore", "--", "-", "", "--log", "--log=/x", "--log-format",
	"--log-format=json", "json", "--root", "-root", "--debug", "--systemd-cgroup", "-l", "-r", "=",
	"--bundle", "--bundle=", "-b", "-bx", "-", "--config", "-f", "-f=", "--=", "-=x", "--unknown", "--unknown=create", "---", "--log-format=", "createx", "id",
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

/* Each word is an allocation of its own size, so that reading past one is detected. */
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
		printf("%d %d %s\n%s\n%s\n%s\n", call.starts_process, call.log_json,
		       call.log ? call.log : "", call.bundle ? call.bundle : "",
		       call.config ? call.config : "", call.container ? call.container : "");
	} else if (argc >= 3 && !strcmp(argv[1], "refusal")) {
		refusal = refusal_for(atoi(argv[2]), argc == 4 ? (enum mode)atoi(argv[3]) : MODE_SUSPEND);
		printf("%s\n%s\n", refusal.reason, refusal.remedy);
	} else if (argc == 2 && !strcmp(argv[1], "gate")) {
		return make_gate();
	} else if (argc == 4 && !strcmp(argv[1], "fuzz")) {
		state = strtoull(argv[2], NULL, 10) | 1;
		for (long i = 0; i < atol(argv[3]); i++)
			fuzz_once();
	} else {
		return 2;
	}
	return 0;
}
