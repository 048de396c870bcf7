/* Takes from this program what it does not need. */
#ifndef SECLATCH_HARDEN_H
#define SECLATCH_HARDEN_H

#include <stdbool.h>

/* Makes read-only what was only to be written at its start (PT_GNU_RELRO): in static programs musl leaves
 * it writable. */
void protect_relocations(void);

/* In the tracer: leaves it the capabilities that it uses, of more than forty.  All of them with
 * `for_hooks`: guard.c asks the kernel what a hook with all of them may do. */
void drop_capabilities(bool for_hooks);
bool capabilities_dropped(void);

#endif
