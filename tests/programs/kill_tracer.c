/* Runs a latched runtime and kills a tracer of the latch at one of its system calls.
 *
 *   kill_tracer REPORT TRACER POINT SECONDS COMMAND... [";" COMMAND...]
 *
 * TRACER: 1, or 2 for the second one, which multi-threaded runtimes' init gets.  POINT: the number of
 * the call before which it is killed; "+N": counted from inject_begin_instead(), where a filter's load
 * is taken from the runtime; "-": none.  The second command runs when the first has succeeded.
 *
 * The tracer is traced from its first instruction on, and the front is let go before that tracer seizes
 * it: a process has one tracer.  A SIGKILL at a call's entry takes effect before the call (ptrace(2)),
 * so the entry stands for the exit of the call before it, too: nothing lies in between that the kernel
 * or another process could see.
 *
 * Without "+" a call is not counted when the tracer made it before in the same situation: after
 * the same event of the tracee, the same system call of the tracee's, and the same calls since.  Until
 * the load a tracer stops its tracees at thousands of calls, and does the same at each.
 *
 * REPORT gets one line: NAME=VALUE...
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
# define TRAP 0xccUL
# define TRAP_MASK 0xffUL
# define TRAP_LENGTH 1
# define PC(registers) (registers).rip
#else
# define TRAP 0xd4200000UL	/* brk #0 */
# define TRAP_MASK 0xffffffffUL
# define TRAP_LENGTH 0
# define PC(registers) (registers).pc
#endif

enum { SEIZE = 0x4206, EVENT_MESSAGE = 0x4201, CALL_INFO = 0x420e, GET_REGISTERS = 0x4204,
       SET_REGISTERS = 0x4205 };
enum { OPTIONS = 1 | 1 << 1 | 1 << 2 | 1 << 3 };	/* TRACESYSGOOD, fork, vfork, clone */
enum { CALL_ENTRY = 1, CALL_EXIT = 2 };		/* struct ptrace_syscall_info */
enum { REPEATS = 1, SITUATIONS = 1 << 15 };

struct call_info {
	uint8_t op, pad[3];
	uint32_t arch;
	uint64_t pc, sp, number, args[6], more[4];
};

/* The front, the process between it and its tracer, the tracer, the tracer of the runtime's init. */
enum { FRONT, BETWEEN, FIRST, SECOND, ROLES };

struct process {
	pid_t pid;
	long calls, points, events;
	uint64_t situation;
	struct call_info call;
};

static struct process processes[ROLES];
static pid_t early[8];
static int target;
static long point = -1;
static bool from_load, loading, killed;
static volatile sig_atomic_t late;
static unsigned long trap_at, trap_word;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void on_alarm(int signal)
{
	(void)signal;
	late = 1;
}

static long request(long what, pid_t pid, void *address, void *data)
{
	return syscall(SYS_ptrace, what, (long)pid, address, data);
}

static unsigned long find_symbol(const unsigned char *file, const char *name)
{
	const Elf64_Ehdr *header = (const void *)file;
	const Elf64_Shdr *sections = (const void *)(file + header->e_shoff);

	for (int i = 0; i < header->e_shnum; i++) {
		const Elf64_Sym *symbols = (const void *)(file + sections[i].sh_offset);
		const char *names = (const char *)file + sections[sections[i].sh_link].sh_offset;

		if (sections[i].sh_type != SHT_SYMTAB)
			continue;
		for (size_t n = 0; n < sections[i].sh_size / sizeof *symbols; n++)
			if (!strcmp(names + symbols[n].st_name, name))
				return symbols[n].st_value;
	}
	return 0;
}

/* Where a position-independent program begins: its mapping of the file's beginning.  The heap may lie
 * below it. */
static unsigned long find_base(pid_t pid)
{
	unsigned long base = 0, offset = 1, inode = 0;
	char path[64], line[512];
	FILE *maps;

	snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
	maps = fopen(path, "r");
	if (!maps)
		die(path);
	while ((offset || !inode) && fgets(line, sizeof line, maps))
		if (sscanf(line, "%lx-%*x %*s %lx %*s %lu", &base, &offset, &inode) != 3)
			die(path);
	fclose(maps);
	return base;
}

static void set_trap(pid_t pid)
{
	char path[64];
	struct stat about;
	unsigned char *file;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &about))
		die(path);
	file = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (file == MAP_FAILED)
		die("mmap");
	trap_at = find_symbol(file, "inject_begin_instead");
	if (!trap_at) {
		fprintf(stderr, "kill_tracer: the latch has no symbols\n");
		exit(2);
	}
	if (((const Elf64_Ehdr *)(const void *)file)->e_type == ET_DYN)
		trap_at += find_base(pid);
	munmap(file, (size_t)about.st_size);
	if (request(PTRACE_PEEKTEXT, pid, (void *)trap_at, &trap_word) ||
	    request(PTRACE_POKETEXT, pid, (void *)trap_at, (void *)((trap_word & ~TRAP_MASK) | TRAP)))
		die("setting a breakpoint");
}

static void leave_trap(pid_t pid)
{
	struct user_regs_struct registers;
	struct iovec all = { &registers, sizeof registers };

	if (request(GET_REGISTERS, pid, (void *)NT_PRSTATUS, &all) ||
	    PC(registers) - TRAP_LENGTH != trap_at)
		die("at the breakpoint");
	PC(registers) = trap_at;
	if (request(SET_REGISTERS, pid, (void *)NT_PRSTATUS, &all) ||
	    request(PTRACE_POKETEXT, pid, (void *)trap_at, (void *)trap_word))
		die("leaving the breakpoint");
	loading = true;
}

static void resume(int role, int signal)
{
	bool stepping = role >= FIRST && (!from_load || loading);

	request(stepping ? PTRACE_SYSCALL : PTRACE_CONT, processes[role].pid, NULL,
		(void *)(long)signal);
}

static void begin(int role)
{
	if (role == FIRST && from_load)
		set_trap(processes[role].pid);
	resume(role, 0);
}

/* A new tracee may report before its parent does. */
static void expect(int role, pid_t parent)
{
	unsigned long pid = 0;

	request(EVENT_MESSAGE, parent, NULL, &pid);
	processes[role].pid = (pid_t)pid;
	for (size_t i = 0; i < sizeof early / sizeof *early; i++)
		if (early[i] == (pid_t)pid) {
			early[i] = 0;
			begin(role);
		}
}

static void keep_early(pid_t pid)
{
	for (size_t i = 0; i < sizeof early / sizeof *early; i++)
		if (!early[i]) {
			early[i] = pid;
			return;
		}
}

static void mix(uint64_t *hash, uint64_t value)
{
	*hash = (*hash ^ value) * 0x100000001b3ULL;
	*hash ^= *hash >> 29;
}

static bool is_repeated(uint64_t situation)
{
	static struct { uint64_t situation; int count; } seen[SITUATIONS];
	size_t slot = situation % SITUATIONS;

	while (seen[slot].count && seen[slot].situation != situation)
		slot = (slot + 1) % SITUATIONS;
	seen[slot].situation = situation;
	return seen[slot].count++ >= REPEATS;
}

/* The information that the call returned to the tracer: the event of its tracee, or its system
 * call. */
static void note_result(struct process *tracer)
{
	const struct call_info *call = &tracer->call;
	bool waited = call->number == SYS_wait4;
	struct call_info told = { 0 };
	struct iovec here = { &told, waited ? sizeof(int) : offsetof(struct call_info, args) };
	struct iovec there = { (void *)call->args[waited ? 1 : 3], here.iov_len };

	if (!waited && (call->number != SYS_ptrace || call->args[0] != CALL_INFO))
		return;
	if (process_vm_readv(tracer->pid, &here, 1, &there, 1, 0) != (ssize_t)here.iov_len)
		return;
	if (waited) {
		tracer->situation = (uint64_t)(tracer - processes);
		mix(&tracer->situation, *(unsigned *)&told);
		tracer->events++;
	} else {
		mix(&tracer->situation, told.op + 16 * told.number);
	}
}

/* True: the tracer was killed. */
static bool at_call(struct process *tracer)
{
	struct call_info *call = &tracer->call, now = { 0 };

	if (request(CALL_INFO, tracer->pid, (void *)sizeof now, &now) <= 0)
		return false;
	if (now.op == CALL_EXIT)
		note_result(tracer);
	if (now.op != CALL_ENTRY)
		return false;
	*call = now;
	tracer->calls++;
	mix(&tracer->situation, call->number == SYS_ptrace ? 4096 + call->args[0] : call->number);
	if (!from_load && is_repeated(tracer->situation))
		return false;
	if (tracer->points++ != point || tracer - processes != target || killed)
		return false;
	killed = true;
	kill(tracer->pid, SIGKILL);
	return true;
}

static int role_of(pid_t pid)
{
	for (int role = FRONT; role < ROLES; role++)
		if (processes[role].pid == pid)
			return role;
	return -1;
}

static void on_stop(pid_t pid, int status)
{
	int role = role_of(pid), signal = WSTOPSIG(status), event = status >> 16;

	if (role < 0) {
		keep_early(pid);
	} else if (event >= 1 && event <= 3) {
		expect(role + 1, pid);
		if (role >= FIRST)
			resume(role, 0);
		else
			request(PTRACE_DETACH, pid, NULL, NULL);
	} else if (signal == (SIGTRAP | 0x80)) {
		if (!at_call(&processes[role]))
			resume(role, 0);
	} else if (signal == SIGTRAP && !event && from_load && !loading) {
		leave_trap(pid);
		resume(role, 0);
	} else if (event) {
		begin(role);	/* its first stop: none gets a stop signal */
	} else {
		resume(role, signal == SIGCHLD ? 0 : signal);
	}
}

static pid_t start(char *argv[], bool traced)
{
	int ready[2];
	pid_t pid;
	char byte;

	if (pipe2(ready, O_CLOEXEC))
		die("pipe2");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		setpgid(0, 0);
		close(ready[1]);
		if (read(ready[0], &byte, 1) < 0)
			_exit(2);
		execvp(argv[0], argv);
		die(argv[0]);
	}
	if (traced && request(SEIZE, pid, NULL, (void *)OPTIONS))
		die("PTRACE_SEIZE");
	close(ready[0]);
	close(ready[1]);
	return pid;
}

/* Follows until the command has ended, and, when `all`, the tracers have.  Returns its wait
 * status. */
static int follow(pid_t command, bool all)
{
	int result = -1, status;

	while (!late && (result < 0 || (all && (processes[FIRST].pid || processes[SECOND].pid)))) {
		pid_t pid = waitpid(-1, &status, __WALL);

		if (pid < 0 && errno == ECHILD)
			break;
		if (pid < 0)
			continue;
		if (WIFSTOPPED(status)) {
			on_stop(pid, status);
			continue;
		}
		if (pid == command)
			result = status;
		if (role_of(pid) >= 0)
			processes[role_of(pid)].pid = 0;
	}
	return result;
}

static void write_report(const char *path, const int status[2])
{
	FILE *file = fopen(path, "w");

	if (!file)
		die(path);
	fprintf(file, "killed=%d late=%d status=%d next=%d", killed, (int)late, status[0], status[1]);
	for (int role = FIRST; role < ROLES; role++)
		fprintf(file, " calls%d=%ld points%d=%ld events%d=%ld", role - BETWEEN,
			processes[role].calls, role - BETWEEN, processes[role].points, role - BETWEEN,
			processes[role].events);
	fprintf(file, "\n");
	fclose(file);
}

int main(int argc, char *argv[])
{
	int status[2] = { -1, -1 };
	char **next = argv + 5;
	pid_t command;

	if (argc < 6)
		return 2;
	target = atoi(argv[2]) == 2 ? SECOND : FIRST;
	from_load = argv[3][0] == '+';
	if (strcmp(argv[3], "-"))
		point = atol(argv[3]);
	sigaction(SIGALRM, &(struct sigaction){ .sa_handler = on_alarm }, NULL);
	alarm((unsigned)atoi(argv[4]));
	while (*next && strcmp(*next, ";"))
		next++;
	if (*next)
		*next++ = NULL;
	command = processes[FRONT].pid = start(argv + 5, true);
	status[0] = follow(command, !*next);
	if (*next && status[0] == 0)
		status[1] = follow(command = start(next, false), true);
	if (late)
		kill(-command, SIGKILL);
	write_report(argv[1], status);
	return 0;
}
