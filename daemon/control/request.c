/* SPDX-License-Identifier: MIT */
/* What a client asks: one line of text. */
#include "request.h"

#include <errno.h>
#include <string.h>

int request_add(struct request *request, const void *bytes, size_t size)
{
	const char *end = memchr(bytes, '\n', size);
	size_t len = end ? (size_t)(end - (const char *)bytes) : size;

	if (len >= sizeof(request->line) - request->len || memchr(bytes, '\0', len))
		return -EBADMSG;
	memcpy(request->line + request->len, bytes, len);
	request->len += len;
	request->line[request->len] = '\0';
	return end != NULL;
}
