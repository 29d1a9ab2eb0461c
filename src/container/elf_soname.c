/* SPDX-License-Identifier: Apache-2.0 */
#include "container/elf_soname.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/memory.h"

#include <elf.h>
#include <stdint.h>
#include <string.h>

#define HEADERS_MAX 256
#define ENTRIES_MAX 4096

struct program_headers {
	Elf64_Phdr table[HEADERS_MAX];
	size_t count;
};

static bool read_headers(int fd, struct program_headers *ret)
{
	Elf64_Ehdr head;

	if (!file_read_at(fd, &head, sizeof(head), 0) ||
	    memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_ident[EI_CLASS] != ELFCLASS64 ||
	    head.e_ident[EI_DATA] != ELFDATA2LSB || head.e_phentsize != sizeof(Elf64_Phdr) ||
	    head.e_phnum > HEADERS_MAX || head.e_phoff > INT64_MAX)
		return false;
	ret->count = head.e_phnum;
	return file_read_at(fd, ret->table, ret->count * sizeof(Elf64_Phdr), (int64_t)head.e_phoff);
}

/* Where in the file an address of the loaded library is; -1: nowhere. */
static int64_t find_offset(const struct program_headers *headers, uint64_t address)
{
	for (size_t i = 0; i < headers->count; i++) {
		const Elf64_Phdr *h = &headers->table[i];
		if (h->p_type == PT_LOAD && address >= h->p_vaddr &&
		    address - h->p_vaddr < h->p_filesz && h->p_offset <= INT64_MAX / 2 &&
		    address - h->p_vaddr <= INT64_MAX / 2)
			return (int64_t)(h->p_offset + (address - h->p_vaddr));
	}
	return -1;
}

/* The addresses of the table of texts and of the name in it. */
static bool read_dynamic(int fd, const Elf64_Phdr *header, uint64_t *ret_table, uint64_t *ret_name)
{
	size_t count = header->p_filesz / sizeof(Elf64_Dyn);
	bool has_table = false, has_name = false;

	if (count > ENTRIES_MAX || header->p_offset > INT64_MAX)
		return false;
	autofree Elf64_Dyn *entries = xcalloc(count + 1, sizeof(*entries));
	if (!file_read_at(fd, entries, count * sizeof(*entries), (int64_t)header->p_offset))
		return false;
	for (size_t i = 0; i < count && entries[i].d_tag != DT_NULL; i++) {
		if (entries[i].d_tag == DT_STRTAB) {
			*ret_table = entries[i].d_un.d_ptr;
			has_table = true;
		} else if (entries[i].d_tag == DT_SONAME) {
			*ret_name = entries[i].d_un.d_val;
			has_name = true;
		}
	}
	return has_table && has_name;
}

static bool read_name(int fd, int64_t offset, char ret[ELF_SONAME_SIZE])
{
	ssize_t n = pread(fd, ret, ELF_SONAME_SIZE - 1, offset);

	if (n <= 0)
		return false;
	ret[n] = '\0';
	for (const char *c = ret; *c; c++) {
		if ((unsigned char)*c <= ' ' || *c == '/' || (unsigned char)*c >= 0x7f)
			return false;
	}
	return ret[0] && ret[0] != '.' && strlen(ret) < ELF_SONAME_SIZE - 1;
}

bool elf_soname(int fd, char ret[ELF_SONAME_SIZE])
{
	autofree struct program_headers *headers = xcalloc(1, sizeof(*headers));
	uint64_t table = 0, name = 0;

	if (!read_headers(fd, headers))
		return false;
	for (size_t i = 0; i < headers->count; i++) {
		if (headers->table[i].p_type != PT_DYNAMIC)
			continue;
		if (!read_dynamic(fd, &headers->table[i], &table, &name) || name > UINT32_MAX)
			return false;
		int64_t offset = find_offset(headers, table);
		return offset >= 0 && offset < INT64_MAX / 2 &&
		       read_name(fd, offset + (int64_t)name, ret);
	}
	return false;
}
