/* The very first instructions are a system call that the profile denies (getpgid, 121 on x86-64,
 * 155 on arm64); the exit status is the errno it got, 0 if it was let through.  Proves that no
 * instruction of the program runs without the filter. */
#if defined(__x86_64__)
__asm__(".globl _start\n_start: mov $121, %eax\n xor %edi, %edi\n syscall\n"
	"xor %edi, %edi\n test %eax, %eax\n jns 1f\n mov %eax, %edi\n neg %edi\n"
	"1: mov $231, %eax\n syscall\n hlt");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start: mov x8, #155\n mov x0, #0\n svc #0\n"
	"cmp x0, #0\n cneg x0, x0, lt\n csel x0, x0, xzr, lt\n b.lt 1f\n mov x0, #0\n"
	"1: mov x8, #94\n svc #0");
#endif
