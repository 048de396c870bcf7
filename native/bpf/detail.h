/* Detail mode: denied and failed calls one by one, with arguments, for `explain`.
 *
 * These programs run after the counting ones, and only where detail is asked for. Besides the
 * events, each segment has a log of its last calls in memory: what a process did before it ended
 * tells a failure that it got over from the one that ended it. */
#pragma once

#include "denials.h"

enum {
	LAST_CALLS = 64, /* of a segment; a power of two */
	ERRNOS = 134,
	PIECE = 255, /* of one, and where the last one may begin: half of the text */
	PIECES = 16,
	DETAIL_RING_SIZE = 4 << 20,
	STDOUT = 1,
	STDERR = 2,
	OUTPUTS = 4,       /* last writes to standard output that are kept of a segment; a power of two */
	OUTPUT_SIZE = 255, /* of each its end */
	FAILURES = 4,      /* last calls about a file that failed, kept of a segment; a power of two */
	FAILED_PATH_SIZE = 176,
	SECOND_PATH = TEXT_SIZE / 2, /* where the second path of a call with two is in the text */
};

/* Events of a segment at most: of one call failing with one errno, of one call denied with one
 * result, of all calls of a process that has just loaded a filter. */
enum { EACH = 32, DENIALS = 64, IN_FILTERED = 512 };

#if defined(__TARGET_ARCH_x86)
enum { NR_WRITE = 1, NR_WRITEV = 20 };
#else
enum { NR_WRITE = 64, NR_WRITEV = 66 };
#endif

enum detail_kind {
	DETAIL_REFUSED = 1,
	DETAIL_FAILED = 2,
	DETAIL_CALL = 3,
	DETAIL_WRITTEN = 4,
	DETAIL_WRITTEN_IN_PIECES = 5,
};

/* What is true of the task at that moment. */
enum detail_mark {
	MARK_COMPAT = 1,
	MARK_KILLED = 4,           /* seccomp is killing it */
	MARK_SIGSYS = 8,           /* it has SIGSYS pending: SECCOMP_RET_TRAP */
	MARK_TWO_PATHS = 16,       /* the event has a second path, at SECOND_PATH */
	MARK_REFUSED = REFUSED << 16, /* seccomp answered the call; in last_call only */
};

struct detail_event {
	enum detail_kind kind;
	__u32 tid;
	__u64 time;
	__u32 segment;
	enum detail_mark marks;
	__u32 number;
	__u32 length; /* of what was read of the text, with a string's NUL */
	__s64 result;
	__u64 arguments[6];
	char text[TEXT_SIZE];
};

struct last_call {
	__u64 time;
	__u32 number;
	__u32 marks;
	__s64 result;
};

struct call_log {
	__u32 next;
	__u32 reserved;
	struct last_call calls[LAST_CALLS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__type(value, struct call_log);
} call_logs SEC(".maps");

/* What a segment last wrote to standard output, where some programs report errors. In memory and not
 * as events: it may be anything, and a great deal. */
struct output {
	__u64 time;
	__u32 length;
	__u32 reserved;
	char text[OUTPUT_SIZE + 1];
};

struct output_log {
	__u32 next;
	__u32 reserved;
	struct output writes[OUTPUTS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__type(value, struct output_log);
} output_logs SEC(".maps");

/* The last calls about a file that the kernel failed: of many alike only the first ones are sent as
 * events, and the last one may be the reason why a process ended. */
struct failure {
	__u64 time;
	__u32 number;
	__u32 length; /* of the path, with its NUL */
	__s64 result;
	__u64 arguments[6];
	__u64 reserved;
	char path[FAILED_PATH_SIZE];
};

struct failure_log {
	__u32 next;
	__u32 reserved;
	struct failure calls[FAILURES];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__type(value, struct failure_log);
} failure_logs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, DETAIL_RING_SIZE);
} details SEC(".maps");

struct sent_key {
	__u32 segment;
	__u32 number;
	enum detail_kind kind;
	__s32 result;
};

/* How many events were sent, by what they are about. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, RARE);
	__type(key, struct sent_key);
	__type(value, __u64);
} sent SEC(".maps");

const volatile __u8 path_arguments[NUMBERS] = {};   /* which argument is a path, from 1 */
const volatile __u8 second_path_arguments[NUMBERS] = {}; /* which one is another path, from 1 */
const volatile __u8 reported_errnos[ERRNOS] = {};   /* 1: a failure with it is worth an event */
__u64 lost_details = 0;

/* One call as it is reported. */
struct observed {
	struct pt_regs *regs;
	__u64 time;
	__s64 result;
	__u32 number;
	__u32 marks;
};

static __always_inline void observe(struct observed *call, struct task_struct *task,
				    struct pt_regs *regs, __s64 result)
{
	call->regs = regs;
	call->time = bpf_ktime_get_ns();
	call->result = result;
	call->number = call_number(regs);
	call->marks = compat_mode(task);
	if (task->seccomp.mode == SECCOMP_MODE_DEAD)
		call->marks |= MARK_KILLED;
	if (task->pending.signal.sig[0] & SIGSYS_BIT)
		call->marks |= MARK_SIGSYS;
}

static __always_inline void log_call(struct task_state *state, struct observed *call)
{
	struct call_log *log = bpf_map_lookup_elem(&call_logs, &state->slot);
	struct last_call *entry;

	if (!log)
		return;
	entry = &log->calls[__sync_fetch_and_add(&log->next, 1) & (LAST_CALLS - 1)];
	entry->time = call->time;
	entry->number = call->number;
	entry->result = call->result;
	entry->marks = call->marks | (state->position & REFUSED) << 16;
}

/* Whether no more than `limit` events with this key were sent, this one included. */
static __always_inline int is_within(struct sent_key *key, __u64 limit)
{
	__u64 one = 1, *count = bpf_map_lookup_elem(&sent, key);

	if (count)
		return __sync_fetch_and_add(count, 1) < limit;
	if (bpf_map_update_elem(&sent, key, &one, BPF_ANY) == 0)
		return 1;
	count_lost(lost_arguments);
	return 0;
}

/* The string behind the argument with this number, from 1. Returns its length with the NUL, 0 for none. */
static __always_inline __u32 read_argument_string(char *text, __u32 size, __u64 *arguments,
						  __u32 number)
{
	__u64 index = number - 1;
	long length;

	if (index > 5)
		return 0;
	index = bound(index, 7);
	length = bpf_probe_read_user_str(text, size, (void *)arguments[index]);
	return length > 0 ? length : 0;
}

/* The strings behind the arguments that are paths, as far as the memory is there. */
static __always_inline void read_paths(struct detail_event *event)
{
	__u32 first, second;

	if (event->marks & MARK_COMPAT || event->number >= NUMBERS)
		return;
	first = path_arguments[event->number];
	second = second_path_arguments[event->number];
	if (!second) {
		event->length = read_argument_string(event->text, TEXT_SIZE, event->arguments, first);
		return;
	}
	event->length = read_argument_string(event->text, SECOND_PATH, event->arguments, first);
	if (read_argument_string(&event->text[SECOND_PATH], SECOND_PATH, event->arguments, second))
		event->marks |= MARK_TWO_PATHS;
}

/* All of a message, or where it is long its beginning and its end, half of the text each. */
static __always_inline void read_bytes(struct detail_event *event)
{
	__u64 length = event->result;

	if (length > TEXT_SIZE) {
		event->length = TEXT_SIZE;
		bpf_probe_read_user(event->text, TEXT_SIZE / 2, (void *)event->arguments[1]);
		bpf_probe_read_user(&event->text[TEXT_SIZE / 2], TEXT_SIZE / 2,
				    (void *)(event->arguments[1] + length - TEXT_SIZE / 2));
		return;
	}
	event->length = length;
	bpf_probe_read_user(event->text, length, (void *)event->arguments[1]);
}

struct iovec {
	__u64 base;
	__u64 length;
};

/* The beginnings of the pieces of a writev(2), one behind the other; ld.so, musl and systemd write
 * their messages so. */
static __always_inline void read_pieces(struct detail_event *event)
{
	__u64 used = 0;

	for (__u32 i = 0; i < PIECES; i++) {
		struct iovec piece;
		__u64 length;

		if (i >= event->arguments[2] || used > PIECE)
			break;
		if (bpf_probe_read_user(&piece, sizeof(piece),
					(void *)(event->arguments[1] + i * sizeof(piece))))
			break;
		length = piece.length > PIECE ? PIECE : piece.length;
		used = bound(used, PIECE);
		length = bound(length, PIECE);
		if (bpf_probe_read_user(&event->text[used], length, (void *)piece.base))
			break;
		used += length;
	}
	event->length = used;
}

static __noinline void send_detail(enum detail_kind kind, struct task_struct *task,
				   struct task_state *state, struct observed *call)
{
	struct detail_event *event = bpf_ringbuf_reserve(&details, sizeof(*event), 0);

	if (!event) {
		atomic_add(&lost_details, 1);
		return;
	}
	event->kind = kind;
	event->tid = task->pid;
	event->time = call->time;
	event->segment = state->segment;
	event->marks = call->marks;
	event->number = call->number;
	event->length = 0;
	event->result = call->result;
	read_arguments(event->arguments, call->regs, call->marks & MARK_COMPAT);
	if (kind == DETAIL_WRITTEN)
		read_bytes(event);
	else if (kind == DETAIL_WRITTEN_IN_PIECES)
		read_pieces(event);
	else
		read_paths(event);
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
}

/* What is written to standard error: there programs report errors. 0: none of it. */
static __always_inline enum detail_kind is_message(struct observed *call)
{
	if (call->number != NR_WRITE && call->number != NR_WRITEV)
		return 0;
	if ((__u32)argument0(call->regs) != STDERR || call->result <= 0 || call->marks)
		return 0;
	return call->number == NR_WRITE ? DETAIL_WRITTEN : DETAIL_WRITTEN_IN_PIECES;
}

/* Keep the end of what is written to standard output: last words stand at the end. */
static __always_inline void log_output(struct task_state *state, struct observed *call)
{
	__u64 address, length = call->result;
	struct output_log *log;
	struct output *entry;

	if (call->number != NR_WRITE || call->result <= 0 || call->marks & MARK_COMPAT)
		return;
	if ((__u32)argument0(call->regs) != STDOUT)
		return;
	log = bpf_map_lookup_elem(&output_logs, &state->slot);
	if (!log)
		return;
	address = argument1(call->regs);
	if (length > OUTPUT_SIZE) {
		address += length - OUTPUT_SIZE;
		length = OUTPUT_SIZE;
	}
	entry = &log->writes[__sync_fetch_and_add(&log->next, 1) & (OUTPUTS - 1)];
	entry->time = call->time;
	entry->length = length;
	length = bound(length, OUTPUT_SIZE);
	if (bpf_probe_read_user(entry->text, length, (void *)address))
		entry->length = 0;
}

static __always_inline int is_reported_failure(__s64 result)
{
	return result < 0 && -result < ERRNOS && reported_errnos[-result];
}

static __always_inline void log_failure(struct task_state *state, struct observed *call)
{
	__u32 number = call->number;
	struct failure_log *log;
	struct failure *entry;

	if (!is_reported_failure(call->result) || state->position == REFUSED)
		return;
	if (call->marks & MARK_COMPAT || number >= NUMBERS || !path_arguments[number])
		return;
	log = bpf_map_lookup_elem(&failure_logs, &state->slot);
	if (!log)
		return;
	entry = &log->calls[__sync_fetch_and_add(&log->next, 1) & (FAILURES - 1)];
	entry->time = call->time;
	entry->number = number;
	entry->result = call->result;
	read_arguments(entry->arguments, call->regs, 0);
	entry->length = read_argument_string(entry->path, FAILED_PATH_SIZE, entry->arguments,
					     path_arguments[number]);
}

/* Which kind of event the call is worth, 0 for none. */
static __noinline enum detail_kind classify(struct task_state *state, struct observed *call)
{
	struct sent_key key = { .segment = state->segment };
	enum detail_kind message;
	struct slot *slot;

	key.number = call->number;
	key.result = call->result;
	if (state->position == REFUSED) {
		key.kind = DETAIL_REFUSED;
		return is_within(&key, DENIALS) ? DETAIL_REFUSED : 0;
	}
	key.kind = DETAIL_FAILED;
	if (is_reported_failure(call->result) && is_within(&key, EACH))
		return DETAIL_FAILED;
	message = is_message(call);
	if (message)
		return message;
	slot = bpf_map_lookup_elem(&slots, &state->slot);
	if (!slot || slot->kind != EVENT_FILTER)
		return 0;
	key.number = key.result = 0; /* all calls of the segment together */
	key.kind = DETAIL_CALL;
	return is_within(&key, IN_FILTERED) ? DETAIL_CALL : 0;
}

/* Runs after find_denial_at_exit, which knows denials. */
SEC("tp_btf/sys_exit")
int observe_exit(__u64 *ctx)
{
	struct pt_regs *regs = (void *)ctx[0];
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_state *state = find_state(task);
	struct observed call = {};
	enum detail_kind kind;

	if (!state)
		return 0;
	observe(&call, task, regs, ctx[1]);
	log_call(state, &call);
	log_output(state, &call);
	log_failure(state, &call);
	if (state->position == REFUSED && is_killed_tracee(task))
		return 0;
	kind = classify(state, &call);
	if (kind)
		send_detail(kind, task, state, &call);
	return 0;
}

/* Runs before follow_exit: SECCOMP_RET_KILL_THREAD leaves no sys_exit. */
SEC("tp_btf/sched_process_exit")
int observe_killed_thread(__u64 *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_state *state = find_state(task);
	struct observed call = {};

	if (!state || state->killed || task->seccomp.mode != SECCOMP_MODE_DEAD)
		return 0;
	observe(&call, task, bpf_task_pt_regs(task), 0);
	send_detail(DETAIL_REFUSED, task, state, &call);
	return 0;
}
