/* SPDX-License-Identifier: MIT */
/* The ports that the kernel may choose for a socket by itself, of one namespace. */
#ifndef SUBFLOW_PORTS_H
#define SUBFLOW_PORTS_H

#include <stdbool.h>
#include <stdint.h>

#define PORTS_WORDS 1024 /* a bit for each port there is */

struct ports {
	uint16_t low, high;             /* inclusive */
	uint64_t reserved[PORTS_WORDS]; /* bit port % 64 of word port / 64 */
};

/*
 * From the texts of ip_local_port_range ("32768 60999") and
 * ip_local_reserved_ports ("8080,9000-9100"), however long. -EINVAL for what is neither.
 */
int ports_read(struct ports *ports, const char *range, const char *reserved);

void ports_reserve(struct ports *ports, uint16_t first, uint16_t last);
bool ports_is_reserved(const struct ports *ports, uint16_t port);

/* Whether it is one of them. */
bool ports_has(const struct ports *ports, uint16_t port);

/* One of them by @random, each as likely as any other; 0: there is none. */
uint16_t ports_draw(const struct ports *ports, uint64_t random);

/* The next number of a sequence without end (xorshift64*); *@state is not 0. */
uint64_t ports_random(uint64_t *state);

#endif
