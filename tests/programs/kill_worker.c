/* Runs a command and kills the first process that it forks at one of its system calls.
 *
 *   kill_worker POINT REPORT COMMAND...
 *
 * POINT: the number of the call before which it is killed, from 1; 0: none; or STATE:NUMBER, of those calls
 * that it makes in this state.  A SIGKILL at a call's entry takes effect before the call (ptrace(2)).
 * REPORT gets a line: the number of calls that were seen, 1 if it was killed, and its state, which is how
 * far it is with the process that it traces:
 *
 *   0  no register was written, and PTRACE_O_EXITKILL is not on
 *   1  PTRACE_O_EXITKILL is on
 *   2  it is off again, the process is let go, and may have to run into restart_syscall(2) yet
 *   3  the process was detached from
 *
 * After that a line for each call with its state then.  The exit status is the command's.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OPTIONS = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE };
enum { ASK = 0x420e, SET_OPTIONS = 0x4200, END_TRACING = 17, END_KILLS = 1 << 20 };
enum state { BEFORE, GUARDED, RELEASED, DETACHED };
enum { MOST = 4096 };

static pid_t command, worker;
static long point, calls, calls_in_state;
static long state_of_point = -1; /* any */
static bool entering = true, killed;
static enum state state, seen[MOST];

/* struct ptrace_syscall_info (ptrace(2), Linux 5.3), as far as an entry is concerned. */
static struct {
	uint8_t op, pad[3];
	uint32_t arch;
	uint64_t pc, sp, number, args[6], more[4];
} now;

/* The call was made: a killed worker has not got here. */
static void after_call(void)
{
	enum state before = state;

	if (now.number != SYS_ptrace)
		return;
	if (now.args[0] == SET_OPTIONS && now.args[3] & END_KILLS)
		state = GUARDED;
	else if (now.args[0] == SET_OPTIONS && state == GUARDED)
		state = RELEASED;
	else if (now.args[0] == END_TRACING)
		state = DETACHED;
	if (state != before)
		calls_in_state = 0;
}

static bool is_point(void)
{
	return state_of_point < 0 ? calls == point : state == state_of_point && calls_in_state == point;
}

static void before_call(void)
{
	if (syscall(SYS_ptrace, (long)ASK, (long)worker, sizeof now, &now) <= 0)
		exit(94);
	if (calls < MOST)
		seen[calls] = state;
	calls++;
	calls_in_state++;
	if (!is_point())
		return;
	kill(worker, SIGKILL);
	killed = true;
}

static void at_call(void)
{
	if (entering)
		before_call();
	else
		after_call();
	entering = !entering;
}

static void go_on(pid_t pid, int status)
{
	int signal = WSTOPSIG(status);

	if (signal == (SIGTRAP | 0x80)) {
		signal = 0;
		if (pid == worker && !killed)
			at_call();
	} else if (status >> 16 || signal == SIGTRAP || (pid == worker && signal == SIGSTOP)) {
		signal = 0;
	}
	ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(long)signal);
}

static int write_report(const char *path)
{
	FILE *report = fopen(path, "w");

	if (!report)
		return 95;
	fprintf(report, "%ld %d %d\n", calls, killed, state);
	for (long i = 0; i < calls && i < MOST; i++)
		fprintf(report, "%d\n", seen[i]);
	return fclose(report) ? 95 : 0;
}

int main(int argc, char **argv)
{
	int status, result = 99;

	if (argc < 4)
		return 98;
	if (sscanf(argv[1], "%ld:%ld", &state_of_point, &point) != 2) {
		state_of_point = -1;
		point = atol(argv[1]);
	}
	command = fork();
	if (!command) {
		raise(SIGSTOP);
		execvp(argv[3], argv + 3);
		_exit(97);
	}
	waitpid(command, &status, WUNTRACED);
	if (ptrace(PTRACE_SEIZE, command, NULL, (void *)OPTIONS))
		return 96;
	kill(command, SIGCONT);
	for (pid_t pid; (pid = waitpid(-1, &status, __WALL)) > 0;) {
		if (!WIFSTOPPED(status)) {
			if (pid == command)
				result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
			continue;
		}
		if (pid != command && !worker)
			worker = pid;
		go_on(pid, status);
	}
	status = write_report(argv[2]);
	return status ? status : result;
}
