/* Opens an io_uring, says "ready" and waits to be killed. */
#define _GNU_SOURCE
#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
	struct io_uring_params params = { 0 };

	if (syscall(SYS_io_uring_setup, 4, &params) < 0)
		return 1;
	if (write(1, "ready\n", 6) != 6)
		return 2;
	for (;;)
		pause();
}
