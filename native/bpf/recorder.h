/* What the recorder's programs and the recorder share: events, values of maps, their sizes.
 *
 * The layout in Python is checked against this header's BTF by tests/unit/bpf/test_abi.py.
 *
 * A *segment* is one process in one state, with counters of its own. A process gets a new one when
 * it is forked, at each exec, and when a filter has been loaded; which stage that is, the recorder
 * decides later. A *slot* is the memory with a segment's counters; it is used again once the
 * segment has no task left. */
#pragma once

#include "registers.h"

enum {
	SLOTS = 4096,
	OVERFLOW_SLOT = 0, /* counts what came while no slot was free */
	FIRST_OWN = 1024,  /* lower numbers of slots and segments belong to engines found running */
	RARE = 65536,
	ARGUMENTS = 65536,
	DAEMONS = 1024,
	CONTAINERS = 4096,
	RING_SIZE = 8 << 20,
};

/* The first four begin a segment. */
enum event_kind {
	EVENT_ROOT = 1,
	EVENT_FORK = 2,
	EVENT_EXEC = 3,
	EVENT_FILTER = 4,
	EVENT_CLOSED = 5, /* the segment's last task is gone: its slot may be used again */
	EVENT_EXIT = 6,
	EVENT_SUSPENSION = 7,
	EVENT_SOCKET_WRITE = 8,
	EVENT_FOUND = 9,   /* never sent: an engine that the recorder found running */
	EVENT_MEMBER = 10, /* a process of a container that was found running */
	EVENT_JOINED = 11, /* forked by a process that is not followed, into a container that is */
	EVENT_DENIAL = 12, /* the first of its kind in a segment */
};

/* Where a task is: sys_exit without an entry before it means that seccomp answered (denials.h). */
enum task_position {
	OUTSIDE = 0,
	ENTERED = 1,
	REFUSED = 2,
	FOUND = 3, /* found running: perhaps within the call that it made last */
};

/* A followed thread. */
struct task_state {
	__u32 segment;
	__u32 slot;
	__u32 filters;   /* as last seen */
	enum task_position position; /* enum task_position */
	__u32 suspended; /* whether a tracer lifted seccomp, as last seen */
	__u32 number;    /* of the call entered last */
	/* Lower half of the address at which a program begins that was exec'd under a tracer. */
	__u32 first;
	__u32 killed; /* whether the denial that kills it has been counted */
	__u32 container; /* in which it is followed, 0 if in none */
};

struct slot {
	__u32 segment;
	__u32 parent;
	__u32 tgid;
	enum event_kind kind; /* of the event that began it */
	__u32 tasks; /* live threads */
	__u32 write_budget; /* how many writes to look into still, after a connect(2) to a Unix socket */
	__u64 reserved;
	__u64 counts[NUMBERS];
};

/* Numbers to give next, and what was lost. Slots are given by number until there is none left;
 * then those that came back, from `free_slots`. */
struct control {
	__u64 next_segment;
	__u64 lost_events;
	__u64 lost_slots;
	__u64 lost_rare;
	__u64 lost_arguments;
	__u64 lost_tasks;
	__u64 next_slot;
	__u64 adopted; /* tasks that the iterators have entered */
	__u64 forking; /* tasks that the iterators have left to sched_process_fork */
};

enum { WORD_SIZE = 72 };

/* A container that is followed; see containers.h. The recorder numbers them, from 1. */
struct container {
	__u32 open;    /* 0 while it is being adopted: forks of tasks not yet found are left alone */
	__u32 reapers; /* 1: what is forked into a pid namespace whose pid 1 is in it belongs to it */
};

/* A container's id, zero-padded; a longer one is cut. */
struct word {
	char text[WORD_SIZE] __attribute__((aligned(8)));
};

/* One process more that the next pass of an iterator is to follow. */
struct adoption {
	__u32 process;   /* its pid as the recorder sees it, 0: none */
	__u32 container; /* the number that it gets */
};

struct rare_key {
	__u32 segment;
	__u32 number;
	enum call_mode mode;
	__s32 error; /* 0 unless denied with one */
};

enum { DENIED_ARGUMENT = 0x100 }; /* added to the index: of a denied call */

struct argument_key {
	__u32 segment;
	__u16 number;
	__u16 index;
	__u64 value;
};

struct event {
	enum event_kind kind;
	__u32 tid;
	__u64 time;
	__u32 segment;
	__u32 parent; /* of EVENT_FORK and EVENT_EXEC the segment before */
	__u32 slot;
	__u32 tgid;
	__u32 container; /* 0 if in none; child processes have their parent's */
	__u32 reserved;
};

/* State of a task that stages are derived from, and what readers want to know of a process. */
struct facts {
	__u32 filters;
	__u32 suspended;
	__u32 uid;
	__u32 gid;
	__u32 euid;
	__u32 egid;
	__u32 mounts;
	__u32 pids;
	__u32 users;
	__u32 local_pid; /* in its own pid namespace */
	__u32 net;
	__u32 ipc;
	__u32 uts;
	__u32 cgroup;
	__u32 seccomp;
	__u32 no_new_privs;
	__u64 root;            /* its root directory: an address, for comparing */
	__u64 capabilities[5]; /* inheritable, permitted, effective, bounding, ambient */
	char comm[16];
};

struct segment_event {
	struct event header;
	struct facts facts;
};

struct member_event {
	struct event header;
	struct facts facts;
	__u32 seen_pid; /* as the recorder sees it */
	__u32 by_pid;   /* 1 when it was asked for by that pid */
};

enum { FILE_SIZE = 256, ARGS_MAX = 1024, TEXT_SIZE = 512 };

struct exec_event {
	struct event header;
	struct facts facts;
	__u32 args_size;
	__u32 args_fit;
	char file[FILE_SIZE]; /* the path as execve(2) got it */
	char args[ARGS_MAX];  /* NUL between the words */
};

struct exit_event {
	struct event header;
	__u32 code; /* as wait(2) has it */
	__u32 reserved;
};

struct suspension_event {
	struct event header;
	__u32 suspended;
	__u32 reserved;
};

struct denial_event {
	struct event header;
	__u32 number;
	enum call_mode mode;
	__s32 error;
	__u32 reserved;
};

struct write_event {
	struct event header;
	__u32 length;
	__u32 reserved;
	char text[TEXT_SIZE];
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_state);
} tasks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__type(value, struct slot);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, SLOTS);
	__type(value, __u32);
} free_slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, RARE);
	__type(key, struct rare_key);
	__type(value, __u64);
} rare SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, ARGUMENTS);
	__type(key, struct argument_key);
	__type(value, __u64);
} arguments SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, CONTAINERS);
	__type(key, __u32); /* number */
	__type(value, struct container);
} containers SEC(".maps");

/* Containers by their mount namespaces; by their pid namespaces where those of mounts are not known.
 * Inode numbers differ between namespaces of all kinds (ns_alloc_inum). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 2 * CONTAINERS);
	__type(key, __u32);   /* inode number */
	__type(value, __u32); /* container */
} namespaces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, CONTAINERS);
	__type(key, struct word);
	__type(value, __u32); /* container */
} words SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING_SIZE);
} events SEC(".maps");

/* Globals that the recorder reads and writes while the programs run (.data, .bss). */
struct control control = { .next_segment = FIRST_OWN, .next_slot = FIRST_OWN };
struct adoption adoption = {};
__u32 words_given = 0; /* whether `words` has any: then argv of execs on the host are read */
__u32 words_of_root = 0; /* whether only argv of programs of root's are: see containers.h */

/* Constants that the recorder sets before it loads the programs (.rodata, frozen): the verifier
 * takes what depends on them out of the program. */
const volatile __u8 argument_specs[NUMBERS] = {};  /* enum argument_spec */
const volatile _Bool watches_containers = 0;       /* see containers.h */

#define count_lost(what) atomic_add(&control.what, 1)
