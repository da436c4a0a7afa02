/*
 * manifest_merge - one document out of a manifest, the files it includes and overlays. Private to manifest*.c.
 *
 * Later ones win key by key: included files in their order, the file that includes them, overlays in theirs. Maps merge.
 * Lists whose entries have an identity merge entry by entry: charts, packages, python, git by name, files by name and
 * platform, images by ref; `remove: true` takes an entry out. discover.rules, osTags and waive are put together, the
 * later file's first. Any other list replaces; null takes a key out. Paths become relative to the manifest's folder.
 *
 * Limits: included 8 deep, 4 MiB of text in all, ERR_LIMIT. A file that includes itself is ERR_MALFORMED.
 */
#pragma once

#include <airgap/strv.h>
#include <airgap/yaml.h>

struct manifest_doc {
	json_t *doc;
	struct ydoc_marks *marks;
	json_t *kept;           /* all that was ever read: marks may name what is no longer in doc */
};
#define auto_manifest_doc CLEANUP(manifest_doc_release)
void manifest_doc_release(struct manifest_doc *d);

/* manifest_include.c: a file with all it includes, then the overlays (NULL = none). */
int manifest_doc_load(const char *path, const struct strv *overlays, struct manifest_doc *out, struct err *e) MUST_CHECK;
/* Of one file: a map, and of this kind where it says one. */
int manifest_doc_check(const json_t *doc, const char *subject, struct err *e) MUST_CHECK;

/* manifest_merge.c: over into base; both are in d->kept already. */
int manifest_doc_merge(struct manifest_doc *d, json_t *base, json_t *over, struct err *e) MUST_CHECK;

/* manifest_paths.c: every path that was read in another folder than `main`. */
int manifest_doc_move(const char *main, struct manifest_doc *d, struct err *e) MUST_CHECK;
