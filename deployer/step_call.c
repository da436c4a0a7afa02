/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"

#include "path.h"
#include "removal.h"

#include <airgap/log.h>
#include <airgap/proc.h>

#include <time.h>

#define RETRY_SECONDS 30u

enum verdict {
	CALL_NOTHING,           /* as it should be */
	CALL_KEEP,              /* the same, but what it told is not kept, or another value is */
	CALL_UPDATE,
	CALL_MAKE,
	CALL_RENEW,             /* there, of no use: revoked, and made anew */
	CALL_ALWAYS,            /* nothing tells whether it was made */
};

struct looked {
	enum verdict verdict;
	json_t *found;          /* elements that `where` fits; NULL = none */
};

static void looked_release(struct looked *l)
{
	json_decref(l->found);
}

static void note(struct strv *diff, const char *text)
{
	if (diff)
		strv_push(diff, text);
}

/* ---- comparing ---- */

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The texts of a list of plain values, sorted; false: not one. */
static bool plain_list(const json_t *list, struct strv *out)
{
	size_t i;
	json_t *one;

	json_array_foreach(list, i, one) {
		if (json_is_object(one) || json_is_array(one))
			return false;

		auto_free char *text = path_text(one);

		strv_push(out, text);
	}
	if (out->n)
		qsort(out->items, out->n, sizeof(out->items[0]), compare_texts);
	return json_is_array(list);
}

/* As equal as two systems spell it: "10" is 10, and a list of plain values has no order. */
static bool same_value(const json_t *is, const json_t *want)
{
	auto_strv struct strv a = { 0 }, b = { 0 };

	if (!is || json_is_null(want))
		return !is == json_is_null(want) || json_is_null(is);
	if (json_is_array(is) && json_is_array(want) && plain_list(is, &a) && plain_list(want, &b)) {
		bool same = a.n == b.n;

		for (size_t i = 0; same && i < a.n; i++)
			same = strcmp(a.items[i], b.items[i]) == 0;
		return same;
	}
	if (json_is_object(is) || json_is_object(want) || json_is_array(is) || json_is_array(want))
		return json_equal((json_t *)is, (json_t *)want);

	auto_free char *x = path_text(is), *y = path_text(want);

	return strcmp(x, y) == 0;
}

/* Every path of the map has its value; the first that has not goes into *differs (may be NULL). */
static bool fits(const json_t *element, const json_t *map, const char **differs)
{
	const char *path;
	json_t *want;

	json_object_foreach((json_t *)map, path, want)
		if (!same_value(path_value(element, path), want)) {
			if (differs)
				*differs = path;
			return false;
		}
	return true;
}

/* A map of the step with its references resolved; NULL: -1, c->unknown where it cannot be yet. */
static json_t *resolve_map(struct call_server *c, const char *part, json_t *map, enum call_mode mode, struct err *e)
{
	struct secrets *x = c->engine->secrets;
	auto_json json_t *whole = json_pack("{s:O}", part, map);
	bool known = true;
	auto_json json_t *r = mode == CALL_ACT ? secrets_resolve(x, c->step->id, whole, false, e)
					       : secrets_resolve_known(x, c->step->id, whole, &known, e);

	if (r && known)
		return json_incref(json_object_get(r, part));
	if (r) {
		c->unknown = true;
		err_set(e, ERR_PREFLIGHT, "%s: not known yet", part);
	}
	return NULL;
}

/* ---- what is saved ---- */

/* {KEY: TEXT} of {KEY: path} in a document. */
static int take(const json_t *document, const json_t *paths, const char *where, json_t **out, struct err *e)
{
	auto_json json_t *values = json_object();
	const char *key;
	json_t *path;

	json_object_foreach((json_t *)paths, key, path) {
		const json_t *v = path_value(document, json_string_value(path));

		if (!v || json_is_null(v) || json_is_object(v) || json_is_array(v))
			return err_set(e, ERR_PROTOCOL, "%s: %s has no plain value at '%s'", key, where, json_string_value(path));

		auto_free char *text = path_text(v);

		json_object_set_new(values, key, json_string(text));
		wipe(text, strlen(text));
	}
	*out = TAKE(values);
	return 0;
}

static bool kept(struct call_server *c, const char *key, const char *value)
{
	auto_free char *have = secrets_kept(c->engine->secrets, c->step, key);
	bool same = have && (!value || strcmp(have, value) == 0);

	if (have)
		wipe(have, strlen(have));
	return same;
}

static bool all_kept(struct call_server *c, const json_t *values)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)values, key, value)
		if (!kept(c, key, json_string_value(value)))
			return false;
	return true;
}

static void forget_all(struct call_server *c)
{
	const json_t *maps[] = { c->step->call.save, c->step->call.find.save };
	const char *key;
	json_t *ignored;

	for (size_t i = 0; i < ARRAY_LEN(maps); i++)
		json_object_foreach((json_t *)maps[i], key, ignored)
			secrets_forget(c->engine->secrets, c->step, key);
}

/* ---- looking ---- */

/* 1: the keys are there and good. 0: there is nothing to go by. *stale: they are there and worth nothing. */
static int look_unless(struct call_server *c, enum call_mode mode, bool *stale, struct strv *diff, struct err *e)
{
	const struct step_unless *u = &c->step->call.unless;
	auto_json json_t *answer = NULL;

	for (size_t i = 0; i < u->saved.n; i++)
		if (!kept(c, u->saved.items[i], NULL))
			return 0;
	if (u->saved.n == 0)
		return 0;
	if (!u->check.url || call_ask(c, "unless.check", &u->check, mode, &answer, e) == 0)
		return 1;
	if (c->status != 401 && c->status != 403)
		return -1;
	note(diff, "the server does not take the saved key any more");
	*stale = true;
	return 0;
}

static int ask_list(struct call_server *c, enum call_mode mode, json_t **out, struct err *e)
{
	const struct step_find *f = &c->step->call.find;
	auto_json json_t *answer = NULL;
	auto_json json_t *where = NULL;
	auto_json json_t *found = json_array();
	size_t i;
	json_t *one;

	if (call_ask(c, "find", &f->request, mode, &answer, e) < 0)
		return -1;

	const json_t *list = path_value(answer, f->items);

	if (list && !json_is_array(list) && !json_is_null(list))
		return err_set(e, ERR_PROTOCOL, "find: '%s' is not a list in the answer", f->items);
	where = resolve_map(c, "find.where", f->where, mode, e);
	if (!where)
		return -1;
	json_array_foreach(list, i, one)
		if (fits(one, where, NULL))
			json_array_append(found, one);
	*out = TAKE(found);
	return 0;
}

/* Is every key of `save` known once the found element has told what it can? */
static bool complete(struct call_server *c)
{
	const char *key;
	json_t *ignored;

	json_object_foreach(c->step->call.save, key, ignored)
		if (!json_object_get(c->step->call.find.save, key) && !kept(c, key, NULL))
			return false;
	return true;
}

static int judge_found(struct call_server *c, enum call_mode mode, struct looked *l, struct strv *diff, struct err *e)
{
	const struct step_call *k = &c->step->call;
	const json_t *element = json_array_get(l->found, 0);
	auto_json json_t *values = NULL;
	auto_json json_t *when = NULL;
	const char *differs = NULL;

	if (json_array_size(l->found) > 1)
		return err_set(e, ERR_CONFLICT, "find: %zu elements fit: say more in `where`", json_array_size(l->found));
	if (take(element, k->find.save, "the found element", &values, e) < 0)
		return err_wrap(e, "find.save");
	l->verdict = all_kept(c, values) ? CALL_NOTHING : CALL_KEEP;
	if (l->verdict == CALL_KEEP)
		note(diff, "what is saved of it changes");
	if (!k->update.request.url)
		return 0;
	if (!k->update.when) {
		/* A look has nothing to compare; the step is run when something in it changed. */
		if (mode == CALL_ACT)
			l->verdict = CALL_UPDATE;
		return 0;
	}
	if (mode == CALL_ACT)
		secrets_keep(c->engine->secrets, c->step, values);
	when = resolve_map(c, "update.when", k->update.when, mode, e);
	if (!when)
		return -1;
	if (!fits(element, when, &differs)) {
		l->verdict = CALL_UPDATE;
		if (diff)
			strv_pushf(diff, "%s changes", differs);
	}
	return 0;
}

static int look(struct call_server *c, enum call_mode mode, struct looked *out, struct strv *diff, struct err *e)
{
	const struct step_call *k = &c->step->call;
	bool stale = false;
	int good = look_unless(c, mode, &stale, diff, e);

	if (good) {
		out->verdict = CALL_NOTHING;
		return MIN(good, 0);
	}
	if (!k->find.request.url) {
		out->verdict = k->unless.saved.n ? CALL_MAKE : CALL_ALWAYS;
		return 0;
	}
	if (ask_list(c, mode, &out->found, e) < 0)
		return -1;
	if (json_array_size(out->found) == 0) {
		out->verdict = CALL_MAKE;
		return 0;
	}
	if (!stale && complete(c))
		return judge_found(c, mode, out, diff, e);
	if (!stale)
		note(diff, "it is there, but what it told once was not kept: made anew");
	out->verdict = CALL_RENEW;
	return 0;
}

/* ---- checking ---- */

static enum step_state state_of(struct call_server *c, const struct looked *l)
{
	bool done = engine_past(c->engine, c->step)->done;

	switch (l->verdict) {
	case CALL_NOTHING:
		return STEP_SAME;
	case CALL_ALWAYS:
		return done ? STEP_SAME : STEP_NEW;
	case CALL_MAKE:
		return STEP_NEW;
	case CALL_KEEP:
	case CALL_UPDATE:
	case CALL_RENEW:
		break;
	}
	return STEP_CHANGES;
}

/* Without `unless` and `find` there is nothing to ask. */
static bool blind(const struct step_call *k)
{
	return k->unless.saved.n == 0 && !k->find.request.url;
}

int step_call_check(struct engine *g, const struct step *s, enum step_state *out, struct strv *diff, struct err *e)
{
	auto_call_server struct call_server c = { .engine = g, .step = s };
	CLEANUP(looked_release) struct looked l = { .verdict = CALL_ALWAYS };

	if (blind(&s->call) || (call_open(&c, CALL_LOOK, e) == 0 && look(&c, CALL_LOOK, &l, diff, e) == 0)) {
		*out = state_of(&c, &l);
		return 0;
	}
	if (proc_interrupted)
		return -1;
	/* Before the product is there, nothing is: that is no failure. */
	log_debug("%s: %s", s->id, e->msg);
	*out = c.unknown || !engine_past(g, s)->done ? STEP_NEW : STEP_FAILING;
	if (*out == STEP_FAILING)
		note(diff, e->msg);
	return 0;
}

/* ---- acting ---- */

/* Each element found, by what it tells of itself. */
static int revoke_found(struct call_server *c, const struct looked *l, const char *why, struct err *e)
{
	const struct step_call *k = &c->step->call;
	size_t i;
	json_t *element;

	json_array_foreach(l->found, i, element) {
		auto_json json_t *values = NULL;
		auto_json json_t *ignored = NULL;

		if (take(element, k->find.save, "the found element", &values, e) < 0)
			return err_wrap(e, "find.save");
		secrets_keep(c->engine->secrets, c->step, values);
		if (k->revoke.url && call_ask(c, "revoke", &k->revoke, CALL_ACT, &ignored, e) < 0)
			return -1;
		log_info("%s: what was there is revoked: %s", c->step->id, why);
	}
	forget_all(c);
	return 0;
}

/* What only `find` tells of the new thing. */
static int find_new(struct call_server *c, struct err *e)
{
	const struct step_call *k = &c->step->call;
	auto_json json_t *found = NULL;
	auto_json json_t *values = NULL;
	const char *key;
	json_t *ignored;
	bool more = false;

	json_object_foreach(k->find.save, key, ignored)
		more = more || !json_object_get(k->save, key);
	if (!more)
		return 0;
	if (ask_list(c, CALL_ACT, &found, e) < 0)
		return -1;
	if (json_array_size(found) != 1)
		return err_set(e, ERR_PROTOCOL, "find: %zu elements fit after the call", json_array_size(found));
	if (take(json_array_get(found, 0), k->find.save, "the found element", &values, e) < 0)
		return err_wrap(e, "find.save");
	secrets_keep(c->engine->secrets, c->step, values);
	return 0;
}

/* A key that nobody can keep must not stay valid, also where an interrupt is why. */
static int give_back(struct call_server *c, struct err *e)
{
	auto_json json_t *ignored = NULL;
	struct err why = { 0 };
	int sig = proc_interrupt_take();

	/* To look is to keep nothing: that is what went wrong. */
	if (c->step->call.revoke.url && call_ask(c, "revoke", &c->step->call.revoke, CALL_LOOK, &ignored, &why) < 0)
		log_warn("%s: what was made is not revoked: %s", c->step->id, why.msg);
	proc_interrupt_give(sig);
	forget_all(c);
	return -1;
}

static int make(struct call_server *c, struct err *e)
{
	auto_json json_t *answer = NULL;
	auto_json json_t *values = NULL;

	if (c->step->call.members.key)
		return call_members(c, e);
	if (call_ask(c, "", &c->step->call.request, CALL_ACT, &answer, e) < 0)
		return -1;
	if (take(answer, c->step->call.save, "the answer", &values, e) < 0)
		return err_wrap(e, "save");
	secrets_keep(c->engine->secrets, c->step, values);
	if (find_new(c, e) == 0 && secrets_save(c->engine->secrets, e) == 0)
		return 0;
	return give_back(c, e);
}

static int keep_found(struct call_server *c, const struct looked *l, struct err *e)
{
	auto_json json_t *values = NULL;

	if (take(json_array_get(l->found, 0), c->step->call.find.save, "the found element", &values, e) < 0)
		return err_wrap(e, "find.save");
	secrets_keep(c->engine->secrets, c->step, values);
	return secrets_save(c->engine->secrets, e);
}

static int act(struct call_server *c, const struct looked *l, struct err *e)
{
	auto_json json_t *ignored = NULL;

	switch (l->verdict) {
	case CALL_NOTHING:
		return 0;
	case CALL_KEEP:
		return keep_found(c, l, e);
	case CALL_UPDATE:
		return keep_found(c, l, e) < 0 ? -1 : call_ask(c, "update", &c->step->call.update.request, CALL_ACT, &ignored, e);
	case CALL_RENEW:
		if (revoke_found(c, l, "its key was not kept, or is not taken any more", e) < 0)
			return -1;
		break;
	case CALL_MAKE:
	case CALL_ALWAYS:
		break;
	}
	return make(c, e);
}

/* Every try opens the way anew: what broke may have been the way. */
static int attempt(struct call_server *c, struct err *e)
{
	CLEANUP(looked_release) struct looked l = { .verdict = CALL_ALWAYS };

	if (call_open(c, CALL_ACT, e) < 0)
		return -1;
	return look(c, CALL_ACT, &l, NULL, e) < 0 ? -1 : act(c, &l, e);
}

int step_call_run(struct engine *g, const struct step *s, struct journal_record *record, struct err *e)
{
	static const struct timespec pause = { 2, 0 };
	unsigned seconds = RETRY_SECONDS;
	time_t end;

	(void)record;
	if (!steps_duration(s->call.retry.duration, RETRY_SECONDS, &seconds))
		return err_set(e, ERR_MALFORMED, "retry.for: '%s'", s->call.retry.duration);
	end = time(NULL) + seconds;
	for (;;) {
		auto_call_server struct call_server c = { .engine = g, .step = s };

		if (attempt(&c, e) == 0)
			return 0;
		if (proc_interrupted || !call_may_retry(&c, e) || time(NULL) >= end)
			return -1;
		log_debug("%s: again: %s", s->id, e->msg);
		nanosleep(&pause, NULL);
	}
}

/* ---- a step that goes ---- */

/* What was found, else what the saved keys are for: none are kept when a run was killed after it had revoked them. */
static int revoke(struct call_server *c, struct err *e)
{
	const struct step_call *k = &c->step->call;
	CLEANUP(looked_release) struct looked l = { 0 };
	auto_json json_t *ignored = NULL;

	if (!k->find.request.url && !complete(c))
		return 0;
	if (call_open(c, CALL_ACT, e) < 0)
		return -1;
	if (!k->find.request.url)
		return call_ask(c, "revoke", &k->revoke, CALL_ACT, &ignored, e);
	return ask_list(c, CALL_ACT, &l.found, e) < 0 ? -1 : revoke_found(c, &l, "the site does not say it any more", e);
}

/* 1: undone. 0: not for us to do; said. */
static int undo(struct removal *r, struct call_server *c, struct err *e)
{
	const struct step *s = c->step, *other;

	if (!call_may_send(r, s)) {
		strv_pushf(r->said, "%s: what undoes %s would send a file, a variable or a Secret that the journal in the cluster names, and "
			   "this machine did not write it: prune on the machine that installed it, or undo it by hand", s->id,
			   s->call.request.url);
		return 0;
	}
	if (s->call.members.key) {
		auto_json json_t *kept_items = call_members_kept(r, s);

		return call_members_undo(c, kept_items, e) < 0 ? -1 : 1;
	}
	other = call_found_by(r, s);
	if (other) {
		log_debug("%s: not revoked: %s finds the same", s->id, other->id);
		return 1;
	}
	return revoke(c, e) < 0 ? -1 : 1;
}

int step_call_remove(struct removal *r, const struct step *s, struct err *e)
{
	auto_call_server struct call_server c = { .engine = r->engine, .step = s };

	if (s->call.revoke.url || s->call.members.key) {
		int undone = undo(r, &c, e);

		if (undone <= 0)
			return undone;
	} else if (json_object_size(s->call.save)) {
		strv_pushf(r->said, "%s: what %s made stays there: no call is known that undoes it", s->id, s->call.request.url);
	}
	forget_all(&c);
	secrets_forget(r->engine->secrets, s, STEP_MEMBERS);
	return secrets_save(r->engine->secrets, e) < 0 ? -1 : 1;
}
