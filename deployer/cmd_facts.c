/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "nodes.h"

#include <airgap/fs.h>
#include <airgap/log.h>
#include <airgap/manifest.h>

#include <stdio.h>
#include <time.h>

struct facts_opts { struct common_opts common; const char *output; };

const size_t facts_opts_size = sizeof(struct facts_opts);
const struct opt facts_options[] = {
	OPT_STR(struct facts_opts, output, 'o', "output", "FILE", "write to FILE (default: standard output)"),
	OPT_STR(struct facts_opts, common.site, 0, "site", "FILE", "the site file, for its kubernetes.kubeconfig"),
	OPT_STR(struct facts_opts, common.kubeconfig, 0, "kubeconfig", "FILE", "the cluster (default: $KUBECONFIG, ~/.kube/config)"),
	{ 0 }
};

/* What is missing would be missed on the other side, where nobody can look. */
static void tell(const struct facts *f)
{
	for (size_t i = 0; i < f->n_nodes; i++) {
		auto_free char *text = facts_node_text(&f->nodes[i]);

		log_info("%s%s", text, f->nodes[i].gpu ? ", with GPU" : "");
		if (!f->nodes[i].os)
			log_warn("%s: its distribution is not known: write os and osVersion into the file", text);
	}
}

int facts_run(const void *opts, char **args, struct err *e)
{
	const struct facts_opts *o = opts;
	auto_session struct session s = { .opts = &o->common, .state_dir = fs_state_dir() };
	auto_buf struct buf text = BUF_INIT(FACTS_MAX);
	auto_facts struct facts f = { 0 };
	char now[24];

	if (site_load(o->common.site, &s.site, e) < 0 || session_kubectl(&s, e) < 0 || nodes_ask(&s.kubectl, &f, e) < 0)
		return -1;
	f.created = xstrdup(manifest_time((int64_t)time(NULL), now));
	if (facts_dump(&f, &text, e) < 0)
		return -1;
	tell(&f);
	if (o->output)
		return fs_save(o->output, buf_str(&text), text.len, 0644, e);
	fputs(buf_str(&text), stdout);
	return 0;
}
