/* A server whose main process replaces its worker.  Usage: forking_server DIR
 *
 * Its start: it makes DIR, listens on a free port of the loopback device, and prints the port.  A
 * worker's start: it makes DIR/PID.  Then the worker answers each connection with its process id, and
 * after the letter m also with the errno of mkdir(2). */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void answer(int listener, const char *path)
{
	int connection = accept(listener, NULL, NULL);
	char letter = 0, text[64];
	int result = 0, length;

	if (connection < 0)
		_exit(3);
	if (read(connection, &letter, 1) == 1 && letter == 'm') {
		errno = 0;
		mkdir(path, 0700);
		result = errno;
	}
	length = snprintf(text, sizeof text, "%d %d\n", getpid(), result);
	if (write(connection, text, (size_t)length) != length)
		_exit(4);
	close(connection);
}

static void work(int listener, const char *folder)
{
	char path[512];

	snprintf(path, sizeof path, "%s/%d", folder, getpid());
	if (mkdir(path, 0700))
		_exit(5);
	for (;;)
		answer(listener, path);
}

int main(int argc, char *argv[])
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	if (argc != 2 || mkdir(argv[1], 0700) ||
	    bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 9) ||
	    getsockname(listener, (struct sockaddr *)&address, &size))
		return 1;
	printf("%d\n", ntohs(address.sin_port));
	fflush(stdout);
	for (;;) {
		pid_t worker = fork();
		int status;

		if (!worker)
			work(listener, argv[1]);
		if (worker < 0 || waitpid(worker, &status, 0) < 0)
			return 2;
		if (WIFEXITED(status))
			return WEXITSTATUS(status);
	}
}
