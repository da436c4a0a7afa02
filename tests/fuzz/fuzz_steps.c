/* SPDX-License-Identifier: Apache-2.0 */
/* What a site chart may render: steps in any order and shape. */
#include <airgap/reference.h>
#include <airgap/steps.h>
#include <airgap/yaml.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Needs are indices of other steps, and following them ends. */
static void check_needs(const struct steps *s)
{
	size_t *height = xcalloc(s->n + 1, sizeof(*height));

	for (size_t round = 0; round <= s->n; round++)
		for (size_t i = 0; i < s->n; i++)
			for (size_t k = 0; k < s->items[i].n_needs; k++) {
				size_t need = s->items[i].needs[k];

				if (need >= s->n || need == i || (round == s->n && height[i] <= height[need]))
					abort();
				height[i] = MAX(height[i], height[need] + 1);
			}
	free(height);
}

/* What was taken for a run makes a Job, whatever stands in it. */
static void check_job(const struct step *s)
{
	auto_json json_t *job = steps_job(s->metadata.name, "x", &s->run, &s->run.command, true, NULL);

	if (steps_where(&s->run) == STEP_IN_POD && !job)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_helm_objects struct helm_objects o = { 0 };
	auto_steps struct steps s = { 0 };
	struct err e = { 0 };
	auto_json json_t *docs = ydoc_parse_all(p, n, &ydoc_rendered, "fuzz", &e);
	size_t i;
	json_t *doc;

	json_array_foreach(docs, i, doc) {
		GROW(o.items, o.n);
		o.items[o.n++] = (struct helm_object){ .object = json_incref(doc), .source = xstrdup("fuzz") };
	}
	if (o.n > 200 || steps_parse(&o, &s, &e) < 0)
		return 0;
	check_needs(&s);
	for (i = 0; i < s.n; i++)
		if (steps_find(&s, s.items[i].id) != &s.items[i])
			abort();
	for (i = 0; i < s.n; i++)
		if (s.items[i].kind == STEP_RUN)
			check_job(&s.items[i]);
	return 0;
}
