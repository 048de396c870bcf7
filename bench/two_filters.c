/* The cost of a second filter: two processes, one under FIRST, one under FIRST and SECOND.
 *
 *	two_filters FIRST.bpf SECOND.bpf COUNT PAIRS
 *
 * They make COUNT getppid(2) in turns; prints for each pair ns a call of the one and of the other. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int load(const char *path)
{
	static struct sock_filter code[4096];
	int fd = open(path, O_RDONLY);
	ssize_t size = fd < 0 ? -1 : read(fd, code, sizeof code);
	struct sock_fprog program = { (unsigned short)(size / 8), code };

	return size <= 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

static double measure(long count)
{
	struct timespec begin, end;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
	for (long i = 0; i < count; i++)
		syscall(SYS_getppid);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
	return ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) /
	       (double)count;
}

static int start(char **paths, int filters, long count)
{
	int ends[2];
	double spent;
	char go;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
		exit(1);
	if (fork()) {
		close(ends[1]);
		return ends[0];
	}
	close(ends[0]);
	for (int i = 0; i < filters; i++)
		if (load(paths[i]))
			_exit(2);
	while (read(ends[1], &go, 1) == 1) {
		spent = measure(count);
		if (write(ends[1], &spent, sizeof spent) != sizeof spent)
			break;
	}
	_exit(0);
}

static double ask(int end)
{
	double spent = 0;

	if (write(end, "x", 1) != 1 || read(end, &spent, sizeof spent) != sizeof spent)
		exit(3);
	return spent;
}

int main(int argc, char **argv)
{
	long count, pairs;
	int one, two;

	if (argc != 5)
		return 2;
	count = atol(argv[3]);
	pairs = atol(argv[4]);
	one = start(argv + 1, 1, count);
	two = start(argv + 1, 2, count);
	for (long i = 0; i < pairs; i++) {
		double first = i % 2 ? 0 : ask(one), second = ask(two);

		if (i % 2)
			first = ask(one);
		printf("%.2f %.2f\n", first, second);
	}
	return 0;
}
