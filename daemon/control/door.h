/* SPDX-License-Identifier: MIT */
/* The socket at its path, where clients knock. */
#ifndef SUBFLOW_DOOR_H
#define SUBFLOW_DOOR_H

/*
 * A socket that listens at @path, whose folder is made if it is missing; a socket file that nobody
 * listens on is replaced. @waiting_max: clients that may wait to be let in. The file is the
 * caller's to remove.
 * -EADDRINUSE: somebody listens there, or it is another file. -ENAMETOOLONG. Else -errno of
 * mkdir(2), socket(2), bind(2) or listen(2).
 */
int door_open(const char *path, int waiting_max);

#endif
