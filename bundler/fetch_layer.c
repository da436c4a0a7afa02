/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch_run.h"
#include "layer_file.h"

#include <airgap/fs.h>
#include <airgap/ref.h>

/* One at a time: several files may be of one layer. */
static int open_layer(struct fetcher *f, const struct lock_source *s, struct err *e)
{
	auto_ref struct ref at = { 0 };
	struct registry *reg;
	int fd;

	if (ref_parse(s->location, &at, e) < 0)
		return -1;
	reg = remote_registry(f->remote, at.host, e);
	if (!reg)
		return -1;
	pthread_mutex_lock(&f->archives);
	fd = layer_open(reg, at.path, &s->archive, UINT64_MAX, e);
	pthread_mutex_unlock(&f->archives);
	return fd;
}

int fetch_layer(struct fetcher *f, const struct lock_blob *b, const struct lock_source *s, uint64_t at, const struct sink *to,
		struct err *e)
{
	struct tail tail = { at, to };
	const struct sink end = { tail_write, &tail };
	auto_fd int fd = open_layer(f, s, e);
	int there = fd < 0 ? -1 : layer_look(fd, s->member, &end, e);
	char text[DIGEST_TEXT];

	if (there < 0 || there == 1)
		return MIN(there, 0);
	return err_set(e, ERR_DIGEST, "layer %s has no '%s'", digest_text(&s->archive, text), s->member);
}
