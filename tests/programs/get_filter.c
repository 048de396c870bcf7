/* get_filter PID: the filters of a process, oldest first, one line of hex each
 * (PTRACE_SECCOMP_GET_FILTER, ptrace(2); needs CAP_SYS_ADMIN). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned char code[4096 * 8];

int main(int argc, char **argv)
{
	int pid = argc == 2 ? atoi(argv[1]) : 0, status;

	if (syscall(SYS_ptrace, 0x4206L, (long)pid, 0L, 0L))	/* SEIZE */
		return perror("PTRACE_SEIZE"), 1;
	if (syscall(SYS_ptrace, 0x4207L, (long)pid, 0L, 0L))	/* INTERRUPT */
		return perror("PTRACE_INTERRUPT"), 1;
	waitpid(pid, &status, __WALL);
	for (long n = 0;; n++) {
		long length = syscall(SYS_ptrace, 0x420cL, (long)pid, n, code);

		if (length < 0)
			return errno == ENOENT ? 0 : (perror("PTRACE_SECCOMP_GET_FILTER"), 1);
		for (long i = 0; i < length * 8; i++)
			printf("%02x", code[i]);
		printf("\n");
	}
}
