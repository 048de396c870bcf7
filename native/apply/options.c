/* The command line of seclatch-apply. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apply.h"

static const char help[] =
	"Usage: seclatch-apply [--allow-exec] [--flags N] FILTER [--] CMD [ARG]...\n"
	"\n"
	"Becomes CMD, which is under the compiled seccomp filter in the file FILTER from its first\n"
	"instruction, on top of what is there.  Sets no_new_privs.  The filter need not allow execve.\n"
	"\n"
	"  --fd N         read the filter from this descriptor; then there is no FILTER\n"
	"  --flags N      flags for seccomp(2): 2 log, 4 allow speculation\n"
	"  --allow-exec   load the filter before the exec, without ptrace; it must allow execve\n"
	"  --help         this text\n"
	"\n"
	"Exit status: CMD's; 125 nothing was started, 126 CMD is not executable, 127 no CMD.\n"
	"\n"
	"Examples:\n"
	"  seclatch profile compile --format bpf strict.json -o profile.bpf\n"
	"  seclatch-apply profile.bpf ls -l\n"
	"  ENTRYPOINT [\"/seclatch-apply\", \"/profile.bpf\"]         (in a Dockerfile)\n";

enum { BAD_USAGE = 125, NEW_LISTENER = 8 /* SECCOMP_FILTER_FLAG_NEW_LISTENER */ };

/* Number of bytes of one printable character of UTF-8; 0 for none, or for one that a terminal interprets:
 * C0, DEL, and C1 (c2 80 to c2 9f, and the single bytes of old terminals). */
static size_t character_at(const unsigned char *at)
{
	size_t length = *at < 0x80 ? 1 :
			*at < 0xc2 ? 0 :
			*at < 0xe0 ? 2 :
			*at < 0xf0 ? 3 :
			*at < 0xf5 ? 4 :
				     0;

	if (*at < ' ' || *at == 0x7f || (*at == 0xc2 && at[1] < 0xa0))
		return 0;
	/* an overlong form, a surrogate, or beyond Unicode (RFC 3629) */
	if ((*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] >= 0xa0) ||
	    (*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] >= 0x90))
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	return length;
}

/* Names may be untrusted, and contain control sequences of terminals. */
const char *printable(const char *word)
{
	static char text[PATH_MAX];
	size_t to = 0;

	while (*word && to < sizeof text - 4) {
		size_t length = character_at((const unsigned char *)word);

		if (!length)
			text[to++] = '?';
		for (size_t i = 0; i < length; i++)
			text[to++] = word[i];
		word += length ? length : 1;
	}
	text[to] = '\0';
	return text;
}

static bool refuse_usage(struct options *options, const char *problem, const char *word)
{
	dprintf(STDERR_FILENO, "seclatch-apply: %s%s\n  what to do: seclatch-apply --help\n", problem,
		printable(word));
	options->status = BAD_USAGE;
	return false;
}

/* A number that is nothing but digits, below 2^31. */
static bool read_number(const char *word, unsigned long *number)
{
	char *end;

	if (!word || *word < '0' || *word > '9')
		return false;
	*number = strtoul(word, &end, 10);
	return !*end && *number < 1UL << 31;
}

static bool read_option(struct options *options, char ***words)
{
	const char *name = **words;
	unsigned long number;

	if (!strcmp(name, "--allow-exec"))
		return options->allow_exec = true;
	if (strcmp(name, "--fd") && strcmp(name, "--flags"))
		return refuse_usage(options, "unknown option ", name);
	if (!read_number((*words)[1], &number))
		return refuse_usage(options, "a number must follow ", name);
	++*words;
	if (strcmp(name, "--fd") && number & NEW_LISTENER)
		return refuse_usage(
			options, "there would be nobody to listen: leave 8 (new listener) out of ", name);
	if (!strcmp(name, "--fd"))
		options->fd = (int)number;
	else
		options->flags = number;
	return true;
}

bool options_read(struct options *options, char *argv[])
{
	char **words = argv + (argv[0] != NULL);

	*options = (struct options){ .fd = -1 };
	for (; *words && words[0][0] == '-' && strcmp(*words, "--"); words++) {
		if (!strcmp(*words, "--help") || !strcmp(*words, "-h"))
			return dprintf(STDOUT_FILENO, "%s", help) < 0;
		if (!read_option(options, &words))
			return false;
	}
	if (options->fd < 0) {
		if (*words && !strcmp(*words, "--"))
			words++;
		options->filter = *words;
		words += *words != NULL;
		if (!options->filter)
			return refuse_usage(options, "no FILTER given", "");
	}
	if (*words && !strcmp(*words, "--"))
		words++;
	options->command = words;
	return *words || refuse_usage(options, "no CMD given", "");
}
