/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/provenance.h>

#include <airgap/gpgv.h>
#include <airgap/yaml.h>

static const struct ydoc_limits limits = { .bytes = PROVENANCE_MAX, .depth = 32, .nodes = 100000, .documents = 1, .aliases = true,
					   .raw_scalars = true };

void provenance_release(struct provenance *p)
{
	free(p->name);
	free(p->version);
	free(p->file);
	*p = (struct provenance){ 0 };
}

/* The line "..." between the two documents; NULL: there is none. */
static const char *find_end(const char *text)
{
	if (str_starts(text, "...\n"))
		return text;

	const char *at = strstr(text, "\n...\n");

	return at ? at + 1 : NULL;
}

static int take_file(const json_t *files, struct provenance *out, struct err *e)
{
	const char *name, *sum;
	json_t *value;

	if (json_object_size(files) != 1)
		return err_set(e, ERR_MALFORMED, "speaks of %zu files, not of one archive", json_object_size(files));
	json_object_foreach((json_t *)files, name, value) {
		sum = json_string_value(value);
		if (!sum || !digest_parse(sum, &out->archive))
			return err_set(e, ERR_MALFORMED, "has no sha256 of '%.128s'", name);
		out->file = xstrdup(name);
	}
	return 0;
}

int provenance_parse(const char *text, size_t n, struct provenance *out, struct err *e)
{
	auto_free char *copy = xstrndup(text, n);
	auto_provenance struct provenance p = { 0 };
	const char *end = find_end(copy);

	if (n > PROVENANCE_MAX || !end)
		return err_set(e, ERR_MALFORMED, "is not Chart.yaml, a line '...' and a list of files");

	auto_json json_t *chart = ydoc_parse(copy, (size_t)(end - copy), &limits, "Chart.yaml", NULL, e);

	if (!chart)
		return -1;
	end += strlen("...\n");

	auto_json json_t *sums = ydoc_parse(end, strlen(end), &limits, "files", NULL, e);
	const char *name = jdoc_text(chart, "name", NULL), *version = jdoc_text(chart, "version", NULL);

	if (!sums)
		return -1;
	if (!name || !version)
		return err_set(e, ERR_MALFORMED, "names no chart and version");
	if (take_file(json_object_get(sums, "files"), &p, e) < 0)
		return -1;
	p.name = xstrdup(name);
	p.version = xstrdup(version);
	*out = p;
	p = (struct provenance){ 0 };
	return 0;
}

int provenance_check(const char *keyring, const void *prov, size_t n, const char *name, const char *version,
		     const struct digest *archive, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(PROVENANCE_MAX);
	auto_provenance struct provenance p = { 0 };
	auto_free char *file = xasprintf("%s-%s.tgz", name, version);
	char want[DIGEST_TEXT], got[DIGEST_TEXT];

	if (gpgv_clear(keyring, prov, n, &text, e) < 0 || provenance_parse(buf_str(&text), text.len, &p, e) < 0)
		return -1;
	if (strcmp(p.name, name) != 0 || strcmp(p.version, version) != 0 || strcmp(p.file, file) != 0)
		return err_set(e, ERR_SIGNATURE, "vouches for %.128s %.128s in '%.128s', not for %s %s", p.name, p.version, p.file, name,
			       version);
	if (!digest_eq(&p.archive, archive))
		return err_set(e, ERR_DIGEST, "vouches for an archive with %s, this one has %s", digest_text(&p.archive, want),
			       digest_text(archive, got));
	return 0;
}
