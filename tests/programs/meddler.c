/* Waits for the next process of its pid namespace to exec a program, and writes into its memory
 * from then on, as any process may that might trace it:
 *   meddler code   over the first instruction: a call that succeeds and is not seccomp(2)
 *   meddler data   over words like a filter's denial, wherever it is mapped: its permission
 *   meddler stack  the same on the stack alone, which is quicker
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int open_of(long pid, const char *file, int flags)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%ld/%s", pid, file);
	return open(path, flags);
}

/* AT_ENTRY (9) of the auxiliary vector. */
static unsigned long entry_of(long pid)
{
	unsigned long words[64] = { 0 };
	int fd = open_of(pid, "auxv", O_RDONLY);

	if (read(fd, words, sizeof words) < 0)
		return 0;
	close(fd);
	for (int i = 0; i < 62; i += 2)
		if (words[i] == 9)
			return words[i + 1];
	return 0;
}

static void write_code(int memory, unsigned long entry)
{
#if defined(__x86_64__)
	static const unsigned char yield[] = { 0x6a, 24, 0x58, 0x0f, 0x05 };	/* push 24; pop rax; syscall */
#else
	static const unsigned yield[] = { 0xd2800f88, 0xd4000001 };	/* mov x8, 124; svc 0 */
#endif
	for (int i = 0; i < 2000; i++)
		if (pwrite(memory, yield, sizeof yield, (off_t)entry) < 0)
			return;
}

/* RET_ERRNO becomes RET_ALLOW, in the last pages of this piece of memory. */
static void write_piece(int memory, unsigned long from, unsigned long to)
{
	static const unsigned char errno_7[] = { 6, 0, 0, 0, 7, 0, 5, 0 };
	static const unsigned char allow[] = { 6, 0, 0, 0, 0, 0, 0xff, 0x7f };
	static unsigned char bytes[8192];
	ssize_t n;

	from = to - from < sizeof bytes ? from : to - sizeof bytes;
	n = pread(memory, bytes, to - from, (off_t)from);
	for (ssize_t k = 0; k + 8 <= n; k += 8)
		if (!memcmp(bytes + k, errno_7, 8) &&
		    pwrite(memory, allow, 8, (off_t)from + k) < 0)
			return;
}

static void write_data(long pid, int memory, bool everywhere)
{
	static char maps[1 << 14];

	for (int i = 0; i < 100; i++) {
		int fd = open_of(pid, "maps", O_RDONLY);
		ssize_t n = read(fd, maps, sizeof maps - 1);

		close(fd);
		maps[n > 0 ? n : 0] = '\0';
		for (char *line = maps; line; line = strchr(line, '\n')) {
			unsigned long from, to;
			int path = 0;

			line += *line == '\n';
			if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %n", &from, &to, &path) != 2)
				continue;
			if (everywhere)
				write_piece(memory, from, to);
			else if (path && !strncmp(line + path, "[stack]", 7))
				for (int k = 0; k < 50; k++)
					write_piece(memory, from, to);
		}
	}
}

int main(int argc, char *argv[])
{
	long own = getpid();

	if (argc != 2)
		return 2;
	printf("ready\n");
	fflush(stdout);
	for (;;)
		for (long pid = own + 1; pid < own + 90; pid++) {
			int memory = open_of(pid, "mem", O_RDWR);

			if (memory < 0)
				continue;
			if (!strcmp(argv[1], "code"))
				write_code(memory, entry_of(pid));
			else
				write_data(pid, memory, !strcmp(argv[1], "data"));
			close(memory);
		}
}
