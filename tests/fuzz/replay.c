/* Gives files to a fuzz target, one after the other, where there is no libFuzzer. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char *argv[])
{
	for (int i = 1; i < argc; i++) {
		FILE *file = fopen(argv[i], "rb");
		size_t size = 0, room = 1 << 16;
		uint8_t *data = malloc(room);

		if (!file || !data)
			return 2;
		size = fread(data, 1, room, file);
		fclose(file);
		data = realloc(data, size ? size : 1);	/* so reading past the end is detected */
		fprintf(stderr, "%s\n", argv[i]);
		LLVMFuzzerTestOneInput(data, size);
		free(data);
	}
	return 0;
}
