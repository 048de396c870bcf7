/* Exits with the errno of a system call: fchmodat2 (Linux 6.6), or the number given. */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	return syscall(argc > 1 ? atoi(argv[1]) : 452, -1, "", 0, 0) ? errno : 0;
}
