/* seclatch-apply: options (options.c) and what it says when nothing is started (why.c). */
#ifndef SECLATCH_APPLY_H
#define SECLATCH_APPLY_H

#include <stdbool.h>

struct options {
	const char *filter; /* a file, or NULL and */
	int fd; /* a descriptor */
	unsigned long flags; /* SECCOMP_FILTER_FLAG_* */
	bool allow_exec;
	char **command; /* ends with NULL, is not empty */
	int status; /* to exit with, when there is nothing to do */
};

/* False when there is nothing to do: help was asked for, or the command line is wrong. */
bool options_read(struct options *options, char *argv[]);

/* For a message, until the next call. */
const char *printable(const char *word);

struct why {
	const char *reason;
	const char *remedy;
};

/* Each for an errno. */
struct why why_no_privs(int err);
struct why why_not_traced(int err);
struct why why_not_entered(int err);
struct why why_not_loaded(int err);
struct why why_died(void);

/* Whether a call has this errno from a filter that is there already, as far as can be told; then why. */
bool is_denial(int err);
struct why why_denied(const char *call, int err);

void complain(struct why why);

#endif
