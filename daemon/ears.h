/* SPDX-License-Identifier: MIT */
/* What the kernel tells becomes events that the judgement hears. */
#ifndef SUBFLOW_EARS_H
#define SUBFLOW_EARS_H

struct daemon;

/* Adds to the loop that those who wait take turns. -errno. */
int ears_begin(struct daemon *daemon);
void ears_done(struct daemon *daemon);

/* Carries out what applications had asked of an earlier daemon. */
void ears_resume(struct daemon *daemon);

/* At the end: what is kept of a namespace that was not there all the time is kept no longer. */
void ears_leave(struct daemon *daemon);

/* The callbacks of the parts that listen; before these begin. */
void ears_connect(struct daemon *daemon);

#endif
