/* SPDX-License-Identifier: MIT */
/* A list of address prefixes, as the operator writes it. */
#ifndef SUBFLOW_PREFIXES_H
#define SUBFLOW_PREFIXES_H

#include <netinet/in.h>
#include <stdbool.h>

#define PREFIXES_MAX 32

struct prefixes {
	unsigned int count;
	struct {
		struct in6_addr address; /* v4-mapped */
		unsigned int bits;       /* of these 128 */
	} list[PREFIXES_MAX];
};

/*
 * Words separated by blanks: "10.0.0.0/8", "fd00::/8", "private" (RFC 1918, RFC 6598,
 * RFC 4193), "all", "none". -EINVAL; -E2BIG for more than there is room for.
 */
int prefixes_read(const char *text, struct prefixes *ret_prefixes);

/* Whether the first @bits of the two agree. */
bool prefixes_is_inside(
	const struct in6_addr *address, const struct in6_addr *prefix, unsigned int bits);

bool prefixes_has(const struct prefixes *prefixes, const struct in6_addr *address);

#endif
