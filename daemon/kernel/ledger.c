/* SPDX-License-Identifier: MIT */
/* The guardian's notes on disk, for who comes next. */
#include "ledger.h"

#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOOT_FILE "/proc/sys/kernel/random/boot_id"
#define NEW       "new"

static int read_boot(char boot[LEDGER_BOOT_MAX])
{
	int fd = open(BOOT_FILE, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, boot, LEDGER_BOOT_MAX - 1);
	int err = len < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	if (err)
		return err;
	boot[len] = '\0';
	boot[strcspn(boot, "\n")] = '\0';
	return *boot ? 0 : -EBADMSG;
}

void ledger_open(struct ledger *ledger, const char *path)
{
	char folder[PATH_MAX], *slash;
	int err = read_boot(ledger->boot);

	ledger->folder_fd = err;
	if (err)
		return;
	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	ledger->folder_fd = -ENAMETOOLONG;
	if ((size_t)snprintf(ledger->prefix, sizeof(ledger->prefix), "%s.before.", slash + 1) >=
		sizeof(ledger->prefix))
		return;
	slash[slash == folder] = '\0';
	ledger->folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ledger->folder_fd < 0)
		ledger->folder_fd = -errno;
}

void ledger_close(struct ledger *ledger)
{
	if (ledger->folder_fd >= 0)
		close(ledger->folder_fd);
	ledger->folder_fd = -EBADF;
}

static void name_file(const struct ledger *ledger, uint64_t cookie, char name[NAME_MAX + 1])
{
	snprintf(name, NAME_MAX + 1, "%s%" PRIx64, ledger->prefix, cookie);
}

/* What stands there already, whoever has put it there, is not written to. */
static int write_new(int folder_fd, const char *name, const char *text, size_t len)
{
	ssize_t done;
	int fd, err;

	unlinkat(folder_fd, name, 0);
	fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	done = write(fd, text, len);
	err = done < 0 ? -errno : (size_t)done < len ? -ENOSPC : 0;
	close(fd);
	return err;
}

int ledger_write(const struct ledger *ledger, const struct guardian_note *note)
{
	char text[LEDGER_BYTES_MAX], name[NAME_MAX + 1], new[NAME_MAX + 1];
	int len, err;

	if (ledger->folder_fd < 0)
		return ledger->folder_fd;
	len = snprintf(text, sizeof(text), "%s %" PRIu64 " %ju %s %s %s %s\n", ledger->boot,
		note->cookie, (uintmax_t)note->inode, note->sysctl, note->ours, note->before,
		note->path);
	name_file(ledger, note->cookie, name);
	snprintf(new, sizeof(new), "%s%s", ledger->prefix, NEW);
	err = write_new(ledger->folder_fd, new, text, len);
	if (!err && renameat(ledger->folder_fd, new, ledger->folder_fd, name) < 0)
		err = -errno;
	if (err)
		unlinkat(ledger->folder_fd, new, 0);
	return err;
}

void ledger_strike(const struct ledger *ledger, uint64_t cookie)
{
	char name[NAME_MAX + 1];

	name_file(ledger, cookie, name);
	unlinkat(ledger->folder_fd, name, 0);
}

int ledger_decode(const char *text, size_t len, const char *boot, struct guardian_note *ret_note)
{
	struct guardian_note note = {};
	char of[LEDGER_BOOT_MAX];
	uintmax_t inode;
	int end = 0;

	/* The path comes last, and may be anything: the file's last byte ends it. */
	if (!len || strlen(text) != len || text[len - 1] != '\n')
		return -EBADMSG;
	if (sscanf(text, "%39s %" SCNu64 " %ju %31s %31s %31s%n", of, &note.cookie, &inode,
		    note.sysctl, note.ours, note.before, &end) != 6 ||
		text[end] != ' ' || !note.cookie)
		return -EBADMSG;
	if (strcmp(of, boot))
		return -ESTALE;
	len -= end + 2;
	if (len >= sizeof(note.path))
		return -EBADMSG;
	memcpy(note.path, text + end + 1, len);
	note.inode = inode;
	*ret_note = note;
	return 0;
}

/* What others have put there, or may write to, is none of ours; and no reader waits for it. */
static int read_note(const struct ledger *ledger, const char *name, struct guardian_note *ret_note)
{
	int fd = openat(ledger->folder_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char text[LEDGER_BYTES_MAX];
	struct stat st;
	ssize_t len;
	int err;

	if (fd < 0)
		return -errno;
	err = fstat(fd, &st) < 0 ? -errno : 0;
	if (!err && (!S_ISREG(st.st_mode) || (st.st_uid != 0 && st.st_uid != geteuid()) ||
			    st.st_mode & (S_IWGRP | S_IWOTH)))
		err = -EPERM;
	len = err ? 0 : read(fd, text, sizeof(text) - 1);
	if (len < 0)
		err = -errno;
	close(fd);
	if (err)
		return err;
	text[len] = '\0';
	return ledger_decode(text, len, ledger->boot, ret_note);
}

static void look_at(const struct ledger *ledger, const char *name,
	int (*each)(void *arg, const struct guardian_note *note), void *arg)
{
	struct guardian_note note;
	int err = read_note(ledger, name, &note);

	if (!err) {
		err = each(arg, &note);
		if (err && err != -EBADMSG)
			return;
	}
	if (err && err != -ESTALE)
		log_warning("%s: %s; it is no note of what to put back, and is removed", name,
			strerror(-err));
	unlinkat(ledger->folder_fd, name, 0);
}

void ledger_each(const struct ledger *ledger,
	int (*each)(void *arg, const struct guardian_note *note), void *arg)
{
	int fd = openat(ledger->folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!folder) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(folder))) {
		if (!strncmp(entry->d_name, ledger->prefix, strlen(ledger->prefix)))
			look_at(ledger, entry->d_name, each, arg);
	}
	closedir(folder);
}
