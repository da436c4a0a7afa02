/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pods - the pods of a table (tests/data/pods/rules.txt), and what the deployer's rules make of them.
 *
 *	pods TABLE NAMESPACE   a JSON object a line, for `kubectl create -f -`; NAME is row-LINE-LIST
 *	pods TABLE             NAME baseline restricted, a line each: yes or no
 *
 * Ephemeral containers are left out: no pod may be made with one. A row that is stricter than clusters says so in the end.
 */
#include "../unit/pods.h"

#include <airgap/pod.h>

static void heard(void *ctx, const struct pod_template *t, const char *path, const char *what)
{
	(void)t;
	(void)path;
	(void)what;
	*(bool *)ctx = false;
}

static const char *passes(json_t *pod, enum pod_level level)
{
	const struct pod_template t = { .spec = json_object_get(pod, "spec"), .metadata = json_object_get(pod, "metadata"),
					.path = (char *)"spec" };
	bool good = true;

	pod_check(&t, level, heard, &good);
	return good ? "yes" : "no";
}

static int print_row(const struct pods_row *row, size_t number, const char *list, const char *ns, struct err *e)
{
	auto_json json_t *pod = pods_made(row, list, e);
	auto_free char *name = xasprintf("row-%zu-%s", number, strcmp(list, "containers") == 0 ? "main" : "init");
	auto_buf struct buf text = BUF_INIT(1u << 20);

	if (!pod)
		return -1;
	json_object_set_new(json_object_get(pod, "metadata"), "name", json_string(name));
	if (!ns) {
		printf("%s %s %s%s\n", name, passes(pod, POD_BASELINE), passes(pod, POD_RESTRICTED),
		       strcmp(row->level, "stricter") == 0 ? " stricter" : "");
		return 0;
	}
	json_object_set_new(json_object_get(pod, "metadata"), "namespace", json_string(ns));
	json_object_set_new(pod, "apiVersion", json_string("v1"));
	json_object_set_new(pod, "kind", json_string("Pod"));
	if (jdoc_dump(pod, &text, e) < 0)
		return -1;
	puts(buf_str(&text));
	return 0;
}

int main(int argc, char **argv)
{
	static struct pods_rows rows;
	struct err e = { 0 };

	if (argc < 2 || argc > 3)
		return 2;
	if (pods_read(argv[1], &rows, &e) < 0) {
		fprintf(stderr, "pods: %s\n", e.msg);
		return 1;
	}
	for (size_t i = 0; i < rows.n; i++) {
		const char *ns = argc > 2 ? argv[2] : NULL;

		if (print_row(&rows.items[i], i, "containers", ns, &e) < 0 ||
		    (strcmp(rows.items[i].where, "container") == 0 && print_row(&rows.items[i], i, "initContainers", ns, &e) < 0)) {
			fprintf(stderr, "pods: line %zu: %s\n", i, e.msg);
			return 1;
		}
	}
	buf_release(&rows.text);
	return 0;
}
