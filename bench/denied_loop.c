/* Nanoseconds of CPU time a call, on stdout: denied_loop CASE COUNT.
 *
 * unfiltered: getppid without a filter. allowed: under a filter that allows it. denied: one that answers
 * EPERM. flagged: the same, loaded with SECCOMP_FILTER_FLAG_LOG. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int load(int denies, unsigned int flags)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, denies ? SYS_getppid : SYS_setsid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(*code), code };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

int main(int argc, char **argv)
{
	struct timespec a, b;
	long count = argc > 2 ? atol(argv[2]) : 1000000;

	if (argc < 2)
		return 2;
	if (strcmp(argv[1], "unfiltered") &&
	    load(strcmp(argv[1], "allowed") != 0,
		 strcmp(argv[1], "flagged") ? 0 : SECCOMP_FILTER_FLAG_LOG))
		return 3;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	for (long i = 0; i < count; i++)
		syscall(SYS_getppid);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	printf("%.3f\n", ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) /
				 (double)count);
	return 0;
}
