/* SPDX-License-Identifier: MIT */
/* The namespaces that are known, found by what the kernel calls them. */
#ifndef SUBFLOW_SERVED_LIST_H
#define SUBFLOW_SERVED_LIST_H

#include "kernel/served.h"

/*
 * Puts @netns at the end of the list, or takes it out; it stays the caller's. Its cookie and its
 * nsid change only while it is hidden.
 */
void served_list_insert(struct served *served, struct served_netns *netns);
void served_list_remove(struct served *served, struct served_netns *netns);

/* One in the list is not found, until it is shown again. */
void served_list_hide(struct served_netns *netns);
void served_list_show(struct served *served, struct served_netns *netns);

struct served_netns *served_find(struct served *served, uint64_t cookie);
/* NULL, too, where it is not served, or not any more. */
struct served_netns *served_find_live(struct served *served, uint64_t cookie);
/* Where several have the id, since the kernel has given it away anew: who is longest in the list.
 */
struct served_netns *served_find_id(struct served *served, int nsid);
/* All that have this inode number, and others, by their by_inode: one that has ended may have it.
 */
struct served_chain *served_list_of_inode(struct served *served, ino_t inode);

#endif
