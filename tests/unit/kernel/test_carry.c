/* SPDX-License-Identifier: MIT */
/* What an earlier build has kept, in maps whose values are shorter than ours, is carried over. */
#include "kernel/carry.h"

#include "../unit.h"
#include "kept.h"

#include "record.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Their last members were not known to the earlier build. */
#define INTENT (sizeof(struct intent) - 8)
#define WISHES (sizeof(struct wishes) - sizeof(struct wish))

int __wrap_bpf_obj_get(const char *path);

static struct {
	int intents, wishes; /* of the earlier build; -1 = there are none */
	struct carry ours;
	int fd;
} stage;

/* They are found under their names. */
int __wrap_bpf_obj_get(const char *path)
{
	int fd = -1;

	if (strstr(path, "intents-"))
		fd = stage.intents;
	else if (strstr(path, "wishes-"))
		fd = stage.wishes;
	if (fd >= 0)
		return dup(fd);
	errno = ENOENT;
	return -ENOENT;
}

/* @by_files: NULL = by what the kernel takes. */
static void begin(const void *by_files)
{
	if (geteuid() != 0)
		skip();
	kept_by_files = by_files != NULL;
	stage.intents = kept_map(INTENT);
	stage.wishes = kept_map(WISHES);
	stage.ours.intents_fd = kept_map(sizeof(struct intent));
	stage.ours.wishes_fd = kept_map(sizeof(struct wishes));
	stage.ours.receipts_fd = bpf_map_create(BPF_MAP_TYPE_HASH, "receipts",
		sizeof(struct conn_key), sizeof(struct receipt), 16,
		&(struct bpf_map_create_opts){
			.sz = sizeof(struct bpf_map_create_opts), .map_flags = BPF_F_NO_PREALLOC});
	assert_true(stage.ours.receipts_fd >= 0);
	stage.fd = kept_socket();
}

static int end(void **state)
{
	int fds[] = {stage.intents, stage.wishes, stage.ours.intents_fd, stage.ours.wishes_fd,
		stage.ours.receipts_fd, stage.fd};

	(void)state;
	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++) {
		if (fds[i] > 0)
			close(fds[i]);
	}
	memset(&stage, 0, sizeof(stage));
	return 0;
}

static void keep(void)
{
	/* Up to the last that the earlier build knew. */
	struct intent intent = {.generation = 3, .adds = 2, .removes = 1, .total = 4, .purpose = 1};
	struct wishes wishes = {.is_restricted = 1,
		.list[2] = {.port = 7000, .adds = 2},
		.list[WISHES_MAX - 2] = {.adds = 1, .flags = 1}};

	assert_int_equal(bpf_map_update_elem(stage.intents, &stage.fd, &intent, BPF_ANY), 0);
	assert_int_equal(bpf_map_update_elem(stage.wishes, &stage.fd, &wishes, BPF_ANY), 0);
}

static int carry_layout_of(size_t intent)
{
	char layout[CARRY_LAYOUT_MAX];
	struct pins pins = {.folder = "/nowhere"};

	snprintf(layout, sizeof(layout), "%d-%zu-%zu-%zu-%zu-16", KEPT_LAYOUT, intent, WISHES,
		sizeof(struct conn_key), sizeof(struct receipt));
	return carry_over(&stage.ours, &pins, layout);
}

static void read_ours(struct intent *ret_intent, struct wishes *ret_wishes)
{
	assert_int_equal(bpf_map_lookup_elem(stage.ours.intents_fd, &stage.fd, ret_intent), 0);
	assert_int_equal(bpf_map_lookup_elem(stage.ours.wishes_fd, &stage.fd, ret_wishes), 0);
}

static void shorter_values_are_the_beginning_of_ours(void **state)
{
	struct wishes wishes;
	struct intent intent;

	begin(*state);
	keep();
	assert_int_equal(carry_layout_of(INTENT), 0);
	read_ours(&intent, &wishes);
	assert_int_equal(intent.generation, 3);
	assert_int_equal(intent.adds, 2);
	assert_int_equal(intent.removes, 1);
	assert_int_equal(intent.total, 4);
	assert_int_equal(intent.purpose, 1);
	assert_int_equal(intent.expected, 0);
	assert_int_equal(wishes.is_restricted, 1);
	assert_int_equal(wishes.list[2].port, 7000);
	assert_int_equal(wishes.list[2].adds, 2);
	assert_int_equal(wishes.list[WISHES_MAX - 2].adds, 1);
	assert_int_equal(wishes.list[WISHES_MAX - 2].flags, 1);
	assert_int_equal(wishes.list[WISHES_MAX - 1].adds, 0);
}

static void what_is_not_understood_is_closed(void **state)
{
	struct wishes wishes;
	struct intent intent;

	begin(*state);
	keep();
	/* Of another meaning: it is no multiple of four. */
	assert_int_equal(carry_layout_of(INTENT - 1), 0);
	read_ours(&intent, &wishes);
	assert_int_equal(intent.generation, 1);
	assert_int_equal(intent.adds, 0);
	assert_int_equal(wishes.is_restricted, 1);
	assert_int_equal(wishes.list[2].adds, 0);
}

/* A daemon that ended between the two. */
static void one_map_alone_is_carried_over(void **state)
{
	struct intent intent;

	begin(*state);
	keep();
	close(stage.wishes);
	stage.wishes = -1;
	assert_int_equal(carry_layout_of(INTENT), 0);
	assert_int_equal(bpf_map_lookup_elem(stage.ours.intents_fd, &stage.fd, &intent), 0);
	assert_int_equal(intent.generation, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KEPT_TEST_TWICE(shorter_values_are_the_beginning_of_ours, end),
		KEPT_TEST_TWICE(what_is_not_understood_is_closed, end),
		KEPT_TEST_TWICE(one_map_alone_is_carried_over, end),
	};

	return cmocka_run_group_tests_name("carry", tests, NULL, NULL);
}
