/* The very first instructions are a system call that the profile denies, and the exit status is the
 * errno it got, 0 if it was allowed.  Proves that no instruction of the program runs without
 * the filter.
 *
 * The call is personality(-1), which only asks.  Its number (135 on x86-64, 92 on arm64, 136 on
 * 32-bit ARM) is below exit_group's: runc answers ENOSYS above the highest that a profile names. */
#if defined(__x86_64__)
__asm__(".globl _start\n_start: mov $135, %eax\n mov $-1, %edi\n syscall\n"
	"xor %edi, %edi\n test %eax, %eax\n jns 1f\n mov %eax, %edi\n neg %edi\n"
	"1: mov $231, %eax\n syscall\n hlt");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start: mov x8, #92\n mov x0, #0xffffffff\n svc #0\n"
	"cmp x0, #0\n cneg x0, x0, lt\n csel x0, x0, xzr, lt\n b.lt 1f\n mov x0, #0\n"
	"1: mov x8, #94\n svc #0");
#elif defined(__arm__)
__asm__(".globl _start\n.arm\n_start: mov r7, #136\n mvn r0, #0\n svc #0\n"
	"cmp r0, #0\n rsblt r0, r0, #0\n movge r0, #0\n mov r7, #248\n svc #0");
#endif
