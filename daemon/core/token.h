/* SPDX-License-Identifier: MIT */
/* The token of an MPTCP connection, from the key that names it on the wire. */
#ifndef SUBFLOW_TOKEN_H
#define SUBFLOW_TOKEN_H

#include <stdint.h>

/* RFC 8684 section 3.2: the first 32 bits of SHA-256. @key as on the wire. */
uint32_t token_of_key(const uint8_t key[8]);

#endif
