/* "ruid euid" on stdout: shows the privileges gained by a set-uid file. */
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	printf("%d %d\n", (int)getuid(), (int)geteuid());
	return 0;
}
