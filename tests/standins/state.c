/* SPDX-License-Identifier: Apache-2.0 */
#include "state.h"

#include "../stand/http1.h"

#include <netdb.h>
#include <unistd.h>

static const char *host, *port;

void state_at(const char *store_host, const char *store_port)
{
	host = store_host;
	port = store_port;
}

static int dial(void)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_family = AF_INET }, *list = NULL;
	int fd = -1;

	if (getaddrinfo(host, port, &hints, &list) != 0)
		return -1;
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd >= 0 && connect(fd, list->ai_addr, list->ai_addrlen) < 0) {
		close(fd);
		fd = -1;
	}
	freeaddrinfo(list);
	return fd;
}

char *state_ask(const char *method, const char *body)
{
	size_t n = body ? strlen(body) : 0, have = 0;
	char *text = malloc(BODY_MAX + 1), head[256];
	int fd = dial();
	ssize_t k;

	snprintf(head, sizeof head, "%s / HTTP/1.1\r\nHost: store\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n", method, n);
	if (fd < 0 || !send_all(fd, head, strlen(head)) || (n && !send_all(fd, body, n))) {
		if (fd >= 0)
			close(fd);
		free(text);
		return NULL;
	}
	while (have < BODY_MAX && (k = recv(fd, text + have, BODY_MAX - have, 0)) > 0)
		have += (size_t)k;
	close(fd);
	text[have] = '\0';
	char *start = strstr(text, "\r\n\r\n");
	if (!start) {
		free(text);
		return NULL;
	}
	memmove(text, start + 4, strlen(start + 4) + 1);
	return text;
}

json_t *state_load(void)
{
	char *text = state_ask("GET", NULL);
	json_t *state = text ? json_loads(text, 0, NULL) : NULL;

	if (text && !state)
		state = json_pack("{s:[], s:[], s:[], s:{}, s:[], s:[]}", "companies", "users", "credentials", "settings", "queues",
				  "applications");
	free(text);
	return state;
}

bool state_save(json_t *state)
{
	char *text = json_dumps(state, JSON_COMPACT), *answered = text ? state_ask("PUT", text) : NULL;
	bool done = answered != NULL;

	free(text);
	free(answered);
	return done;
}
