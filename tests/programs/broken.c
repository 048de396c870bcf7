/* One way to fail for each word: broken WAY.  Messages go to stderr, as with any program. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int say(const char *what, int error)
{
	if (error)
		fprintf(stderr, "broken: %s: %s\n", what, strerror(error));
	return error ? 1 : 0;
}

static void *nothing(void *unused)
{
	return unused;
}

static int thread(void)
{
	pthread_t id;
	int error = pthread_create(&id, NULL, nothing, NULL);

	if (!error)
		pthread_join(id, NULL);
	return say("cannot make a thread", error);
}

static int newest(void)
{
	unsigned long how[3] = {O_RDONLY, 0, 0}; /* struct open_how */

	return say("openat2", syscall(SYS_openat2, AT_FDCWD, "/", how, sizeof(how)) < 0 ? errno : 0);
}

static int quiet(void)
{
	struct utsname name;

	return uname(&name) ? 3 : 0;
}

/* Harmless denied calls, and then an exit for another reason. */
static int tolerant(void)
{
	struct utsname name;

	uname(&name);
	(void)!write(1, "going on\n", 9);
	return access("/tmp", F_OK) ? 6 : 5;
}

/* Whether or not the directory can be made. */
static int give_up(void)
{
	mkdir("/tmp/x", 0700);
	abort();
}

static int later(void)
{
	struct timespec moment = {0, 20 * 1000 * 1000};

	for (int i = 0; i < 40; i++)
		nanosleep(&moment, NULL);
	return say("socket", socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : 0);
}

static int fill(void)
{
	static char block[1 << 16];
	int file = open("/small/full", O_WRONLY | O_CREAT, 0600);

	if (file < 0)
		return say("/small/full", errno);
	while (write(file, block, sizeof(block)) > 0)
		;
	return say("/small/full", errno);
}

static int files(void)
{
	while (open("/", O_RDONLY) >= 0)
		;
	return say("open", errno);
}

static int processes(void)
{
	struct rlimit none = {0, 0};

	if (setrlimit(RLIMIT_NPROC, &none) || setuid(1000))
		return say("limits", errno);
	return say("fork", fork() < 0 ? errno : 0);
}

static int child(const char *way)
{
	int status;
	pid_t id = fork();

	if (id == 0) {
		execl("/proc/self/exe", "broken", way, NULL);
		_exit(126);
	}
	if (id < 0 || waitpid(id, &status, 0) < 0)
		return say("child", errno);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	const char *way = argc > 1 ? argv[1] : "";

	if (!strcmp(way, "socket"))
		return say("socket", socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : 0);
	if (!strcmp(way, "thread"))
		return thread();
	if (!strcmp(way, "newest"))
		return newest();
	if (!strcmp(way, "quiet"))
		return quiet();
	if (!strcmp(way, "tolerant"))
		return tolerant();
	if (!strcmp(way, "abort"))
		return give_up();
	if (!strcmp(way, "later"))
		return later();
	if (!strcmp(way, "mount"))
		return say("mount", mount("none", "/tmp", "tmpfs", 0, NULL) ? errno : 0);
	if (!strcmp(way, "chown"))
		return say("chown", chown("/bin", 7, 7) ? errno : 0);
	if (!strcmp(way, "clock"))
		return say("clock", clock_settime(CLOCK_REALTIME, &(struct timespec){0, 0}) ? errno : 0);
	if (!strcmp(way, "keyring")) /* makes no key: the kernel reads its type's name first */
		return syscall(SYS_add_key, NULL, NULL, NULL, 0, -4) < 0 && errno == EPERM ? 0 : 14;
	if (!strcmp(way, "fill"))
		return fill();
	if (!strcmp(way, "files"))
		return files();
	if (!strcmp(way, "processes"))
		return processes();
	if (!strcmp(way, "segv"))
		*(volatile int *)(argc - 2L) = 0; /* a raised signal would not end pid 1 */
	if (!strcmp(way, "child"))
		return child(argc > 2 ? argv[2] : "");
	return argc > 2 ? atoi(argv[2]) : 0;
}
