/* SPDX-License-Identifier: MIT */
/* Memory: the address ids of a connection's local ends. */
#include "ids.h"

#include <errno.h>
#include <stdlib.h>

void ids_done(struct ids *ids)
{
	free(ids->locals);
	*ids = (struct ids){};
}

int ids_find(const struct ids *ids, const struct endpoint *local, uint8_t *ret_id)
{
	struct endpoint plain = endpoint_unmap(local);

	for (uint32_t id = 0; id < ids->count; id++) {
		if (endpoint_is_equal(&ids->locals[id], &plain)) {
			*ret_id = id;
			return 0;
		}
	}
	return -ENOENT;
}

int ids_get(struct ids *ids, const struct endpoint *local, uint8_t *ret_id)
{
	struct endpoint *locals;

	if (!ids_find(ids, local, ret_id))
		return 0;
	if (ids->count > UINT8_MAX)
		return -ENOSPC;
	locals = reallocarray(ids->locals, ids->count + 1, sizeof(*locals));
	if (!locals)
		return -ENOMEM;
	ids->locals = locals;
	locals[ids->count] = endpoint_unmap(local);
	*ret_id = ids->count++;
	return 0;
}

void ids_forget(struct ids *ids, uint8_t id)
{
	if (id < ids->count)
		ids->locals[id] = (struct endpoint){};
}

int ids_note(struct ids *ids, const struct endpoint *local, uint8_t id)
{
	struct endpoint *locals;

	if (id >= ids->count) {
		locals = reallocarray(ids->locals, id + 1, sizeof(*locals));
		if (!locals)
			return -ENOMEM;
		/* The ids below are taken, by whatever it was. */
		while (ids->count <= id)
			locals[ids->count++] = (struct endpoint){};
		ids->locals = locals;
	}
	ids->locals[id] = endpoint_unmap(local);
	return 0;
}
