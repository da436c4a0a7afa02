/*
 * helmignore - the rules of .helmignore, as Helm reads them.
 *
 * A line is a pattern; blank lines and `#` are passed over. A pattern with a slash matches the whole path below the
 * chart's folder (a leading one is dropped), one without the last part of it; `*` does not cross a slash; a final
 * slash means folders only. `!PATTERN` ignores all that does NOT match: that is Helm's reading, not git's. `**` is refused.
 * Helm's own first rule, `templates/.?*`, is always there.
 */
#pragma once

#include <airgap/err.h>

struct helmignore_rule;
struct helmignore { struct helmignore_rule *items; size_t n; };

#define auto_helmignore CLEANUP(helmignore_release)
void helmignore_release(struct helmignore *h);

/* text NULL: the default rule alone. -1: out is unchanged. */
int helmignore_parse(const char *text, struct helmignore *out, struct err *e) MUST_CHECK;
/* Is this path ("templates/a.yaml", never empty) left out? Of a folder that is, nothing below is looked at. */
bool helmignore_match(const struct helmignore *h, const char *path, bool folder);
