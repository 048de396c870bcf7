/* Says on NOTIFY_SOCKET that it is ready, as sd_notify(3) does, and sleeps. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(void)
{
	static const char message[] = "STATUS=serving\nREADY=1";
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	if (!path || fd < 0 || strlen(path) >= sizeof to.sun_path)
		return 1;
	strcpy(to.sun_path, path);
	if (sendto(fd, message, sizeof message - 1, 0, (struct sockaddr *)&to, sizeof to) < 0) {
		perror(path);
		return 1;
	}
	for (;;)
		pause();
}
