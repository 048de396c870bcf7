/* See harden.h. */
#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harden.h"
#include "latch.h"

/* The linker's name for the beginning of the file in memory. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

void protect_relocations(void)
{
	const ElfW(Phdr) *header = (const void *)getauxval(AT_PHDR);
	uintptr_t base = (uintptr_t)&__ehdr_start, page = getauxval(AT_PAGESZ);
	size_t count = getauxval(AT_PHNUM);

	for (size_t i = 0; header && i < count; i++)
		if (header[i].p_type == PT_LOAD && !header[i].p_offset)
			base -= header[i].p_vaddr;
	for (size_t i = 0; header && i < count; i++) {
		uintptr_t start = base + header[i].p_vaddr, end = start + header[i].p_memsz;

		if (header[i].p_type == PT_GNU_RELRO)
			mprotect((void *)(start & -page), (end & -page) - (start & -page), PROT_READ);
	}
}

/* For log files in directories of other users; to kill an init that has changed its user; to trace and to
 * read /proc; for PTRACE_O_SUSPEND_SECCOMP. */
enum {
	NEEDED = 1U << CAPABILITY_DAC_OVERRIDE | 1U << CAPABILITY_KILL | 1U << CAPABILITY_PTRACE |
		 1U << CAPABILITY_ADMIN
};

static bool dropped;

/* Without CAP_SYS_PTRACE the kernel compares all capabilities of a tracer with its tracee's (ptrace(2),
 * "Ptrace access mode checking"). */
void drop_capabilities(bool for_hooks)
{
	struct {
		unsigned version;
		int pid;
	} header = { .version = 0x20080522 };
	struct {
		unsigned effective, permitted, inheritable;
	} sets[2];

	if (for_hooks || !task_has_capability(CAPABILITY_PTRACE) || syscall(SYS_capget, &header, sets))
		return;
	sets[0].permitted &= NEEDED;
	sets[0].effective &= NEEDED;
	sets[1].permitted = sets[1].effective = sets[0].inheritable = sets[1].inheritable = 0;
	dropped = !syscall(SYS_capset, &header, sets);
}

bool capabilities_dropped(void)
{
	return dropped;
}
