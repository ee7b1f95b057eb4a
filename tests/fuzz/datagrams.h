/* SPDX-License-Identifier: MIT */
/* An input as the kernel's datagrams: each has two bytes of length in front, little endian. */
#ifndef DATAGRAMS_H
#define DATAGRAMS_H

#include <stddef.h>
#include <stdint.h>

struct nlmsghdr;

/* Queues them as answers; @data must live until they were given. */
void datagrams_queue(const uint8_t *data, size_t size);

/*
 * Calls @each with every message of the first datagram, in a copy that ends where the message
 * ends, so that the sanitizer sees a byte too far.
 */
void datagrams_each(const uint8_t *data, size_t size, void (*each)(const struct nlmsghdr *message));

#endif
