/* SPDX-License-Identifier: Apache-2.0 */
/* The bundle that is installed, when its file is not there: the cluster knows which, the site registry has it. */
#include "session.h"

#include "keep.h"
#include "system.h"

#include <airgap/log.h>

struct installed {
	json_t *document;               /* owned */
	const char *stream, *bundle;    /* of it; bundle = the id, hex */
};

static void installed_release(struct installed *i)
{
	json_decref(i->document);
}

static const char *text_of(const json_t *document, const char *key)
{
	const char *text = jdoc_text(document, key, NULL);

	return text ? text : "?";
}

/* "example/demo (demo 1.2.0)", each that an install has come to the end of. */
static int list(struct session *s, json_t **out, struct strv *names, struct err *e)
{
	auto_json json_t *all = json_array();
	const char *name;
	json_t *secret;

	json_object_foreach(s->system, name, secret) {
		auto_json json_t *document = NULL;

		if (!str_starts(name, "airgap-installed-"))
			continue;
		if (system_load(s, name, &document, e) < 0)
			return -1;
		if (!jdoc_text(document, "stream", NULL) || !jdoc_text(document, "bundle", NULL))
			continue;
		strv_pushf(names, "%s (%s %s)", text_of(document, "stream"), text_of(document, "name"), text_of(document, "version"));
		json_array_append(all, document);
	}
	strv_sort(names);
	*out = TAKE(all);
	return 0;
}

/* The one of --stream, or the only one. */
static int choose(struct session *s, struct installed *out, struct err *e)
{
	const char *wanted = s->opts->stream;
	auto_strv struct strv names = { 0 };
	auto_json json_t *all = NULL;
	size_t i;
	json_t *document;

	if (list(s, &all, &names, e) < 0)
		return -1;
	if (!names.n)
		return err_set(e, ERR_USAGE, "nothing is installed in this cluster: name the bundle file to install");

	auto_free char *text = strv_join(&names, ", ");

	if (!wanted && names.n > 1)
		return err_set(e, ERR_USAGE, "this cluster has several bundles: choose one with --stream: %s", text);
	json_array_foreach(all, i, document)
		if (!wanted || strcmp(text_of(document, "stream"), wanted) == 0)
			out->document = json_incref(document);
	if (!out->document)
		return err_set(e, ERR_USAGE, "--stream %s: nothing of it is installed in this cluster, but: %s", wanted, text);
	out->stream = text_of(out->document, "stream");
	out->bundle = text_of(out->document, "bundle");
	return 0;
}

int session_installed(struct session *s, const struct common_opts *opts, struct err *e)
{
	CLEANUP(installed_release) struct installed i = { 0 };
	struct digest id;

	if (session_begin(s, opts, e) < 0 || session_site_file(s, e) < 0 || session_kubectl(s, e) < 0 ||
	    system_read(s, e) < 0 || choose(s, &i, e) < 0)
		return -1;
	if (!digest_parse_hex(i.bundle, strlen(i.bundle), &id))
		return err_set(e, ERR_IO, "namespace " SYSTEM_NAMESPACE ": the record of '%s' is damaged: give the bundle file", i.stream);
	if (!s->site.doc && session_site_kept(s, i.document, e) < 0)
		return -1;
	if (session_registry(s, e) < 0 || keep_open(s, i.stream, &id, e) < 0)
		return -1;
	log_info("bundle: %s %s, as installed, from %s", text_of(i.document, "name"), text_of(i.document, "version"),
		 registry_host(s->registry));
	return session_contents(s, "the installed bundle", e);
}
