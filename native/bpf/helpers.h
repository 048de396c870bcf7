/* Helpers of the kernel (bpf-helpers(7)) by their numbers, and how sections and maps are declared. */
#pragma once

#include "kernel.h"

#define SEC(name) __attribute__((section(name), used))
#define __always_inline inline __attribute__((always_inline))
#define __noinline __attribute__((noinline))

/* A map's attributes are types: the loader reads them from the object's BTF, as libbpf does. */
#define __uint(name, val) int(*name)[val]
#define __type(name, val) typeof(val) *name

enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_QUEUE = 22,
	BPF_MAP_TYPE_RINGBUF = 27,      /* Linux 5.8 */
	BPF_MAP_TYPE_TASK_STORAGE = 29, /* Linux 5.11; for tracing programs 5.12 */
};

enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_F_NO_PREALLOC = 1 << 0,
	BPF_F_MMAPABLE = 1 << 10, /* Linux 5.5 */
	BPF_LOCAL_STORAGE_GET_F_CREATE = 1,
	BPF_RB_NO_WAKEUP = 1, /* the recorder looks by itself, which costs the traced nothing */
};

static void *(*const bpf_map_lookup_elem)(const void *map, const void *key) = (void *)1;
static long (*const bpf_map_update_elem)(const void *map, const void *key, const void *value,
					 __u64 flags) = (void *)2;
static __u64 (*const bpf_ktime_get_ns)(void) = (void *)5;
static __u64 (*const bpf_get_current_cgroup_id)(void) = (void *)80;
static long (*const bpf_map_pop_elem)(const void *map, void *value) = (void *)88;
static long (*const bpf_probe_read_user)(void *to, __u32 size, const void *from) = (void *)112;
static long (*const bpf_probe_read_kernel)(void *to, __u32 size, const void *from) = (void *)113;
static long (*const bpf_probe_read_user_str)(void *to, __u32 size, const void *from) = (void *)114;
static long (*const bpf_probe_read_kernel_str)(void *to, __u32 size, const void *from) =
	(void *)115;
static long (*const bpf_seq_write)(struct seq_file *file, const void *data, __u32 size) =
	(void *)127;
static long (*const bpf_ringbuf_output)(const void *ring, const void *data, __u64 size,
					__u64 flags) = (void *)130;
static void *(*const bpf_ringbuf_reserve)(const void *ring, __u64 size, __u64 flags) = (void *)131;
static void (*const bpf_ringbuf_submit)(void *data, __u64 flags) = (void *)132;
static void *(*const bpf_task_storage_get)(const void *map, const struct task_struct *task,
					   const void *value, __u64 flags) = (void *)156;
static long (*const bpf_task_storage_delete)(const void *map, const struct task_struct *task) =
	(void *)157;
static struct task_struct *(*const bpf_get_current_task_btf)(void) = (void *)158; /* Linux 5.11 */
static struct task_struct *(*const bpf_get_current_task)(void) = (void *)35;
static struct pt_regs *(*const bpf_task_pt_regs)(const struct task_struct *task) =
	(void *)175; /* Linux 5.15 */

static long (*const bpf_get_func_ret)(void *ctx, __u64 *value) = (void *)184; /* Linux 5.17 */

/* Where the result is not used: an instruction of its own, cheaper than fetching (BPF_FETCH, Linux
 * 5.12). */
#define atomic_add(address, value) ((void)__atomic_fetch_add(address, value, __ATOMIC_RELAXED))

/* Of a value that was compared before; `mask` is a power of 2 less 1. Verifiers until Linux 6.1 forget
 * what a comparison has shown when clang compares another register than the one that it uses. */
static __always_inline __u64 bound(__u64 value, __u64 mask)
{
	asm volatile("%0 &= %1" : "+r"(value) : "r"(mask));
	return value;
}

/* A pointer, or what is behind one that was read so. Scalars of a task, of registers and of the
 * context are read directly. The verifier allows that for pointers, too, but on Linux 6.2 and later
 * it then looks through all of the kernel's types for rules about the member: a millisecond each
 * time. What cannot be read is zeros. */
#define READ(member)                                                                               \
	({                                                                                         \
		typeof(member) _value = 0;                                                         \
		bpf_probe_read_kernel(&_value, sizeof(_value), &(member));                         \
		_value;                                                                            \
	})

/* What this kernel has: a type's size, whether there is a member. */
#define size_of_type(type) __builtin_preserve_type_info(*(type *)0, 1)
#define member_exists(member) __builtin_preserve_field_info(member, 2)

/* Keep a type in the object's BTF that only local variables have: tests compare Python's layout with
 * it. */
#define EMIT_TYPE(type) const struct type *const volatile type##_type = 0
