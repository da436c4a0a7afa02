/* SPDX-License-Identifier: Apache-2.0 */
#include "hostile.h"

#include <airgap/oci.h>

#define D1 "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define D2 "sha256:2222222222222222222222222222222222222222222222222222222222222222"
#define D3 "sha256:3333333333333333333333333333333333333333333333333333333333333333"
#define EMPTY "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

#define DESC(type, digest, size) "{\"mediaType\":\"" type "\",\"digest\":\"" digest "\",\"size\":" size "}"
#define CONFIG DESC("c/c", D1, "10")
#define LAYER  DESC("l/l", D2, "20")
#define MANIFEST(rest) "{\"schemaVersion\":2,\"mediaType\":\"" OCI_MANIFEST "\"," rest "}"
#define INDEX(entries) "{\"schemaVersion\":2,\"mediaType\":\"" OCI_INDEX "\",\"manifests\":[" entries "]}"

static int manifest(const char *text, struct oci_manifest *m, struct err *e)
{
	return oci_parse_manifest(text, strlen(text), OCI_MANIFEST, m, e);
}

static int index_of(const char *text, struct oci_index *ix, struct err *e)
{
	return oci_parse_index(text, strlen(text), OCI_INDEX, ix, e);
}

TEST(media_types_are_told_apart)
{
	struct err e = { 0 };

	assert_true(oci_is_index(OCI_INDEX) && oci_is_index(DOCKER_LIST) && !oci_is_index(OCI_MANIFEST) && !oci_is_index(NULL));
	assert_true(oci_is_manifest(OCI_MANIFEST) && oci_is_manifest(DOCKER_MANIFEST) && !oci_is_manifest(DOCKER_LIST));
	assert_true(oci_is_docker(DOCKER_LIST) && oci_is_docker(DOCKER_MANIFEST) && !oci_is_docker(OCI_INDEX));
	assert_true(oci_is_foreign_layer("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"));
	assert_true(oci_is_foreign_layer("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"));
	assert_false(oci_is_foreign_layer(OCI_LAYER_GZIP));
	assert_ok(oci_check_type(OCI_INDEX, &e), e);
	assert_err(oci_check_type("text/html", &e), e, ERR_UNSUPPORTED);
	assert_err(oci_check_type(NULL, &e), e, ERR_UNSUPPORTED);
	assert_err(oci_check_type("application/vnd.docker.distribution.manifest.v1+prettyjws", &e), e, ERR_UNSUPPORTED);
	assert_non_null(strstr(e.msg, "schema 1"));
}

TEST(the_encoding_follows_from_the_name_alone)
{
	static const struct { const char *name; bool stored; } cases[] = {
		{ OCI_LAYER_GZIP, true },      { OCI_LAYER_TAR, false },   { "application/vnd.oci.image.layer.v1.tar+zstd", true },
		{ "application/vnd.docker.image.rootfs.diff.tar.gzip", true },
		{ "application/vnd.docker.image.rootfs.diff.tar", false }, { HELM_CHART, true },  { HELM_CONFIG, false },
		{ "a.tgz", true },             { "a.tar.gz", true },       { "a.xz", true },      { "a.zst", true },
		{ "a.bz2", true },             { "a.deb", true },          { "a.rpm", true },     { "NVIDIA-Linux.run", true },
		{ "apps.zip", true },          { "x.whl", true },          { "x.jar", true },     { "a.TGZ", false },
		{ "helm", false },             { "gz", false },            { "a.gz.txt", false }, { "", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (oci_encoding_stored(cases[i].name) != cases[i].stored)
			fail_msg("%s", cases[i].name);
}

TEST(a_manifest_gives_what_hangs_on_it)
{
	auto_oci_manifest struct oci_manifest m = { 0 };
	struct err e = { 0 };
	struct digest d2;

	assert_ok(manifest(MANIFEST("\"artifactType\":\"a/b\",\"config\":" CONFIG ",\"layers\":[" LAYER "," LAYER ",{\"mediaType\":\"f\","
			   "\"digest\":\"" D3 "\",\"size\":0,\"urls\":[\"https://x/y\"],\"annotations\":{\"k\":\"v\"},\"new\":[{}]}],"
			   "\"subject\":" DESC("s", D2, "20") ",\"annotations\":{\"a\":\"b\"},\"unknown\":{\"x\":1}"), &m, &e), e);
	assert_true(digest_parse(D2, &d2));
	assert_string_equal(m.media_type, OCI_MANIFEST);
	assert_string_equal(m.artifact_type, "a/b");
	assert_string_equal(m.config.media_type, "c/c");
	assert_int_equal(m.config.size, 10);
	assert_int_equal(m.n_layers, 3);
	assert_true(digest_eq(&m.layers[1].digest, &d2));
	assert_string_equal(m.layers[2].urls.items[0], "https://x/y");
	assert_string_equal(descriptor_note(&m.layers[2], "k"), "v");
	assert_null(descriptor_note(&m.layers[0], "k"));
	assert_true(m.has_subject);
	assert_string_equal(jdoc_text(m.annotations, "a", NULL), "b");
}

TEST(an_oci_manifest_may_leave_its_type_and_layers_out)
{
	static const char *const cases[] = {
		"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[]}",
		"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":null,\"annotations\":null,\"subject\":null}",
	};
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_oci_manifest struct oci_manifest m = { 0 };

		assert_ok(manifest(cases[i], &m, &e), e);
		assert_int_equal(m.n_layers, 0);
		assert_false(m.has_subject);
		assert_err(oci_parse_manifest(cases[i], strlen(cases[i]), DOCKER_MANIFEST, &m, &e), e, ERR_MALFORMED);
	}
}

TEST(refuses_bad_manifests)
{
	static const struct { const char *text; enum err_code code; const char *message; } cases[] = {
		{ "", ERR_MALFORMED, "manifest: line 1" },
		{ "[]", ERR_MALFORMED, "manifest: must be a map" },
		{ MANIFEST("\"layers\":[]"), ERR_MALFORMED, "manifest: 'config' is missing" },
		{ MANIFEST("\"config\":" CONFIG), ERR_MALFORMED, "manifest: 'layers' is missing" },
		{ MANIFEST("\"config\":" CONFIG ",\"layers\":[],\"manifests\":[]"), ERR_MALFORMED, "both 'manifests' and 'layers'" },
		{ MANIFEST("\"config\":" CONFIG ",\"layers\":[],\"manifests\":null"), ERR_MALFORMED, "both 'manifests' and 'layers'" },
		{ MANIFEST("\"config\":" CONFIG ",\"layers\":[],\"layers\":[]"), ERR_MALFORMED, "duplicate" },
		{ MANIFEST("\"config\":" CONFIG ",\"layers\":{}"), ERR_MALFORMED, "manifest: layers: must be a list" },
		{ MANIFEST("\"config\":[],\"layers\":[]"), ERR_MALFORMED, "manifest: config: must be a map" },
		{ "{\"schemaVersion\":1,\"config\":" CONFIG ",\"layers\":[]}", ERR_UNSUPPORTED, "schemaVersion is 1, not 2" },
		{ "{\"schemaVersion\":3,\"config\":" CONFIG ",\"layers\":[]}", ERR_MALFORMED, "schemaVersion is 3" },
		{ "{\"config\":" CONFIG ",\"layers\":[]}", ERR_MALFORMED, "'schemaVersion' is missing" },
		{ "{\"schemaVersion\":2,\"mediaType\":\"" OCI_INDEX "\",\"config\":" CONFIG ",\"layers\":[]}", ERR_MALFORMED,
		  "but was announced as" },
		{ MANIFEST("\"config\":" CONFIG ",\"layers\":[" LAYER "," DESC("l", D2, "21") "]"), ERR_MALFORMED, "with two sizes" },
		{ MANIFEST("\"config\":" CONFIG ",\"layers\":[" DESC("l", D1, "11") "]"), ERR_MALFORMED, "with two sizes" },
		{ MANIFEST("\"config\":" CONFIG ",\"layers\":[" DESC("l", D2, "-1") "]"), ERR_MALFORMED,
		  "manifest: layers[0].size: must not be negative" },
		{ MANIFEST("\"config\":" CONFIG ",\"layers\":[" DESC("l", D2, "1.0") "]"), ERR_MALFORMED, "must be a whole number" },
		{ MANIFEST("\"config\":" CONFIG ",\"layers\":[" DESC("l", D2, "1e2") "]"), ERR_MALFORMED, "must be a whole number" },
		{ MANIFEST("\"config\":" CONFIG ",\"layers\":[" DESC("l", D2, "\"1\"") "]"), ERR_MALFORMED, "must be a whole number" },
		{ MANIFEST("\"config\":" CONFIG ",\"layers\":[" DESC("l", D2, "9223372036854775808") "]"), ERR_MALFORMED, "too big" },
		{ MANIFEST("\"config\":" CONFIG ",\"layers\":[" DESC("l", "sha512:aa", "1") "]"), ERR_UNSUPPORTED, "layers[0]: digest" },
		{ MANIFEST("\"config\":" CONFIG ",\"layers\":[" DESC("l", "sha256:AA", "1") "]"), ERR_MALFORMED, "is not a digest" },
		{ MANIFEST("\"config\":" CONFIG ",\"layers\":[" DESC("l", "../../x", "1") "]"), ERR_MALFORMED, "is not a digest" },
		{ MANIFEST("\"config\":" CONFIG ",\"layers\":[{\"digest\":\"" D1 "\",\"size\":1}]"), ERR_MALFORMED,
		  "layers[0]: 'mediaType' is missing" },
		{ MANIFEST("\"config\":" CONFIG ",\"layers\":[null]"), ERR_MALFORMED, "layers[0]: must be a map" },
		{ MANIFEST("\"config\":" CONFIG ",\"layers\":[],\"annotations\":{\"a\":1}"), ERR_MALFORMED, "annotation 'a'" },
		{ MANIFEST("\"config\":" CONFIG ",\"layers\":[],\"annotations\":[]"), ERR_MALFORMED, "annotations must be a map" },
		{ MANIFEST("\"config\":" CONFIG ",\"layers\":[],\"subject\":{}"), ERR_MALFORMED, "manifest: subject: 'mediaType'" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_oci_manifest struct oci_manifest m = { 0 };
		struct err e = { 0 };

		assert_err(manifest(cases[i].text, &m, &e), e, cases[i].code);
		if (!strstr(e.msg, cases[i].message))
			fail_msg("%s\nsays %s", cases[i].text, e.msg);
		assert_null(m.media_type);
	}
}

TEST(embedded_data_must_be_what_its_digest_says)
{
	static const struct { const char *digest, *size, *data; int code; } cases[] = {
		{ EMPTY, "2", "e30=", 0 },
		{ EMPTY, "3", "e30=", ERR_DIGEST },
		{ D1, "2", "e30=", ERR_DIGEST },
		{ EMPTY, "2", "e30", ERR_MALFORMED },
		{ EMPTY, "2", "e30 =", ERR_MALFORMED },
		{ EMPTY, "2", "", ERR_DIGEST },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_oci_manifest struct oci_manifest m = { 0 };
		struct err e = { 0 };
		auto_free char *text = xasprintf("{\"schemaVersion\":2,\"layers\":[],\"config\":{\"mediaType\":\"m\",\"digest\":\"%s\",\"size\":%s,"
						 "\"data\":\"%s\"}}", cases[i].digest, cases[i].size, cases[i].data);

		if ((manifest(text, &m, &e) < 0 ? (int)e.code : 0) != cases[i].code)
			fail_msg("%s: %s", text, e.msg);
	}
}

#define ENTRY(digest, platform, notes) "{\"mediaType\":\"" OCI_MANIFEST "\",\"digest\":\"" digest "\",\"size\":5" platform notes "}"
#define PLATFORM(os, arch, more) ",\"platform\":{\"os\":\"" os "\",\"architecture\":\"" arch "\"" more "}"
#define ATTESTS(d) ",\"annotations\":{\"vnd.docker.reference.type\":\"attestation-manifest\",\"vnd.docker.reference.digest\":\"" d "\"}"

TEST(the_best_entry_is_picked_and_never_an_attestation)
{
	auto_oci_index struct oci_index ix = { 0 };
	struct err e = { 0 };
	struct platform amd64, arm7, riscv;

	assert_ok(platform_parse("linux/amd64", &amd64, &e), e);
	assert_ok(platform_parse("linux/arm/v7", &arm7, &e), e);
	assert_ok(platform_parse("linux/riscv64", &riscv, &e), e);
	assert_ok(index_of(INDEX(ENTRY(D1, PLATFORM("linux", "arm", ",\"variant\":\"v6\""), "") ","
				 ENTRY(D2, PLATFORM("linux", "amd64", ""), "") ","
				 ENTRY(D3, PLATFORM("linux", "amd64", ""), "") ","
				 ENTRY(EMPTY, PLATFORM("unknown", "unknown", ""), ATTESTS(D2)) ","
				 ENTRY(EMPTY, PLATFORM("linux", "riscv64", ""), ATTESTS(D1)) ","
				 DESC("some/thing", D1, "5") "," ENTRY(D1, PLATFORM("", "", ""), "")), &ix, &e), e);
	assert_int_equal(ix.n_manifests, 7);
	assert_ptr_equal(oci_index_pick(&ix, &amd64), &ix.manifests[1]);
	assert_ptr_equal(oci_index_pick(&ix, &arm7), &ix.manifests[0]);
	assert_null(oci_index_pick(&ix, &riscv));
	assert_true(oci_is_attestation(&ix.manifests[3]) && oci_attests(&ix.manifests[3], &ix.manifests[1].digest));
	assert_false(oci_attests(&ix.manifests[3], &ix.manifests[2].digest));
	assert_false(oci_is_attestation(&ix.manifests[1]) || oci_attests(&ix.manifests[1], &ix.manifests[1].digest));
	assert_string_equal(ix.manifests[6].platform.os, "");
}

TEST(refuses_bad_indexes)
{
	static const struct { const char *text; enum err_code code; } cases[] = {
		{ MANIFEST("\"config\":" CONFIG ",\"layers\":[]"), ERR_MALFORMED },
		{ "{\"schemaVersion\":2,\"mediaType\":\"" OCI_INDEX "\"}", ERR_MALFORMED },
		{ INDEX(ENTRY(D1, PLATFORM("lin ux", "amd64", ""), "")), ERR_MALFORMED },
		{ INDEX(ENTRY(D1, ",\"platform\":[]", "")), ERR_MALFORMED },
		{ INDEX(ENTRY(D1, "", "") "," DESC("x", D1, "6")), ERR_MALFORMED },
		{ "{\"schemaVersion\":2,\"manifests\":[],\"layers\":[]}", ERR_MALFORMED },
	};
	auto_oci_index struct oci_index ix = { 0 };
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_err(index_of(cases[i].text, &ix, &e), e, cases[i].code);
	assert_ok(index_of("{\"schemaVersion\":2,\"manifests\":[]}", &ix, &e), e);
}

TEST(what_was_announced_must_be_a_type_we_know)
{
	auto_oci_manifest struct oci_manifest m = { 0 };
	auto_oci_index struct oci_index ix = { 0 };
	struct err e = { 0 };

	assert_err(oci_parse_manifest("{}", 2, OCI_INDEX, &m, &e), e, ERR_MALFORMED);
	assert_err(oci_parse_index("{}", 2, OCI_MANIFEST, &ix, &e), e, ERR_MALFORMED);
	assert_err(oci_parse_index("{}", 2, "text/html", &ix, &e), e, ERR_UNSUPPORTED);
	assert_err(oci_parse_manifest("{}", 2, NULL, &m, &e), e, ERR_UNSUPPORTED);
}

struct many { const char *before, *item, *after; size_t n; bool index; };

static int parse_many(void *arg, struct err *e)
{
	struct many *f = arg;
	auto_free char *items = repeated(f->item, f->n);
	auto_free char *text = xasprintf("{\"schemaVersion\":2,%s%s%s", f->before, items, f->after);
	struct oci_manifest m = { 0 };
	struct oci_index ix = { 0 };

	return f->index ? oci_parse_index(text, strlen(text), OCI_INDEX, &ix, e) :
	       oci_parse_manifest(text, strlen(text), OCI_MANIFEST, &m, e);
}

TEST(ceilings_hold)
{
	static const char layers[] = "\"config\":" CONFIG ",\"layers\":[" LAYER;
	static const struct { struct many f; enum err_code want; } cases[] = {
		{ { layers, "," LAYER, "]}", 1023, false }, ERR_NONE },
		{ { layers, "," LAYER, "]}", 1024, false }, ERR_LIMIT },
		{ { "\"manifests\":[" LAYER, "," LAYER, "]}", 9999, true }, ERR_NONE },
		{ { "\"manifests\":[" LAYER, "," LAYER, "]}", 10000, true }, ERR_LIMIT },
		{ { "\"manifests\":[],\"x\":\"", "xxxxxxxxxxxxxxxx", "\"}", 262144, true }, ERR_LIMIT },
		{ { "\"manifests\":[],\"x\":", "[", "", 100000, true }, ERR_LIMIT },
		{ { "\"manifests\":[", "{},", "{}]}", 1000000, true }, ERR_LIMIT },
		{ { "\"manifests\":[],\"annotations\":{\"a\":\"", "x", "\"}}", 1000000, true }, ERR_NONE },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_refused(parse_many, (void *)&cases[i].f, cases[i].want);
}

TEST(configs_tell_their_platform)
{
	static const char text[] = "{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"7\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":"
				   "[\"" D1 "\",\"" D2 "\"]},\"history\":[]}";
	struct platform p;
	size_t layers = 0;
	char out[PLATFORM_TEXT];
	struct err e = { 0 };

	assert_ok(oci_parse_config(text, strlen(text), &p, &layers, &e), e);
	assert_string_equal(platform_format(&p, out), "linux/arm/v7");
	assert_int_equal(layers, 2);
	assert_err(oci_parse_config("{}", 2, &p, &layers, &e), e, ERR_MALFORMED);
	assert_err(oci_parse_config("{\"os\":1,\"architecture\":\"x\"}", 27, &p, &layers, &e), e, ERR_MALFORMED);
}

TEST(what_we_make_has_one_spelling_and_reads_back)
{
	struct oci_blob layer = { digest_of("abc", 3), 3 }, config = { digest_of("{}", 2), 2 };
	auto_buf struct buf file = BUF_INIT(4096), chart = BUF_INIT(4096);
	auto_oci_manifest struct oci_manifest m = { 0 }, c = { 0 };
	struct err e = { 0 };
	char empty[DIGEST_TEXT];
	struct oci_blob blob = oci_empty_blob();

	assert_string_equal(digest_text(&blob.digest, empty), EMPTY);
	assert_ok(oci_make_artifact_manifest(AIRGAP_FILE, &(struct oci_file){ "helm", layer }, 1, &file, &e), e);
	assert_string_equal(buf_str(&file), "{\"artifactType\":\"application/vnd.airgap.file.v1\",\"config\":{\"digest\":\"" EMPTY
		"\",\"mediaType\":\"application/vnd.oci.empty.v1+json\",\"size\":2},\"layers\":[{\"annotations\":"
		"{\"org.opencontainers.image.title\":\"helm\"},\"digest\":"
		"\"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\",\"mediaType\":"
		"\"application/octet-stream\",\"size\":3}],\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
		"\"schemaVersion\":2}");
	assert_ok(manifest(buf_str(&file), &m, &e), e);
	assert_string_equal(descriptor_note(&m.layers[0], OCI_TITLE), "helm");
	assert_ok(oci_make_chart_manifest("web", "1.0.0+b", &config, &layer, &chart, &e), e);
	assert_ok(manifest(buf_str(&chart), &c, &e), e);
	assert_string_equal(c.config.media_type, HELM_CONFIG);
	assert_string_equal(c.layers[0].media_type, HELM_CHART);
	assert_null(c.artifact_type);
}

TEST(an_index_we_make_reads_back)
{
	struct descriptor d[2] = { { .media_type = (char *)DOCKER_MANIFEST, .size = 7 }, { .media_type = (char *)OCI_INDEX, .size = 8 } };
	auto_buf struct buf b = BUF_INIT(4096);
	auto_oci_index struct oci_index ix = { 0 };
	auto_json json_t *notes = json_pack("{s:s}", OCI_REF_NAME, "a.b/c:1");
	struct err e = { 0 };

	d[0].digest = digest_of("a", 1);
	d[0].annotations = notes;
	d[1].digest = digest_of("b", 1);
	assert_ok(platform_parse("linux/arm/v7", &d[0].platform, &e), e);
	assert_ok(oci_make_index(d, 2, &b, &e), e);
	assert_ok(index_of(buf_str(&b), &ix, &e), e);
	assert_int_equal(ix.n_manifests, 2);
	assert_true(platform_eq(&ix.manifests[0].platform, &d[0].platform));
	assert_string_equal(descriptor_note(&ix.manifests[0], OCI_REF_NAME), "a.b/c:1");
	assert_true(digest_eq(&ix.manifests[1].digest, &d[1].digest));
	buf_clear(&b);
	assert_ok(oci_make_index(NULL, 0, &b, &e), e);
	assert_string_equal(buf_str(&b), "{\"manifests\":[],\"mediaType\":\"" OCI_INDEX "\",\"schemaVersion\":2}");
}

/* ---- what images of our making begin with */

#define CONFIG_OF(rest) "{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[" rest "]}"

TEST(a_docker_archive_lists_its_images)
{
	static const char text[] = "[{\"Config\":\"a.json\",\"RepoTags\":[\"x:1\",\"x:2\"],\"Layers\":[\"l/layer.tar\"],\"Parent\":\"\"},"
				   "{\"Config\":\"b.json\",\"RepoTags\":null,\"Layers\":[]}]";
	auto_docker_images struct docker_images v = { 0 };
	struct err e = { 0 };

	assert_ok(oci_parse_docker_archive(text, strlen(text), &v, &e), e);
	assert_int_equal(v.n, 2);
	assert_string_equal(v.items[0].config, "a.json");
	assert_int_equal(v.items[0].tags.n, 2);
	assert_string_equal(v.items[0].layers.items[0], "l/layer.tar");
	assert_int_equal(v.items[1].tags.n, 0);
}

TEST(refuses_bad_docker_archives)
{
	static const char *const cases[] = {
		"{}", "[1]", "[{}]", "[{\"Config\":1}]", "[{\"Config\":\"a\",\"Layers\":\"x\"}]", "[{\"Config\":\"a\",\"RepoTags\":[1]}]",
		"[{\"Config\":\"a\",\"Config\":\"b\"}]", "[", "",
	};
	auto_buf struct buf many = BUF_INIT(OCI_MANIFEST_MAX);
	struct docker_images v = { 0 };
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (oci_parse_docker_archive(cases[i], strlen(cases[i]), &v, &e) == 0 || e.code != ERR_MALFORMED || v.items)
			fail_msg("%s", cases[i]);
	buf_puts(&many, "[{\"Config\":\"a\",\"Layers\":[\"l\"");
	for (size_t i = 0; i < OCI_LAYERS_MAX; i++)
		buf_puts(&many, ",\"l\"");
	buf_puts(&many, "]}]");
	assert_err(oci_parse_docker_archive(many.ptr, many.len, &v, &e), e, ERR_LIMIT);
}

TEST(a_config_gets_one_layer_more)
{
	static const char text[] = CONFIG_OF("\"" D1 "\"") ",\"history\":[{\"empty_layer\":true},{\"created_by\":\"x\"}]}";
	static const char bare[] = CONFIG_OF("") "}";
	static const char *const bad[] = { "{}", CONFIG_OF("\"sha256:1\"") "}", CONFIG_OF("1") "}", CONFIG_OF("") ",\"history\":{}}", "[]" };
	auto_buf struct buf out = BUF_INIT(4096);
	auto_free struct digest *ids = NULL, *fewer = NULL;
	struct digest d = digest_of("x", 1), first;
	struct err e = { 0 };
	size_t n;

	assert_ok(oci_config_add(text, strlen(text), &d, "bundler add x", &out, &e), e);
	assert_ok(oci_parse_diff_ids(out.ptr, out.len, &ids, &n, &e), e);
	assert_int_equal(n, 2);
	assert_true(digest_parse(D1, &first) && digest_eq(&ids[0], &first) && digest_eq(&ids[1], &d));
	assert_non_null(strstr(out.ptr, "{\"created_by\":\"x\"},{\"created_by\":\"bundler add x\"}]"));
	buf_clear(&out);
	assert_ok(oci_config_add(bare, strlen(bare), &d, "x", &out, &e), e);
	assert_null(strstr(out.ptr, "history"));
	assert_ok(oci_parse_diff_ids(bare, strlen(bare), &fewer, &n, &e), e);
	assert_int_equal(n, 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		auto_free struct digest *none = NULL;

		if (oci_parse_diff_ids(bad[i], strlen(bad[i]), &none, &n, &e) == 0 && oci_config_add(bad[i], strlen(bad[i]), &d, "x", &out, &e) == 0)
			fail_msg("%s", bad[i]);
	}
}

TEST(an_image_manifest_has_ocis_types_and_keeps_what_it_is_given)
{
	const struct descriptor config = { .media_type = (char *)DOCKER_CONFIG, .digest = digest_of("c", 1), .size = 1 };
	struct descriptor layers[] = {
		{ .media_type = (char *)"application/vnd.docker.image.rootfs.diff.tar.gzip", .digest = digest_of("l", 1), .size = 2 },
		{ .media_type = (char *)OCI_LAYER_TAR, .digest = digest_of("m", 1), .size = 3 },
	};
	auto_json json_t *notes = json_pack("{ss}", "a", "b"), *on_layer = json_pack("{ss}", "c", "d");
	auto_oci_manifest struct oci_manifest m = { 0 };
	auto_buf struct buf out = BUF_INIT(4096);
	struct err e = { 0 };

	layers[0].annotations = on_layer;
	assert_ok(oci_make_image_manifest(&config, layers, 2, notes, &out, &e), e);
	assert_ok(manifest(buf_str(&out), &m, &e), e);
	assert_string_equal(m.config.media_type, OCI_CONFIG);
	assert_string_equal(m.layers[0].media_type, OCI_LAYER_GZIP);
	assert_string_equal(descriptor_note(&m.layers[0], "c"), "d");
	assert_string_equal(m.layers[1].media_type, OCI_LAYER_TAR);
	assert_true(json_equal(m.annotations, notes));
}

TEST(an_entry_is_added_to_an_index_once)
{
	static const char text[] = "{\"schemaVersion\":2,\"manifests\":[" DESC("m/m", D1, "7") "],\"annotations\":{\"x\":\"y\"},\"other\":1}";
	static const char no_index[] = MANIFEST("\"config\":" CONFIG ",\"layers\":[]");
	struct descriptor d[2] = { { .media_type = (char *)OCI_MANIFEST, .size = 9, .artifact_type = (char *)"sig" } };
	auto_buf struct buf out = BUF_INIT(4096), again = BUF_INIT(4096);
	auto_oci_index struct oci_index ix = { 0 };
	struct err e = { 0 };

	d[0].digest = digest_of("x", 1);
	d[1] = d[0];
	assert_true(digest_parse(D1, &d[1].digest));
	assert_int_equal(oci_index_add(text, strlen(text), d, 2, &out, &e), 1);
	assert_ok(index_of(buf_str(&out), &ix, &e), e);
	assert_int_equal(ix.n_manifests, 2);
	assert_string_equal(ix.manifests[1].artifact_type, "sig");
	assert_non_null(strstr(buf_str(&out), "\"other\":1"));
	assert_int_equal(oci_index_add(out.ptr, out.len, d, 2, &again, &e), 0);
	assert_int_equal(again.len, 0);
	assert_err(oci_index_add(no_index, strlen(no_index), d, 1, &again, &e), e, ERR_MALFORMED);
	assert_err(oci_index_add("{}", 2, d, 1, &again, &e), e, ERR_MALFORMED);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(media_types_are_told_apart),
		cmocka_unit_test(the_encoding_follows_from_the_name_alone),
		cmocka_unit_test(a_manifest_gives_what_hangs_on_it),
		cmocka_unit_test(an_oci_manifest_may_leave_its_type_and_layers_out),
		cmocka_unit_test(refuses_bad_manifests),
		cmocka_unit_test(embedded_data_must_be_what_its_digest_says),
		cmocka_unit_test(the_best_entry_is_picked_and_never_an_attestation),
		cmocka_unit_test(refuses_bad_indexes),
		cmocka_unit_test(what_was_announced_must_be_a_type_we_know),
		cmocka_unit_test(ceilings_hold),
		cmocka_unit_test(configs_tell_their_platform),
		cmocka_unit_test(what_we_make_has_one_spelling_and_reads_back),
		cmocka_unit_test(an_index_we_make_reads_back),
		cmocka_unit_test(a_docker_archive_lists_its_images),
		cmocka_unit_test(refuses_bad_docker_archives),
		cmocka_unit_test(a_config_gets_one_layer_more),
		cmocka_unit_test(an_image_manifest_has_ocis_types_and_keeps_what_it_is_given),
		cmocka_unit_test(an_entry_is_added_to_an_index_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
