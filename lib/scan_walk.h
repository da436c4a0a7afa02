/*
 * scan_walk - where the scanner is, and what its files give each other. Private to lib/scan*.c.
 */
#pragma once

#include <airgap/buf.h>
#include <airgap/scan.h>

#define SCAN_PATH_MAX 4096u

/* A variable that some join needs, with its place. */
struct scan_env { char *name, *value; struct scan_find at; };

/* path has "[]" for every list index, so that a place is the same in every render. */
struct walk {
	const struct scan_rule *rules;
	size_t n_rules;
	const char *chart, *file, *kind;
	const json_t *root;             /* the object; NULL: none */
	struct buf path;
	unsigned embedded;              /* in a text, how many deep */
	unsigned archives;              /* in an archive, how many deep */
	bool in_file;                   /* a file that a rule names: what a key calls an image is one */
	struct scan_finds *out;
	struct scan_env *envs; size_t n_envs;
	struct scan_edit *edit;         /* finds are replaced, not listed; NULL = they are listed */
	size_t at, span;                /* where the find stands in the text that is looked at; span 0: in pieces, or nowhere */
};

int walk_add(struct walk *w, const char *image, bool certain, bool disabled, struct err *e) MUST_CHECK;
/* What stands at a key that says image: a maybe, but in a file of a rule. */
int walk_add_keyed(struct walk *w, const char *image, struct err *e) MUST_CHECK;
/* A whole text at the walk's path: a document in it, else its words. */
int walk_text(struct walk *w, const char *text, struct err *e) MUST_CHECK;
int walk_value(struct walk *w, const json_t *parent, const char *key, json_t *v, struct err *e) MUST_CHECK;
/* One step deeper; key NULL is a list. leave: len is what path.len was. */
int walk_enter(struct walk *w, const char *key, struct err *e) MUST_CHECK;
void walk_leave(struct walk *w, size_t len);

void scan_finish(struct scan_finds *f);         /* sorted, each once */

/* scan_text.c */
int scan_words(struct walk *w, const char *text, struct err *e) MUST_CHECK;
bool scan_image_key(const char *key);   /* a key that holds an image even when it is a short name (busybox:1.36) */
bool scan_parses(const char *text);     /* as a reference */
bool scan_tagged(const char *text);     /* … with a tag or digest, and no URL */
bool scan_with_host(const char *text);  /* … with a registry */

/* scan_rules.c */
bool rule_for(const struct scan_rule *r, const struct walk *w);         /* its chart is this one */
bool rule_names_env(const struct walk *w, const char *name);
/* A triple in a map: 1: added, its keys are done. 0: there is none. */
int rule_triple(struct walk *w, json_t *map, struct err *e) MUST_CHECK;
bool rule_triple_key(const struct walk *w, const json_t *map, const char *key);
void rule_keep_env(struct walk *w, const char *name, const char *value);
int rule_joins(struct walk *w, const struct helm_objects *objects, bool tests, struct err *e) MUST_CHECK;
void rule_forget_envs(struct walk *w);

/* scan_pair.c: an image said by several keys of one map. 1: added, scan_pair_key's keys are done. */
int scan_pair(struct walk *w, json_t *map, struct err *e) MUST_CHECK;
bool scan_pair_key(const char *key);

/* scan_edit.c: what is found is replaced. A find at the walk's place; then what was found since `before` in a text. */
void edit_found(struct walk *w, const char *image);
size_t edit_mark(const struct walk *w);
void edit_forget(struct walk *w, size_t before);
void edit_leaf(struct walk *w, json_t *leaf, size_t before);
/* The bytes that base64 in a leaf stood for. */
void edit_base64(struct walk *w, const char *encoded, const char *text, size_t before);
/* A text whose documents were walked: those are as they should be, the text not yet. before: edit_words in front of it. */
size_t edit_words(const struct walk *w);
void edit_embedded(struct walk *w, const char *text, const json_t *docs, size_t before);
/* An image said by several keys of a map, of which these name its registry (may be NULL) and the rest. */
void edit_pair(struct walk *w, json_t *map, const char *registry, const char *name, const char *image);
/* Key of the repository, and text of the name behind it. false: there is nothing to put there. */
bool edit_triple(struct walk *w, json_t *map, const char *repository, const char *name, const char *image);

/* scan_archive.c: bytes that are an archive are searched; anything else is nothing. */
int scan_bytes(struct walk *w, const void *p, size_t n, struct err *e) MUST_CHECK;
