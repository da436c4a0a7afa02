/* SPDX-License-Identifier: Apache-2.0 */
/* Two manifests, a line `%%` between them: merged, with marks for what stands in the result. */
#include "../../lib/manifest_merge.h"

#include <airgap/json.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static json_t *read_part(struct manifest_doc *d, const uint8_t *p, size_t n, const char *name)
{
	auto_ydoc_marks struct ydoc_marks *marks = NULL;
	struct err e = { 0 };
	json_t *doc = ydoc_parse(p, n, &ydoc_user, name, &marks, &e);

	if (!doc || manifest_doc_check(doc, name, &e) < 0) {
		json_decref(doc);
		return NULL;
	}
	json_array_append(d->kept, doc);
	if (d->marks)
		ydoc_marks_take(d->marks, &marks);
	else
		d->marks = TAKE(marks);
	return doc;
}

/* Whatever stands in a list has a place. */
static void look_up(const struct manifest_doc *d)
{
	const char *key;
	json_t *value;

	json_object_foreach(d->doc, key, value) {
		if (!ydoc_file(d->marks, d->doc, key, 0))
			abort();
		for (size_t i = 0; i < json_array_size(value); i++)
			if (!ydoc_line(d->marks, value, NULL, i))
				abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char between[] = "\n%%\n";
	const uint8_t *cut = memmem(p, n, between, strlen(between));
	auto_manifest_doc struct manifest_doc d = { .kept = json_array() };
	auto_json json_t *over = NULL;
	struct err e = { 0 };

	if (!cut || n > 1u << 16)
		return 0;
	d.doc = read_part(&d, p, (size_t)(cut - p), "one.yaml");
	over = d.doc ? read_part(&d, cut + strlen(between), n - (size_t)(cut - p) - strlen(between), "sub/two.yaml") : NULL;
	if (!over)
		return 0;
	if (manifest_doc_merge(&d, d.doc, over, &e) < 0)
		return 0;
	look_up(&d);
	return 0;
}
