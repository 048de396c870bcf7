/* A 32-bit program without a library: sleeps for some seconds, then tries mkdir(2).  Exit status: the errno of mkdir,
 * or 100 when the sleep was disturbed. */
enum { EXIT = 1, NANOSLEEP = 162, MKDIR = 39 }; /* of both */

#if defined(__i386__)
enum { SECONDS = 1 };

static int call(int number, int a, int b)
{
	int result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b) : "memory");
	return result;
}
#elif defined(__arm__)
enum { SECONDS = 6 }; /* it runs on an emulated machine */

/* r7 may be the frame's: it is kept by hand */
static int call(int number, int a, int b)
{
	register int r0 __asm__("r0") = a;
	register int r1 __asm__("r1") = b;

	__asm__ volatile("mov r12, r7\n\tmov r7, %2\n\tsvc #0\n\tmov r7, r12"
			 : "+r"(r0)
			 : "r"(r1), "r"(number)
			 : "memory", "r12");
	return r0;
}
#endif

void _start(void)
{
	int length[2] = { SECONDS, 0 };
	int slept = call(NANOSLEEP, (int)length, 0);
	int made = call(MKDIR, (int)"/proc/nowhere", 0);

	call(EXIT, slept ? 100 : -made, 0);
}
