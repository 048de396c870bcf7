/* Prints the number of received SIGUSR1, from the handler: a shell may get one between looking
 * for pending traps and its read(2), and sleep on. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

static void say(const char *text, size_t length)
{
	if (write(1, text, length) < 0)
		_exit(1);
}

static void count(int signal)
{
	static int number;
	char line[] = "000\n";

	(void)signal;
	number++;
	for (int rest = number, i = 2; i >= 0; i--, rest /= 10)
		line[i] = (char)('0' + rest % 10);
	say(line, sizeof line - 1);
}

int main(void)
{
	struct sigaction action = { .sa_handler = count };

	sigaction(SIGUSR1, &action, NULL);
	say("ready\n", strlen("ready\n"));
	for (;;)
		pause();
}
