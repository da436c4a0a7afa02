/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan - what the scanner finds in rendered objects, a line each: IMAGE certain|maybe|disabled FILE KIND PATH.
 *
 *	helm template x chart.tgz | scan CHART [RULES.json]
 *
 * No network: nothing is asked whether it exists. docs/discovery.md was checked with it.
 */
#include <airgap/scan.h>

#include <airgap/fs.h>

#include <stdio.h>

#define INPUT_MAX (64u << 20)

static int add_document(struct helm_objects *out, json_t *o, const char *source)
{
	const char *hook = jdoc_text(o, "metadata", "annotations", "helm.sh/hook", NULL);

	GROW(out->items, out->n);
	out->items[out->n++] = (struct helm_object){
		.object = json_incref(o), .source = xstrdup(source), .hook = hook, .test = hook && strstr(hook, "test"),
	};
	return 0;
}

/* Documents as `helm template` prints them, "# Source: FILE" in front of each. */
static int read_objects(char *text, struct helm_objects *out, struct err *e)
{
	auto_free char *source = xstrdup("rendered");

	for (char *at = text, *next; at; at = next) {
		char *mark;
		size_t i;
		json_t *o;

		next = strstr(at, "\n---");
		if (next) {
			*next = '\0';
			next += strlen("\n---");
		}
		mark = strstr(at, "# Source: ");
		if (mark) {
			free(source);
			source = xstrndup(mark + 10, strcspn(mark + 10, "\n"));
		}

		auto_json json_t *docs = ydoc_parse_all(at, strlen(at), &ydoc_rendered, source, e);

		if (!docs)
			return -1;
		json_array_foreach(docs, i, o)
			add_document(out, o, source);
	}
	return 0;
}

static int load_rules(const char *path, struct scan_rules *out, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(1u << 20);

	if (fs_load(path, text.max, &text, e) < 0)
		return -1;

	auto_json json_t *list = ydoc_parse(buf_str(&text), text.len, &ydoc_user, path, NULL, e);

	return list ? scan_rules_decode(list, path, out, e) : -1;
}

static int run(int argc, char **argv, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(INPUT_MAX);
	auto_helm_objects struct helm_objects objects = { 0 };
	auto_scan_rules struct scan_rules rules = { 0 };
	auto_scan struct scan_finds finds = { 0 };

	if (argc < 2)
		return err_set(e, ERR_USAGE, "usage: scan CHART [RULES.json] <RENDERED");
	if (argc > 2 && load_rules(argv[2], &rules, e) < 0)
		return -1;
	if (buf_read_fd(&text, 0, e) < 0)
		return -1;

	auto_free char *copy = xstrdup(buf_str(&text));

	if (read_objects(copy, &objects, e) < 0 || scan_objects(&objects, argv[1], rules.items, rules.n, false, &finds, e) < 0)
		return -1;
	for (size_t i = 0; i < finds.n; i++) {
		const struct scan_find *f = &finds.items[i];

		printf("%s %s %s %s %s\n", f->image, f->disabled ? "disabled" : f->certain ? "certain" : "maybe", f->file, f->kind,
		       f->path);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct err e = { 0 };

	if (run(argc, argv, &e) == 0)
		return 0;
	fprintf(stderr, "scan: %s\n", e.msg);
	return 1;
}
