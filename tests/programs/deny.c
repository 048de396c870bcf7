/* deny NUMBER[:ARGUMENT] ACTION... -- PROGRAM [ARG...]: runs it under a filter of its own that answers
 * each of these calls (of this machine; with ARGUMENT only those whose first argument is that) with
 * the action, a value of seccomp_data's SECCOMP_RET_*, and allows all else. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	static struct sock_filter code[256];
	unsigned short n = 0;
	int i = 1;

	for (; i + 1 < argc && strcmp(argv[i], "--"); i += 2) {
		char *argument = strchr(argv[i], ':');
		unsigned number = (unsigned)strtoul(argv[i], NULL, 0);

		code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0,
							 argument ? 3 : 1);
		if (argument) {
			code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16);
			code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
				(unsigned)strtoul(argument + 1, NULL, 0), 0, 1);
		}
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
							 (unsigned)strtoul(argv[i + 1], NULL, 0));
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	if (i + 1 >= argc || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &(struct sock_fprog){ n, code }))
		return perror("seccomp"), 1;
	execv(argv[i + 1], argv + i + 1);
	return perror(argv[i + 1]), 1;
}
