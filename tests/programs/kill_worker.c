/* Runs a command and kills the first process that it forks at one of its system calls.
 *
 *   kill_worker POINT REPORT COMMAND...
 *
 * POINT: the number of the call before which it is killed, from 1; 0: none.  A SIGKILL at a call's
 * entry takes effect before the call (ptrace(2)).  REPORT gets one line: the number of calls that were
 * seen, and 1 if it was killed.  The exit status is the command's.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OPTIONS = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE };

static pid_t command, worker;
static long point, calls;
static bool entering = true, killed;

static void at_call(void)
{
	if (entering && ++calls == point) {
		kill(worker, SIGKILL);
		killed = true;
	}
	entering = !entering;
}

static void go_on(pid_t pid, int status)
{
	int signal = WSTOPSIG(status);

	if (signal == (SIGTRAP | 0x80)) {
		signal = 0;
		if (pid == worker)
			at_call();
	} else if (status >> 16 || signal == SIGTRAP || (pid == worker && signal == SIGSTOP)) {
		signal = 0;
	}
	ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(long)signal);
}

int main(int argc, char **argv)
{
	int status, result = 99;
	FILE *report;

	if (argc < 4)
		return 98;
	point = atol(argv[1]);
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
	report = fopen(argv[2], "w");
	if (!report || fprintf(report, "%ld %d\n", calls, killed) < 0 || fclose(report))
		return 95;
	return result;
}
