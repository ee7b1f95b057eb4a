/* SPDX-License-Identifier: MIT */
/* A list of address prefixes, as the operator writes it. */
#include "prefixes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX (INET6_ADDRSTRLEN + 4)

static const char private[] = "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 fc00::/7";

static int read_list(const char *text, struct prefixes *prefixes);

static int read_word(char *word, struct prefixes *prefixes)
{
	char *slash = strchr(word, '/'), *end;
	struct in6_addr address = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
	unsigned long bits = 0, most = 32;

	if (!strcmp(word, "private"))
		return read_list(private, prefixes);
	if (!strcmp(word, "none"))
		return 0;
	if (!strcmp(word, "all")) {
		memset(&address, 0, sizeof(address));
	} else {
		if (!slash)
			return -EINVAL;
		*slash = '\0';
		bits = strtoul(slash + 1, &end, 10);
		if (end == slash + 1 || *end)
			return -EINVAL;
		if (inet_pton(AF_INET6, word, &address) == 1)
			most = 128;
		else if (inet_pton(AF_INET, word, &address.s6_addr[12]) != 1)
			return -EINVAL;
		if (bits > most)
			return -EINVAL;
		bits += 128 - most;
	}
	if (prefixes->count == PREFIXES_MAX)
		return -E2BIG;
	prefixes->list[prefixes->count].address = address;
	prefixes->list[prefixes->count++].bits = bits;
	return 0;
}

static int read_list(const char *text, struct prefixes *prefixes)
{
	char word[WORD_MAX];
	size_t len;
	int err = 0;

	for (text += strspn(text, " \t"); *text && !err; text += len + strspn(text + len, " \t")) {
		len = strcspn(text, " \t");
		if (len >= sizeof(word))
			return -EINVAL;
		memcpy(word, text, len);
		word[len] = '\0';
		err = read_word(word, prefixes);
	}
	return err;
}

int prefixes_read(const char *text, struct prefixes *ret_prefixes)
{
	struct prefixes prefixes = {};
	int err = read_list(text, &prefixes);

	if (!err)
		*ret_prefixes = prefixes;
	return err;
}

bool prefixes_is_inside(
	const struct in6_addr *address, const struct in6_addr *prefix, unsigned int bits)
{
	unsigned int bytes = bits / 8, rest = bits % 8;

	if (memcmp(address, prefix, bytes))
		return false;
	return !rest || !((address->s6_addr[bytes] ^ prefix->s6_addr[bytes]) >> (8 - rest));
}

bool prefixes_has(const struct prefixes *prefixes, const struct in6_addr *address)
{
	for (unsigned int i = 0; i < prefixes->count; i++) {
		if (prefixes_is_inside(address, &prefixes->list[i].address, prefixes->list[i].bits))
			return true;
	}
	return false;
}
