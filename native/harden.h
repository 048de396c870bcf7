/* Drops memory permissions and capabilities that this program does not need. */
#ifndef SECLATCH_HARDEN_H
#define SECLATCH_HARDEN_H

#include <stdbool.h>

/* Makes the memory that is relocated at the program's start read-only (PT_GNU_RELRO): in static programs
 * musl leaves it writable. */
void protect_relocations(void);

/* In the tracer: keeps the capabilities that it uses, of more than forty.  Keeps all of them with
 * `for_hooks`: guard.c tests what a hook with all of them may do. */
void drop_capabilities(bool for_hooks);
bool capabilities_dropped(void);

#endif
