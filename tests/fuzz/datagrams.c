/* SPDX-License-Identifier: MIT */
/* An input as the kernel's datagrams. */
#include "datagrams.h"

#include "../unit/kernel/answers.h"
#include "fuzz.h"
#include "kernel/genl.h"

#include <string.h>

/* The length of the first one; *@data and *@size then are what is left behind the length. */
static size_t first(const uint8_t **data, size_t *size)
{
	size_t len = (*data)[0] | (*data)[1] << 8;

	*data += 2;
	*size -= 2;
	return len < *size ? len : *size;
}

void datagrams_queue(const uint8_t *data, size_t size)
{
	size_t len;

	answers_reset();
	while (size > 2) {
		len = first(&data, &size);
		/* Every second one comes from another namespace than ours. */
		answers_put(data, len, answers.n % 2 ? (int)len : -1);
		data += len;
		size -= len;
	}
}

void datagrams_each(const uint8_t *data, size_t size, void (*each)(const struct nlmsghdr *message))
{
	struct nlmsghdr header, *copy;
	size_t len;

	if (size <= 2)
		return;
	len = first(&data, &size);
	if (!genl_is_sound(data, len))
		return;
	for (; len; data += header.nlmsg_len, len -= header.nlmsg_len) {
		memcpy(&header, data, sizeof(header));
		copy = malloc(header.nlmsg_len);
		FUZZ_CHECK(copy);
		memcpy(copy, data, header.nlmsg_len);
		each(copy);
		free(copy);
	}
}
