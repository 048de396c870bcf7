/* seclatch-apply: options (options.c) and the reasons why nothing is started (why.c). */
#ifndef SECLATCH_APPLY_H
#define SECLATCH_APPLY_H

#include <stdbool.h>

struct options {
	const char *filter; /* a file, or NULL and */
	int fd; /* a descriptor */
	unsigned long flags; /* SECCOMP_FILTER_FLAG_* */
	bool allow_exec;
	char **command; /* ends with NULL, is not empty */
	int status; /* the exit status, when there is nothing to do */
};

/* False when there is nothing to do: help was requested, or the command line is wrong. */
bool options_read(struct options *options, char *argv[]);

/* Printable text for a message, valid until the next call. */
const char *printable(const char *word);

struct why {
	const char *reason;
	const char *remedy;
};

/* A message for each errno. */
struct why why_no_privs(int err);
struct why why_not_traced(int err);
struct why why_not_entered(int err);
struct why why_not_loaded(int err);
struct why why_died(void);

/* Whether a call gets this errno from a filter that is loaded already, as far as can be determined; then
 * the message. */
bool is_denial(int err);
struct why why_denied(const char *call, int err);

void complain(struct why why);

#endif
