/*
 * chart_values - the values a chart knows: what its values.yaml and its sub-charts' say, its schema, its templates.
 *
 *	auto_chart_values struct chart_values v = { 0 };
 *	if (chart_values_read(archive, n, &v, e) < 0) ...
 *	chart_values_unknown(&v, values, told, ctx);            // "image.repositry", nearest "image.repository"
 *	char *key = chart_values_of_image(&v, "docker.io/demo/web:1.0");        // "image.repository"
 *
 * Guesses, for messages: helm takes any key, and a template may read what no values.yaml has.
 */
#pragma once

#include <airgap/json.h>
#include <airgap/strv.h>

struct chart_values {
	json_t *defaults;       /* with those of sub-charts under their names; {} where values.yaml is no YAML of ours */
	json_t *schema;         /* values.schema.json; NULL = none */
	struct strv parts;      /* names of sub-charts, as the chart's values have them */
	struct buf templates;   /* the text of all of them, those of sub-charts too */
};
#define auto_chart_values CLEANUP(chart_values_release)
void chart_values_release(struct chart_values *v);

/* -1: the archive is bad. */
int chart_values_read(const void *p, size_t n, struct chart_values *out, struct err *e) MUST_CHECK;

/*
 * Calls told for each key of `values` that stands in a map of the chart's which has other keys, and that neither values.yaml
 * nor the schema has and no template names; not for maps that templates write out as they are (labels, resources, contexts).
 * Of a map that is unknown as a whole, leaf is its first value ("mck.registry.agent" of "mck"). nearest: the whole path, or NULL.
 */
typedef void (*chart_values_fn)(void *ctx, const char *path, const char *leaf, const char *nearest);
void chart_values_unknown(const struct chart_values *v, const json_t *values, chart_values_fn told, void *ctx);

/* The key whose value makes this reference what it is: a registry's, else a repository's, else that of the whole. Owned; NULL =
 * none is seen. */
char *chart_values_of_image(const struct chart_values *v, const char *image) MUST_CHECK;
