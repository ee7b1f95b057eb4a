/* SPDX-License-Identifier: MIT */
/* Somebody on the control socket: who asks, and then is answered or watches. */
#include "client.h"

#include <errno.h>
#include <sys/socket.h>

int client_send(struct client *client)
{
	ssize_t n;

	while (client->written < client->answer_len) {
		n = send(client->source.fd, client->answer + client->written,
			client->answer_len - client->written, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0)
			return -errno;
		client->written += n;
	}
	return 0;
}
