/*
 * schema_hint - what helm's schema check says about values, in terms of the file the user wrote.
 *
 *	if (helm_template(…, e) < 0) {
 *		auto_free char *hint = schema_hint("site.yaml", doc, marks, schema, e->msg);
 *		if (hint)
 *			return err_set(e, e->code, "%s", hint);
 *	}
 *
 * The same for what `fail` in a template says: it begins with the key it is about, by custom of the house.
 *
 * Helm names a path within the values and, for an unknown key, the key; the file has lines, and the schema the keys
 * that would have been right.
 */
#pragma once

#include <airgap/yaml.h>

/* schema: values.schema.json of the chart, or NULL. "site.yaml:4: registry: unknown key 'hots': did you mean 'host'?" or
 * "site.yaml:5: profile: value must be one of …", of the first complaint; owned. NULL: the message is of another kind, or
 * the place is not in the file. */
char *schema_hint(const char *file, const json_t *doc, const struct ydoc_marks *marks, const json_t *schema,
		  const char *helm_message) MUST_CHECK;
