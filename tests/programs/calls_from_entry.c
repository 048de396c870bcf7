/* Makes all its calls by its very first instruction: one with what the kernel has left in the register
 * of the number (0), then getppid nine times. */
#if defined(__x86_64__)
__asm__(".globl _start\n_start: syscall\n inc %ebx\n cmp $10, %ebx\n je 1f\n mov $110, %eax\n jmp _start\n"
	"1: mov $231, %eax\n xor %edi, %edi\n syscall\n hlt");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start: svc #0\n add x19, x19, #1\n cmp x19, #10\n b.eq 1f\n mov x8, #173\n"
	"b _start\n 1: mov x8, #94\n mov x0, #0\n svc #0");
#endif
