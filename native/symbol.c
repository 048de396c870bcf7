/* See symbol.h.  Reads the program headers and the dynamic symbols as they are mapped, through the
 * DT_GNU_HASH table (elf(5)); the library's file may have been replaced since. */
#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "inject.h"
#include "symbol.h"

enum { LONGEST_LINE = 512, MOST_HEADERS = 32, MOST_DYNAMIC = 96, LONGEST_CHAIN = 4096 };
#define GNU_HASH 0x6ffffef5 /* DT_GNU_HASH */

/* "start-end perms offset dev inode path": the mapping of the file's beginning. */
static unsigned long base_of(const char *line, const char *name)
{
	unsigned long start, offset = 1;
	const char *file = strrchr(line, '/');

	if (!file || strncmp(file + 1, name, strlen(name)))
		return 0;
	return sscanf(line, "%lx-%*x %*s %lx", &start, &offset) == 2 && !offset ? start : 0;
}

unsigned long library_find(pid_t pid, const char *name)
{
	char path[32], piece[4096], line[LONGEST_LINE];
	size_t length = 0;
	unsigned long found = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (!found && fd >= 0 && (n = read(fd, piece, sizeof piece)) > 0)
		for (ssize_t i = 0; i < n && !found; i++) {
			if (piece[i] != '\n') {
				if (length < sizeof line - 1)
					line[length++] = piece[i];
				continue;
			}
			line[length] = '\0';
			length = 0;
			found = base_of(line, name);
		}
	if (fd >= 0)
		close(fd);
	return found;
}

struct library {
	pid_t pid;
	unsigned long base, symbols, strings, hash;
};

static bool get(const struct library *library, unsigned long at, void *to, size_t count)
{
	return !inject_read(library->pid, at, to, count);
}

static bool find_dynamic(const struct library *library, Elf64_Phdr *dynamic)
{
	Elf64_Phdr headers[MOST_HEADERS];
	Elf64_Ehdr header;

	if (!get(library, library->base, &header, sizeof header) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) || header.e_ident[EI_CLASS] != ELFCLASS64 ||
	    header.e_phnum > MOST_HEADERS ||
	    !get(library, library->base + header.e_phoff, headers, header.e_phnum * sizeof *headers))
		return false;
	for (int i = 0; i < header.e_phnum; i++)
		if (headers[i].p_type == PT_DYNAMIC) {
			*dynamic = headers[i];
			return true;
		}
	return false;
}

/* glibc's loader has replaced the file's offsets by addresses, musl's has not. */
static unsigned long address(const struct library *library, unsigned long value)
{
	return value < library->base ? library->base + value : value;
}

static bool open_library(struct library *library)
{
	Elf64_Dyn entries[MOST_DYNAMIC];
	Elf64_Phdr dynamic;
	size_t count;

	if (!find_dynamic(library, &dynamic))
		return false;
	count = dynamic.p_memsz / sizeof *entries;
	count = count < MOST_DYNAMIC ? count : MOST_DYNAMIC;
	if (!get(library, library->base + dynamic.p_vaddr, entries, count * sizeof *entries))
		return false;
	for (size_t i = 0; i < count && entries[i].d_tag != DT_NULL; i++) {
		unsigned long at = address(library, entries[i].d_un.d_ptr);

		if (entries[i].d_tag == DT_SYMTAB)
			library->symbols = at;
		else if (entries[i].d_tag == DT_STRTAB)
			library->strings = at;
		else if (entries[i].d_tag == GNU_HASH)
			library->hash = at;
	}
	return library->symbols && library->strings && library->hash;
}

static uint32_t hash_of(const char *name)
{
	uint32_t hash = 5381;

	for (; *name; name++)
		hash = hash * 33 + (unsigned char)*name;
	return hash;
}

static bool is_symbol(const struct library *library, uint32_t index, const char *name, Elf64_Sym *symbol)
{
	char found[32];
	size_t length = strlen(name) + 1;

	return length <= sizeof found &&
	       get(library, library->symbols + index * sizeof *symbol, symbol, sizeof *symbol) &&
	       get(library, library->strings + symbol->st_name, found, length) &&
	       !memcmp(found, name, length) && symbol->st_shndx != SHN_UNDEF;
}

/* The table: its four numbers, a Bloom filter, the buckets, the chains. */
static bool look_up(const struct library *library, const char *name, Elf64_Sym *symbol)
{
	struct {
		uint32_t buckets, first, bloom, shift;
	} table;
	uint32_t hash = hash_of(name), index, entry;
	unsigned long buckets, chains;

	if (!get(library, library->hash, &table, sizeof table) || !table.buckets)
		return false;
	buckets = library->hash + sizeof table + table.bloom * sizeof(uint64_t);
	chains = buckets + table.buckets * sizeof(uint32_t);
	if (!get(library, buckets + hash % table.buckets * sizeof index, &index, sizeof index) ||
	    index < table.first)
		return false;
	for (int i = 0; i < LONGEST_CHAIN; i++, index++) {
		if (!get(library, chains + (index - table.first) * sizeof entry, &entry, sizeof entry))
			return false;
		if ((entry | 1) == (hash | 1) && is_symbol(library, index, name, symbol))
			return true;
		if (entry & 1)
			return false;
	}
	return false;
}

unsigned long symbol_find(pid_t pid, unsigned long library, const char *name, size_t *size)
{
	struct library from = { .pid = pid, .base = library };
	Elf64_Sym symbol;

	if (!open_library(&from) || !look_up(&from, name, &symbol))
		return 0;
	*size = symbol.st_size;
	return library + symbol.st_value;
}
