/* SPDX-License-Identifier: MIT */
/* What a client asks: one line, which may come in pieces. */
#ifndef SUBFLOW_REQUEST_H
#define SUBFLOW_REQUEST_H

#include <stddef.h>

#define REQUEST_BYTES_MAX 256

struct request {
	char line[REQUEST_BYTES_MAX];
	size_t len;
};

/*
 * Takes @size more bytes. 1: @request->line is whole, without its end; what comes
 * after is no matter. 0: more is to come. -EBADMSG: too long, or no text.
 */
int request_add(struct request *request, const void *bytes, size_t size);

#endif
