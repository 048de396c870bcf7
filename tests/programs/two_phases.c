/* A server in two phases. argv: a port, a directory. Makes the directory, listens, has a child wait
 * in accept(2), says that it is ready; calls chdir(2) three times once the file "go" is in the
 * directory. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void notify(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	if (!path || strlen(path) >= sizeof(address.sun_path))
		return;
	strcpy(address.sun_path, path);
	sendto(fd, "READY=1", 7, 0, (struct sockaddr *)&address, sizeof(address));
	close(fd);
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	pid_t child;

	if (argc < 3 || mkdir(argv[2], 0755) || chdir(argv[2]))
		return 1;
	address.sin_port = htons(atoi(argv[1]));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 5))
		return 2;
	alarm(120); /* a test that failed leaves nothing */
	child = fork();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			accept(listener, NULL, NULL);
	}
	usleep(200000); /* so that the child is in accept(2) */
	puts("Ready to accept connections");
	fflush(stdout);
	notify();
	while (access("go", F_OK))
		usleep(10000);
	for (int i = 0; i < 3; i++)
		if (chdir("."))
			return 3;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return 0;
}
