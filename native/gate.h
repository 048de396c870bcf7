/* The gate: a filter with the same answers, which lets a tracer open some calls until it detaches. */
#ifndef SECLATCH_GATE_H
#define SECLATCH_GATE_H

#include "inject.h"

/* Makes a filter of the same answers as `exact` but for
 *  - the calls that a runtime makes between its filter and the program's exec: what `exact`
 *    denies of them is answered with SECCOMP_RET_TRACE and `*mark`; without a tracer that is ENOSYS;
 *  - ptrace(2)'s attaching requests and new listeners (seccomp_unotify(2)), which are denied: with
 *    either a program could open the gate again.
 * Returns 0, or E2BIG when the kernel would not take so long a program, or EINVAL for a program
 * that is no seccomp filter of the usual make. */
int gate_make(const struct filter *exact, struct filter *gate, unsigned *mark);

/* Makes, of `exact`, a filter that closes the gate when loaded over it: the same answers, but no second
 * notification of a listener. */
void gate_close(const struct filter *exact, struct filter *closing);

#endif
