/* Issues no call until the byte in the file is set; its next call then is mkdir. */
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>

int main(int argc, char **argv)
{
	int fd = argc > 1 ? open(argv[1], O_RDONLY) : -1;
	volatile char *go = mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0);

	if (go == MAP_FAILED)
		return 2;
	while (!*go)
		;
	return mkdir("/proc/x", 0700) == 0;
}
