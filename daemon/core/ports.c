/* SPDX-License-Identifier: MIT */
/* The ports that the kernel may choose for a socket by itself, of one namespace. */
#include "ports.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WORD_BITS 64
#define BLANKS    " \t\n"

/* Digits alone: strtoul(3) takes blanks and signs too. */
static int read_port(const char **text, uint16_t *ret_port)
{
	unsigned long port;
	char *end;

	if (**text < '0' || **text > '9')
		return -EINVAL;
	port = strtoul(*text, &end, 10);
	if (port > UINT16_MAX)
		return -EINVAL;
	*text = end;
	*ret_port = port;
	return 0;
}

static int read_range(struct ports *ports, const char *text)
{
	text += strspn(text, BLANKS);
	if (read_port(&text, &ports->low))
		return -EINVAL;
	text += strspn(text, BLANKS);
	if (read_port(&text, &ports->high))
		return -EINVAL;
	text += strspn(text, BLANKS);
	return *text || !ports->low || ports->low > ports->high ? -EINVAL : 0;
}

static int read_reserved(struct ports *ports, const char *text)
{
	uint16_t first, last;

	if (!text[strspn(text, BLANKS)])
		return 0;
	for (;; text++) {
		if (read_port(&text, &first))
			return -EINVAL;
		last = first;
		if (*text == '-') {
			text++;
			if (read_port(&text, &last) || last < first)
				return -EINVAL;
		}
		ports_reserve(ports, first, last);
		if (*text != ',')
			return text[strspn(text, BLANKS)] ? -EINVAL : 0;
	}
}

int ports_read(struct ports *ports, const char *range, const char *reserved)
{
	struct ports read = {};
	int err = read_range(&read, range);

	if (!err)
		err = read_reserved(&read, reserved);
	if (!err)
		*ports = read;
	return err;
}

/* The bits of a word that are ports from @first to @last. */
static uint64_t find_mask(unsigned int word, uint16_t first, uint16_t last)
{
	uint64_t mask = ~0ull;

	if (word == first / WORD_BITS)
		mask &= ~0ull << first % WORD_BITS;
	if (word == last / WORD_BITS)
		mask &= ~0ull >> (WORD_BITS - 1 - last % WORD_BITS);
	return mask;
}

void ports_reserve(struct ports *ports, uint16_t first, uint16_t last)
{
	for (unsigned int word = first / WORD_BITS; word <= last / WORD_BITS; word++)
		ports->reserved[word] |= find_mask(word, first, last);
}

bool ports_is_reserved(const struct ports *ports, uint16_t port)
{
	return ports->reserved[port / WORD_BITS] >> port % WORD_BITS & 1;
}

bool ports_has(const struct ports *ports, uint16_t port)
{
	return port >= ports->low && port <= ports->high && !ports_is_reserved(ports, port);
}

/* Those of one word. */
static uint64_t find_free(const struct ports *ports, unsigned int word)
{
	return find_mask(word, ports->low, ports->high) & ~ports->reserved[word];
}

static unsigned int count_free(const struct ports *ports)
{
	unsigned int count = 0;

	for (unsigned int word = ports->low / WORD_BITS; word <= ports->high / WORD_BITS; word++)
		count += __builtin_popcountll(find_free(ports, word));
	return count;
}

/* There are more than @nth. */
static uint16_t find_nth(const struct ports *ports, unsigned int nth)
{
	unsigned int word = ports->low / WORD_BITS, count;
	uint64_t free = find_free(ports, word);

	while ((count = __builtin_popcountll(free)) <= nth) {
		nth -= count;
		free = find_free(ports, ++word);
	}
	while (nth--)
		free &= free - 1;
	return word * WORD_BITS + __builtin_ctzll(free);
}

uint16_t ports_draw(const struct ports *ports, uint64_t random)
{
	unsigned int all = ports->high - ports->low + 1u, count;
	uint16_t port = ports->low + random % all;

	if (!ports_is_reserved(ports, port))
		return port;
	/* They are counted only where the first try was none. */
	count = count_free(ports);
	return count ? find_nth(ports, random / all % count) : 0;
}

uint64_t ports_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}
