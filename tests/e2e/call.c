/* SPDX-License-Identifier: MIT */
/* Random calls of the options of sockets. */
#include "call.h"

#include <arpa/inet.h>
#include <stdatomic.h>
#include <string.h>
#include <subflow.h>

#define SOL_MPTCP 284

/* Below those that the kernel chooses from. */
#define PORT_FIRST 20000
#define PORT_LAST  32000

/* So many are split: [elephant] start. */
#define ELEPHANT_BYTES 100000000

struct in_addr call_own4[N_OWN];

uint32_t draw(uint64_t *state, uint32_t below)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (*state >> 16) % below;
}

/* Addresses as an application packs them, now and then with a mistake. */
static socklen_t fill_list(uint64_t *seed, unsigned char *value)
{
	static const char *const addresses[] = {"10.0.1.1", "127.0.0.1", "0.0.0.0", "192.0.2.1"};
	socklen_t len = 0;

	for (uint32_t n = draw(seed, 5); n; n--) {
		struct sockaddr_in v4 = {.sin_family = draw(seed, 9) ? AF_INET : AF_UNIX};
		struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};

		inet_pton(AF_INET, addresses[draw(seed, 4)], &v4.sin_addr);
		v4.sin_port = draw(seed, 3) ? 0 : htons(draw(seed, 65536));
		if (draw(seed, 3)) {
			memcpy(value + len, &v4, sizeof(v4));
			len += sizeof(v4);
		} else {
			memcpy(value + len, &v6, sizeof(v6));
			len += sizeof(v6);
		}
	}
	return draw(seed, 8) ? len : len + draw(seed, 16);
}

/* Nobody else's, and each once, so that it is free; 0: there are no more. */
static in_port_t next_port_be(void)
{
	static atomic_int next = PORT_FIRST;
	int port = atomic_fetch_add(&next, 1);

	return port <= PORT_LAST ? htons(port) : 0;
}

/* One to three of the two addresses, or of that of an accepted connection, one after the other. */
static void fill_own(uint64_t *seed, enum kind kind, struct call *call)
{
	bool is_accepted = kind == KIND_ACCEPTED;

	call->len = 0;
	for (uint32_t n = 1 + draw(seed, 3); n; n--) {
		uint32_t i = draw(seed, N_OWN + is_accepted);
		struct in_addr own = {htonl(INADDR_LOOPBACK)};
		struct sockaddr_in v4 = {.sin_family = AF_INET};
		struct sockaddr_in6 mapped = {.sin6_family = AF_INET6};

		if (i < N_OWN)
			own = call_own4[i];
		v4.sin_addr = own;
		if (call->name == TCP_MULTIPATH_ADD && !draw(seed, 4))
			v4.sin_port = mapped.sin6_port = next_port_be();
		mapped.sin6_addr.s6_addr32[2] = htonl(0xffff);
		mapped.sin6_addr.s6_addr32[3] = own.s_addr;
		if (draw(seed, 3)) {
			memcpy(call->value + call->len, &v4, sizeof(v4));
			call->len += sizeof(v4);
		} else {
			memcpy(call->value + call->len, &mapped, sizeof(mapped));
			call->len += sizeof(mapped);
		}
	}
}

static void fill(uint64_t *seed, struct call *call)
{
	static const socklen_t lengths[] = {
		0, 1, 3, 5, 8, 16, 28, 44, 56, 112, 1024, 4095, 4096, 4097, VALUE_MAX};
	int number;

	call->len = sizeof(number);
	switch (draw(seed, 6)) {
	case 0: /* any bytes of any length */
		call->len = draw(seed, 3) ? lengths[draw(seed, 15)] : draw(seed, VALUE_MAX + 1);
		for (socklen_t i = 0; i < call->len; i++)
			call->value[i] = draw(seed, 256);
		return;
	case 1:
		call->len = fill_list(seed, call->value);
		return;
	case 2:
		number = (int)draw(seed, UINT32_MAX);
		break;
	default:
		number = (int)draw(seed, 6) - 1;
	}
	memcpy(call->value, &number, sizeof(number));
}

/* BACKUP of the first subflow, or of all from its address, now and then with a mistake. */
static void fill_backup(uint64_t *seed, int fd, struct call *call)
{
	struct tcp_multipath_backup backup = {.backup = draw(seed, 3)};
	socklen_t len = sizeof(backup.local);

	getsockname(fd, &backup.local.sa, &len);
	/* At one place in both families. */
	if (draw(seed, 2))
		backup.local.sin.sin_port = draw(seed, 4) ? 0 : htons(draw(seed, 65536));
	memcpy(call->value, &backup, sizeof(backup));
	call->len = sizeof(backup) - !draw(seed, 8);
}

bool call_is_add_or_remove(const struct call *call)
{
	return call->name == TCP_MULTIPATH_ADD || call->name == TCP_MULTIPATH_REMOVE;
}

/* Makes of a random call one that the model of the socket knows, or one that must be refused. */
static void keep_to_model(uint64_t *seed, enum kind kind, struct call *call)
{
	bool takes_lists = kind == KIND_LISTS || (kind == KIND_ACCEPTED && draw(seed, 2));
	uint64_t mouse = draw(seed, ELEPHANT_BYTES);

	if ((kind == KIND_LISTS || kind == KIND_PEER) && call->name == TCP_MULTIPATH_NDIFFPORTS)
		call->name = TCP_MULTIPATH_ADD;
	/* Both ends take the youngest away: at once that might be all that there are. */
	if (kind == KIND_PEER && call->name == TCP_MULTIPATH_REMOVE)
		call->name = TCP_MULTIPATH_ADD;
	if (call->name == TCP_MULTIPATH_EXPECTED)
		memcpy(call->value, &mouse, sizeof(mouse));
	if (call->name == TCP_MULTIPATH_INTENT)
		call->value[0] =
			draw(seed, 2) ? TCP_MULTIPATH_INTENT_OFF : TCP_MULTIPATH_INTENT_DEFAULT;
	if (call->len >= sizeof(struct sockaddr_in))
		memset(call->value, 0xff, sizeof(sa_family_t));
	if (!takes_lists || !call_is_add_or_remove(call))
		return;
	if (draw(seed, 4))
		fill_own(seed, kind, call);
	else if (call->len == sizeof(int))
		call->len--;
}

void call_choose(uint64_t *seed, enum kind kind, int fd, struct call *call)
{
	static const int levels[] = {
		SOL_SOCKET, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, SOL_MPTCP, IPPROTO_UDP};

	call->is_set = draw(seed, 3);
	call->is_null = !draw(seed, 50);
	fill(seed, call);
	call->level = IPPROTO_TCP;
	call->name = FIRST + (int)draw(seed, LAST - FIRST + 1);
	if (call->is_set && call->name == TCP_MULTIPATH_BACKUP && draw(seed, 4)) {
		fill_backup(seed, fd, call);
		return;
	}
	if (call->name == TCP_MULTIPATH_EXPECTED && draw(seed, 4))
		call->len = sizeof(uint64_t);
	if (kind != KIND_ANY) {
		if (call->is_set)
			keep_to_model(seed, kind, call);
		return;
	}
	if (draw(seed, 3))
		return;
	/* Somebody else's options. */
	call->level = draw(seed, 9) ? levels[draw(seed, 6)] : (int)draw(seed, UINT32_MAX);
	call->name = draw(seed, 4) ? (int)draw(seed, 100) : (int)draw(seed, UINT32_MAX);
	if (!draw(seed, 3))
		call->name = FIRST - 3 + (int)draw(seed, 12);
}

bool call_is_ours(const struct call *call)
{
	return call->level == IPPROTO_TCP && call->name >= FIRST && call->name <= LAST;
}
