/* Prints the errno of umask(2) and of getpgid(2), 0 where they were allowed.
 *   errnos hook               and reads the state that crun writes to a hook, which would else die of SIGPIPE
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
	char state[512];
	int first = syscall(SYS_umask, 022L) < 0 ? errno : 0;
	int second = syscall(SYS_getpgid, 0L) < 0 ? errno : 0;

	printf("%d %d\n", first, second);
	while (argc > 1 && !strcmp(argv[1], "hook") && read(0, state, sizeof state) > 0)
		;
	return 0;
}
