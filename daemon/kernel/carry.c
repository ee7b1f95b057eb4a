/* SPDX-License-Identifier: MIT */
/* What a daemon of another build has kept is carried over. */
#include "carry.h"

#include "kernel/visit.h"

#include "carry.skel.h"
#include "record.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <unistd.h>

struct layout {
	unsigned int version, max_connections;
	size_t intent, wishes, key, receipt; /* bytes */
};

void carry_layout(uint32_t max_connections, char ret_layout[CARRY_LAYOUT_MAX])
{
	snprintf(ret_layout, CARRY_LAYOUT_MAX, "%d-%zu-%zu-%zu-%zu-%u", KEPT_LAYOUT,
		sizeof(struct intent), sizeof(struct wishes), sizeof(struct conn_key),
		sizeof(struct receipt), max_connections);
}

static bool is_beginning(size_t bytes, size_t ours)
{
	return bytes && bytes <= ours && bytes % 4 == 0;
}

static bool read_layout(const char *text, struct layout *layout)
{
	*layout = (struct layout){};
	return sscanf(text, "%u-%zu-%zu-%zu-%zu-%u", &layout->version, &layout->intent,
		       &layout->wishes, &layout->key, &layout->receipt,
		       &layout->max_connections) == 6 &&
	       layout->version == KEPT_LAYOUT && layout->key == sizeof(struct conn_key) &&
	       is_beginning(layout->intent, sizeof(struct intent)) &&
	       is_beginning(layout->wishes, sizeof(struct wishes)) &&
	       is_beginning(layout->receipt, sizeof(struct receipt));
}

bool carry_understands(const char *other)
{
	struct layout layout;

	return read_layout(other, &layout);
}

/* -ENOENT: there is none. */
static int open_map(const struct pins *pins, const char *map, const char *layout)
{
	char path[PATH_MAX];
	int fd;

	pins_path(pins, map, layout, path);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

/* It writes nothing. */
static int read_all(void *arg, int fd)
{
	char nothing[64];
	ssize_t len;

	(void)arg;
	while ((len = visit_read(fd, nothing, sizeof(nothing))) > 0)
		;
	return (int)len;
}

/* One of the earlier daemon's two maps of sockets. */
struct earlier {
	const char *name;
	struct bpf_map *map;
	struct visitor visitor;
	int fd; /* -1: there is none */
};

static int open_earlier(struct earlier *earlier, const struct pins *pins, const char *layout)
{
	int fd = open_map(pins, earlier->name, layout);

	if (fd >= 0) {
		earlier->fd = fd;
		visit_choose(&earlier->visitor);
		return bpf_map__reuse_fd(earlier->map, fd);
	}
	bpf_program__set_autoload(earlier->visitor.by_map, false);
	bpf_program__set_autoload(earlier->visitor.by_files, false);
	bpf_map__set_autocreate(earlier->map, false);
	return fd == -ENOENT ? 0 : fd;
}

static int visit_earlier(const struct earlier *earlier)
{
	return earlier->fd < 0 ? 0 : visit_kept(&earlier->visitor, earlier->fd, read_all, NULL);
}

static int carry_sockets(const struct carry *carry, const struct pins *pins, const char *other,
	const struct layout *layout)
{
	struct carry_bpf *skeleton = carry_bpf__open();
	struct earlier intents, wishes;
	int err;

	if (!skeleton)
		return -errno;
	if (layout) {
		skeleton->rodata->carried_intent = layout->intent;
		skeleton->rodata->carried_wishes = layout->wishes;
	}
	intents = (struct earlier){"intents", skeleton->maps.earlier_intents,
		{skeleton->progs.carry_intent, skeleton->progs.carry_intent_files}, -1};
	wishes = (struct earlier){"wishes", skeleton->maps.earlier_wishes,
		{skeleton->progs.carry_wishes, skeleton->progs.carry_wishes_files}, -1};
	err = open_earlier(&intents, pins, other);
	if (!err)
		err = open_earlier(&wishes, pins, other);
	if (!err)
		err = bpf_map__reuse_fd(skeleton->maps.intents, carry->intents_fd);
	if (!err)
		err = bpf_map__reuse_fd(skeleton->maps.all_wishes, carry->wishes_fd);
	if (!err)
		err = bpf_map__reuse_fd(skeleton->maps.receipts, carry->receipts_fd);
	if (!err)
		err = carry_bpf__load(skeleton);
	if (!err)
		err = visit_earlier(&intents);
	if (!err)
		err = visit_earlier(&wishes);
	if (!err && skeleton->bss->carry_failures)
		err = -ENOMEM;
	if (intents.fd >= 0)
		close(intents.fd);
	if (wishes.fd >= 0)
		close(wishes.fd);
	carry_bpf__destroy(skeleton);
	return err;
}

/* Those that find no room are of connections that are gone, or are one too many now. */
static int carry_receipts(
	const struct carry *carry, const struct pins *pins, const char *other, size_t bytes)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);
	struct conn_key key, *last = NULL;
	struct receipt receipt;
	int fd = open_map(pins, "receipts", other), err;
	char *value = NULL;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	err = bpf_obj_get_info_by_fd(fd, &info, &size) ? -errno : 0;
	if (!err && info.key_size != sizeof(key))
		err = -EINVAL;
	if (!err)
		value = calloc(1, MAX(info.value_size, sizeof(receipt)));
	if (!err && !value)
		err = -ENOMEM;
	while (!err && !bpf_map_get_next_key(fd, last, &key)) {
		last = &key;
		if (bpf_map_lookup_elem(fd, &key, value))
			continue;
		receipt = (struct receipt){};
		memcpy(&receipt, value, bytes);
		bpf_map_update_elem(carry->receipts_fd, &key, &receipt, BPF_ANY);
	}
	free(value);
	close(fd);
	return err;
}

int carry_over(const struct carry *carry, const struct pins *pins, const char *other)
{
	struct layout layout;
	int err;

	if (!read_layout(other, &layout))
		return carry_sockets(carry, pins, other, NULL);
	/* Before the requests that they are the receipts of. */
	err = carry_receipts(carry, pins, other, layout.receipt);
	return err ? err : carry_sockets(carry, pins, other, &layout);
}
