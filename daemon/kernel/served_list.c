/* SPDX-License-Identifier: MIT */
#include "kernel/served_list.h"

/* All three are counted upwards by the kernel, and so fill the chains alike. */

static struct served_chain *chain_of_cookie(struct served *served, uint64_t cookie)
{
	return &served->by_cookie[cookie % SERVED_CHAINS];
}

static struct served_chain *chain_of_id(struct served *served, int nsid)
{
	return &served->by_nsid[(unsigned int)nsid % SERVED_CHAINS];
}

struct served_chain *served_list_of_inode(struct served *served, ino_t inode)
{
	return &served->by_inode[inode % SERVED_CHAINS];
}

void served_list_show(struct served *served, struct served_netns *netns)
{
	LIST_INSERT_HEAD(chain_of_cookie(served, netns->cookie), netns, by_cookie);
	LIST_INSERT_HEAD(chain_of_id(served, netns->nsid), netns, by_nsid);
}

void served_list_hide(struct served_netns *netns)
{
	LIST_REMOVE(netns, by_cookie);
	LIST_REMOVE(netns, by_nsid);
}

void served_list_insert(struct served *served, struct served_netns *netns)
{
	TAILQ_INSERT_TAIL(&served->list, netns, entry);
	LIST_INSERT_HEAD(served_list_of_inode(served, netns->inode), netns, by_inode);
	served_list_show(served, netns);
}

void served_list_remove(struct served *served, struct served_netns *netns)
{
	TAILQ_REMOVE(&served->list, netns, entry);
	LIST_REMOVE(netns, by_inode);
	served_list_hide(netns);
}

struct served_netns *served_find(struct served *served, uint64_t cookie)
{
	struct served_netns *netns;

	LIST_FOREACH (netns, chain_of_cookie(served, cookie), by_cookie) {
		if (netns->cookie == cookie)
			return netns;
	}
	return NULL;
}

struct served_netns *served_find_live(struct served *served, uint64_t cookie)
{
	struct served_netns *netns = served_find(served, cookie);

	return netns && netns->state == SERVED_YES ? netns : NULL;
}

/* The youngest is first in its chain. */
struct served_netns *served_find_id(struct served *served, int nsid)
{
	struct served_netns *netns, *oldest = NULL;

	LIST_FOREACH (netns, chain_of_id(served, nsid), by_nsid) {
		if (netns->nsid == nsid && (nsid != MONITOR_HOME || !*netns->path))
			oldest = netns;
	}
	return oldest;
}
