/* SPDX-License-Identifier: Apache-2.0 */
/* The meaning of a `call` block. */
#include "steps_part.h"

#define METHODS "GET, POST, PUT, PATCH or DELETE"

static bool known_method(const char *method)
{
	static const char *const methods[] = { "GET", "POST", "PUT", "PATCH", "DELETE" };

	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (strcmp(method, methods[i]) == 0)
			return true;
	return false;
}

static bool only(const char *text, const char *legal)
{
	return *text && strspn(text, legal) == strlen(text);
}

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static int check_texts(const json_t *map, const char *what, const char *legal, struct err *e)
{
	const char *key;
	json_t *value;

	if (!map)
		return 0;
	if (!json_is_object(map))
		return err_set(e, ERR_MALFORMED, "%s: not a map of texts", what);
	json_object_foreach((json_t *)map, key, value) {
		if (!only(key, legal))
			return err_set(e, ERR_MALFORMED, "%s: '%s' is not a name that can stand there", what, key);
		if (!json_is_string(value))
			return err_set(e, ERR_MALFORMED, "%s.%s: not a text: put it in quotes", what, key);
	}
	return 0;
}

/* What we set ourselves, or what would say more than one header. */
static int check_headers(const json_t *headers, struct err *e)
{
	static const char *const ours[] = { "Authorization", "Host", "Content-Length", "Transfer-Encoding", "Connection" };
	const char *key;
	json_t *value;

	if (check_texts(headers, "headers", LETTERS "-_", e) < 0)
		return -1;
	json_object_foreach((json_t *)headers, key, value)
		for (size_t i = 0; i < ARRAY_LEN(ours); i++)
			if (strcasecmp(key, ours[i]) == 0)
				return err_set(e, ERR_MALFORMED, "headers: '%s' is not yours to set%s", key,
					       i == 0 ? ": use auth" : "");
	return 0;
}

static int check_request(const struct step_request *r, const char *name, bool path, struct err *e)
{
	int rc = 0;

	if (path && (r->url[0] != '/' || r->url[1] == '/'))
		rc = err_set(e, ERR_MALFORMED, "url: '%s': write a path on the server, \"/…\"", r->url);
	else if (r->method && !known_method(r->method))
		rc = err_set(e, ERR_MALFORMED, "method: '%s': use " METHODS, r->method);
	else if (r->auth.basic && r->auth.bearer)
		rc = err_set(e, ERR_MALFORMED, "auth: give basic or bearer");
	else
		rc = check_headers(r->headers, e);
	for (size_t i = 0; rc == 0 && i < r->expect.n; i++)
		if (!strchr(r->expect.items[i], '='))
			rc = err_set(e, ERR_MALFORMED, "expect: '%s': write \"path=value\"", r->expect.items[i]);
	return rc < 0 && *name ? err_wrap(e, "%s", name) : rc;
}

static int check_server(const struct step_call *c, struct err *e)
{
	const char *url = c->request.url;

	if (c->via.service) {
		if (!step_name_ok(c->via.service, 63) || !step_name_ok(c->via.ns, 63))
			return err_set(e, ERR_MALFORMED, "via: '%s' in '%s': not the names of a service and a namespace", c->via.service,
				       c->via.ns);
		if (c->via.port == 0 || c->via.port > 65535)
			return err_set(e, ERR_MALFORMED, "via.port: not a port: write 1 to 65535");
		return c->ca ? err_set(e, ERR_MALFORMED, "ca: a port-forward speaks plain http: leave it out") : 0;
	}
	if (!str_starts(url, "https://") && !str_starts(url, "http://"))
		return err_set(e, ERR_MALFORMED, "url: '%s': write http:// or https://, or `via` and a path", url);
	return c->ca && !str_starts(url, "https://") ? err_set(e, ERR_MALFORMED, "ca: needs an https url") : 0;
}

bool step_call_saves(const struct step_call *c, const char *key)
{
	return json_object_get(c->save, key) || json_object_get(c->find.save, key);
}

static int check_saved(const struct step_call *c, struct err *e)
{
	const char *key;
	json_t *path;

	if (check_texts(c->save, "save", LETTERS "._-", e) < 0 || check_texts(c->find.save, "find.save", LETTERS "._-", e) < 0)
		return -1;
	for (size_t i = 0; i < c->unless.saved.n; i++)
		if (!step_call_saves(c, c->unless.saved.items[i]))
			return err_set(e, ERR_MALFORMED, "unless.saved: '%s' is saved by nothing here", c->unless.saved.items[i]);
	json_object_foreach(c->save, key, path)
		if (c->find.request.url && !json_object_get(c->find.save, key) && !c->revoke.url)
			return err_set(e, ERR_MALFORMED, "save.%s: what was made but never kept could not be found again: let find.save "
				       "tell it, or give revoke", key);
	return 0;
}

static int check_find(const struct step_call *c, struct err *e)
{
	if (c->update.request.url && !c->find.request.url)
		return err_set(e, ERR_MALFORMED, "update: needs find");
	if (c->find.request.url && (!json_is_object(c->find.where) || json_object_size(c->find.where) == 0))
		return err_set(e, ERR_MALFORMED, "find.where: not a map of path and value");
	if (c->update.when && !json_is_object(c->update.when))
		return err_set(e, ERR_MALFORMED, "update.when: not a map of path and value");
	return 0;
}

static bool has_key(const json_t *body, const char *key)
{
	return body && (!json_is_object(body) || json_object_get(body, key));
}

static int check_members(const struct step_call *c, struct err *e)
{
	if (!c->members.key)
		return 0;
	if (c->find.request.url || c->unless.saved.n || c->save)
		return err_set(e, ERR_MALFORMED, "members: not with find, unless or save: what was added is remembered");
	if (has_key(c->request.body, c->members.key) || has_key(c->members.remove.body, c->members.key))
		return err_set(e, ERR_MALFORMED, "members.key: '%s' is in the body already, or that is no map", c->members.key);
	return 0;
}

static int check_retry(const struct step_retry *r, struct err *e)
{
	unsigned ignored;

	if (!steps_duration(r->duration, 1, &ignored))
		return err_set(e, ERR_MALFORMED, "retry.for: '%s' is not a duration: write '90s' or '10m'", r->duration);
	for (size_t i = 0; i < r->on.n; i++)
		if (strcmp(r->on.items[i], "network") != 0 && (strlen(r->on.items[i]) != 3 || !only(r->on.items[i], "0123456789")))
			return err_set(e, ERR_MALFORMED, "retry.on: '%s': write network or a status", r->on.items[i]);
	return 0;
}

int step_check_call(const struct step_call *c, struct err *e)
{
	const struct { const struct step_request *request; const char *name; } others[] = {
		{ &c->unless.check, "unless.check" }, { &c->find.request, "find" }, { &c->update.request, "update" },
		{ &c->revoke, "revoke" }, { &c->members.remove, "members.remove" },
	};

	if (check_server(c, e) < 0 || check_request(&c->request, "", c->via.service != NULL, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (others[i].request->url && check_request(others[i].request, others[i].name, true, e) < 0)
			return -1;
	return check_find(c, e) < 0 || check_saved(c, e) < 0 || check_members(c, e) < 0 ? -1 : check_retry(&c->retry, e);
}
