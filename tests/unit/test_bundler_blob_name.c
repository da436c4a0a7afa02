/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "../../bundler/blob_name.h"

static struct digest of(const char *text)
{
	return digest_of(text, strlen(text));
}

static void add(struct lock *l, const char *text, enum lock_source_kind kind, const char *location)
{
	const struct lock_source s = { .kind = kind, .location = (char *)location };
	struct digest d = of(text);
	struct err e;

	assert_ok(lock_add_blob(l, &d, strlen(text), "x/y", true, false, &s, &e), e);
}

static void named(const struct lock *l, const char *text, const char *want)
{
	struct digest d = of(text);
	auto_free char *got = blob_name(l, &d);

	assert_string_equal(got, want);
}

TEST(names_what_a_blob_belongs_to)
{
	struct content_child children[] = { { .digest = of("child") } };
	struct content_image images[] = {
		{ .ref = (char *)"a.example/x:1", .digest = of("index"), .target = of("index"), .children = children, .n_children = 1 },
		{ .ref = (char *)"a.example/y:1", .source = (char *)"m.example/y", .digest = of("y1") },
		{ .ref = (char *)"a.example/z:1", .digest = of("z1") },
		{ .ref = (char *)"a.example/z:2", .digest = of("z2") },
	};
	struct content_chart charts[] = {
		{ .name = (char *)"web", .origin = (char *)"oci://a.example/charts/web", .digest = of("wm"), .archive = of("wa") },
	};
	struct content_file files[] = { { .name = (char *)"driver", .digest = of("dm"), .blob = of("db") } };
	struct content_set sets[] = { { .kind = (char *)"packages", .name = (char *)"headers" } };
	struct digest deb = of("deb");
	char text[DIGEST_TEXT];
	auto_free char *manifest = xasprintf("{\"layers\":[{\"digest\":\"%s\"}]}", digest_text(&deb, text));
	struct err e = { 0 };
	struct lock l = {
		.contents = {
			.images = images, .n_images = ARRAY_LEN(images), .charts = charts, .n_charts = 1,
			.files = files, .n_files = 1, .sets = sets, .n_sets = 1,
		},
	};

	assert_ok(lock_add_made(&l, manifest, strlen(manifest), "x/y", true, &sets[0].digest, &e), e);

	add(&l, "layer x", LOCK_REGISTRY, "a.example/x");
	add(&l, "layer y", LOCK_REGISTRY, "m.example/y");
	add(&l, "layer z", LOCK_REGISTRY, "a.example/z");
	add(&l, "config", LOCK_REGISTRY, "a.example/charts/web");
	add(&l, "layer", LOCK_LAYOUT, "images/app");
	named(&l, "db", "file 'driver'");
	named(&l, "dm", "file 'driver'");
	named(&l, "wa", "chart 'web'");
	named(&l, "child", "image 'a.example/x:1'");
	named(&l, "z2", "image 'a.example/z:2'");
	named(&l, "layer x", "image 'a.example/x:1'");
	named(&l, "layer y", "image 'a.example/y:1'");
	named(&l, "layer z", "images of 'a.example/z'");
	named(&l, "config", "chart 'web'");
	named(&l, "layer", "image in 'images/app'");
	named(&l, manifest, "packages 'headers'");
	named(&l, "deb", "packages 'headers'");
	named(&l, "nobody", "blob sha256:6382b3cc881412b77bfcaeed026001c00d9e3025e66c20f6e7e92f079851462a");
	l.contents = (struct contents){ 0 };
	lock_release(&l);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(names_what_a_blob_belongs_to) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
