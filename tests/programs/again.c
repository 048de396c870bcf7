/* again [N]: execs itself, for ever or N times. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char left[16];
	int count = argc > 1 ? atoi(argv[1]) : -1;

	if (!count)
		return 0;
	snprintf(left, sizeof left, "%d", count - (count > 0));
	execl("/proc/self/exe", argv[0], left, (char *)NULL);
	return 1;
}
