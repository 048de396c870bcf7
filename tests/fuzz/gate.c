/* The gate that is made of a filter, compared with the description in gate.h: both programs are
 * run on the same calls by an interpreter.  Any bytes must be accepted or refused; a program
 * that the kernel would accept must have its answers. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gate.h"

enum { DATA = 64, SCRATCH = 16 };	/* sizeof(struct seccomp_data), BPF_MEMWORDS */
enum { RET = 0x06, RET_A = 0x16, LD_ABS = 0x20, LD_LEN = 0x80, LDX_LEN = 0x81, LD_IMM = 0x00,
       LDX_IMM = 0x01, LD_MEM = 0x60, LDX_MEM = 0x61, ST = 0x02, STX = 0x03, TAX = 0x07, TXA = 0x87,
       NEG = 0x84, JA = 0x05 };
#define ACTION 0xffff0000U
#define TRACE 0x7ff00000U
#define ALLOW 0x7fff0000U
#define LOG 0x7ffc0000U
#define NOTIFY 0x7fc00000U
#define DENY (0x00050000U | 1)	/* SECCOMP_RET_ERRNO, EPERM */

struct instruction {
	uint16_t code;
	uint8_t jt, jf;
	uint32_t k;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_jump(uint16_t code)
{
	return code == 0x15 || code == 0x25 || code == 0x35 || code == 0x45 || code == 0x1d ||
	       code == 0x2d || code == 0x3d || code == 0x4d;
}

static bool is_arithmetic(uint16_t code)
{
	return (code & 7) == 4 && (code & 0xf0) <= 0xa0 && !(code & 0xff00) && code != NEG &&
	       (code & 0xf0) != 0x90;	/* no modulo */
}

static bool is_known(const struct instruction *at, unsigned left)
{
	switch (at->code) {
	case RET: case RET_A: case LD_IMM: case LDX_IMM: case TAX: case TXA: case NEG:
	case LD_LEN: case LDX_LEN:
		return true;
	case LD_ABS:
		return at->k < DATA && at->k % 4 == 0;
	case LD_MEM: case LDX_MEM: case ST: case STX:
		return at->k < SCRATCH;
	case JA:
		return at->k < left;
	default:
		if (is_jump(at->code))
			return at->jt < left && at->jf < left;
		return is_arithmetic(at->code) && !(at->code == 0x34 && !at->k) &&
		       !((at->code == 0x64 || at->code == 0x74) && at->k > 31);
	}
}

/* As bpf_check_classic() and seccomp_check_filter() (net/core/filter.c, kernel/seccomp.c), but for scratch
 * memory that is read before it was written, which is 0 in the interpreter. */
static bool is_valid(const struct filter *filter)
{
	const struct instruction *code = (const void *)filter->code;

	for (unsigned n = 0; n < filter->length; n++)
		if (!is_known(&code[n], filter->length - n - 1))
			return false;
	return filter->length && (code[filter->length - 1].code == RET ||
				  code[filter->length - 1].code == RET_A);
}

static uint32_t compute(uint16_t code, uint32_t a, uint32_t b)
{
	switch (code & 0xf0) {
	case 0x00: return a + b;
	case 0x10: return a - b;
	case 0x20: return a * b;
	case 0x30: return b ? a / b : 0;
	case 0x40: return a | b;
	case 0x50: return a & b;
	case 0x60: return b < 32 ? a << b : 0;
	case 0x70: return b < 32 ? a >> b : 0;
	default: return a ^ b;
	}
}

static bool holds(uint16_t code, uint32_t a, uint32_t b)
{
	switch (code & 0xf0) {
	case 0x10: return a == b;
	case 0x20: return a > b;
	case 0x30: return a >= b;
	default: return a & b;
	}
}

static uint32_t run(const struct filter *filter, const uint32_t data[DATA / 4])
{
	const struct instruction *at = (const void *)filter->code;
	uint32_t a = 0, x = 0, memory[SCRATCH] = { 0 };

	for (;; at++) {
		uint32_t operand = at->code & 8 ? x : at->k;

		switch (at->code) {
		case RET: return at->k;
		case RET_A: return a;
		case LD_ABS: a = data[at->k / 4]; break;
		case LD_IMM: a = at->k; break;
		case LDX_IMM: x = at->k; break;
		case LD_LEN: a = DATA; break;
		case LDX_LEN: x = DATA; break;
		case LD_MEM: a = memory[at->k]; break;
		case LDX_MEM: x = memory[at->k]; break;
		case ST: memory[at->k] = a; break;
		case STX: memory[at->k] = x; break;
		case TAX: x = a; break;
		case TXA: a = x; break;
		case NEG: a = -a; break;
		case JA: at += at->k; break;
		default:
			if (is_jump(at->code))
				at += holds(at->code, a, operand) ? at->jt : at->jf;
			else if ((at->code & 0xf8) == 0x38 && !x)
				return 0;	/* a division by 0 ends a program with 0 */
			else
				a = compute(at->code, a, operand);
		}
	}
}

static bool permits(uint32_t answer)
{
	uint32_t action = answer & ACTION;

	return action == ALLOW || action == LOG || action == NOTIFY;
}

/* The same answer; or, of a call that a runtime may need, the gate's mark for a denial; or a
 * denial of a call that could open the gate. */
static void compare(uint32_t exact, uint32_t gated, unsigned mark, bool opens)
{
	bool denied = gated == (TRACE | mark) && !permits(exact);

	if (opens && (permits(exact) || (exact & ACTION) == TRACE) && gated != DENY)
		abort();
	if (gated != exact && !denied && !(opens && gated == DENY))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct filter exact, gate, closing;
	static const uint32_t calls[] = { 0, 1, 3, 59, 95, 101, 157, 231, 257, 317, 321, 435, 512, 521,
					  0x40000000 | 521, 0x40000000 | 317 };
	bool valid;
	unsigned mark;

	memset(&exact, 0, sizeof exact);
	if (size > sizeof exact.code)
		return 0;
	exact.length = (unsigned)(size / 8);
	memcpy(exact.code, bytes, exact.length * 8);
	valid = is_valid(&exact);
	if (!exact.length || gate_make(&exact, &gate, &mark))
		return 0;
	gate_close(&exact, &closing);
	if (!valid)
		return 0;
	if (!is_valid(&gate) || gate.length > MAX_INSTRUCTIONS || !is_valid(&closing))
		abort();
	for (size_t i = 0; i < sizeof calls / sizeof *calls * 3; i++) {
		uint32_t data[DATA / 4] = { calls[i / 3], 0xc000003e, 1, 0, 16, 0, 8 };
		bool opens;

		data[4] = i % 3 == 0 ? 16 : i % 3 == 1 ? 0x4206 : 1;	/* PTRACE_ATTACH, SEIZE, PEEKTEXT */
		data[6] = i % 3 == 2 ? 0 : 8;	/* SECCOMP_FILTER_FLAG_NEW_LISTENER */
		opens = i % 3 < 2 && ((calls[i / 3] & 0x3fffffff) == 101 ||
				      (calls[i / 3] & 0x3fffffff) == 521 ||
				      (calls[i / 3] & 0x3fffffff) == 317);
		compare(run(&exact, data), run(&gate, data), mark, opens);
	}
	return 0;
}
