/* SPDX-License-Identifier: Apache-2.0 */
/* A stand-in for the licensed server of ClearML Enterprise and for its database. It copies the envelope, calls, headers
 * and roles of the vendor's multi-tenant guide and of the public API: Basic authentication with a key pair,
 * X-Clearml-Impersonate-As (that user's identity and permissions), X-Clearml-Act-As (that user's identity, the caller's
 * permissions). It answers nothing that those documents do not have, but for applications.upload and .get_all: the paths
 * that upload_apps.py uses are not published.
 *
 *	server api PORT STORE_HOST STORE_PORT   the API; its state is kept by a store
 *	server store PORT                       holds one document: GET gives it, PUT replaces it
 *	server listen PORT TEXT                 answers every GET with TEXT
 *
 * Key pairs that are there from the start: CLEARML__SECURE__CREDENTIALS__APISERVER_KEY and _SECRET (role system) and
 * every CLEARML__secure__credentials__NAME__user_key with its user_secret and role.
 */
#include "../stand/http1.h"
#include "state.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *document;                  /* of a store */
static const char *listen_text;

/* ---- small things */

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static json_t *find(json_t *list, const char *key, const char *value)
{
	size_t i;
	json_t *o;

	json_array_foreach(list, i, o)
		if (*value && strcmp(text_of(o, key), value) == 0)
			return o;
	return NULL;
}

static void new_id(char *out, size_t digits)
{
	unsigned char bytes[32];
	FILE *f = fopen("/dev/urandom", "r");

	if (!f || fread(bytes, 1, sizeof bytes, f) != sizeof bytes)
		abort();
	fclose(f);
	for (size_t i = 0; i < digits / 2; i++)
		sprintf(out + 2 * i, "%02x", bytes[i]);
}

static size_t unbase64(const char *in, char *out)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned bits = 0, have = 0;
	size_t n = 0;

	for (; *in && *in != '='; in++) {
		const char *at = strchr(letters, *in);
		if (!at)
			break;
		bits = bits << 6 | (unsigned)(at - letters);
		have += 6;
		if (have >= 8)
			out[n++] = (char)(bits >> (have -= 8) & 255);
	}
	out[n] = '\0';
	return n;
}

/* ---- who asks */

struct caller { char user[128], role[32], company[128]; };

static const char *variable(const char *name, const char *part)
{
	char key[512];

	snprintf(key, sizeof key, "CLEARML__secure__credentials__%s__%s", name, part);
	return getenv(key) ? getenv(key) : "";
}

/* Pairs of the environment. */
static bool declared(const char *key, const char *secret, struct caller *out)
{
	static const char start[] = "CLEARML__secure__credentials__", end[] = "__user_key";
	const char *system_key = getenv("CLEARML__SECURE__CREDENTIALS__APISERVER_KEY");
	const char *system_secret = getenv("CLEARML__SECURE__CREDENTIALS__APISERVER_SECRET");

	if (system_key && system_secret && strcmp(key, system_key) == 0 && strcmp(secret, system_secret) == 0) {
		snprintf(out->user, sizeof out->user, "__apiserver__");
		snprintf(out->role, sizeof out->role, "system");
		return true;
	}
	for (char **v = environ; *v; v++) {
		const char *equals = strchr(*v, '=');
		size_t n = (size_t)(equals - *v);
		char name[128];

		if (strncmp(*v, start, sizeof start - 1) != 0 || n < sizeof start + sizeof end - 2 ||
		    strncmp(equals - (sizeof end - 1), end, sizeof end - 1) != 0)
			continue;
		snprintf(name, sizeof name, "%.*s", (int)(n - (sizeof start - 1) - (sizeof end - 1)), *v + sizeof start - 1);
		if (strcmp(equals + 1, key) != 0 || strcmp(variable(name, "user_secret"), secret) != 0)
			continue;
		snprintf(out->user, sizeof out->user, "%s", name);
		snprintf(out->role, sizeof out->role, "%s", variable(name, "role"));
		return true;
	}
	return false;
}

static bool authenticate(const struct request *r, json_t *state, struct caller *out)
{
	char header[1024], pair[1024];

	memset(out, 0, sizeof *out);
	header_value(r, "Authorization", header, sizeof header);
	if (strncasecmp(header, "Basic ", 6) != 0)
		return false;
	unbase64(header + 6, pair);
	char *secret = strchr(pair, ':');
	if (!secret)
		return false;
	*secret++ = '\0';
	if (declared(pair, secret, out))
		return true;
	json_t *c = find(json_object_get(state, "credentials"), "access_key", pair);
	json_t *user = c ? find(json_object_get(state, "users"), "id", text_of(c, "user")) : NULL;
	if (!user || strcmp(text_of(c, "secret_key"), secret) != 0)
		return false;
	snprintf(out->user, sizeof out->user, "%s", text_of(user, "id"));
	snprintf(out->role, sizeof out->role, "%s", text_of(user, "role"));
	snprintf(out->company, sizeof out->company, "%s", text_of(user, "company"));
	return true;
}

/* NULL, or why not. */
static const char *take_over(const struct request *r, json_t *state, struct caller *c)
{
	char as[128], act[128];

	header_value(r, "X-Clearml-Impersonate-As", as, sizeof as);
	header_value(r, "X-Clearml-Act-As", act, sizeof act);
	if (!*as && !*act)
		return NULL;
	if (strcmp(c->role, "system") != 0)
		return "impersonation needs the system role";
	json_t *user = find(json_object_get(state, "users"), "id", *as ? as : act);
	if (!user)
		return "impersonated user does not exist";
	snprintf(c->user, sizeof c->user, "%s", text_of(user, "id"));
	snprintf(c->company, sizeof c->company, "%s", text_of(user, "company"));
	if (*as)
		snprintf(c->role, sizeof c->role, "%s", text_of(user, "role"));
	return NULL;
}

/* ---- the calls: each gives data, or sets why */

struct call { json_t *state; const json_t *body; const struct caller *caller; const char *why; int code; bool changed; };

static json_t *refuse(struct call *c, int code, const char *why)
{
	c->code = code;
	c->why = why;
	return NULL;
}

static json_t *settings_of(struct call *c, const char *company)
{
	json_t *all = json_object_get(c->state, "settings"), *one = json_object_get(all, company);

	if (!one)
		json_object_set_new(all, company, one = json_pack("{s:[], s:[]}", "domains", "whitelist"));
	return one;
}

static json_t *get_companies(struct call *c)
{
	return json_pack("{s:O}", "companies", json_object_get(c->state, "companies"));
}

static json_t *create_company(struct call *c)
{
	json_t *list = json_object_get(c->state, "companies"), *defaults = json_object_get(c->body, "defaults");
	json_t *features = json_object_get(defaults, "features");
	char id[33];

	if (!*text_of(c->body, "name"))
		return refuse(c, 400, "name is missing");
	if (find(list, "name", text_of(c->body, "name")))
		return refuse(c, 400, "company name is taken");
	new_id(id, 32);
	json_array_append_new(list, json_pack("{s:s, s:O, s:O?, s:O?}", "id", id, "name", json_object_get(c->body, "name"), "features",
					      features, "defaults", defaults));
	c->changed = true;
	return json_pack("{s:s}", "id", id);
}

/* Each of these sets one key of a company that is there. */
static json_t *update_company(struct call *c, const char *key)
{
	json_t *company = find(json_object_get(c->state, "companies"), "id", text_of(c->body, "company"));

	if (!company)
		return refuse(c, 400, "no such company");
	if (!json_object_get(c->body, key))
		return refuse(c, 400, "a field is missing");
	json_object_set(company, key, json_object_get(c->body, key));
	c->changed = true;
	return json_pack("{s:i}", "updated", 1);
}

/* Features, the number of users, or both. */
static json_t *update_settings(struct call *c)
{
	json_t *company = find(json_object_get(c->state, "companies"), "id", text_of(c->body, "company"));
	json_t *allowed = json_object_get(c->body, "allowed_users");

	if (company && allowed)
		json_object_set(json_object_get(company, "defaults"), "allowed_users", allowed);
	if (company && json_object_get(c->body, "features"))
		json_object_set(company, "features", json_object_get(c->body, "features"));
	c->changed = company != NULL;
	return company ? json_pack("{s:i}", "updated", 1) : refuse(c, 400, "no such company");
}

static json_t *update_sso(struct call *c) { return update_company(c, "sso"); }
static json_t *update_events(struct call *c) { return update_company(c, "fields"); }
static json_t *update_access(struct call *c) { return update_company(c, "app_instance_access"); }
static json_t *save_provider(struct call *c) { return update_company(c, "configuration"); }

static json_t *create_user(struct call *c)
{
	static const char *const needed[] = { "name", "company", "email", "role" };
	json_t *users = json_object_get(c->state, "users"), *user = json_object();
	const char *first = getenv("CLEARML__APISERVER__DEFAULT_COMPANY"), *company = text_of(c->body, "company");
	char id[33];

	for (size_t i = 0; i < 4; i++) {
		if (!*text_of(c->body, needed[i])) {
			json_decref(user);
			return refuse(c, 400, "name, company, email and role are needed");
		}
		json_object_set(user, needed[i], json_object_get(c->body, needed[i]));
	}
	if (strcmp(company, first ? first : "") != 0 && !find(json_object_get(c->state, "companies"), "id", company)) {
		json_decref(user);
		return refuse(c, 400, "no such company");
	}
	new_id(id, 32);
	json_object_set_new(user, "id", json_string(id));
	json_array_append_new(users, user);
	c->changed = true;
	return json_pack("{s:s}", "id", id);
}

static json_t *get_users(struct call *c)
{
	json_t *out = json_array(), *u;
	size_t i;

	json_array_foreach(json_object_get(c->state, "users"), i, u)
		if ((!*text_of(c->body, "name") || strcmp(text_of(c->body, "name"), text_of(u, "name")) == 0) &&
		    (!*text_of(c->body, "company") || strcmp(text_of(c->body, "company"), text_of(u, "company")) == 0))
			json_array_append(out, u);
	return json_pack("{s:o}", "users", out);
}

static json_t *current_user(struct call *c)
{
	return json_pack("{s:{s:s, s:s, s:s}}", "user", "id", c->caller->user, "role", c->caller->role, "company", c->caller->company);
}

static json_t *create_credentials(struct call *c)
{
	char key[33], secret[65];
	json_t *made;

	if (!find(json_object_get(c->state, "users"), "id", c->caller->user))
		return refuse(c, 400, "only a user has credentials");
	new_id(key, 32);
	new_id(secret, 64);
	made = json_pack("{s:s, s:s, s:s, s:s}", "access_key", key, "secret_key", secret, "label", text_of(c->body, "label"), "user",
			 c->caller->user);
	json_array_append_new(json_object_get(c->state, "credentials"), made);
	c->changed = true;
	return json_pack("{s:{s:s, s:s, s:s}}", "credentials", "access_key", key, "secret_key", secret, "label", text_of(c->body, "label"));
}

static json_t *get_credentials(struct call *c)
{
	json_t *out = json_array(), *one;
	size_t i;

	json_array_foreach(json_object_get(c->state, "credentials"), i, one)
		if (strcmp(text_of(one, "user"), c->caller->user) == 0)
			json_array_append_new(out, json_pack("{s:s, s:s}", "access_key", text_of(one, "access_key"), "label",
							     text_of(one, "label")));
	return json_pack("{s:o}", "credentials", out);
}

static json_t *revoke_credentials(struct call *c)
{
	json_t *list = json_object_get(c->state, "credentials"), *one;
	size_t i;

	json_array_foreach(list, i, one) {
		if (strcmp(text_of(one, "access_key"), text_of(c->body, "access_key")) != 0)
			continue;
		json_array_remove(list, i);
		c->changed = true;
		return json_pack("{s:i}", "revoked", 1);
	}
	return json_pack("{s:i}", "revoked", 0);
}

static json_t *set_domains(struct call *c)
{
	json_object_set(settings_of(c, c->caller->company), "domains", json_object_get(c->body, "domains"));
	c->changed = true;
	return json_pack("{s:i}", "updated", 1);
}

static json_t *add_whitelist(struct call *c)
{
	json_t *list = json_object_get(settings_of(c, c->caller->company), "whitelist"), *mail, *have;
	size_t i, k;

	json_array_foreach(json_object_get(c->body, "emails"), i, mail) {
		bool there = false;
		json_array_foreach(list, k, have)
			there = there || json_equal(have, mail);
		if (!there)
			json_array_append(list, mail);
	}
	c->changed = true;
	return json_pack("{s:i}", "updated", 1);
}

static json_t *remove_whitelist(struct call *c)
{
	json_t *list = json_object_get(settings_of(c, c->caller->company), "whitelist"), *mail;
	size_t i;

	json_array_foreach(json_object_get(c->body, "emails"), i, mail)
		for (size_t k = json_array_size(list); k-- > 0;)
			if (json_equal(json_array_get(list, k), mail))
				json_array_remove(list, k);
	c->changed = true;
	return json_pack("{s:i}", "updated", 1);
}

static json_t *get_settings(struct call *c)
{
	return json_incref(settings_of(c, c->caller->company));
}

static json_t *create_queue(struct call *c)
{
	char id[33];

	new_id(id, 32);
	json_array_append_new(json_object_get(c->state, "queues"), json_pack("{s:s, s:s}", "id", id, "name", text_of(c->body, "name")));
	c->changed = true;
	return json_pack("{s:s}", "id", id);
}

/* One that is there is replaced. */
static json_t *upload_application(struct call *c)
{
	json_t *list = json_object_get(c->state, "applications"), *have = find(list, "id", text_of(c->body, "id"));

	if (strcmp(c->caller->role, "admin") != 0)
		return refuse(c, 403, "applications are an administrator's to upload");
	if (!*text_of(c->body, "id") || !*text_of(c->body, "name") || !*text_of(c->body, "version"))
		return refuse(c, 400, "id, name and version are needed");
	if (have)
		json_object_update(have, (json_t *)c->body);
	else
		json_array_append(list, (json_t *)c->body);
	c->changed = true;
	return json_pack("{s:s}", "id", text_of(c->body, "id"));
}

static json_t *get_applications(struct call *c)
{
	return json_pack("{s:O}", "applications", json_object_get(c->state, "applications"));
}

static const struct { const char *path; const char *role; json_t *(*run)(struct call *c); } calls[] = {
	{ "/system.get_companies", "system", get_companies },
	{ "/system.create_company", "system", create_company },
	{ "/system.update_company_settings", "system", update_settings },
	{ "/system.update_company_sso_config", "system", update_sso },
	{ "/system.update_company_custom_events_config", "system", update_events },
	{ "/system.update_company_app_instance_access", "system", update_access },
	{ "/sso.save_provider_configuration", "system", save_provider },
	{ "/auth.create_user", "system", create_user },
	{ "/users.get_all", "system", get_users },
	{ "/users.get_current_user", NULL, current_user },
	{ "/auth.create_credentials", NULL, create_credentials },
	{ "/auth.get_credentials", NULL, get_credentials },
	{ "/auth.revoke_credentials", NULL, revoke_credentials },
	{ "/login.set_domains", "system", set_domains },
	{ "/login.add_whitelist_entries", "system", add_whitelist },
	{ "/login.remove_whitelist_entries", "system", remove_whitelist },
	{ "/login.get_settings", "system", get_settings },
	{ "/queues.create", NULL, create_queue },
	{ "/applications.upload", NULL, upload_application },
	{ "/applications.get_all", NULL, get_applications },
};

/* ---- answering */

static bool envelope(struct request *r, int status, const char *message, json_t *data)
{
	json_t *j = json_pack("{s:{s:i, s:s, s:s}, s:o}", "meta", "result_code", status, "result_msg", message, "endpoint", r->path,
			      "data", data ? data : json_object());
	char *text = json_dumps(j, JSON_COMPACT);
	bool sent = answer(r, status, text, (long long)strlen(text), "Content-Type: application/json\r\n");

	free(text);
	json_decref(j);
	return sent;
}

static bool answer_call(struct request *r, json_t *state, const json_t *body)
{
	struct caller caller;
	struct call c = { .state = state, .body = body, .caller = &caller };
	const char *why;

	if (!authenticate(r, state, &caller))
		return envelope(r, 401, "Unauthorized (invalid credentials)", NULL);
	why = take_over(r, state, &caller);
	if (why)
		return envelope(r, 403, why, NULL);
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
		if (strcmp(r->path, calls[i].path) != 0)
			continue;
		if (calls[i].role && strcmp(caller.role, calls[i].role) != 0)
			return envelope(r, 403, "Forbidden (the role of the caller is not enough)", NULL);
		json_t *data = calls[i].run(&c);
		if (!data)
			return envelope(r, c.code, c.why, NULL);
		if (c.changed && !state_save(state)) {
			json_decref(data);
			return envelope(r, 503, "the database is not there", NULL);
		}
		return envelope(r, 200, "OK", data);
	}
	return envelope(r, 404, "no such call", NULL);
}

static bool serve_api(struct request *r, const char *text)
{
	if (strcmp(r->path, "/debug.ping") == 0) {
		free(state_ask("GET", NULL));
		return envelope(r, 200, "OK", json_pack("{s:s}", "msg", "because it trains"));
	}
	pthread_mutex_lock(&lock);
	json_t *state = state_load(), *body = json_loads(*text ? text : "{}", 0, NULL);
	bool sent = !state ? envelope(r, 503, "the database is not there", NULL)
		  : !body ? envelope(r, 400, "the body is no JSON", NULL) : answer_call(r, state, body);
	json_decref(body);
	json_decref(state);
	pthread_mutex_unlock(&lock);
	return sent;
}

static bool serve_store(struct request *r, const char *text)
{
	pthread_mutex_lock(&lock);
	if (strcmp(r->method, "PUT") == 0) {
		free(document);
		document = strdup(text);
	}
	char *now = strdup(document ? document : "");
	pthread_mutex_unlock(&lock);
	bool sent = answer(r, 200, now, (long long)strlen(now), "Content-Type: application/json\r\n");
	free(now);
	return sent;
}

static bool serve_text(struct request *r, const char *text)
{
	(void)text;
	return answer(r, 200, listen_text, (long long)strlen(listen_text), "Content-Type: text/plain\r\n");
}

static bool (*serve)(struct request *r, const char *text);

static void *connection(void *arg)
{
	struct request r = { .fd = (int)(intptr_t)arg, .buffer = malloc(HTTP_BUFFER) };
	char *text = malloc(BODY_MAX + 1);

	while (read_head(&r)) {
		const char *piece;
		size_t n = 0;
		ssize_t k;

		while ((k = body_piece(&r, &piece)) > 0 && n + (size_t)k <= BODY_MAX) {
			memcpy(text + n, piece, (size_t)k);
			n += (size_t)k;
		}
		text[n] = '\0';
		if (k != 0 || !serve(&r, text) || r.close)
			break;
	}
	close(r.fd);
	free(r.buffer);
	free(text);
	return NULL;
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	if (argc < 3)
		return 2;
	serve = strcmp(argv[1], "api") == 0 ? serve_api : strcmp(argv[1], "store") == 0 ? serve_store : serve_text;
	state_at(argc > 3 ? argv[3] : "", argc > 4 ? argv[4] : "");
	listen_text = argc > 3 ? argv[3] : "";
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, _exit);
	at.sin_port = htons((unsigned short)atoi(argv[2]));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 64) < 0) {
		perror("server");
		return 1;
	}
	for (;;) {
		int one = accept(fd, NULL, NULL);
		pthread_t thread;

		if (one < 0)
			continue;
		if (pthread_create(&thread, NULL, connection, (void *)(intptr_t)one) != 0)
			close(one);
		else
			pthread_detach(thread);
	}
}
