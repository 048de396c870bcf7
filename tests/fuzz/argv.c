/* The latch's reading of a command line: words separated by NUL bytes.  What it finds must be inside of
 * the words, and a process is started only for a subcommand that does. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "latch.h"

enum { MOST = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_inside(const char *found, char *const words[], int count)
{
	for (int i = 0; i < count; i++)
		if (found >= words[i] && found <= words[i] + strlen(words[i]))
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *words[MOST + 1] = { NULL };
	int count = 0;
	bool named = false;
	struct call call;

	while (size && count < MOST) {	/* an allocation each, so that reading past one is seen */
		size_t length = strnlen((const char *)data, size);

		words[count] = strndup((const char *)data, length);
		if (!words[count])
			abort();
		named |= count > 0 && (!strcmp(words[count], "create") || !strcmp(words[count], "run") ||
				       !strcmp(words[count], "exec"));
		count++;
		data += length + (length < size);
		size -= length + (length < size);
	}
	if (!count)
		return 0;
	call_read(&call, words);
	if (call.starts_process && !named)
		abort();
	if (call.log && !is_inside(call.log, words, count))
		abort();
	if (call.container && (!is_inside(call.container, words, count) ||
			       strpbrk(call.container, "\"\\\n/ ")))
		abort();
	if (call.bundle && strcmp(call.bundle, ".") && !is_inside(call.bundle, words, count))
		abort();
	while (count)
		free(words[--count]);
	return 0;
}
