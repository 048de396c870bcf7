/* Finds the address of a shared library's function in a tracee's memory. */
#ifndef SECLATCH_SYMBOL_H
#define SECLATCH_SYMBOL_H

#include <stddef.h>
#include <sys/types.h>

/* Address of the mapping of the library whose file name begins so; 0 if there is none. */
unsigned long library_find(pid_t pid, const char *name);
/* The address of the library's function, with its size; 0 if there is none. */
unsigned long symbol_find(pid_t pid, unsigned long library, const char *name, size_t *size);

#endif
