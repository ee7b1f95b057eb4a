/* SPDX-License-Identifier: MIT */
/* Field types of what is the core's own: lists of several numbers in one word, and names. */
#include "shapes.h"

#include "core/event.h"
#include "core/line.h"
#include "core/steer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof(*(list)))
#define WORD_MAX    128

/* Numbers in one word, separated by slashes. */
static int read_numbers(const char *word, uint64_t *numbers, unsigned int count, uint64_t most)
{
	char copy[WORD_MAX], *rest = copy, *part;

	if (strlen(word) >= sizeof(copy))
		return -EINVAL;
	strcpy(copy, word);
	for (unsigned int i = 0; i < count; i++) {
		part = strsep(&rest, "/");
		if (!part || field_read_number(part, 10, most, &numbers[i]))
			return -EINVAL;
	}
	return rest ? -EINVAL : 0;
}

/* Calls @read for each part of @word between commas; of @most at most. */
static int read_parts(const char *word, unsigned int most,
	int (*read)(const char *part, unsigned int index, void *value), void *value)
{
	char part[WORD_MAX];
	size_t length;
	int err = 0;

	for (unsigned int i = 0; !err; i++) {
		length = strcspn(word, ",");
		if (i == most || length >= sizeof(part))
			return -EINVAL;
		memcpy(part, word, length);
		part[length] = '\0';
		err = read(part, i, value);
		word += length;
		if (!*word++)
			break;
	}
	return err;
}

static void write_wishes(struct text *text, const void *value)
{
	const struct wish *wish = value, *end = wish + WISHES_MAX;
	struct endpoint endpoint = {.family = AF_INET6};

	for (; wish < end; wish++) {
		memcpy(&endpoint.v6, wish->addr, sizeof(endpoint.v6));
		endpoint.port = wish->port;
		field_write_endpoint(text, &endpoint);
		text_add(text, "/%u/%u/%u/%u%s", wish->since, wish->adds, wish->draft, wish->flags,
			wish + 1 < end ? "," : "");
	}
}

static int read_wish(const char *part, unsigned int index, void *value)
{
	struct wish *wish = &((struct wish *)value)[index];
	struct endpoint endpoint;
	uint64_t numbers[4];
	char end[WORD_MAX];
	const char *slash = strchr(part, '/');

	if (!slash)
		return -EINVAL;
	memcpy(end, part, slash - part);
	end[slash - part] = '\0';
	if (field_read_endpoint(end, &endpoint) || endpoint.family != AF_INET6 ||
		read_numbers(slash + 1, numbers, 4, UINT16_MAX) || numbers[2] > UINT8_MAX ||
		numbers[3] > UINT8_MAX)
		return -EINVAL;
	*wish = (struct wish){.port = endpoint.port,
		.since = numbers[0],
		.adds = numbers[1],
		.draft = numbers[2],
		.flags = numbers[3]};
	memcpy(wish->addr, &endpoint.v6, sizeof(wish->addr));
	return 0;
}

static int read_wishes(const char *word, void *value)
{
	return read_parts(word, WISHES_MAX, read_wish, value);
}

const struct field_type shape_wishes = {
	sizeof(((struct wishes *)0)->list), NULL, write_wishes, read_wishes, NULL};

static void write_paid(struct text *text, const void *value)
{
	const typeof(((struct receipt *)0)->wishes[0]) *paid = value;

	for (int i = 0; i < WISHES_MAX; i++)
		text_add(text, "%s%u/%u", i ? "," : "", paid[i].since, paid[i].done);
}

static int read_paid_one(const char *part, unsigned int index, void *value)
{
	typeof(((struct receipt *)0)->wishes[0]) *paid = value;
	uint64_t numbers[2];

	if (read_numbers(part, numbers, 2, UINT16_MAX))
		return -EINVAL;
	paid[index].since = numbers[0];
	paid[index].done = numbers[1];
	return 0;
}

static int read_paid(const char *word, void *value)
{
	return read_parts(word, WISHES_MAX, read_paid_one, value);
}

const struct field_type shape_paid = {
	sizeof(((struct receipt *)0)->wishes), NULL, write_paid, read_paid, NULL};

static void write_ids(struct text *text, const void *value)
{
	const uint8_t *ids = value;

	for (int i = 0; i < WISHES_MAX; i++)
		text_add(text, "%s%u", i ? "," : "", ids[i]);
}

static int read_id(const char *part, unsigned int index, void *value)
{
	uint64_t id;
	int err = field_read_number(part, 10, UINT8_MAX, &id);

	if (!err)
		((uint8_t *)value)[index] = id;
	return err;
}

static int read_ids(const char *word, void *value)
{
	return read_parts(word, WISHES_MAX, read_id, value);
}

const struct field_type shape_ids = {
	sizeof(((struct receipt *)0)->announced), NULL, write_ids, read_ids, NULL};

static bool has_no_prefixes(const void *value)
{
	return !((const struct prefixes *)value)->count;
}

static void write_prefixes(struct text *text, const void *value)
{
	const struct prefixes *prefixes = value;
	char address[INET6_ADDRSTRLEN];

	for (unsigned int i = 0; i < prefixes->count; i++) {
		inet_ntop(AF_INET6, &prefixes->list[i].address, address, sizeof(address));
		text_add(text, "%s%s/%u", i ? "," : "", address, prefixes->list[i].bits);
	}
}

static int read_prefix(const char *part, unsigned int index, void *value)
{
	struct prefixes *prefixes = value;
	char address[WORD_MAX], *slash;
	uint64_t bits;

	strcpy(address, part);
	slash = strchr(address, '/');
	if (!slash || field_read_number(slash + 1, 10, 128, &bits))
		return -EINVAL;
	*slash = '\0';
	if (inet_pton(AF_INET6, address, &prefixes->list[index].address) != 1)
		return -EINVAL;
	prefixes->list[index].bits = bits;
	prefixes->count = index + 1;
	return 0;
}

static int read_prefixes(const char *word, void *value)
{
	return read_parts(word, PREFIXES_MAX, read_prefix, value);
}

const struct field_type shape_prefixes = {0, has_no_prefixes, write_prefixes, read_prefixes, NULL};

static bool has_no_reserved(const void *value)
{
	const struct ports *ports = value;
	uint64_t any = 0;

	for (unsigned int i = 0; i < PORTS_WORDS; i++)
		any |= ports->reserved[i];
	return !any;
}

static void write_reserved(struct text *text, const void *value)
{
	const struct ports *ports = value;
	const char *comma = "";
	uint32_t last;

	for (uint32_t port = 0; port <= UINT16_MAX; port++) {
		if (!ports_is_reserved(ports, port))
			continue;
		for (last = port; last < UINT16_MAX && ports_is_reserved(ports, last + 1);)
			last++;
		text_add(text, "%s%u/%u", comma, port, last);
		comma = ",";
		port = last;
	}
}

static int read_reserved_one(const char *part, unsigned int index, void *value)
{
	uint64_t numbers[2];

	(void)index;
	if (read_numbers(part, numbers, 2, UINT16_MAX))
		return -EINVAL;
	ports_reserve(value, numbers[0], numbers[1]);
	return 0;
}

static int read_reserved(const char *word, void *value)
{
	return read_parts(word, UINT16_MAX, read_reserved_one, value);
}

const struct field_type shape_reserved = {0, has_no_reserved, write_reserved, read_reserved, NULL};

static bool has_no_way(const void *value)
{
	return !((const struct line_way *)value)->count;
}

/*
 * "40001tsxr7/0/1/2/0/0": taken, sought, refused, rests since a second; at each tier which router,
 * from 1; 0: not known.
 */
static void write_way(struct text *text, const void *value)
{
	const struct line_way *way = value;
	const struct path_port *port;

	for (unsigned int i = 0; i < way->count; i++) {
		port = &way->ports[i];
		text_add(text, "%s%u%s%s%s", i ? "," : "", port->port, port->is_taken ? "t" : "",
			port->is_sought ? "s" : "", port->is_refused ? "x" : "");
		if (port->rested_s)
			text_add(text, "r%u", port->rested_s);
		for (unsigned int tier = 0; tier < PATH_TIERS_MAX; tier++)
			text_add(text, "/%u", port->tiers[tier]);
	}
}

static int read_way_port(const char *part, unsigned int index, void *value)
{
	struct line_way *way = value;
	struct path_port port = {};
	uint64_t numbers[1 + PATH_TIERS_MAX];
	char copy[WORD_MAX], *flags, *end;
	unsigned long rested_s;

	strcpy(copy, part);
	for (flags = copy; *flags >= '0' && *flags <= '9'; flags++)
		;
	for (; *flags && strchr("tsx", *flags); memmove(flags, flags + 1, strlen(flags))) {
		port.is_taken |= *flags == 't';
		port.is_sought |= *flags == 's';
		port.is_refused |= *flags == 'x';
	}
	if (*flags == 'r') {
		rested_s = strtoul(flags + 1, &end, 10);
		if (rested_s > UINT16_MAX)
			return -EINVAL;
		port.rested_s = rested_s;
		memmove(flags, end, strlen(end) + 1);
	}
	if (read_numbers(copy, numbers, COUNT(numbers), UINT16_MAX))
		return -EINVAL;
	port.port = numbers[0];
	for (unsigned int tier = 0; tier < PATH_TIERS_MAX; tier++) {
		if (numbers[1 + tier] > PATH_ROUTERS_MAX)
			return -EINVAL;
		port.tiers[tier] = numbers[1 + tier];
	}
	way->ports[index] = port;
	way->count = index + 1;
	return 0;
}

static int read_way(const char *word, void *value)
{
	return read_parts(word, PATH_PORTS_MAX, read_way_port, value);
}

const struct field_type shape_way = {0, has_no_way, write_way, read_way, NULL};

static int find_name(const char *word, const char *const *names, size_t count, void *value)
{
	for (uint32_t i = 0; i < count; i++) {
		if (!strcmp(names[i], word)) {
			*(uint32_t *)value = i;
			return 0;
		}
	}
	return -EINVAL;
}

static const char *const placements[] = {
	[STEER_KERNEL] = "kernel", [STEER_RANDOM] = "random", [STEER_PATHS] = "paths"};

static void write_placement(struct text *text, const void *value)
{
	text_add(text, "%s", placements[*(const uint32_t *)value]);
}

static int read_placement(const char *word, void *value)
{
	return find_name(word, placements, COUNT(placements), value);
}

const struct field_type shape_placement = {
	sizeof(uint32_t), NULL, write_placement, read_placement, NULL};

static const char *const purposes[] = {[PURPOSE_DEFAULT] = "default",
	[PURPOSE_BULK] = "bulk",
	[PURPOSE_INTERACTIVE] = "interactive",
	[PURPOSE_OFF] = "off"};

static void write_purpose(struct text *text, const void *value)
{
	text_add(text, "%s", purposes[*(const enum purpose *)value]);
}

static int read_purpose(const char *word, void *value)
{
	uint32_t purpose;
	int err = find_name(word, purposes, COUNT(purposes), &purpose);

	if (!err)
		*(enum purpose *)value = purpose;
	return err;
}

const struct field_type shape_purpose = {
	sizeof(enum purpose), NULL, write_purpose, read_purpose, NULL};

static const char *const states[] = {[PATH_UNKNOWN] = "unknown",
	[PATH_ASKING] = "asking",
	[PATH_KNOWN] = "known",
	[PATH_SILENT] = "silent"};

static void write_state(struct text *text, const void *value)
{
	text_add(text, "%s", states[*(const uint32_t *)value]);
}

static int read_state(const char *word, void *value)
{
	return find_name(word, states, COUNT(states), value);
}

const struct field_type shape_state = {sizeof(uint32_t), NULL, write_state, read_state, NULL};
