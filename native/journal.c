/* Logs a line for each start: the method that kept the profile off the runtime (the key `road`).  Always
 * to the system log (syslog(3), journald), and optionally to a file of the administrator.  Not to the
 * runtime's own --log: Podman takes its whole contents for an error message. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "latch.h"

/* RFC 3339 in UTC; gmtime(3) would read time zone files named by the environment. */
void write_time(char *text, size_t size)
{
	long long now = (long long)time(NULL), days = now / 86400, second = now % 86400;
	/* days since 0000-03-01, in 400-year eras of 146097 days */
	long long z = days + 719468, era = z / 146097, doe = z - era * 146097;
	long long yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	long long doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	int month = (int)(mp < 10 ? mp + 3 : mp - 9);

	snprintf(text, size, "%04d-%02d-%02dT%02d:%02d:%02dZ", (int)(yoe + era * 400 + (month <= 2)),
		 month, (int)(doy - (153 * mp + 2) / 5 + 1), (int)(second / 3600),
		 (int)(second / 60 % 60), (int)(second % 60));
}

static char file[PATH_MAX], container[NAME_MAX + 1];

void journal_find(const struct call *call)
{
	const char *chosen = getenv("SECLATCH_LOG");

	*file = '\0';
	if (chosen && *chosen == '/' && strlen(chosen) < sizeof file)
		strcpy(file, chosen);
	else if (!beside_front(file, sizeof file, ".log") || *file != '/')
		*file = '\0';
	if (call->container) /* shorter than that */
		strcpy(container, call->container);
}

enum { ERROR = 3, WARNING = 4, INFO = 6, DAEMON = 3 << 3 }; /* syslog(3) */

/* A log that is full, or whose reader is stopped, must not block the tracer or the front. */
static void write_system(int severity, const char *text)
{
	static const struct sockaddr_un log = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), n;
	char line[1024];

	if (fd < 0)
		return;
	n = snprintf(line, sizeof line, "<%d>seclatch[%d]: %s", DAEMON | severity, (int)getpid(), text);
	if (n > 0 && (size_t)n < sizeof line)
		sendto(fd, line, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&log,
		       sizeof log);
	close(fd);
}

void journal_refusal(const char *message)
{
	write_system(ERROR, message);
}

void journal_warning(const char *message)
{
	write_system(WARNING, message);
}

/* With the gate alone some answers differ from the profile's: a warning. */
static void write_method(const char *method, pid_t pid)
{
	char text[NAME_MAX + 128];

	snprintf(text, sizeof text, "road=%s pid=%d%s%s", method, (int)pid,
		 *container ? " container=" : "", container);
	write_system(strcmp(method, "gate") ? INFO : WARNING, text);
}

static void write_file(const char *method, pid_t pid)
{
	char now[32];
	int fd;

	if (!*file)
		return;
	fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);
	if (fd < 0)
		return;
	write_time(now, sizeof now);
	dprintf(fd,
		"{\"schema\": \"seclatch.start/1\", \"time\": \"%s\", \"road\": \"%s\", "
		"\"pid\": %d%s%s%s}\n",
		now, method, (int)pid, *container ? ", \"container\": \"" : "", container,
		*container ? "\"" : "");
	close(fd);
}

/* A start without a filter used no method. */
void journal_write(const char *method, pid_t pid)
{
	if (strcmp(method, "no filter"))
		write_method(method, pid);
	write_file(method, pid);
}
