/* A 32-bit program without a library: sleeps a second by int 0x80, then tries mkdir(2).  Exit status:
 * the errno of mkdir, or 100 when the sleep was disturbed. */
static int call(int number, int a, int b)
{
	int result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b) : "memory");
	return result;
}

void _start(void)
{
	int second[2] = { 1, 0 };
	int slept = call(162, (int)second, 0);
	int made = call(39, (int)"/proc/nowhere", 0);

	call(1, slept ? 100 : -made, 0);
}
