/* SPDX-License-Identifier: MIT */
/* Memory: how many bytes connections take. */
#include "footprint.h"

/* Of an address id there are 256. */
#define IDS_MAX 256

size_t footprint_of(const struct conn *conn)
{
	size_t bytes = sizeof(*conn);

	bytes += conn->n_subflows * sizeof(struct subflow);
	bytes += conn->ids.count * sizeof(*conn->ids.locals);
	bytes += conn->remotes.count * sizeof(*conn->remotes.list);
	bytes += conn->n_passed * sizeof(*conn->passed);
	if (conn->ends && TAILQ_FIRST(&conn->ends->conns) == conn)
		bytes += sizeof(*conn->ends);
	if (conn->listed)
		bytes += sizeof(*conn->listed);
	if (conn->mesh)
		bytes += sizeof(*conn->mesh) + conn->mesh->n_taken * sizeof(*conn->mesh->taken);
	return bytes;
}

size_t footprint_subflow(void)
{
	return sizeof(struct subflow) + sizeof(struct endpoint);
}

size_t footprint_least(void)
{
	return sizeof(struct conn) + sizeof(struct conn_ends) + footprint_subflow();
}

size_t footprint_most(uint32_t max_subflows, bool has_mesh)
{
	size_t bytes = sizeof(struct conn) + sizeof(struct conn_ends) + sizeof(struct listed);

	/* One that replaces another is one more until that is closed. */
	bytes += (max_subflows + 1) * sizeof(struct subflow);
	bytes += IDS_MAX * sizeof(struct endpoint);
	bytes += REMOTES_MAX * sizeof(struct remote);
	bytes += CONN_PASSED_MAX * sizeof(struct passed);
	if (has_mesh)
		bytes += sizeof(struct mesh) +
			 (size_t)MESH_LOCALS_MAX * (REMOTES_MAX + 1) * sizeof(struct mesh_pair);
	return bytes;
}
