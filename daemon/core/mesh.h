/* SPDX-License-Identifier: MIT */
/* Judgement: from which local address to which address of the peer a full mesh goes next. */
#ifndef SUBFLOW_MESH_H
#define SUBFLOW_MESH_H

#include "core/endpoint.h"
#include "core/listed.h"
#include "record.h"

#include <stdbool.h>
#include <stdint.h>

/* More local addresses than this cannot all have a subflow. */
#define MESH_LOCALS_MAX SUBFLOWS_HARD_MAX

struct mesh_pair {
	struct endpoint local, remote; /* the local port is 0 */
	bool is_owed;                  /* its subflow has died, and may not be replaced yet */
};

struct mesh {
	struct endpoint locals[MESH_LOCALS_MAX];
	uint32_t n_locals;
	struct mesh_pair *taken;
	uint32_t n_taken;
	uint32_t n_again; /* pairs that were taken once more since the local addresses changed */
};

/* NULL when memory is short. Of more than MESH_LOCALS_MAX the first ones are used. */
struct mesh *mesh_new(const struct endpoint *locals, uint32_t n_locals);
void mesh_free(struct mesh *mesh);

/*
 * The first local address of the family of @remote that @listed allows and that was not taken for
 * it. It is, then.
 */
bool mesh_take(struct mesh *mesh, const struct listed *listed, const struct endpoint *remote,
	struct endpoint *ret_local);

/* Notes a pair that has a subflow already; -ENOMEM. */
int mesh_note(struct mesh *mesh, const struct endpoint *local, const struct endpoint *remote);

/* It came to nothing, and is to be taken again. */
void mesh_give_back(struct mesh *mesh, const struct endpoint *local, const struct endpoint *remote);

/* It comes later; mesh_pay() gives back one that does, and mesh_waive() has none come. */
void mesh_owe(struct mesh *mesh, const struct endpoint *local, const struct endpoint *remote);
bool mesh_pay(struct mesh *mesh);
void mesh_waive(struct mesh *mesh);
uint32_t mesh_count_owed(const struct mesh *mesh);

/*
 * No neighbour has answered for it. True: it is given back. A neighbour that was asked for while
 * the link was away is given up when the link is back, and with it what waits for its answer.
 */
bool mesh_try_again(struct mesh *mesh, const struct endpoint *local, const struct endpoint *remote);

/* Other local addresses than before; what was taken stays taken. */
void mesh_set_locals(struct mesh *mesh, const struct endpoint *locals, uint32_t n_locals);

/* The local address has gone. */
void mesh_forget_local(struct mesh *mesh, const struct endpoint *local);

/* The peer has withdrawn the address. */
void mesh_forget(struct mesh *mesh, const struct endpoint *remote);

#endif
