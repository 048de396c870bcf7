/* Which call native/tighten/rewound_call.h finds:
 *   rewound X0 … X5 X8 SP PC AT_ENTRY  NUMBER ARG0 … ARG5 SP PC   (the stop; what was shown before it)
 * Prints number, first argument, errno of the restart, rewound. */
#include <stdio.h>
#include <stdlib.h>

#include "rewound_call.h"

int main(int argc, char **argv)
{
	unsigned long words[19];
	struct task_call before = { 0 };
	struct a64_stop stop = { 0 };
	struct a64_call found;

	if (argc != 20)
		return 2;
	for (int i = 0; i < 19; i++)
		words[i] = (unsigned long)strtoll(argv[i + 1], NULL, 0);
	memcpy(stop.x, words, sizeof *words * 6);
	stop.x[8] = words[6];
	stop.sp = words[7];
	stop.pc = words[8];
	stop.at_entry = words[9];
	before.number = (long)words[10];
	memcpy(before.args, words + 11, sizeof before.args);
	before.sp = words[17];
	before.pc = words[18];
	found = find_a64_call(&stop, &before);
	printf("%ld %ld %d %d\n", found.number, (long)found.first, found.restart, found.rewound);
	return 0;
}
