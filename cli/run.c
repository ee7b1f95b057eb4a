/* SPDX-License-Identifier: MIT */
/* subflow run: a program with its TCP sockets made MPTCP by the preload object. */
#include "cli.h"
#include "preload.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* As env(1) and the shells have them. */
enum { EXIT_SELF = 125, EXIT_CANNOT_EXECUTE = 126, EXIT_NOT_FOUND = 127 };

enum { INTERPRETERS_MAX = 4, HEADERS_MAX = 128 };

static void warn_without_mptcp(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);

	if (fd >= 0)
		close(fd);
	else
		fprintf(stderr,
			"subflow run: warning: no Multipath TCP here (%s): the program will use "
			"TCP; \"subflow doctor\" tells more\n",
			strerror(errno));
}

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

/* Whether the file @fd is a script; its interpreter's path is then in @ret_path. */
static bool read_interpreter(int fd, char ret_path[PATH_MAX])
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

/* Why the preload object has no effect on the ELF file @fd; NULL if it has, or it is no ELF. */
static const char *find_obstacle(int fd)
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

static void warn_about_program(const char *name)
{
	char path[PATH_MAX];
	const char *obstacle = NULL;

	if (!find_program(name, path))
		return;
	for (int i = 0; i < INTERPRETERS_MAX; i++) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		bool is_script;

		if (fd < 0)
			return;
		is_script = read_interpreter(fd, path);
		if (!is_script)
			obstacle = find_obstacle(fd);
		close(fd);
		if (!is_script)
			break;
	}
	if (obstacle)
		fprintf(stderr, "subflow run: warning: %s %s: its sockets stay as they are\n", path,
			obstacle);
}

static int prepend_preload(const char *object)
{
	const char *before = getenv("LD_PRELOAD");
	char *value;
	int r;

	if (asprintf(&value, "%s%s%s", object, before && *before ? ":" : "", before ? before : "") <
		0)
		return -ENOMEM;
	r = setenv("LD_PRELOAD", value, 1) < 0 ? -errno : 0;
	free(value);
	return r;
}

static int run_main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	char object[PATH_MAX];
	int c, error;

	while ((c = getopt_long(argc, argv, "+h", long_options, NULL)) != -1)
		return c == 'h' ? cli_help(&run_verb) : cli_misused(&run_verb);
	if (optind == argc) {
		fprintf(stderr, "subflow run: which program?\n");
		return cli_misused(&run_verb);
	}
	if (preload_find(object) < 0) {
		fprintf(stderr,
			"subflow run: no preload object: %s; install Subflow's libraries, or set "
			"SUBFLOW_PRELOAD\n",
			object);
		return EXIT_SELF;
	}
	/* ld.so(8): the list is separated by spaces or colons, and there is no escape. */
	if (object[strcspn(object, " :")]) {
		fprintf(stderr,
			"subflow run: LD_PRELOAD cannot name a path with a space or colon: "
			"%s\n",
			object);
		return EXIT_SELF;
	}
	warn_without_mptcp();
	warn_about_program(argv[optind]);
	if (prepend_preload(object) < 0) {
		fprintf(stderr, "subflow run: out of memory\n");
		return EXIT_SELF;
	}
	execvp(argv[optind], argv + optind);
	error = errno;
	fprintf(stderr, "subflow run: cannot execute %s: %s\n", argv[optind], strerror(error));
	return error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE;
}

const struct verb run_verb = {
	.name = "run",
	.summary = "run a program with its TCP sockets made MPTCP",
	.help = "Usage: subflow run [--] CMD [ARGUMENTS]\n\n"
		"Runs CMD with libsubflow-preload.so in LD_PRELOAD: its TCP sockets become MPTCP\n"
		"sockets. Where the peer has no MPTCP, the kernel falls back to TCP by itself.\n"
		"No effect on programs that are statically linked or setuid.\n\n"
		"SUBFLOW_PRELOAD names another preload object.\n\n"
		"Exit status: CMD's; 125 subflow run itself failed; 126 CMD cannot be executed;\n"
		"127 CMD not found.\n",
	.run = run_main,
	.usage_status = EXIT_SELF,
};
