/* SPDX-License-Identifier: Apache-2.0 */
#include "push_plan.h"

#include <airgap/log.h>

int push_gather_keep(struct push_plan *p, struct err *e)
{
	const struct session *s = p->session;
	auto_ref struct ref target = { 0 };
	struct oci_blob empty = oci_empty_blob();
	struct err why;

	if (keep_target(s, bundle_statement(s->bundle)->stream, bundle_id(s->bundle), &target, e) < 0)
		return err_wrap(e, "what is kept of the bundle");
	if (keep_make(s, &p->keep, &why) < 0) {
		log_warn("the bundle itself is not kept in the registry, later runs need its file: %s", why.msg);
		return 0;
	}

	size_t repository = push_repository(p, target.path);

	push_add_place(p, &p->keep.head, repository);
	push_add_place(p, &empty, repository);
	for (size_t i = 0; i < p->keep.n_content; i++)
		push_add_place(p, &p->keep.content[i], repository);
	push_add_document(p, &p->keep.digest, OCI_MANIFEST, repository, 0);
	push_add_tag(p, target.tag, repository, &p->keep.digest, OCI_MANIFEST);
	return 0;
}

int push_content_open(struct push_plan *p, const struct digest *d, struct push_content *c, struct source *out, struct err *e)
{
	if (p->keep.manifest.len && keep_reader_open(&c->kept, &p->keep, d, out))
		return 0;
	if (bundle_reader_open(&c->reader, p->session->bundle, d, e) < 0)
		return -1;
	*out = bundle_reader_source(&c->reader);
	return 0;
}

void push_content_close(struct push_content *c)
{
	bundle_reader_close(&c->reader);
	keep_reader_close(&c->kept);
}
