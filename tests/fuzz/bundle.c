/* The latch's search in a configuration: it must find what memmem(3) finds in the whole,
 * wherever the blocks that it reads end.  `long` inputs: the first two bytes are the length of
 * the padding in front. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "latch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool mentions(const char *text, size_t length, const char *name)
{
	return memmem(text, length, name, strlen(name)) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char text[1 << 17], name[32];
	size_t padding;
	bool handler;
	int fd;

	if (size < 2 || size > sizeof text / 2)
		return 0;
	padding = (size_t)(data[0] | data[1] << 8);
	memset(text, ' ', padding);
	memcpy(text + padding, data + 2, size - 2);
	size += padding - 2;
	fd = memfd_create("config", 0);
	if (fd < 0 || write(fd, text, size) != (ssize_t)size)
		abort();
	snprintf(name, sizeof name, "%d", fd);
	struct call call = { .bundle = "/proc/self/fd", .config = name };

	handler = mentions(text, size, "run.oci.handler") || mentions(text, size, "module.wasm.image");
	if (bundle_look(&call) != (handler ? BUNDLE_HANDLER : BUNDLE_PLAIN))
		abort();
	if (bundle_mentions(&call, "seclatch.record") != mentions(text, size, "seclatch.record"))
		abort();
	close(fd);
	return 0;
}
