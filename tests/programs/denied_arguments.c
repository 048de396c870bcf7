/* Loads a filter that denies socket (EPERM) and fcntl (trapped), and makes those calls. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void ignore(int number)
{
	(void)number;
}

int main(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fcntl, 1, 2),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(*code), code };

	signal(SIGSYS, ignore);
	syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0); /* not denied yet */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, 2, &program))
		return 1;
	for (int i = 0; i < 3; i++)
		syscall(SYS_socket, AF_INET, SOCK_STREAM, 6);
	syscall(SYS_socket, AF_NETLINK, SOCK_RAW, 9);
	syscall(SYS_fcntl, 0, F_SETPIPE_SZ, 65536);
	return 0;
}
