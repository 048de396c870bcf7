/* load_files FILE...: loads the raw BPF programs in the files, one after the other, prints
 * "ready" and sleeps until it is killed. */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	static struct sock_filter code[4096];

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	for (int i = 1; i < argc; i++) {
		int fd = open(argv[i], O_RDONLY);
		long size = read(fd, code, sizeof code);
		struct sock_fprog program = { (unsigned short)(size / (long)sizeof *code), code };

		if (size <= 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
			return perror(argv[i]), 1;
		close(fd);
	}
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
