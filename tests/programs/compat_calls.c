/* 64-bit code that calls through the 32-bit entry: number 20 is getpid there and writev here. */
int main(void)
{
	for (int i = 0; i < 7; i++) {
		long result = 20;

		__asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
		if (result <= 0)
			return 1;
	}
	return 0;
}
