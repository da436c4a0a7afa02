/* SPDX-License-Identifier: Apache-2.0 */
#include "path.h"

/* [?(@.KEY=="VALUE")]: the first element of the list of which that holds. */
static const json_t *pick(const json_t *list, const char *filter, size_t n)
{
	static const char start[] = "?(@.";
	auto_free char *text = xstrndup(filter, n);
	char *key = text + strlen(start), *equals = strstr(text, "==");
	size_t i;
	json_t *one;

	if (!str_starts(text, start) || !equals || !str_ends(text, ")"))
		return NULL;
	*equals = '\0';
	text[n - 1] = '\0';

	char *value = equals + 2 + strspn(equals + 2, "\"'");

	value[strcspn(value, "\"'")] = '\0';
	json_array_foreach(list, i, one)
		if (str_eq(jdoc_text(one, key, NULL), value))
			return one;
	return NULL;
}

/* One key (a dot in it is written `\.`) or one [...]; *path moves behind it. */
static const json_t *step_into(const json_t *o, const char **path)
{
	auto_buf struct buf key = BUF_INIT(65536);
	const char *p = *path + (**path == '.');
	uint64_t index;

	if (*p == '[') {
		size_t n = strcspn(p, "]");
		auto_free char *number = xstrndup(p + 1, n - 1);

		*path = p + n + (p[n] == ']');
		return u64_parse(number, &index) ? json_array_get(o, index) : pick(o, p + 1, n - 1);
	}
	for (; *p && !strchr(".[", *p); p++) {
		if (*p == '\\' && p[1])
			p++;
		buf_putc(&key, *p);
	}
	*path = p;
	return json_object_get(o, buf_str(&key));
}

/* The `=` that is not in a filter; NULL when there is none. */
static const char *find_equals(const char *condition)
{
	int depth = 0;

	for (; *condition; condition++) {
		depth += (*condition == '[') - (*condition == ']');
		if (*condition == '=' && depth == 0)
			return condition;
	}
	return NULL;
}

static const json_t *follow(const json_t *o, char *path)
{
	const char *p = path;

	if (*p == '{' && str_ends(path, "}")) {
		path[strlen(path) - 1] = '\0';
		p++;
	}
	while (*p && o)
		o = step_into(o, &p);
	return o;
}

const json_t *path_value(const json_t *o, const char *path)
{
	auto_free char *copy = xstrdup(path);

	return follow(o, copy);
}

bool path_holds(const json_t *o, const char *condition)
{
	const char *equals = find_equals(condition);
	auto_free char *path = equals ? xstrndup(condition, (size_t)(equals - condition)) : xstrdup(condition);

	o = follow(o, path);
	if (!equals || !o)
		return o && !equals;

	auto_free char *text = path_text(o);

	return text && strcmp(text, equals + 1) == 0;
}

char *path_text(const json_t *value)
{
	return json_is_string(value) ? xstrdup(json_string_value(value)) : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
}
