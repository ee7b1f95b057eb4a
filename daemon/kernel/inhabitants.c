/* SPDX-License-Identifier: MIT */
/* Network namespaces by the processes that live in them. */
#include "inhabitants.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ROOM_FIRST 64

/* Calls @visit with the namespace of each process until it returns other than 0; returns that. */
static int each(int (*visit)(void *arg, const char *path, ino_t inode), void *arg, uint32_t *hidden)
{
	char path[INHABITANTS_PATH_MAX];
	struct dirent *entry;
	struct stat st;
	int result = 0;
	DIR *proc;

	proc = opendir("/proc");
	if (!proc)
		return -errno;
	while (!result && (entry = readdir(proc))) {
		if (!isdigit(*entry->d_name))
			continue;
		snprintf(path, sizeof(path), "/proc/%.10s/ns/net", entry->d_name);
		if (stat(path, &st) == 0)
			result = visit(arg, path, st.st_ino);
		else if (errno == EACCES || errno == EPERM)
			(*hidden)++;
	}
	closedir(proc);
	return result;
}

struct reading {
	struct inhabitants found;
	size_t room;
	ino_t home;
};

static int collect(void *arg, const char *path, ino_t inode)
{
	struct reading *reading = arg;
	struct inhabitants *found = &reading->found;
	struct inhabited *list = found->list;

	/* Those of one container mostly follow each other. */
	if (inode == reading->home || (found->n && list[found->n - 1].inode == inode))
		return 0;
	if (found->n == reading->room) {
		reading->room = reading->room ? 2 * reading->room : ROOM_FIRST;
		list = realloc(list, reading->room * sizeof(*list));
		if (!list)
			return -ENOMEM;
		found->list = list;
	}
	list[found->n] = (struct inhabited){.inode = inode};
	snprintf(list[found->n].path, sizeof(list->path), "%s", path);
	found->n++;
	return 0;
}

/* By inode number, then by the process's. */
static int compare(const void *one, const void *other)
{
	const struct inhabited *a = one, *b = other;
	size_t a_len = strlen(a->path), b_len = strlen(b->path);

	if (a->inode != b->inode)
		return a->inode < b->inode ? -1 : 1;
	if (a_len != b_len)
		return a_len < b_len ? -1 : 1;
	return strcmp(a->path, b->path);
}

static void keep_one_of_each(struct inhabitants *found)
{
	size_t kept = 0;

	for (size_t i = 0; i < found->n; i++) {
		if (!kept || found->list[kept - 1].inode != found->list[i].inode)
			found->list[kept++] = found->list[i];
	}
	found->n = kept;
}

int inhabitants_read(ino_t home, struct inhabitants *ret_inhabitants)
{
	struct reading reading = {.home = home};
	int err = each(collect, &reading, &reading.found.hidden);

	if (err) {
		inhabitants_done(&reading.found);
		return err;
	}
	if (reading.found.n)
		qsort(reading.found.list, reading.found.n, sizeof(*reading.found.list), compare);
	keep_one_of_each(&reading.found);
	*ret_inhabitants = reading.found;
	return 0;
}

void inhabitants_done(struct inhabitants *inhabitants)
{
	free(inhabitants->list);
	*inhabitants = (struct inhabitants){};
}

static int compare_inode(const void *key, const void *member)
{
	const ino_t *inode = key;
	const struct inhabited *inhabited = member;

	return *inode < inhabited->inode ? -1 : *inode > inhabited->inode;
}

struct inhabited *inhabitants_of(const struct inhabitants *inhabitants, ino_t inode)
{
	if (!inhabitants->n)
		return NULL;
	return bsearch(&inode, inhabitants->list, inhabitants->n, sizeof(*inhabitants->list),
		compare_inode);
}

struct sought {
	ino_t inode;
	char *path;
};

static int is_it(void *arg, const char *path, ino_t inode)
{
	const struct sought *sought = arg;

	if (inode != sought->inode)
		return 0;
	snprintf(sought->path, INHABITANTS_PATH_MAX, "%s", path);
	return 1;
}

int inhabitants_find(ino_t inode, char path[INHABITANTS_PATH_MAX])
{
	struct sought sought = {.inode = inode, .path = path};
	uint32_t hidden = 0;
	int found = each(is_it, &sought, &hidden);

	if (found < 0)
		return found;
	return found ? 0 : -ENOENT;
}
