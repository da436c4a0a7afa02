/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/proof.h>
#include <airgap/yaml.h>

static struct err e;
static struct contents contents;
static struct scan_rules rules;
static bool upstream, renamed;

#define INDEX "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define AMD64 "sha256:2222222222222222222222222222222222222222222222222222222222222222"
#define ARM64 "sha256:3333333333333333333333333333333333333333333333333333333333333333"
#define PLAIN "sha256:4444444444444444444444444444444444444444444444444444444444444444"

static struct digest digest(const char *text)
{
	struct digest d;

	assert_true(digest_parse(text, &d));
	return d;
}

static struct content_image *add(const char *ref, const char *digest_of_it, const char *target)
{
	struct contents *c = &contents;

	GROW(c->images, c->n_images);
	c->images[c->n_images] = (struct content_image){ .ref = xstrdup(ref), .digest = digest(digest_of_it), .target = digest(target) };
	return &c->images[c->n_images++];
}

static void child(struct content_image *i, const char *platform, const char *d, bool carried)
{
	GROW(i->children, i->n_children);
	i->children[i->n_children++] = (struct content_child){ xstrdup(platform), digest(d), carried };
}

static int enter(void **state)
{
	struct content_image *i;

	err_clear(&e);
	upstream = renamed = false;
	i = add("docker.io/demo/one:1", INDEX, AMD64);          /* one platform of an index */
	child(i, "linux/amd64", AMD64, true);
	child(i, "linux/arm64", ARM64, false);
	i = add("docker.io/demo/whole:1", INDEX, INDEX);
	child(i, "linux/amd64", AMD64, true);
	child(i, "linux/arm64", ARM64, false);
	i = add("registry.example/app:2", PLAIN, PLAIN);
	strv_push(&i->tags, "2-ubi");
	add("docker.io/demo/pinned@" PLAIN, PLAIN, PLAIN);
	contents_sort(&contents);
	return 0;
}

static int leave(void **state)
{
	contents_release(&contents);
	return 0;
}

static int prove(const char *object, bool test, struct strv *out)
{
	struct helm_object o = { .source = (char *)"web/templates/x.yaml", .test = test };
	struct helm_objects all = { &o, 1 };
	const struct proof how = { .contents = &contents, .rules = &rules, .names = { "site:5000", "mirror", false },
				   .upstream = upstream, .renamed = renamed };
	int r;

	o.object = ydoc_parse(object, strlen(object), &ydoc_rendered, "test", NULL, &e);
	if (!o.object)
		fail_msg("%s: %s", object, e.msg);
	r = proof_images(&how, "web", &all, out, &e);
	json_decref(o.object);
	return r;
}

TEST(images_that_are_carried_pass)
{
	static const char *const good[] = {
		"site:5000/mirror/demo/one:1", "site:5000/mirror/demo/one@" AMD64, "site:5000/mirror/demo/one:1@" AMD64,
		"site:5000/mirror/demo/whole@" INDEX, "site:5000/mirror/demo/whole@" AMD64, "site:5000/mirror/app:2",
		"site:5000/mirror/app:2-ubi", "site:5000/mirror/demo/pinned@" PLAIN,
		"site:5000/mirror/demo/pinned:d-44444444444444444444444444444444",
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		auto_free char *object = xasprintf("{kind: Pod, spec: {containers: [{name: a, image: \"%s\"}]}}", good[i]);

		if (prove(object, false, NULL) < 0)
			fail_msg("%s: %s", good[i], e.msg);
	}
}

TEST(images_that_are_not_are_named)
{
	static const struct { const char *image, *says; } cases[] = {
		{ "docker.io/demo/one:1", "does not point to the site registry" },
		{ "demo/one:1", "does not point to the site registry" },
		{ "other:5000/mirror/demo/one:1", "does not point to the site registry" },
		{ "site:5000/demo/one:1", "not in the bundle" },
		{ "site:5000/mirror/demo/one:2", "not in the bundle" },
		{ "site:5000/mirror/demo/one", "not in the bundle" },
		{ "site:5000/mirror/demo/one@" INDEX, "pins an index of which the bundle has one platform alone" },
		{ "site:5000/mirror/demo/one@" ARM64, "not in the bundle" },
		{ "site:5000/mirror/demo/whole@" ARM64, "not in the bundle" },
		{ "site:5000/mirror/demo/whole@" PLAIN, "not in the bundle" },
		{ "site:5000/mirror/app:3-ubi", "not in the bundle" },
		{ "Not An Image", "not an image reference" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *object = xasprintf("{kind: Pod, spec: {initContainers: [{name: a, image: \"%s\"}]}}", cases[i].image);
		auto_strv struct strv out = { 0 };

		if (prove(object, false, &out) == 0)
			fail_msg("%s passes", cases[i].image);
		assert_int_equal(e.code, ERR_PROOF);
		assert_int_equal(out.n, 1);
		if (!strstr(out.items[0], cases[i].says) || !strstr(out.items[0], cases[i].image))
			fail_msg("%s: %s", cases[i].image, out.items[0]);
	}
}

/* Each node asks for a tag of its own: where it points is proved, and that the bundle has one of them. */
TEST(a_tag_that_nodes_choose_is_proved_as_far_as_it_goes)
{
	static const struct { const char *repository, *version, *says; } cases[] = {
		{ "site:5000/mirror", "580", NULL },
		{ "site:5000/mirror", "595", "not in the bundle for any node" },
		{ "site:5000/other", "580", "not in the bundle for any node" },
		{ "nvcr.io/mirror", "580", "does not point to the site registry" },
		{ "Bad Name", "580", "not an image reference" },
	};
	static char *keys[] = { (char *)"repository", (char *)"image", (char *)"version", NULL };
	static char *tags[] = { (char *)"{version}-{kernel}-{osTag}", NULL };
	struct scan_rule rule = { .path = (char *)"spec", .triple = { keys, 3 }, .tags = { tags, 1 } };

	add("nvcr.io/driver:580-5.15.0-1-ubuntu22.04", PLAIN, PLAIN);
	contents_sort(&contents);
	rules = (struct scan_rules){ &rule, 1 };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *object = xasprintf("{kind: X, spec: {repository: %s, image: driver, version: \"%s\"}}", cases[i].repository,
						   cases[i].version);
		auto_strv struct strv out = { 0 };

		assert_int_equal(prove(object, false, &out), cases[i].says ? -1 : 0);
		if (cases[i].says && !strstr(out.items[0], cases[i].says))
			fail_msg("%s", out.items[0]);
	}
	rules = (struct scan_rules){ 0 };
}

TEST(every_violation_is_told_with_its_place)
{
	auto_strv struct strv out = { 0 };

	assert_int_equal(prove("{kind: Pod, spec: {containers: [{name: a, image: x/a:1}, {name: b, image: x/b:1, env: [{name: HELPER, "
			       "value: registry.example/app:2}]}]}}", false, &out), -1);
	assert_int_equal(out.n, 3);
	assert_non_null(strstr(e.msg, "chart 'web': 3 image references not proved"));
	strv_sort(&out);
	assert_non_null(strstr(out.items[0], "web: web/templates/x.yaml: Pod: spec.containers"));
	for (size_t i = 0; i < out.n; i++)
		if (strstr(out.items[i], "app:2"))
			assert_non_null(strstr(out.items[i], "names the upstream registry: set this key in the site chart"));
}

TEST(what_only_reads_like_an_image_is_no_business_of_ours)
{
	static const char *const fine[] = {
		"{kind: ConfigMap, data: {a: \"example.com/some/page:8080\"}}",
		"{kind: ConfigMap, data: {a: \"quay.io/other/thing:1.0 is not used here\"}}",
		"{kind: Service, spec: {ports: [{name: http}]}}",
	};

	for (size_t i = 0; i < ARRAY_LEN(fine); i++)
		if (prove(fine[i], false, NULL) < 0)
			fail_msg("%s: %s", fine[i], e.msg);
	assert_int_equal(prove("{kind: ConfigMap, data: {a: \"image: docker.io/demo/one:1\"}}", false, NULL), -1);
	assert_int_equal(prove("{kind: Pod, spec: {containers: [{name: a, image: x/a:1}]}}", true, NULL), 0);
}

TEST(what_was_waived_is_exempt)
{
	static const struct { const char *image; bool waived; } cases[] = {
		{ "nobody/here:1", true }, { "docker.io/nobody/here:1", true }, { "site:5000/mirror/nobody/here:1", true },
		{ "nobody/here:2", false }, { "site:5000/mirror/nobody/there:1", false }, { "nobody/off:1", false },
		{ "docker.io/nobody/pinned@" PLAIN, true }, { "site:5000/mirror/nobody/pinned:9@" PLAIN, true },
		{ "site:5000/mirror/nobody/pinned@" AMD64, false }, { "Not An Image", true },
		{ "site:5000/mirror/driver:1-{kernel}", true }, { "site:5000/mirror/driver:2-{kernel}", false },
	};

	contents.not_carried = json_pack("[{ss, ss, sb}, {ss, ss}, {ss, ss, sb}, {ss, ss, sb}, {ss, ss, sb}]",
		"image", "nobody/here:1", "reason", "x", "waived", true, "image", "nobody/off:1", "reason", "disabled",
		"image", "docker.io/nobody/pinned@" PLAIN, "reason", "x", "waived", true,
		"image", "Not An Image", "reason", "x", "waived", true,
		"image", "nvcr.io/driver:1-{kernel}", "reason", "x", "waived", true);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *object = xasprintf("{kind: Pod, spec: {containers: [{name: a, image: \"%s\"}]}}", cases[i].image);

		if ((prove(object, false, NULL) == 0) != cases[i].waived)
			fail_msg("%s", cases[i].image);
	}
}

/* A site whose nodes have mirror files keeps the names; that the bundle has them is proved all the same. */
TEST(names_that_stay_are_proved_to_be_carried)
{
	static const struct { const char *image, *says; } cases[] = {
		{ "docker.io/demo/one:1", NULL }, { "demo/one:1", NULL }, { "site:5000/mirror/demo/one:1", NULL },
		{ "demo/one:2", "not in the bundle" }, { "other/one:1", "not in the bundle" },
	};

	upstream = true;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *object = xasprintf("{kind: Pod, spec: {containers: [{name: a, image: \"%s\"}]}}", cases[i].image);
		auto_strv struct strv out = { 0 };

		assert_int_equal(prove(object, false, &out), cases[i].says ? -1 : 0);
		if (cases[i].says && !strstr(out.items[0], cases[i].says))
			fail_msg("%s", out.items[0]);
	}
}

/* After post-render: what is carried and still named upstream was out of its reach; what is not carried is missing. */
TEST(names_that_were_not_renamed_are_told_apart)
{
	static const struct { const char *image, *says; } cases[] = {
		{ "site:5000/mirror/demo/one:1", NULL }, { "docker.io/demo/one:1", "where post-render does not reach" },
		{ "other/one:1", "not in the bundle" },
	};

	renamed = true;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *object = xasprintf("{kind: Pod, spec: {containers: [{name: a, image: \"%s\"}]}}", cases[i].image);
		auto_strv struct strv out = { 0 };

		assert_int_equal(prove(object, false, &out), cases[i].says ? -1 : 0);
		if (cases[i].says && !strstr(out.items[0], cases[i].says))
			fail_msg("%s", out.items[0]);
	}
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, enter, leave)
	static const struct CMUnitTest tests[] = {
		CASE(images_that_are_carried_pass), CASE(images_that_are_not_are_named),
		CASE(a_tag_that_nodes_choose_is_proved_as_far_as_it_goes), CASE(every_violation_is_told_with_its_place),
		CASE(what_only_reads_like_an_image_is_no_business_of_ours), CASE(names_that_stay_are_proved_to_be_carried),
		CASE(names_that_were_not_renamed_are_told_apart),
		CASE(what_was_waived_is_exempt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
