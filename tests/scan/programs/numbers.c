// System call numbers in every way in which compilers and libraries pass them. Each case makes
// calls that fail or do nothing; CASE selects one.
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone))

static NOINLINE long bare(long number) {
  long result;
#ifdef __x86_64__
  register long a __asm__("rax") = number;
  __asm__ volatile("syscall" : "=a"(result) : "r"(a), "D"(-1L), "S"(0L), "d"(0L)
                   : "rcx", "r11", "memory");
#else
  register long n __asm__("x8") = number;
  register long r __asm__("x0") = -1;
  __asm__ volatile("svc #0" : "+r"(r) : "r"(n) : "memory");
  result = r;
#endif
  return result;
}

#if CASE == 1  // the C library's syscall(2)
int main(void) { return syscall(SYS_getpgid, -1) == 42; }
#elif CASE == 2  // one of two, by a condition
int main(int argc, char **argv) {
  (void)argv;
  return bare(argc > 5 ? SYS_getsid : SYS_getpgid) == 42;
}
#elif CASE == 3  // through a wrapper of a wrapper
static NOINLINE long outer(long a, long number) { return bare(number) + a; }
int main(int argc, char **argv) {
  (void)argv;
  return outer(argc, SYS_getpgid) == 42 || outer(1, SYS_getsid) == 42;
}
#elif CASE == 4  // in the seventh argument: on the stack on x86-64
static NOINLINE long many(long a, long b, long c, long d, long e, long f, long g, long h, long i) {
  return bare(i) + a + b + c + d + e + f + g + h;
}
int main(int argc, char **argv) {
  (void)argv;
  return many(argc, 2, 3, 4, 5, 6, 7, 8, SYS_getpgid) == 42;
}
#elif CASE == 5  // in a structure behind a pointer
struct command { long first; long number; };
static NOINLINE long run(struct command *command) { return bare(command->number); }
int main(int argc, char **argv) {
  (void)argv;
  struct command command = {argc, SYS_getpgid};
  return run(&command) == 42;
}
#elif CASE == 6  // in a table of jumps
int main(int argc, char **argv) {
  (void)argv;
  switch (argc) {
    case 1: return bare(SYS_getpgid) == 42;
    case 2: return bare(SYS_getsid) == 41;
    case 3: return bare(SYS_close) == 43;
    case 4: return bare(SYS_dup) == 44;
    case 5: return bare(SYS_fdatasync) == 45;
    case 6: return bare(SYS_fsync) == 46;
    default: return 1;
  }
}
#elif CASE == 7  // functions in a table that is used; another table is not
static int one(void) { return bare(SYS_getpgid) == 42; }
static int two(void) { return bare(SYS_getsid) == 42; }
static int never(void) { return bare(SYS_fdatasync) == 42; }
static int (*const used[])(void) = {one, two};
__attribute__((used)) static int (*const unused[])(void) = {never};
int main(int argc, char **argv) {
  (void)argv;
  return used[argc & 1]();
}
#elif CASE == 8  // before and after main
__attribute__((constructor)) static void before(void) { bare(SYS_getpgid); }
__attribute__((destructor)) static void after(void) { bare(SYS_getsid); }
int main(void) { return 0; }
#elif CASE == 9  // a handler of signals
static void handler(int number) { (void)number; bare(SYS_getpgid); }
int main(void) { signal(SIGUSR1, handler); return raise(SIGUSR1); }
#elif CASE == 10  // a tail call into a function that only it names
static NOINLINE long last(void) { return bare(SYS_getpgid); }
static NOINLINE long first(void) { return last(); }
int main(void) { return first() == 42; }
#elif CASE == 11  // an unlikely part that does not return
static NOINLINE __attribute__((cold, noreturn)) void give_up(void) { bare(SYS_getpgid); _exit(0); }
int main(int argc, char **argv) {
  (void)argv;
  if (__builtin_expect(argc == 1, 0)) give_up();
  return 0;
}
#elif CASE == 12  // chosen by the loader (ifunc)
static int chosen(void) { return bare(SYS_getpgid) == 42; }
static void *choose(void) { return (void *)chosen; }
int select_one(void) __attribute__((ifunc("choose")));
int main(void) { return select_one(); }
#elif CASE == 20  // not a constant: open
int main(int argc, char **argv) { return bare(argc > 1 ? atoi(argv[1]) : SYS_getpgid) == 42; }
#elif CASE == 21  // a wrapper whose address is stored: open
long (*volatile anything)(long) = bare;
int main(int argc, char **argv) {
  (void)argv;
  return anything(SYS_getpgid + argc - 1) == 42;
}
#elif CASE == 22  // syscall(2) with a number from outside: open
int main(int argc, char **argv) { return syscall(argc > 1 ? atoi(argv[1]) : SYS_getpgid) == 42; }
#elif CASE == 24  // a table of functions that has syscall(2): open
static long other(long number, ...) { return number; }
static long (*const table[])(long, ...) = {other, syscall};
int main(int argc, char **argv) {
  (void)argv;
  return table[argc](SYS_getpgid, -1) == 42;
}
#elif CASE == 25  // a pointer to syscall(2): open
long (*volatile any)(long, ...) = syscall;
int main(void) { return any(SYS_getpgid, -1) == 42; }
#elif CASE == 23 && defined(__x86_64__)  // the 32-bit entry: open
int main(void) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory");
  return result == 0;
}
#endif
