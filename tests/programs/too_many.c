/* 70,000 calls of as many numbers, none of which exists, and ioctl with as many requests. */
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
	for (unsigned long n = 0; n < 70000; n++) {
		syscall(1000 + n);
		syscall(SYS_ioctl, -1, n, 0);
	}
	return 0;
}
