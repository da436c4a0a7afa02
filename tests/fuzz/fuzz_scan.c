/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts in rendered objects, in any notation: what is found reads as a reference, the same text gives the same finds, and
 * two renders are alike once what differs is masked.
 */
#include <airgap/ref.h>
#include <airgap/scan.h>
#include <airgap/strv.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* A map of a kind, with the text at a few telling places; NULL: it is not UTF-8. */
static json_t *object_with(const char *kind, const char *text, size_t n)
{
	json_t *leaf = json_stringn(text, n);

	if (!leaf)
		return NULL;
	return json_pack("{ss, s{sO, sO}, s{sO}, s[{ss, sO}], s[sO], s{sO, ss}, so}", "kind", kind, "data", "a.conf", leaf, "image",
			 leaf, "binaryData", "b", leaf, "env", "name", "A_IMAGE", "value", leaf, "args", "--image", leaf, "pair",
			 "repository", leaf, "tag", "1", "last", leaf);
}

static void check_finds(const struct scan_finds *f)
{
	for (size_t i = 0; i < f->n; i++) {
		auto_ref struct ref r = { 0 };
		struct err e = { 0 };

		if (!f->items[i].certain && ref_parse(f->items[i].image, &r, &e) < 0)
			abort();
		if (i && strcmp(f->items[i - 1].image, f->items[i].image) > 0)
			abort();
	}
}

static void scan_twice(const struct helm_objects *o)
{
	static char *keys[] = { (char *)"repository", (char *)"=x", (char *)"tag", NULL };
	const struct scan_rule rules[] = {
		{ .path = (char *)"pair", .triple = { keys, 3 } },
		{ .join = (char *)"{env:A_IMAGE}/x" },
	};
	auto_scan struct scan_finds a = { 0 }, b = { 0 };
	struct err e = { 0 };

	if (scan_objects(o, "c", rules, 2, false, &a, &e) < 0 || scan_objects(o, "c", NULL, 0, false, &b, &e) < 0)
		return;
	check_finds(&a);
	check_finds(&b);
	if (scan_objects(o, "c", NULL, 0, false, &b, &e) < 0)
		abort();
	check_finds(&b);
}

/* Two renders: the halves of the input. */
static void mask(const char *text, size_t n)
{
	struct helm_object one = { object_with("Secret", text, n / 2), (char *)"s", false, false };
	struct helm_object two = { object_with("Secret", text + n / 2, n - n / 2), (char *)"s", false, false };
	struct helm_objects a = { &one, 1 }, b = { &two, 1 };
	auto_strv struct strv random = { 0 };
	struct err e = { 0 };

	if (one.object && two.object && scan_mask_random(&a, &b, &random, &e) == 0) {
		scan_twice(&a);
		if (n % 2 == 0 && memcmp(text, text + n / 2, n / 2) == 0 && random.n)
			abort();
	}
	json_decref(one.object);
	json_decref(two.object);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const kinds[] = { "ConfigMap", "Secret", "CustomResourceDefinition" };

	if (n > 1 << 16)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct helm_object one = { object_with(kinds[i], (const char *)p, n), (char *)"s", false, false };
		struct helm_objects all = { &one, 1 };

		if (one.object)
			scan_twice(&all);
		json_decref(one.object);
	}
	mask((const char *)p, n);
	return 0;
}
