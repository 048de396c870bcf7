/* As a debugger does: attach to a process by ptrace(2), and say why that fails. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>

int main(int argc, char **argv)
{
	int pid = argc > 1 ? atoi(argv[1]) : 1;

	if (ptrace(PTRACE_SEIZE, pid, 0, 0) == 0)
		return 0;
	fprintf(stderr, "attach: attaching to process %d: %s\n", pid, strerror(errno));
	return 1;
}
