/* SPDX-License-Identifier: Apache-2.0 */
#include "scan_walk.h"

#include <airgap/digest.h>

/* How charts' values and many custom resources say an image by several keys. */
static const char *const registries[] = { "registry", "imageRegistry", NULL };
static const char *const repositories[] = { "repository", "imageRepository", "repo", NULL };
static const char *const images[] = { "image", "imageName", NULL };
static const char *const tags[] = { "tag", "imageTag", "image_tag", NULL };
static const char *const digests[] = { "digest", "imageDigest", "sha", NULL };

static bool in_list(const char *const *list, const char *key)
{
	for (; *list; list++)
		if (strcmp(*list, key) == 0)
			return true;
	return false;
}

bool scan_pair_key(const char *key)
{
	return in_list(registries, key) || in_list(repositories, key) || in_list(images, key) || strcmp(key, "name") == 0 || in_list(tags, key) ||
	       in_list(digests, key);
}

/* Of the keys the first that says something. */
static const char *first_key(const json_t *map, const char *const *list)
{
	for (; *list; list++) {
		const char *text = jdoc_text(map, *list, NULL);

		if (text && *text)
			return *list;
	}
	return NULL;
}

static const char *first_text(const json_t *map, const char *const *list)
{
	const char *key = first_key(map, list);

	return key ? jdoc_text(map, key, NULL) : NULL;
}

/* `tag: 7` is a number to YAML, and `tag: 1.36` too; what 1.10 was nobody knows any more. Owned; NULL: none. */
static char *tag_of(const json_t *map)
{
	for (const char *const *key = tags; *key; key++) {
		const json_t *v = json_object_get(map, *key);

		if (json_is_string(v) && json_string_length(v))
			return xstrdup(json_string_value(v));
		if (json_is_integer(v))
			return xasprintf("%lld", (long long)json_integer_value(v));
		if (json_is_real(v))
			return xasprintf("%.15g", json_real_value(v));
	}
	return NULL;
}

/* "sha256:…", or its digits alone. */
static char *digest_of_map(const json_t *map)
{
	const char *text = first_text(map, digests);
	struct digest d;

	if (!text)
		return NULL;
	if (digest_parse(text, &d))
		return xstrdup(text);
	return digest_parse_hex(text, strlen(text), &d) ? xasprintf("sha256:%s", text) : NULL;
}

static bool is_bare(const char *name)
{
	const char *slash = strrchr(name, '/');

	return !strchr(name, '@') && !strchr(slash ? slash : name, ':');
}

/* Where the name without registry, tag and digest stands; NULL: the map is no image. */
static const char *name_key(const json_t *map, bool has_registry)
{
	const char *repository = first_key(map, repositories), *image = first_key(map, images);
	const char *name = jdoc_text(map, "name", NULL);

	if (repository)
		return repository;
	if (image)
		return is_bare(jdoc_text(map, image, NULL)) ? image : NULL;
	/* Anything has a name: it says an image only with a registry. */
	return name && is_bare(name) && (has_registry || scan_with_host(name)) ? "name" : NULL;
}

/* Only a guess: no container. */
int scan_pair(struct walk *w, json_t *map, struct err *e)
{
	const char *registry = first_text(map, registries), *key = name_key(map, registry != NULL);
	const char *name = key ? jdoc_text(map, key, NULL) : NULL;
	auto_free char *tag = name ? tag_of(map) : NULL, *digest = name ? digest_of_map(map) : NULL;

	if (!name || (!tag && !digest) || strstr(name, "://"))
		return 0;
	/* A name that has its registry keeps it. */
	if (registry && scan_with_host(name))
		registry = NULL;

	auto_free char *image = xasprintf("%s%s%s%s%s%s%s", registry ? registry : "", registry ? "/" : "", name, tag ? ":" : "",
					  tag ? tag : "", digest ? "@" : "", digest ? digest : "");

	if (!scan_parses(image))
		return 0;
	if (w->edit) {
		edit_pair(w, map, registry ? first_key(map, registries) : NULL, key, image);
		return 1;
	}
	return walk_add(w, image, w->in_file, json_is_false(json_object_get(map, "enabled")), e) < 0 ? -1 : 1;
}
