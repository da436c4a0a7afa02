/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "starter.h"

#include <airgap/fs.h>
#include <airgap/log.h>

#include <stdio.h>
#include <unistd.h>

#define FILE_MAX (4u << 20)

struct init_opts { struct common_opts common; const char *output; struct strv set; };

const size_t init_opts_size = sizeof(struct init_opts);
const struct opt init_options[] = {
	COMMON_TRUST_OPTIONS(struct init_opts),
	OPT_STR(struct init_opts, output, 'o', "output", "FILE", "write the site file to FILE (default: site.yaml; - is stdout)"),
	OPT_LIST(struct init_opts, set, 0, "set", "KEY=VALUE", "an answer, such as domain=ml.example; may be repeated"),
	OPT_FLAG(struct init_opts, common.yes, 'y', "yes", "do not ask: leave open what is not set"),
	{ 0 }
};

static int load(struct session *s, const char *file, struct buf *out, struct err *e)
{
	const char *site = s->contents.site;
	int there = site ? session_chart_file(s, site, file, out, e) : 0;

	if (there == 0)
		return err_set(e, ERR_UNSUPPORTED, "bundle '%s': %s%s: there is nothing to make a site file from", s->contents.name,
			       site ? "its site chart has no " : "it has no site chart", site ? file : "");
	return MIN(there, 0);
}

/* The site chart of a stack's folder, or the folder itself: *out owned path, or NULL where it is neither. */
static int find_chart(const char *folder, char **out, struct err *e)
{
	auto_free char *own = fs_join(folder, "values.schema.json"), *below = fs_join(folder, "site/values.schema.json");
	int there = fs_exists(own, e), deeper = there == 0 ? fs_exists(below, e) : 0;

	if (there == 1 || deeper == 1)
		*out = there == 1 ? xstrdup(folder) : fs_join(folder, "site");
	return there < 0 || deeper < 0 ? -1 : 0;
}

static int load_from(const char *chart, const char *file, struct buf *out, struct err *e)
{
	auto_free char *path = fs_join(chart, file);

	return fs_load(path, FILE_MAX, out, e);
}

/* Of a bundle, which is judged first; or of a folder, before there is a bundle. */
static int load_both(const char *where, const struct common_opts *opts, struct buf *schema, struct buf *values, struct err *e)
{
	auto_session struct session s = { 0 };
	auto_free char *chart = NULL;

	if (find_chart(where, &chart, e) < 0)
		return -1;
	if (chart)
		return load_from(chart, "values.schema.json", schema, e) < 0 || load_from(chart, "values.yaml", values, e) < 0 ? -1 : 0;
	if (session_bundle(&s, where, opts, e) < 0 || load(&s, "values.schema.json", schema, e) < 0)
		return -1;
	return load(&s, "values.yaml", values, e);
}

/* On the terminal, until the answer fits; an empty one leaves the key open. */
static int ask(struct starter_key *k, struct err *e)
{
	char line[1024];

	for (;;) {
		fprintf(stderr, "%s [%s]: ", k->question, k->path);
		if (!fgets(line, sizeof(line), stdin))
			return 0;
		line[strcspn(line, "\r\n")] = '\0';
		if (starter_answer(k, line, e) == 0)
			return 0;
		log_warn("%s", e->msg);
		err_clear(e);
	}
}

static int fill(struct starter *s, const struct init_opts *o, struct err *e)
{
	bool may_ask = !o->common.yes && isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
	size_t asked = s->n;

	for (size_t i = 0; i < o->set.n; i++)
		if (starter_set(s, o->set.items[i], e) < 0)
			return err_wrap(e, "--set");
	for (size_t i = 0; may_ask && i < asked; i++)
		if (!s->keys[i].value && ask(&s->keys[i], e) < 0)
			return -1;
	return 0;
}

int init_run(const void *opts, char **args, struct err *e)
{
	const struct init_opts *o = opts;
	const char *output = o->output ? o->output : "site.yaml";
	bool to_stdout = strcmp(output, "-") == 0;
	auto_starter struct starter starter = { 0 };
	auto_buf struct buf schema = BUF_INIT(FILE_MAX), values = BUF_INIT(FILE_MAX), text = BUF_INIT(STARTER_MAX);
	int there = to_stdout ? 0 : fs_exists(output, e);

	if (there)
		return there < 0 ? -1 : err_set(e, ERR_USAGE, "'%s': is there already: choose another with -o", output);
	if (load_both(args[0], &o->common, &schema, &values, e) < 0 || starter_open(&starter, buf_str(&schema), schema.len, buf_str(&values), e) < 0 ||
	    fill(&starter, o, e) < 0)
		return -1;
	starter_write(&starter, &text);
	if (to_stdout) {
		fputs(buf_str(&text), stdout);
		return 0;
	}
	if (fs_save(output, buf_str(&text), text.len, 0600, e) < 0)
		return -1;
	log_info("wrote '%s': look through it", output);
	return 0;
}
