/* SPDX-License-Identifier: MIT */
/* Whether a preload object can have an effect on a program: scripts and ELF files. */
#include "program.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { INTERPRETERS_MAX = 4, HEADERS_MAX = 128 };

/* Where execvp(3) will find @name; false leaves the error to execvp(3) itself. */
static bool find_program(const char *name, char ret_path[PATH_MAX])
{
	const char *path = getenv("PATH");

	if (strchr(name, '/')) {
		snprintf(ret_path, PATH_MAX, "%s", name);
		return true;
	}
	while (path && *path) {
		size_t len = strcspn(path, ":");

		snprintf(ret_path, PATH_MAX, "%.*s/%s", len ? (int)len : 1, len ? path : ".", name);
		if (access(ret_path, X_OK) == 0)
			return true;
		path += len + (path[len] == ':');
	}
	return false;
}

bool program_read_interpreter(int fd, char ret_path[PATH_MAX])
{
	char line[256], *start;
	ssize_t n = pread(fd, line, sizeof(line) - 1, 0);

	if (n < 3 || memcmp(line, "#!", 2))
		return false;
	line[n] = '\0';
	start = line + 2 + strspn(line + 2, " \t");
	start[strcspn(start, " \t\r\n")] = '\0';
	snprintf(ret_path, PATH_MAX, "%s", start);
	return *start != '\0';
}

static bool has_interpreter_header(int fd, const Elf64_Ehdr *elf)
{
	for (unsigned i = 0; i < elf->e_phnum && i < HEADERS_MAX; i++) {
		Elf64_Phdr header;
		off_t at = (off_t)(elf->e_phoff + (uint64_t)i * sizeof(header));

		if (pread(fd, &header, sizeof(header), at) != sizeof(header))
			return true;
		if (header.p_type == PT_INTERP)
			return true;
	}
	return false;
}

const char *program_read_obstacle(int fd)
{
	static const int own_class = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
	struct stat st;
	Elf64_Ehdr elf;

	if (fstat(fd, &st) == 0) {
		bool is_setuid = st.st_mode & S_ISUID && st.st_uid != geteuid();
		bool is_setgid = st.st_mode & S_ISGID && st.st_gid != getegid();

		if (is_setuid || is_setgid)
			return "is setuid or setgid, which ignores LD_PRELOAD";
	}
	if (geteuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0)
		return "has file capabilities, which ignore LD_PRELOAD";
	if (pread(fd, &elf, sizeof(elf), 0) != sizeof(elf) || memcmp(elf.e_ident, ELFMAG, SELFMAG))
		return NULL;
	if (elf.e_ident[EI_CLASS] != own_class)
		return "is of another word size than the preload object";
	if (own_class == ELFCLASS64 && elf.e_phentsize == sizeof(Elf64_Phdr) &&
		!has_interpreter_header(fd, &elf))
		return "is statically linked, which ignores LD_PRELOAD";
	return NULL;
}

const char *program_find_obstacle(const char *name, char ret_path[PATH_MAX])
{
	const char *obstacle = NULL;

	if (!find_program(name, ret_path))
		return NULL;
	for (int i = 0; i < INTERPRETERS_MAX; i++) {
		int fd = open(ret_path, O_RDONLY | O_CLOEXEC);
		bool is_script;

		if (fd < 0)
			return NULL;
		is_script = program_read_interpreter(fd, ret_path);
		if (!is_script)
			obstacle = program_read_obstacle(fd);
		close(fd);
		if (!is_script)
			break;
	}
	return obstacle;
}
