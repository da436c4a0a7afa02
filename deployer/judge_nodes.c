/* SPDX-License-Identifier: Apache-2.0 */
#include "judge.h"

#include "nodes.h"

#include <time.h>

#define LITTLE_LEFT 0.8         /* of what nodes have */
#define LATE        60          /* seconds: kubelets renew each ten, and are given forty */
#define EARLY       15

static bool is_kind(const json_t *o, const char *kind)
{
	return str_eq(jdoc_text(o, "kind", NULL), kind);
}

static const char *name_of(const json_t *o)
{
	const char *name = jdoc_text(o, "metadata", "name", NULL);

	return name ? name : "";
}

void judge_architectures(const json_t *there, const struct strv *platforms, struct finding_row *row)
{
	auto_free char *list = strv_join(platforms, ", ");
	size_t i;
	json_t *node;

	if (!platforms->n)
		return;
	json_array_foreach((json_t *)there, i, node) {
		const char *arch = jdoc_text(node, "status", "nodeInfo", "architecture", NULL);
		auto_free char *platform = arch ? xasprintf("linux/%s", arch) : NULL;
		bool carried = false;

		for (size_t k = 0; platform && k < platforms->n; k++) {
			size_t n = strlen(platform);

			/* with a variant behind it, or without */
			carried = carried || (strncmp(platforms->items[k], platform, n) == 0 &&
					      (!platforms->items[k][n] || platforms->items[k][n] == '/'));
		}
		if (is_kind(node, "Node") && platform && !carried)
			findings_say(row, FOUND_FAIL, "node '%s': %s: the bundle is for %s: build it with `platforms: [%s]` too, or keep "
				     "pods away from this node", name_of(node), platform, list, platform);
	}
}

/* ---- requests ---- */

struct amount { double cpu, memory; };

/* Of one container: a limit stands for a request that is not there. */
static double asks(const json_t *container, const char *what)
{
	const json_t *said = jdoc_at(container, "resources", "requests", what, NULL);
	double n = 0;

	if (!said)
		said = jdoc_at(container, "resources", "limits", what, NULL);
	return said && quantity_parse(said, &n) ? n : 0;
}

static struct amount of_list(const json_t *containers, bool together)
{
	struct amount sum = { 0, 0 };
	size_t i;
	json_t *c;

	json_array_foreach((json_t *)containers, i, c) {
		struct amount one = { asks(c, "cpu"), asks(c, "memory") };

		sum.cpu = together ? sum.cpu + one.cpu : MAX(sum.cpu, one.cpu);
		sum.memory = together ? sum.memory + one.memory : MAX(sum.memory, one.memory);
	}
	return sum;
}

/* Init containers run before the others. */
static struct amount of_pod(const json_t *spec)
{
	struct amount run = of_list(json_object_get(spec, "containers"), true), init = of_list(json_object_get(spec, "initContainers"), false);

	return (struct amount){ MAX(run.cpu, init.cpu), MAX(run.memory, init.memory) };
}

static double pods_of(const json_t *o, size_t nodes)
{
	const json_t *n = jdoc_at(o, "spec", "replicas", NULL);

	if (is_kind(o, "DaemonSet"))
		return (double)nodes;
	return json_is_integer(n) ? (double)json_integer_value(n) : 1;
}

/* Where pods may go: sum and largest of each. */
static size_t have(const json_t *there, struct amount *sum, struct amount *largest)
{
	size_t i, n = 0;
	json_t *node;

	json_array_foreach((json_t *)there, i, node) {
		struct amount a = { 0, 0 };

		if (!is_kind(node, "Node") || json_is_true(jdoc_at(node, "spec", "unschedulable", NULL)))
			continue;
		if (!quantity_parse(jdoc_at(node, "status", "allocatable", "cpu", NULL), &a.cpu) ||
		    !quantity_parse(jdoc_at(node, "status", "allocatable", "memory", NULL), &a.memory))
			continue;
		n++;
		*sum = (struct amount){ sum->cpu + a.cpu, sum->memory + a.memory };
		*largest = (struct amount){ MAX(largest->cpu, a.cpu), MAX(largest->memory, a.memory) };
	}
	return n;
}

static void compare(const char *what, double wanted, double there, const char *wanted_text, const char *there_text, struct finding_row *row)
{
	if (wanted > there)
		findings_say(row, FOUND_FAIL, "%s: pods ask for %s in all, the nodes have %s: add nodes, or lower the requests", what,
			     wanted_text, there_text);
	else if (wanted > LITTLE_LEFT * there)
		findings_say(row, FOUND_WARN, "%s: pods ask for %s in all, the nodes have %s: little is left for anything else", what,
			     wanted_text, there_text);
	else
		findings_say(row, FOUND_NOTHING, "%s: pods ask for %s, the nodes have %s", what, wanted_text, there_text);
}

static void judge_one(const struct want *w, struct amount pod, struct amount largest, struct finding_row *row)
{
	auto_free char *asked = quantity_bytes(pod.memory), *there = quantity_bytes(largest.memory);

	if (pod.cpu > largest.cpu)
		findings_say(row, FOUND_FAIL, "%s: %s '%s' asks for %.4g cpu in one pod, the largest node has %.4g: lower the request, or "
			     "add a larger node", w->from, jdoc_text(w->object, "kind", NULL), name_of(w->object), pod.cpu, largest.cpu);
	if (pod.memory > largest.memory)
		findings_say(row, FOUND_FAIL, "%s: %s '%s' asks for %s of memory in one pod, the largest node has %s: lower the request, "
			     "or add a larger node", w->from, jdoc_text(w->object, "kind", NULL), name_of(w->object), asked, there);
}

void judge_capacity(const struct wants *w, const json_t *there, struct finding_row *row)
{
	struct amount sum = { 0, 0 }, nodes = { 0, 0 }, largest = { 0, 0 };
	size_t n = have(there, &nodes, &largest);

	for (size_t i = 0; n && i < w->n; i++) {
		const json_t *o = w->items[i].object;
		const json_t *spec = is_kind(o, "Pod") ? jdoc_at(o, "spec", NULL) : jdoc_at(o, "spec", "template", "spec", NULL);
		struct amount pod = of_pod(spec);
		double count = pods_of(o, n);

		/* A Job's pod goes again. */
		if (!spec || count <= 0)
			continue;
		judge_one(&w->items[i], pod, largest, row);
		if (is_kind(o, "Job"))
			continue;
		sum = (struct amount){ sum.cpu + count * pod.cpu, sum.memory + count * pod.memory };
	}
	if (!n)
		return;

	auto_free char *cpu = xasprintf("%.4g", sum.cpu), *cpus = xasprintf("%.4g", nodes.cpu);
	auto_free char *memory = quantity_bytes(sum.memory), *memories = quantity_bytes(nodes.memory);

	compare("cpu", sum.cpu, nodes.cpu, cpu, cpus, row);
	compare("memory", sum.memory, nodes.memory, memory, memories, row);
}

/* ---- clocks ---- */

void judge_clock(const json_t *there, int64_t now, struct finding_row *row)
{
	size_t i;
	json_t *lease;

	json_array_foreach((json_t *)there, i, lease) {
		const char *renewed = jdoc_text(lease, "spec", "renewTime", NULL);
		struct tm t = { 0 };

		if (!is_kind(lease, "Lease") || !str_eq(jdoc_text(lease, "metadata", "namespace", NULL), "kube-node-lease") || !renewed ||
		    !strptime(renewed, "%Y-%m-%dT%H:%M:%S", &t))
			continue;

		long long ahead = (long long)timegm(&t) - (long long)now;

		/* A node that has been away for long is not late, it is down. */
		if (ahead > EARLY || (ahead < -LATE && ahead > -86400))
			findings_say(row, FOUND_WARN, "node '%s': its clock and this machine's are %lld s apart, or its kubelet is away: set "
				     "both by the same time server", name_of(lease), ahead < 0 ? -ahead : ahead);
	}
}

/* ---- kernels ---- */

/* Up to and with its kernel, what the node's image begins with; NULL: it does not go by kernels. Owned. */
static char *prefix_for(const char *pattern, const char *kernel)
{
	const char *at = strstr(pattern, "{kernel}"), *other = strchr(pattern, '{');

	return at && at == other ? xasprintf("%.*s%s", (int)(at - pattern), pattern, kernel) : NULL;
}

static bool has_prefix(const struct strv *names, const char *prefix)
{
	for (size_t i = 0; i < names->n; i++) {
		size_t n = strlen(prefix);

		/* "5.15.0-1" is not "5.15.0-10" */
		if (strncmp(names->items[i], prefix, n) == 0 && (!names->items[i][n] || names->items[i][n] == '-'))
			return true;
	}
	return false;
}

/* What there is for other kernels: the tags, for people. */
static char *others(const struct strv *names, const char *pattern)
{
	auto_strv struct strv tags = { 0 };
	size_t n = (size_t)(strchr(pattern, '{') - pattern);

	for (size_t i = 0; i < names->n; i++)
		if (strncmp(names->items[i], pattern, n) == 0)
			strv_push(&tags, names->items[i] + n);
	strv_sort(&tags);
	return tags.n ? strv_join(&tags, ", ") : xstrdup("none");
}

void judge_kernels(const struct wants *w, const struct strv *names, const json_t *there, struct finding_row *row)
{
	size_t i;
	json_t *node;

	json_array_foreach((json_t *)there, i, node) {
		auto_json json_t *one = json_pack("[O]", node);
		auto_facts struct facts f = { 0 };
		struct err ignored;

		if (!is_kind(node, "Node") || nodes_read(one, &f, &ignored) < 0 || f.n_nodes != 1 || !f.nodes[0].gpu)
			continue;
		for (size_t k = 0; k < w->patterns.n; k++) {
			const char *pattern = w->patterns.items[k];
			auto_free char *prefix = prefix_for(pattern, f.nodes[0].kernel);

			if (!prefix || has_prefix(names, prefix))
				continue;

			auto_free char *have_tags = others(names, pattern);

			findings_say(row, FOUND_FAIL, "node '%s': kernel %s: the bundle has no image '%s' for it, but for %s: build it again "
				     "with `--facts` of this site", name_of(node), f.nodes[0].kernel, pattern, have_tags);
		}
	}
}
