/* SPDX-License-Identifier: MIT */
/* The daemon's path maps as a graph in the language of Graphviz. */
#ifndef GRAPH_H
#define GRAPH_H

#include "answer.h"

/*
 * Writes the maps into *@ret_text, to be freed by the caller. -EBADMSG, with the path of the key
 * in @ret_why, when a key is missing or of a wrong type; -ENOMEM.
 */
int graph_write(struct json_object *root, char **ret_text, char *ret_why, size_t why_size);

#endif
