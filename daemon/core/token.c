/* SPDX-License-Identifier: MIT */
/* The token of an MPTCP connection, from the key that names it on the wire. */
#include "token.h"

#include <nettle/sha2.h>

uint32_t token_of_key(const uint8_t key[8])
{
	struct sha256_ctx context;
	uint8_t digest[4];

	sha256_init(&context);
	sha256_update(&context, 8, key);
	sha256_digest(&context, sizeof(digest), digest);
	return (uint32_t)digest[0] << 24 | digest[1] << 16 | digest[2] << 8 | digest[3];
}
