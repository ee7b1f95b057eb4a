/* SPDX-License-Identifier: MIT */
/* Memory: the addresses that a connection's peer has announced. */
#include "remotes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void remotes_done(struct remotes *remotes)
{
	free(remotes->list);
	*remotes = (struct remotes){};
}

int remotes_add(struct remotes *remotes, uint8_t id, const struct endpoint *endpoint)
{
	struct remote *list;

	for (uint32_t i = 0; i < remotes->count; i++) {
		if (remotes->list[i].id == id) {
			remotes->list[i].endpoint = *endpoint;
			return 0;
		}
	}
	if (remotes->count == REMOTES_MAX)
		return -ENOSPC;
	list = reallocarray(remotes->list, remotes->count + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	remotes->list = list;
	list[remotes->count++] = (struct remote){.endpoint = *endpoint, .id = id};
	return 0;
}

bool remotes_has(const struct remotes *remotes, const struct endpoint *endpoint)
{
	for (uint32_t i = 0; i < remotes->count; i++) {
		if (endpoint_is_equal(&remotes->list[i].endpoint, endpoint))
			return true;
	}
	return false;
}

bool remotes_remove(struct remotes *remotes, uint8_t id, struct endpoint *ret_endpoint)
{
	struct remote *remote;

	for (uint32_t i = 0; i < remotes->count; i++) {
		remote = &remotes->list[i];
		if (remote->id != id)
			continue;
		*ret_endpoint = remote->endpoint;
		remotes->count--;
		memmove(remote, remote + 1, (remotes->count - i) * sizeof(*remote));
		return true;
	}
	return false;
}
