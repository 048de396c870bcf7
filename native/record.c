/* Asks the node's recorder to record a container whose annotations request it.
 *
 * Only if the administrator enabled annotations at install: then the link `FRONT.record` beside the front
 * leads to the socket of the recorder, one process for all containers of the host.  The annotation's key is
 * searched for as text, as in bundle.c; the recorder parses the annotation, in a copy of the configuration
 * that the front sends as a sealed memfd(2): the recorder opens no path of another mount namespace, and
 * nothing blocks its reading.  It identifies the front by the socket's credentials, and answers when the
 * front is followed, or when it has logged why not.
 *
 * The front waits two seconds in all.  Whatever happens, the container starts; a recorder that is absent,
 * does not answer or belongs to another user than root cannot log that itself, so the front does.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "latch.h"

static const char key[] = "seclatch.record";
static const char verb[] = "record"; /* sent with its NUL */
enum { PATIENCE = 2000, LARGEST = 16 << 20 }; /* milliseconds; bytes of a configuration */
enum { FOLLOWED = '1', NOT_FOLLOWED = '0' }; /* the latter: nothing to record, or it is logged */

static const char too_late[] = "it did not answer within 2 seconds";

static long long milliseconds(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A recorder of another user would learn what root starts, and could hold it up. */
static bool is_root(int server)
{
	struct ucred peer;
	socklen_t size = sizeof peer;

	return !getsockopt(server, SOL_SOCKET, SO_PEERCRED, &peer, &size) && peer.uid == 0;
}

/* Connecting waits for room in the listener's queue, as long as SO_SNDTIMEO says (unix(7)). */
static int connect_to(const char *path, const char **reason)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = PATIENCE / 1000 };
	int server;

	if (strlen(path) >= sizeof address.sun_path) {
		*reason = strerror(ENAMETOOLONG);
		return -1;
	}
	strcpy(address.sun_path, path);
	server = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	*reason = strerror(errno);
	if (server < 0)
		return -1;
	setsockopt(server, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	if (connect(server, (struct sockaddr *)&address, sizeof address))
		*reason = errno == EAGAIN ? too_late : strerror(errno);
	else if (!is_root(server))
		*reason = "it does not run as root";
	else
		return server;
	close(server);
	return -1;
}

static bool copy_file(int from, int to)
{
	static char piece[16384];
	size_t size = 0;
	ssize_t n;

	while ((n = read(from, piece, sizeof piece)) > 0 && size <= LARGEST) {
		if (write(to, piece, (size_t)n) != n)
			return false;
		size += (size_t)n;
	}
	return n >= 0;
}

/* The configuration in memory that nothing can change any more; -1 with an errno. */
static int copy_config(const struct call *call)
{
	int config = bundle_open(call), copy, err;
	bool whole;

	if (config < 0)
		return -1;
	copy = memfd_create("config.json", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	whole = copy >= 0 && copy_file(config, copy) &&
		!fcntl(copy, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	err = errno;
	close(config);
	if (!whole && copy >= 0)
		close(copy);
	errno = err;
	return whole ? copy : -1;
}

static bool send_request(int server, int config, const char *container)
{
	const char *name = container ? container : "";
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr aligned;
	} control = { { 0 } };
	struct iovec parts[] = { { (char *)verb, sizeof verb }, { (char *)name, strlen(name) } };
	struct msghdr message = { 0 };
	struct cmsghdr *rights;

	message.msg_iov = parts;
	message.msg_iovlen = 2;
	message.msg_control = control.bytes;
	message.msg_controllen = sizeof control.bytes;
	rights = CMSG_FIRSTHDR(&message);
	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof config);
	memcpy(CMSG_DATA(rights), &config, sizeof config);
	return sendmsg(server, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

/* Why the container is not followed; NULL if it is, or if the recorder has logged the reason. */
static const char *await_answer(int server, long long deadline)
{
	struct pollfd answer = { .fd = server, .events = POLLIN };
	char byte = 0;
	int ready;

	do {
		long long left = deadline - milliseconds();

		ready = poll(&answer, 1, left > 0 ? (int)left : 0);
	} while (ready < 0 && errno == EINTR);
	if (ready <= 0)
		return ready ? strerror(errno) : too_late;
	if (recv(server, &byte, 1, MSG_DONTWAIT) != 1 || (byte != FOLLOWED && byte != NOT_FOLLOWED))
		return "it ended without an answer";
	return NULL;
}

static const char *ask(const char *path, const struct call *call)
{
	long long deadline = milliseconds() + PATIENCE;
	const char *reason;
	int server = connect_to(path, &reason), config;

	if (server < 0)
		return reason;
	config = copy_config(call);
	if (config < 0)
		reason = strerror(errno);
	else if (!send_request(server, config, call->container))
		reason = strerror(errno);
	else
		reason = await_answer(server, deadline);
	if (config >= 0)
		close(config);
	close(server);
	return reason;
}

static void log_failure(const char *path, const struct call *call, const char *reason)
{
	char text[640];

	snprintf(text, sizeof text,
		 "not recorded: %.64s: the recorder at %.200s: %s; the container starts without it; "
		 "`seclatch doctor` asks the recorder",
		 call->container ? call->container : "?", path, reason);
	journal_warning(text);
}

void record_if_asked(const struct call *call)
{
	char path[PATH_MAX];
	const char *reason;

	if (!beside_front(path, sizeof path, ".record") || *path != '/' || !bundle_mentions(call, key))
		return;
	reason = ask(path, call);
	if (reason)
		log_failure(path, call, reason);
}
