/* SPDX-License-Identifier: MIT */
/* The ports that the kernel may choose for a socket by itself, of one namespace. */
#include "ports.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int read_port(const char **text, uint16_t *ret_port)
{
	char *end;
	unsigned long port = strtoul(*text, &end, 10);

	if (end == *text || port > UINT16_MAX)
		return -EINVAL;
	*text = end;
	*ret_port = port;
	return 0;
}

static int read_reserved(struct ports *ports, const char *text)
{
	uint16_t first, last;

	while (*text) {
		if (read_port(&text, &first))
			return -EINVAL;
		last = first;
		if (*text == '-') {
			text++;
			if (read_port(&text, &last))
				return -EINVAL;
		}
		if (*text == ',')
			text++;
		else if (*text)
			return -EINVAL;
		if (last < ports->low || first > ports->high)
			continue;
		if (ports->n_reserved == PORTS_RESERVED_MAX)
			return -E2BIG;
		ports->reserved[ports->n_reserved].first = first;
		ports->reserved[ports->n_reserved++].last = last;
	}
	return 0;
}

int ports_read(struct ports *ports, const char *range, const char *reserved)
{
	struct ports read = {};
	int err;

	if (read_port(&range, &read.low) || !*range || read_port(&range, &read.high) ||
		read.low > read.high || !read.low)
		return -EINVAL;
	err = read_reserved(&read, reserved);
	if (!err)
		*ports = read;
	return err;
}

uint16_t ports_draw(const struct ports *ports, uint64_t random)
{
	uint16_t port = ports->low + random % (ports->high - ports->low + 1u);

	for (unsigned int i = 0; i < ports->n_reserved; i++) {
		if (port >= ports->reserved[i].first && port <= ports->reserved[i].last)
			return 0;
	}
	return port;
}

uint64_t ports_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}
