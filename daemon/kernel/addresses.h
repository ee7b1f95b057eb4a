/* SPDX-License-Identifier: MIT */
/* The addresses of a namespace that subflows can leave from. */
#ifndef SUBFLOW_ADDRESSES_H
#define SUBFLOW_ADDRESSES_H

#include "core/endpoint.h"

#include <stdint.h>

/*
 * Those of global scope on devices that are up and no loopback, in the namespace that the thread
 * is in; ports are 0. Of more than @size the first ones.
 */
int addresses_read(struct endpoint *ret_addresses, uint32_t size, uint32_t *ret_count);

#endif
