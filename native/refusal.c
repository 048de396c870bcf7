/* Reports in one line why nothing starts, where the engine looks for it: on stderr and in the runtime's
 * own log (runc's and crun's --log, --log-format), which Docker, containerd and Podman quote in their
 * error; and in the system log. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "latch.h"
#include "registers.h"

#define OR_PLAIN                                                                                         \
	"; or choose the bare runtime, whose profile binds the runtime too: "                            \
	"`seclatch install --latch plain`, or SECLATCH_MODE=plain in the engine's environment"
#define OR_GATE                                                                                          \
	"; or allow the gate, which takes no privilege: `seclatch install --latch auto`, "               \
	"or SECLATCH_MODE=auto in the engine's environment"

static void read_file(const char *path, char *buffer, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, buffer, size - 1);

	buffer[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

static bool in_initial_user_namespace(void)
{
	char map[64];
	unsigned inside = 1, outside = 1, count = 0;

	read_file("/proc/self/uid_map", map, sizeof map);
	return sscanf(map, "%u %u %u", &inside, &outside, &count) == 3 && inside == 0 && outside == 0 &&
	       count == 4294967295U;
}

static struct refusal why_nobody_may_trace(void)
{
	char scope[8];

	read_file("/proc/sys/kernel/yama/ptrace_scope", scope, sizeof scope);
	if (*scope == '3')
		return (struct refusal){ "kernel.yama.ptrace_scope is 3: nobody may trace",
					 "boot with kernel.yama.ptrace_scope=2 or less" OR_PLAIN };
	if (*scope == '2' && !task_has_capability(CAPABILITY_PTRACE))
		return (struct refusal){ "kernel.yama.ptrace_scope is 2: tracing takes CAP_SYS_PTRACE",
					 "set kernel.yama.ptrace_scope to 1 or 0" OR_PLAIN };
	return (struct refusal){
		"a security module or a seccomp filter forbids ptrace",
		"look for the denial in the audit log (SELinux: setsebool deny_ptrace off; "
		"AppArmor: allow ptrace for the engine; seccomp: allow ptrace)" OR_PLAIN
	};
}

/* Not even the gate is possible. */
static struct refusal why_not_traced(void)
{
	struct task self;

	if (task_read(&self, getpid()) && self.tracer)
		return (struct refusal){ "the runtime is being traced already (strace, gdb?)",
					 "trace the container's program instead" OR_PLAIN };
	return why_nobody_may_trace();
}

static struct refusal why_not_permitted(void)
{
	struct task self;

	if (task_read(&self, getpid()) && self.seccomp)
		return (struct refusal){
			"the caller is under a seccomp filter itself, and the kernel "
			"lets only unfiltered tracers suspend one",
			"start the engine outside of that filter (for a containerised engine: "
			"--security-opt seccomp=unconfined)" OR_GATE
		};
	if (self.tracer)
		return (struct refusal){ "the runtime is being traced already (strace, gdb?)",
					 "trace the container's program instead" OR_PLAIN };
	if (!in_initial_user_namespace())
		return (struct refusal){ "not in the initial user namespace",
					 "run the engine as root on the host, not rootless" OR_GATE };
	if (!task_has_capability(CAPABILITY_ADMIN))
		return (struct refusal){ "no CAP_SYS_ADMIN",
					 "run the engine as root, with CAP_SYS_ADMIN" OR_GATE };
	if (!task_has_capability(CAPABILITY_PTRACE))
		return (struct refusal){ "no CAP_SYS_PTRACE", "give the engine CAP_SYS_PTRACE" OR_GATE };
	return why_nobody_may_trace();
}

struct refusal refusal_for(int err, enum mode mode)
{
	switch (err) {
	case EPERM:
	case EACCES:
		return mode == MODE_SUSPEND || !CAN_ENTER ? why_not_permitted() : why_not_traced();
	case EINVAL:
	case EIO:
		return (struct refusal){ "this kernel cannot suspend seccomp",
					 "use Linux 4.3 or later with CONFIG_CHECKPOINT_RESTORE=y and "
					 "CONFIG_SECCOMP_FILTER=y" OR_GATE };
	case ENOTSUP:
		return (struct refusal){
			"/proc is missing, or shows another pid namespace than this one",
			"mount the proc of the engine's own pid namespace at /proc" OR_PLAIN
		};
	case ENOSYS:
		return (struct refusal){ "ptrace(2) does not exist here",
					 "start the engine where nothing filters ptrace" OR_PLAIN };
	case EMFILE:
	case ENFILE:
		return (struct refusal){
			"no file descriptor left for the tracer",
			"raise the limit on open files (ulimit -n, LimitNOFILE, fs.file-max)"
		};
	case EAGAIN:
	case ENOMEM:
		return (struct refusal){ "no process or memory left for the tracer",
					 "raise the engine's limits (TasksMax, pids.max, memory)" };
	default:
		return (struct refusal){
			"the tracer ended before it was attached",
			"try again; look for the out-of-memory killer in the kernel's log"
		};
	}
}

/* Without reading the configuration a handler would be missed (bundle.c). */
struct refusal refusal_of_bundle(int err)
{
	if (err == EMFILE || err == ENFILE || err == ENOMEM)
		return refusal_for(err, MODE_AUTO);
	if (err == EINVAL)
		return (struct refusal){ "the container's configuration (config.json) is no regular file",
					 "give the bundle a regular file as config.json" OR_PLAIN };
	return (struct refusal){ "the container's configuration (config.json) cannot be read",
				 "look for the bundle's file system in the kernel's log" OR_PLAIN };
}

/* Through a new, non-blocking open file description if there can be one: not of a socket, and not of a
 * file, where other programs' output would be overwritten. */
static int reopen(const char *process, int fd)
{
	char path[48];

	snprintf(path, sizeof path, "/proc/%s/fd/%d", process, fd);
	return open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

/* pidfd_open(2) and pidfd_getfd(2), Linux 5.6, which have one number on all architectures. */
static int borrow_stderr(pid_t pid)
{
	char digits[16];
	int process = (int)syscall(434L, (long)pid, 0L);
	int fd = process < 0 ? -1 : (int)syscall(438L, (long)process, (long)STDERR_FILENO, 0L);

	if (process >= 0)
		close(process);
	snprintf(digits, sizeof digits, "%d", (int)pid);
	return fd >= 0 ? fd : reopen(digits, STDERR_FILENO);
}

/* Written only if that does not block: a pipe without a reader, or a stopped terminal, must not delay the
 * tracer.  The logs have the line in any case. */
static void say(int fd, const char *line)
{
	struct stat file;
	int own = fd < 0 || fstat(fd, &file) || S_ISREG(file.st_mode) ? -1 : reopen("self", fd);
	struct pollfd room = { .fd = own < 0 ? fd : own, .events = POLLOUT };

	if (fd >= 0 && poll(&room, 1, 0) == 1 && room.revents == POLLOUT &&
	    write(room.fd, line, strlen(line)) < 0)
		errno = 0; /* no other place to report it */
	if (own >= 0)
		close(own);
}

static void write_log(const struct call *call, const char *message, int report)
{
	/* runc's and crun's JSON and runc's text; the messages contain no characters to escape */
	const char *json = "{\"level\":\"error\",\"msg\":\"%s\",\"time\":\"%s\"}\n";
	const char *text = "level=error msg=\"%s\" time=\"%s\"\n";
	const char *path = call->log;
	char now[32], line[1024];
	int fd, n;

	if (!path)
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);
	if (fd < 0)
		return;
	write_time(now, sizeof now);
	n = snprintf(line, sizeof line, call->log_json ? json : text, message, now);
	if (write(fd, line, (size_t)n) != n) {
		snprintf(line, sizeof line, "seclatch: cannot write %s: %s\n", path, strerror(errno));
		say(report, line);
	}
	close(fd);
}

enum { LONGEST = 900 };

static void compose(char message[LONGEST], struct refusal refusal)
{
	snprintf(message, LONGEST, "seclatch: nothing was started: %s. What to do: %s", refusal.reason,
		 refusal.remedy);
}

void refuse(const struct call *call, struct refusal refusal)
{
	char message[LONGEST];

	compose(message, refusal);
	dprintf(STDERR_FILENO, "%s\n", message);
	write_log(call, message, STDERR_FILENO);
	journal_refusal(message + sizeof "seclatch: " - 1);
}

void refuse_late(const struct call *call, struct refusal refusal, pid_t pid)
{
	int fd = call->stays ? STDERR_FILENO : borrow_stderr(pid);
	char message[LONGEST + 1];

	compose(message, refusal);
	write_log(call, message, fd);
	journal_refusal(message + sizeof "seclatch: " - 1);
	say(fd, strcat(message, "\n"));
	if (!call->stays && fd >= 0)
		close(fd);
}
