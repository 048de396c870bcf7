/* What the programs of `seclatch watch` share with it. The layout in Python is checked against this
 * header's BTF by tests/unit/bpf/test_watch_abi.py.
 *
 * Denials are counted in the kernel, by process, call and answer. The first of each key in an epoch
 * is sent as an event with its details; the watcher begins a new epoch each second. So a hundred
 * thousand denials a second cost the watcher what a few do. */
#pragma once

#include "registers.h"
#include "task.h"

enum {
	KEYS = 16384,
	COPIED = 8192,
	VALUES = 3, /* of arguments in a key */
	DENIAL_RING = 4 << 20,
	COPY_RING = 4 << 20,
	DENIAL_TEXT = 256,
	NAME_SIZE = 64,
	LAYERS = 16, /* filters of a task that are copied */
	SMALL = 512, /* most filters have fewer instructions; others are copied in a larger event */
	LARGE = 4096,
	MAX_ANCESTORS = 32,
};

/* What seccomp did, as far as it is seen. */
enum denial_answer {
	ANSWER_RETURNED = 1, /* ERRNO, or TRACE, or USER_NOTIF: the call returned */
	ANSWER_TRAP = 2,
	ANSWER_KILL = 3,
	ANSWER_LOG = 4,
	ANSWER_ERRNO = 5,
	ANSWER_TRACE = 6,
	ANSWER_NOTIFY = 7,
	ANSWER_KILL_THREAD = 8,
	ANSWER_KILL_PROCESS = 9,
};

/* Bits of denied_key.mode. */
enum denial_mode {
	DENIAL_COMPAT = 1, /* by the 32-bit ABI */
	DENIAL_UNSURE = 2, /* the entry was not seen: the filter is to be asked */
};

struct denied_key {
	__u64 started; /* of the process, in ns since boot: with its number it names one process */
	__u32 tgid;
	__u32 number;
	enum denial_mode mode;
	enum denial_answer answer;
	__s32 error;
	__u32 reserved;
	__u64 values[VALUES]; /* those arguments that profiles are narrowed by */
};

struct denied_count {
	__u64 count;
	__u64 last; /* time */
	__u64 epoch; /* after that in which an event was sent last; 0: in none */
};

struct denial {
	struct denied_key key;
	__u64 time;
	__u64 pointer; /* seccomp_data.instruction_pointer */
	__u64 arguments[6];
	__u64 filter; /* the newest: the kernel's address, see filter_copy */
	__u64 cgroup; /* id in the unified hierarchy */
	__u64 reaper; /* start of its pid namespace's first process: with `pids` it names one */
	__u32 tid;
	__u32 uid;
	__u32 pids; /* inode number of its pid namespace */
	__u32 origin; /* number in it of the oldest ancestor in it: 1, or that of an exec session */
	__u32 outside; /* the process above that one, 0 if it is not visible */
	__u32 filters;
	__u32 length; /* of `text` with its NUL */
	__u32 reserved;
	char comm[16];
	char program[NAME_SIZE]; /* base name of its executable */
	char text[DENIAL_TEXT]; /* the path that the call is about */
};

/* A filter of a process, sent once; `previous` is the one below it. */
struct filter_copy {
	__u64 started;
	__u32 tgid;
	__u32 length; /* in instructions, 0: not kept by the kernel, or too many */
	__u64 filter;
	__u64 previous;
	__u64 code[]; /* struct sock_filter, 8 bytes each */
};

struct copied_key {
	__u64 started;
	__u64 filter;
	__u32 tgid;
	__u32 reserved;
};

/* The watcher, and what could not be counted by key. */
struct watcher {
	__u64 epoch;
	__u64 uncounted; /* denials for which there was no room in `denied` */
	__u64 unsent; /* events for which there was no room in `denials` */
	__u32 level; /* of its pid namespace */
	__u32 pids; /* inode number of that */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KEYS);
	__type(key, struct denied_key);
	__type(value, struct denied_count);
} denied SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, COPIED);
	__type(key, struct copied_key);
	__type(value, __u32);
} copied SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, DENIAL_RING);
} denials SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, COPY_RING);
} copies SEC(".maps");

enum call_position { NOT_SEEN = 0, INSIDE = 1, OUTSIDE = 2 };

/* A thread under a filter, by the tracepoints of calls. */
struct call_state {
	enum call_position position;
	__u32 killed; /* whether the denial that kills it has been counted */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct call_state);
} states SEC(".maps");

struct watcher watcher = {};

/* Answers that `log_call` takes, as bits: 1 << enum denial_answer. */
const volatile __u32 audited = 0;

const volatile __u8 value_arguments[NUMBERS] = {}; /* enum argument_spec */
const volatile __u8 path_arguments[NUMBERS] = {}; /* which argument is a path, from 1 */
