/* SPDX-License-Identifier: Apache-2.0 */
#include "judge.h"

#define DEFAULT_CLASS "storageclass.kubernetes.io/is-default-class"

static bool is_kind(const json_t *o, const char *kind)
{
	return str_eq(jdoc_text(o, "kind", NULL), kind);
}

static void add_class(const json_t *o, struct strv *classes, struct strv *defaults)
{
	const char *name = jdoc_text(o, "metadata", "name", NULL);

	if (!is_kind(o, "StorageClass") || !name || strv_has(classes, name))
		return;
	strv_push(classes, name);
	if (str_eq(jdoc_text(o, "metadata", "annotations", DEFAULT_CLASS, NULL), "true"))
		strv_push(defaults, name);
}

/* Those of the cluster, and those that the run makes. */
static void find_classes(const struct wants *w, const json_t *there, struct strv *classes, struct strv *defaults)
{
	size_t i;
	json_t *o;

	for (size_t k = 0; k < w->n; k++)
		add_class(w->items[k].object, classes, defaults);
	json_array_foreach((json_t *)there, i, o)
		add_class(o, classes, defaults);
	strv_sort(classes);
	strv_sort(defaults);
}

/* NULL: the default one. "": none, a volume is there already. */
static const char *class_of(const struct want_claim *c)
{
	return jdoc_text(c->spec, "storageClassName", NULL);
}

void judge_storage(const struct wants *w, const json_t *there, struct finding_row *row)
{
	auto_want_claims struct want_claims claims = { 0 };
	auto_strv struct strv classes = { 0 }, defaults = { 0 };
	auto_free char *list = NULL, *several = NULL;
	bool by_default = false;

	want_claims_find(w, &claims);
	find_classes(w, there, &classes, &defaults);
	list = classes.n ? strv_join(&classes, ", ") : xstrdup("none");
	several = strv_join(&defaults, ", ");
	for (size_t i = 0; i < claims.n; i++) {
		const struct want_claim *c = &claims.items[i];
		const char *class = class_of(c);

		by_default = by_default || !class;
		if (!class && !defaults.n)
			findings_say(row, FOUND_FAIL, "%s: claim '%s' names no storage class, and none is the default: name one of those there "
				     "(%s), or make one the default", c->want->from, c->name, list);
		if (class && *class && !strv_has(&classes, class))
			findings_say(row, FOUND_FAIL, "%s: claim '%s' wants the storage class '%s', which is not there and no step makes: make "
				     "it, or name one that is there (%s)", c->want->from, c->name, class, list);
	}
	if (by_default && defaults.n > 1)
		findings_say(row, FOUND_WARN, "several storage classes are the default: %s: leave one", several);
}

/* ---- how much ---- */

static bool is_there(const struct want_claim *c, const json_t *there)
{
	auto_free char *prefix = xasprintf("%s-", c->name);
	size_t i;
	json_t *o;

	json_array_foreach((json_t *)there, i, o) {
		const char *name = jdoc_text(o, "metadata", "name", NULL);

		if (is_kind(o, "PersistentVolumeClaim") && name && str_eq(jdoc_text(o, "metadata", "namespace", NULL), c->want->ns) &&
		    (c->template ? str_starts(name, prefix) : strcmp(name, c->name) == 0))
			return true;
	}
	return false;
}

/* What the driver of a class says is free; false: it says nothing. */
static bool free_in(const json_t *there, const char *class, double *out)
{
	bool said = false;
	size_t i;
	json_t *o;

	*out = 0;
	json_array_foreach((json_t *)there, i, o) {
		double n;

		if (!is_kind(o, "CSIStorageCapacity") || !str_eq(jdoc_text(o, "storageClassName", NULL), class) ||
		    !quantity_parse(json_object_get(o, "capacity"), &n))
			continue;
		*out += n;
		said = true;
	}
	return said;
}

/* Bytes that claims of this class ask for; of_class = the class of each, in their order. */
static double asked_of(const struct want_claims *claims, const struct strv *of_class, const char *class, const json_t *there)
{
	double sum = 0;

	for (size_t i = 0; i < claims->n; i++) {
		const struct want_claim *c = &claims->items[i];
		double n;

		if (strcmp(of_class->items[i], class) == 0 && !is_there(c, there) &&
		    quantity_parse(jdoc_at(c->spec, "resources", "requests", "storage", NULL), &n))
			sum += n * (double)c->count;
	}
	return sum;
}

static void judge_class(const char *class, double sum, const json_t *there, struct finding_row *row)
{
	double left;
	bool said = free_in(there, class, &left);
	auto_free char *wanted = quantity_bytes(sum), *has = quantity_bytes(left);

	if (said && sum > left)
		findings_say(row, FOUND_WARN, "storage class '%s': new claims ask for %s, %s is free: add storage, or ask for less", class,
			     wanted, has);
	else if (sum > 0)
		findings_say(row, FOUND_NOTHING, "storage class '%s': new claims ask for %s%s%s", class, wanted,
			     said ? " of " : ": the cluster does not say what is free", said ? has : "");
}

void judge_volumes(const struct wants *w, const json_t *there, struct finding_row *row)
{
	auto_want_claims struct want_claims claims = { 0 };
	auto_strv struct strv of_class = { 0 }, each = { 0 }, all = { 0 }, defaults = { 0 };

	want_claims_find(w, &claims);
	find_classes(w, there, &all, &defaults);
	for (size_t i = 0; i < claims.n; i++) {
		const char *class = class_of(&claims.items[i]);

		if (!class)
			class = defaults.n ? defaults.items[0] : "";
		strv_push(&of_class, class);
		strv_push(&each, class);
	}
	strv_sort(&each);
	strv_uniq(&each);
	for (size_t i = 0; i < each.n; i++)
		judge_class(each.items[i], asked_of(&claims, &of_class, each.items[i], there), there, row);
}
