/* SPDX-License-Identifier: MIT */
/* Judgement: what the operator orders of a connection, within the same limits as its application.
 */
#ifndef SUBFLOW_ORDER_H
#define SUBFLOW_ORDER_H

#include "core/plan.h"

#include <stdint.h>

/*
 * @n more subflows, or @n of the youngest less. All or nothing; *@ret_why then says why not, a
 * constant text for the operator. -EOPNOTSUPP: not from this end; -EDQUOT: more than
 * [limits] max_subflows; -EBUSY: none, or not so many, can go now.
 */
int order_add(
	struct plan *plan, struct conn *conn, uint32_t n, uint64_t now_ns, const char **ret_why);
int order_remove(
	struct plan *plan, struct conn *conn, uint32_t n, uint64_t now_ns, const char **ret_why);

#endif
