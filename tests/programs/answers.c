/* Loads a filter that answers getppid with ACTION, and makes that call three times, then rmdir(2),
 * which the filter allows: answers log|log_flag|trace|notify|errno_flag|errno_zero|compat|storm.
 *
 * errno_flag, log_flag: loaded with SECCOMP_FILTER_FLAG_LOG. notify: a supervisor in another thread answers EACCES.
 * compat: by int 0x80 (x86). storm COUNT: errno, so many calls, each second one rmdir instead. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *supervise(void *listener)
{
	for (;;) {
		struct seccomp_notif request = { 0 };
		struct seccomp_notif_resp response = { 0 };

		if (ioctl((int)(long)listener, SECCOMP_IOCTL_NOTIF_RECV, &request))
			return NULL;
		response.id = request.id;
		response.error = -EACCES;
		ioctl((int)(long)listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
	}
}

static unsigned int find_action(const char *name)
{
	if (!strncmp(name, "log", 3))
		return SECCOMP_RET_LOG;
	if (!strcmp(name, "trace"))
		return SECCOMP_RET_TRACE;
	if (!strcmp(name, "notify"))
		return SECCOMP_RET_USER_NOTIF;
	return SECCOMP_RET_ERRNO | (strcmp(name, "errno_zero") ? EDOM : 0);
}

static void call(const char *name, long count)
{
	for (long i = 0; i < count; i++) {
#if defined(__x86_64__)
		if (!strcmp(name, "compat")) {
			long result = 64; /* getppid of i386 */

			__asm__ volatile("int $0x80"
					 : "+a"(result)
					 :
					 : "memory", "r8", "r9", "r10", "r11");
			continue;
		}
#endif
		syscall(i % 2 && !strcmp(name, "storm") ? SYS_setsid : SYS_getppid);
	}
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	unsigned int action = find_action(argv[1]);
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, strcmp(argv[1], "compat") ? SYS_setsid : 64, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, action),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(*code), code };
	unsigned int flags = strstr(argv[1], "_flag") ? SECCOMP_FILTER_FLAG_LOG : 0;
	pthread_t supervisor;
	long listener;

	if (action == SECCOMP_RET_USER_NOTIF)
		flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
	if (listener < 0)
		return 3;
	if (listener > 0)
		pthread_create(&supervisor, NULL, supervise, (void *)listener);
	call(argv[1], argc > 2 ? atol(argv[2]) : 3);
	syscall(SYS_rmdir, ""); /* fails in the kernel: no denial */
	return 0;
}
