/* SPDX-License-Identifier: MIT */
/* The ports that the kernel may choose for a socket by itself, of one namespace. */
#ifndef SUBFLOW_PORTS_H
#define SUBFLOW_PORTS_H

#include <stdint.h>

#define PORTS_RESERVED_MAX 32

struct ports {
	uint16_t low, high; /* inclusive */
	uint16_t n_reserved;
	struct {
		uint16_t first, last;
	} reserved[PORTS_RESERVED_MAX];
};

/*
 * From the texts of ip_local_port_range ("32768 60999") and
 * ip_local_reserved_ports ("8080,9000-9100"). -EINVAL for what is neither, -E2BIG
 * for more reserved ranges than there is room for.
 */
int ports_read(struct ports *ports, const char *range, const char *reserved);

/* One of them by @random; 0 when the draw hit a reserved one: draw again. */
uint16_t ports_draw(const struct ports *ports, uint64_t random);

/* The next number of a sequence without end (xorshift64*); *@state is not 0. */
uint64_t ports_random(uint64_t *state);

#endif
