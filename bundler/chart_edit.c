/* SPDX-License-Identifier: Apache-2.0 */
#include "chart_edit.h"

#include <airgap/chart.h>

static const char version_key[] = "?kubeVersion=";

void chart_edit_release(struct chart_edit *x)
{
	for (size_t i = 0; i < x->n_parts; i++) {
		free(x->parts[i].file);
		free(x->parts[i].location);
	}
	free(x->parts);
	free(x->base);
	free(x->kube_version);
	*x = (struct chart_edit){ 0 };
}

void chart_edit_add(struct chart_edit *x, const char *file, const struct digest *d, const char *location)
{
	GROW(x->parts, x->n_parts);
	x->parts[x->n_parts++] = (struct chart_part){ xstrdup(file), *d, xstrdup(location) };
}

/* "FILE sha256:HEX LOCATION" */
static int parse_part(struct chart_edit *x, const char *line, struct err *e)
{
	auto_strv struct strv words = { 0 };
	struct digest d;

	strv_split(&words, line, ' ');
	if (words.n != 3 || strchr(words.items[0], '/') || !str_ends(words.items[0], ".tgz") || !digest_parse(words.items[1], &d))
		return err_set(e, ERR_MALFORMED, "'%.100s' is no part of a chart", line);
	chart_edit_add(x, words.items[0], &d, words.items[2]);
	return 0;
}

int chart_edit_parse(const char *member, struct chart_edit *out, struct err *e)
{
	auto_chart_edit struct chart_edit x = { 0 };
	auto_strv struct strv lines = { 0 };

	strv_split(&lines, member, '\n');
	if (!lines.n)
		return err_set(e, ERR_MALFORMED, "a chart that is made of nothing");

	const char *version = strstr(lines.items[0], version_key);

	x.base = xstrndup(lines.items[0], version ? (size_t)(version - lines.items[0]) : strlen(lines.items[0]));
	x.kube_version = version ? xstrdup(version + strlen(version_key)) : NULL;
	for (size_t i = 1; i < lines.n; i++)
		if (parse_part(&x, lines.items[i], e) < 0)
			return -1;
	*out = x;
	x = (struct chart_edit){ 0 };
	return 0;
}

char *chart_edit_format(const struct chart_edit *x)
{
	auto_strv struct strv lines = { 0 };
	char digest[DIGEST_TEXT];

	strv_pushf(&lines, "%s%s%s", x->base, x->kube_version ? version_key : "", x->kube_version ? x->kube_version : "");
	for (size_t i = 0; i < x->n_parts; i++)
		strv_pushf(&lines, "%s %s %s", x->parts[i].file, digest_text(&x->parts[i].digest, digest), x->parts[i].location);
	return strv_join(&lines, "\n");
}

static void replace(struct buf *archive, struct buf *with)
{
	buf_release(archive);
	*archive = *with;
	*with = (struct buf)BUF_INIT(CHART_MAX);
}

int chart_edit_apply(const struct chart_edit *x, const struct buf *parts, struct buf *archive, struct err *e)
{
	auto_buf struct buf added = BUF_INIT(CHART_MAX), patched = BUF_INIT(CHART_MAX);
	auto_free struct chart_file *files = xcalloc(x->n_parts + 1, sizeof(*files));

	for (size_t i = 0; i < x->n_parts; i++)
		files[i] = (struct chart_file){ x->parts[i].file, buf_str(&parts[i]), parts[i].len };
	if (x->n_parts) {
		if (chart_add(archive->ptr, archive->len, files, x->n_parts, &added, e) < 0)
			return -1;
		replace(archive, &added);
	}
	if (!x->kube_version)
		return 0;
	if (chart_patch(archive->ptr, archive->len, x->kube_version, &patched, e) < 0)
		return -1;
	replace(archive, &patched);
	return 0;
}
