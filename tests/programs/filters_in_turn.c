/* filters_in_turn N: loads N filters one after the other, which answer getppid, getpgid and getuid
 * (again from the beginning) with errno 1, 2, 3, …; after each it makes all three calls. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const unsigned int calls[] = { SYS_getppid, SYS_getpgid, SYS_getuid };

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 0;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	for (int i = 0; i < count; i++) {
		struct sock_filter code[] = {
			BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i % 3], 0, 1),
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (i + 1)),
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		};
		struct sock_fprog program = { sizeof code / sizeof *code, code };

		if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program))
			return 3;
		for (int each = 0; each < 3; each++)
			syscall(calls[each], 0);
	}
	return 0;
}
