/* SPDX-License-Identifier: MIT */
/* Judgement: from which local address to which address of the peer a full mesh goes next. */
#include "mesh.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#define AGAIN_MAX 4

struct mesh *mesh_new(const struct endpoint *locals, uint32_t n_locals)
{
	struct mesh *mesh = calloc(1, sizeof(*mesh));

	if (mesh)
		mesh_set_locals(mesh, locals, n_locals);
	return mesh;
}

void mesh_free(struct mesh *mesh)
{
	if (!mesh)
		return;
	free(mesh->taken);
	free(mesh);
}

void mesh_set_locals(struct mesh *mesh, const struct endpoint *locals, uint32_t n_locals)
{
	mesh->n_locals = MIN(n_locals, MESH_LOCALS_MAX);
	mesh->n_again = 0;
	for (uint32_t i = 0; i < mesh->n_locals; i++) {
		mesh->locals[i] = locals[i];
		mesh->locals[i].port = 0;
	}
}

/* The index in taken; n_taken if it is not there. */
static uint32_t find(
	const struct mesh *mesh, const struct endpoint *local, const struct endpoint *remote)
{
	uint32_t i;

	for (i = 0; i < mesh->n_taken; i++) {
		if (endpoint_is_same_address(&mesh->taken[i].local, local) &&
			endpoint_is_equal(&mesh->taken[i].remote, remote))
			break;
	}
	return i;
}

static void drop(struct mesh *mesh, uint32_t i)
{
	mesh->taken[i] = mesh->taken[--mesh->n_taken];
}

int mesh_note(struct mesh *mesh, const struct endpoint *local, const struct endpoint *remote)
{
	struct mesh_pair *taken;

	if (find(mesh, local, remote) < mesh->n_taken)
		return 0;
	taken = reallocarray(mesh->taken, mesh->n_taken + 1, sizeof(*taken));
	if (!taken)
		return -ENOMEM;
	mesh->taken = taken;
	taken[mesh->n_taken++] = (struct mesh_pair){.local = *local, .remote = *remote};
	return 0;
}

bool mesh_take(struct mesh *mesh, const struct listed *listed, const struct endpoint *remote,
	struct endpoint *ret_local)
{
	const struct endpoint *local;

	for (uint32_t i = 0; i < mesh->n_locals; i++) {
		local = &mesh->locals[i];
		if (local->family != remote->family || !listed_allows(listed, local) ||
			find(mesh, local, remote) < mesh->n_taken)
			continue;
		if (mesh_note(mesh, local, remote))
			return false;
		*ret_local = *local;
		return true;
	}
	return false;
}

void mesh_give_back(struct mesh *mesh, const struct endpoint *local, const struct endpoint *remote)
{
	uint32_t i = find(mesh, local, remote);

	if (i < mesh->n_taken)
		drop(mesh, i);
}

void mesh_owe(struct mesh *mesh, const struct endpoint *local, const struct endpoint *remote)
{
	uint32_t i = find(mesh, local, remote);

	if (i < mesh->n_taken)
		mesh->taken[i].is_owed = true;
}

bool mesh_pay(struct mesh *mesh)
{
	for (uint32_t i = 0; mesh && i < mesh->n_taken; i++) {
		if (!mesh->taken[i].is_owed)
			continue;
		drop(mesh, i);
		return true;
	}
	return false;
}

void mesh_waive(struct mesh *mesh)
{
	for (uint32_t i = 0; mesh && i < mesh->n_taken; i++)
		mesh->taken[i].is_owed = false;
}

uint32_t mesh_count_owed(const struct mesh *mesh)
{
	uint32_t owed = 0;

	for (uint32_t i = 0; mesh && i < mesh->n_taken; i++)
		owed += mesh->taken[i].is_owed;
	return owed;
}

bool mesh_try_again(struct mesh *mesh, const struct endpoint *local, const struct endpoint *remote)
{
	if (mesh->n_again >= AGAIN_MAX)
		return false;
	mesh->n_again++;
	mesh_give_back(mesh, local, remote);
	return true;
}

void mesh_forget(struct mesh *mesh, const struct endpoint *remote)
{
	for (uint32_t i = mesh->n_taken; i-- > 0;) {
		if (endpoint_is_equal(&mesh->taken[i].remote, remote))
			drop(mesh, i);
	}
}

void mesh_forget_local(struct mesh *mesh, const struct endpoint *local)
{
	for (uint32_t i = mesh->n_taken; i-- > 0;) {
		if (endpoint_is_same_address(&mesh->taken[i].local, local))
			drop(mesh, i);
	}
}
