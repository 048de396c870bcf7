/* seclatch-tighten: options; all processes, until no new one appears.  See tighten.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tighten.h"

static const char help[] =
	"Usage: seclatch-tighten [OPTIONS] --fd N --cgroup DIR | --namespace-of PID | PID...\n"
	"\n"
	"Puts the compiled seccomp filter in descriptor N on processes that run, all or an error, and\n"
	"prints a line for each.  `seclatch tighten` calls it.\n"
	"\n"
	"  --fd N               read the filter from this descriptor\n"
	"  --flags N            flags for seccomp(2): 2 log, 4 allow speculation\n"
	"  --cgroup DIR         all processes of this control group and those below\n"
	"  --namespace-of PID   all processes of this process' pid namespace\n"
	"  PID...               these processes and what descends from them\n"
	"  --alone PID:START... these processes alone; START as in proc_pid_stat(5)\n"
	"  --wait MS            how long to wait for processes that cannot be stopped (10000)\n"
	"  --no-new-privs auto|never\n"
	"                       set no_new_privs where the kernel asks for it, or fail there\n"
	"  --present N          without privileges: the processes have N filters, which stay in force and\n"
	"                       allow what is injected\n"
	"  --by-prctl           load by prctl(2), thread by thread: a filter denies seccomp(2)\n"
	"  --no-restart         a filter denies restart_syscall(2): sleeps begin again\n"
	"  --dry-run            touch nothing\n"
	"  --help               this text\n"
	"\n"
	"Exit status: 0 all are bound, 1 some are not, 3 nothing was touched, 2 wrong usage.\n";

enum { UNBOUND = 1, USAGE = 2, UNTOUCHED = 3 };
enum { QUIET_PASSES = 2, LATE_PASSES = 3, QUIET_PAUSE = 10000 /* microseconds */ };

struct options options;

static struct process known[MAX_MEMBERS];
static size_t known_count, failed_count;
static unsigned long long loaded; /* when a filter was loaded last, in clock ticks since boot */
static bool calm; /* since the last pass began, no process was without the filter */

bool is_past(const struct timespec *deadline)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > deadline->tv_sec ||
	       (now.tv_sec == deadline->tv_sec && now.tv_nsec >= deadline->tv_nsec);
}

long long microseconds_since(const struct timespec *begin)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - begin->tv_sec) * 1000000LL + (now.tv_nsec - begin->tv_nsec) / 1000;
}

static const char *name_failure(enum failure failure)
{
	static const char *const names[] = {
		[NONE] = "-",
		[GONE] = "changing",
		[NOT_SEIZED] = "not-seized",
		[NOT_STOPPED] = "not-stopped",
		[NOT_ENTERED] = "not-entered",
		[NEEDS_NO_NEW_PRIVS] = "no-new-privs",
		[REFUSED] = "refused",
		[CHANGED] = "interfered",
		[DIFFERS] = "differs",
		[DENIED] = "denied",
		[OTHER_FILTERS] = "other-filters",
		[UNRESTORED] = "unrestored",
		[TRACER_LOST] = "tracer-lost",
		[KILLED] = "killed",
		[TRACER_BUSY] = "tracer-busy",
		[PROCESS_IN_CALL] = "in-call",
		[UNSTOPPABLE] = "unstoppable",
		[FROZEN] = "frozen",
		[TRACED] = "traced",
		[KEEPS_CHANGING] = "changing",
	};

	return names[failure];
}

static bool is_known(pid_t pid)
{
	struct task_stat stat;

	for (size_t i = 0; read_task_stat(pid, pid, &stat) && i < known_count; i++)
		if (known[i].pid == pid && known[i].start == stat.start)
			return true;
	return false;
}

/* A process that was not known before; NULL if it was, or has ended. */
static struct process *add_process(pid_t pid)
{
	struct task_stat stat;

	if (pid == getpid() || !read_task_stat(pid, pid, &stat) || is_gone(pid) || is_known(pid))
		return NULL;
	if (known_count == MAX_MEMBERS)
		return NULL;
	known[known_count] = (struct process){ .pid = pid, .start = stat.start };
	return known + known_count++;
}

unsigned long long count_ticks(void)
{
	unsigned long long rate = (unsigned long long)sysconf(_SC_CLK_TCK);
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (unsigned long long)now.tv_sec * rate +
	       (unsigned long long)now.tv_nsec * rate / 1000000000;
}

/* Unsuspended, filters can only be counted.  A process with one more has inherited this one if it was born
 * after all others were bound; else it may have loaded one of its own: it ends, or is reported. */
static enum inheritance { UNBOUND_YET, INHERITED, UNDECIDED } judge_inheritance(pid_t pid)
{
	struct task_stat stat;
	unsigned long long count = count_filters(pid, pid);

	if (!options.unsuspended || count == options.present || !read_task_stat(pid, pid, &stat))
		return UNBOUND_YET;
	return calm && loaded && count == options.present + 1 && stat.start > loaded + 1 ? INHERITED :
											   UNDECIDED;
}

static bool bind_or_inherit(struct process *process, enum inheritance inheritance)
{
	bool ok;

	if (inheritance == INHERITED)
		process->present = 1;
	if (inheritance == UNDECIDED)
		process->last.failure = OTHER_FILTERS;
	if (inheritance != UNBOUND_YET)
		return inheritance == INHERITED;
	ok = bind_process(process);
	if (process->loads)
		loaded = count_ticks();
	return ok;
}

static void print_process(const struct process *process, bool ok)
{
	const struct outcome *last = &process->last;
	const char *state = options.dry_run && ok ? "ready" :
			    !ok			  ? "unbound" :
			    process->loads	  ? "bound" :
			    process->present	  ? "present" :
						    "ended";

	printf("process %d start=%llu state=%s reason=%s errno=%d threads=%zu loads=%zu present=%zu tid=%d "
	       "call=%ld disturbance=%s no-new-privs=%d short=%d pause=%lld\n",
	       process->pid, process->start, state, ok ? "-" : name_failure(last->failure),
	       ok ? 0 : last->err, process->threads, process->loads, process->present, last->tid,
	       last->number, name_disturbance(last->disturbance), process->no_new_privs,
	       last->short_count, process->pause);
	fflush(stdout);
}

/* Before any is touched: could all be bound?  Waits for those that cannot, until the deadline. */
static bool examine_all(const struct members *members)
{
	static pid_t pids[MAX_MEMBERS];

	for (;;) {
		size_t count = list_members(members, pids, MAX_MEMBERS);
		bool hopeless = false;

		known_count = failed_count = 0;
		for (size_t i = 0; i < count; i++) {
			struct process *process = add_process(pids[i]);

			if (!process || examine_process(process))
				continue;
			failed_count++;
			hopeless |= process->last.failure == NEEDS_NO_NEW_PRIVS ||
				    process->last.failure == OTHER_FILTERS ||
				    process->last.failure == NOT_ENTERED;
		}
		if (!failed_count || hopeless || is_past(&options.deadline))
			return !failed_count;
		usleep(QUIET_PAUSE);
	}
}

/* A process that is born meanwhile has its parent's filters of that moment: a later pass finds it.  It is
 * settled when passes find only what has inherited the filter; the last is a little later, for a fork
 * that was under way. */
static bool bind_all(const struct members *members)
{
	static pid_t pids[MAX_MEMBERS];
	int late = 0;

	known_count = failed_count = 0;
	for (int quiet = 0; quiet < QUIET_PASSES;) {
		size_t count = list_members(members, pids, MAX_MEMBERS);
		bool news = false, tried = false;

		for (size_t i = 0; i < count; i++) {
			enum inheritance inheritance = judge_inheritance(pids[i]);
			bool wait = inheritance == UNDECIDED && !is_past(&options.deadline);
			struct process *process = wait ? NULL : add_process(pids[i]);
			bool ok = process && bind_or_inherit(process, inheritance);

			tried |= process && inheritance == UNBOUND_YET;
			calm &= !tried;
			news |= wait && !is_known(pids[i]) && !is_gone(pids[i]);
			if (process)
				print_process(process, ok);
			failed_count += process && !ok;
			news |= process && (!ok || process->loads);
		}
		calm = !tried;
		quiet = news ? 0 : quiet + 1;
		late += !quiet && is_past(&options.deadline);
		if (late == LATE_PASSES || known_count == MAX_MEMBERS)
			return false;
		if (quiet)
			usleep(QUIET_PAUSE);
	}
	return true;
}

static bool read_filter(int fd)
{
	static unsigned char excess;
	size_t count = 0;
	ssize_t got = 0;

	while (count < sizeof options.filter.code &&
	       (got = read(fd, options.filter.code + count, sizeof options.filter.code - count)) > 0)
		count += (size_t)got;
	if (got >= 0 && count == sizeof options.filter.code)
		got = read(fd, &excess, 1);
	options.filter.length = (unsigned)(count / 8);
	return !got && count && !(count % 8);
}

/* Neither the kernel's need of memory nor swapping may end or delay it while registers are not the
 * program's own. */
static void protect_from_memory_shortage(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (write(fd, "-1000", 5) < 0)
			errno = 0; /* not in this user namespace */
		close(fd);
	}
	mlockall(MCL_CURRENT | MCL_FUTURE);
}

static int refuse_usage(const char *problem, const char *word)
{
	fprintf(stderr, "seclatch-tighten: %s%s\n  what to do: seclatch-tighten --help\n", problem, word);
	return USAGE;
}

struct arguments {
	long fd, wait;
	struct members members;
	int status; /* -1: go on */
};

static bool read_number(const char *word, long most, long *number)
{
	char *end;

	if (!word || *word < '0' || *word > '9')
		return false;
	*number = strtol(word, &end, 10);
	return !*end && *number <= most;
}

static bool read_option(struct arguments *arguments, const char *name, const char *value)
{
	long number = 0;
	bool known_name = true;

	if (!strcmp(name, "--cgroup"))
		return (arguments->members.cgroup = value) != NULL;
	if (!strcmp(name, "--no-new-privs")) {
		options.never_no_new_privs = value && !strcmp(value, "never");
		return value && (options.never_no_new_privs || !strcmp(value, "auto"));
	}
	if (!read_number(value, 1L << 30, &number))
		return false;
	if (!strcmp(name, "--fd"))
		arguments->fd = number;
	else if (!strcmp(name, "--flags") && !(number & ~6L))
		options.filter.flags = (unsigned long)number;
	else if (!strcmp(name, "--namespace-of") && number)
		arguments->members.namespace_of = (pid_t)number;
	else if (!strcmp(name, "--wait"))
		arguments->wait = number;
	else if (!strcmp(name, "--present")) {
		options.unsuspended = true;
		options.present = (unsigned long long)number;
	} else
		known_name = false;
	return known_name;
}

/* PID, or PID:START.  A process that is meant alone may have ended, and another one have its id. */
static bool read_root(const char *word, bool alone, struct root *root)
{
	char *end;
	long pid = strtol(word, &end, 10);

	*root = (struct root){ .pid = (pid_t)pid };
	if (*word < '0' || *word > '9' || pid < 1 || pid > 1L << 22)
		return false;
	if (!alone)
		return !*end;
	if (*end != ':' || end[1] < '0' || end[1] > '9')
		return false;
	root->start = strtoull(end + 1, &end, 10);
	return !*end;
}

static int read_arguments(struct arguments *arguments, char **words)
{
	struct members *members = &arguments->members;

	for (; *words && words[0][0] == '-'; words++) {
		if (!strcmp(*words, "--help"))
			return printf("%s", help) < 0 ? UNBOUND : 0;
		if (!strcmp(*words, "--dry-run")) {
			options.dry_run = true;
			continue;
		}
		if (!strcmp(*words, "--alone")) {
			members->alone = true;
			continue;
		}
		if (!strcmp(*words, "--by-prctl")) {
			options.filter.by_prctl = true;
			continue;
		}
		if (!strcmp(*words, "--no-restart")) {
			options.never_restart = true;
			continue;
		}
		if (!read_option(arguments, *words, words[1]))
			return refuse_usage("unknown option, or its value is wrong: ", *words);
		words++;
	}
	for (; *words; words++) {
		size_t at = members->root_count;

		if (at == MAX_ROOTS || !read_root(*words, members->alone, members->roots + at))
			return refuse_usage("no process id, or too many: ", *words);
		members->root_count++;
	}
	if (arguments->fd < 0)
		return refuse_usage("--fd is missing", "");
	if (members->alone && !members->root_count)
		return refuse_usage("--alone needs processes", "");
	if (!members->cgroup + !members->namespace_of + !members->root_count != 2)
		return refuse_usage("give one of --cgroup, --namespace-of and PIDs", "");
	return -1;
}

int main(int argc, char *argv[])
{
	struct arguments arguments = { .fd = -1, .wait = 10000 };
	bool settled;

	arguments.status = read_arguments(&arguments, argv + (argc > 0));
	if (arguments.status >= 0)
		return arguments.status;
	if (!CAN_ENTER)
		return refuse_usage("running programs can be entered on x86-64 and arm64 only", "");
	if (!read_filter((int)arguments.fd))
		return refuse_usage("the descriptor holds no compiled filter", "");
	clock_gettime(CLOCK_MONOTONIC, &options.deadline);
	options.deadline.tv_sec += arguments.wait / 1000;
	options.deadline.tv_nsec += arguments.wait % 1000 * 1000000L;
	if (options.deadline.tv_nsec >= 1000000000L) {
		options.deadline.tv_sec++;
		options.deadline.tv_nsec -= 1000000000L;
	}
	protect_from_memory_shortage();
	settled = examine_all(&arguments.members);
	if (!settled || options.dry_run) {
		for (size_t i = 0; i < known_count; i++)
			print_process(known + i, !known[i].last.failure);
		printf("end processes=%zu unbound=%zu settled=%d\n", known_count, failed_count, settled);
		return settled ? 0 : UNTOUCHED;
	}
	settled = bind_all(&arguments.members);
	printf("end processes=%zu unbound=%zu settled=%d loaded=%llu\n", known_count, failed_count,
	       settled, loaded);
	if (!known_count)
		return UNTOUCHED; /* all have ended */
	return settled && !failed_count ? 0 : UNBOUND;
}
