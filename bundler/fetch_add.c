/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch_run.h"
#include "image_add.h"

#include <airgap/fs.h>

int fetch_add(struct fetcher *f, const struct lock_source *s, uint64_t at, const struct sink *to, struct err *e)
{
	auto_free char *dir = fs_join(f->dir, s->location);
	struct tail tail = { at, to };
	const struct sink end = { tail_write, &tail };

	return image_layer_write(dir, s->member, &end, e);
}
