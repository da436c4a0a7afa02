/* SPDX-License-Identifier: Apache-2.0 */
#include "http_wire.h"

#include <airgap/proc.h>

#include <curl/curl.h>

#include <ctype.h>
#include <strings.h>
#include <time.h>

#define IDLE_MAX     64u
#define BUFFER_BYTES 262144L
#define MOVED_MIN    1024u      /* bytes within stall_ms that count as being alive */
#define FIELDS_MAX   256u

/* A connection: curl keeps it inside the handle. */
struct wire {
	CURL *curl;
	char *origin;
};

/* One exchange under way. */
struct exchange {
	const struct wire_request *q;
	const struct wire_hooks *hooks;
	struct http_response *r;
	struct err *e;
	CURL *curl;
	bool failed;            /* e is set by us, whatever curl says */
	bool enough;            /* ended by us, and the answer is good */
	bool head_done;
	bool status_seen;       /* the head began with a line that we would call a status, too */
	bool slow_said;
	uint64_t head_bytes;
	uint64_t sent;          /* of the body */
	uint64_t window_start, window_bytes;    /* see stalled() */
	char curl_text[CURL_ERROR_SIZE];
};

uint64_t wire_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- the pool ---- */

static void wire_free(struct wire *w)
{
	curl_easy_cleanup(w->curl);
	free(w->origin);
	free(w);
}

int wire_pool_init(struct wire_pool *p, struct err *e)
{
	*p = (struct wire_pool){ .lock = PTHREAD_MUTEX_INITIALIZER };
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(e, ERR_BUG, "libcurl does not start");
	return 0;
}

void wire_pool_release(struct wire_pool *p)
{
	for (size_t i = 0; i < p->n_idle; i++)
		wire_free(p->idle[i]);
	free(p->idle);
	p->idle = NULL;
	p->n_idle = 0;
}

static char *origin_of(const struct url *u)
{
	return xasprintf("%s:%s:%u", u->tls ? "https" : "http", u->host, u->port);
}

/* The newest idle one of this origin, else a new one. */
static struct wire *pool_take(struct wire_pool *p, const struct url *u, struct err *e)
{
	auto_free char *origin = origin_of(u);
	struct wire *w = NULL;

	pthread_mutex_lock(&p->lock);
	for (size_t i = p->n_idle; i-- > 0 && !w;)
		if (str_eq(p->idle[i]->origin, origin)) {
			w = p->idle[i];
			p->n_idle--;
			memmove(p->idle + i, p->idle + i + 1, (p->n_idle - i) * sizeof(struct wire *));
		}
	pthread_mutex_unlock(&p->lock);
	if (w)
		return w;

	CURL *curl = curl_easy_init();

	if (!curl) {
		err_set(e, ERR_BUG, "libcurl gives no handle");
		return NULL;
	}
	w = xcalloc(1, sizeof(*w));
	w->curl = curl;
	w->origin = TAKE(origin);
	return w;
}

static void pool_give(struct wire_pool *p, struct wire *w)
{
	struct wire *oldest = NULL;

	pthread_mutex_lock(&p->lock);
	if (p->n_idle == IDLE_MAX) {
		oldest = p->idle[0];
		p->n_idle--;
		memmove(p->idle, p->idle + 1, p->n_idle * sizeof(struct wire *));
	}
	GROW(p->idle, p->n_idle);
	p->idle[p->n_idle++] = w;
	pthread_mutex_unlock(&p->lock);
	if (oldest)
		wire_free(oldest);
}

/* ---- callbacks ---- */

/* 0 is what ends a transfer from within curl's callbacks; as a bool it is false. */
static int fail(struct exchange *x)
{
	x->failed = true;
	return 0;
}

/* Time spent in our own sinks and sources is not the line's. */
static void window_pause(struct exchange *x, uint64_t began)
{
	x->window_start += wire_now() - began;
}

/* "Name: value\r\n" to "name: value"; NULL when it is no field. */
static char *clean_field(const char *line, size_t n)
{
	const char *colon = memchr(line, ':', n);

	while (n && (line[n - 1] == '\r' || line[n - 1] == '\n' || line[n - 1] == ' ' || line[n - 1] == '\t'))
		n--;
	if (!colon || colon == line || colon >= line + n || isspace((unsigned char)line[0]))
		return NULL;

	const char *value = colon + 1;

	while (value < line + n && (*value == ' ' || *value == '\t'))
		value++;

	char *field = xasprintf("%.*s: %.*s", (int)(colon - line), line, (int)(line + n - value), value);

	for (char *p = field; *p != ':'; p++)
		*p = (char)tolower((unsigned char)*p);
	return field;
}

/* Encodings and lengths that would make the bytes something else than what is asked for. */
static bool head_sane(struct exchange *x)
{
	const char *encoding = http_header(x->r, "content-encoding");
	auto_strv struct strv lengths = { 0 };
	uint64_t n;

	http_header_all(x->r, "content-length", &lengths);
	for (size_t i = 0; i < lengths.n; i++)
		if (!u64_parse(lengths.items[i], &n) || !str_eq(lengths.items[i], lengths.items[0])) {
			err_set(x->e, ERR_PROTOCOL, "'%s' gives a length of nonsense", x->q->url->host);
			return fail(x);
		}
	if (x->r->status >= 300)
		return true;
	if (encoding && *encoding && strcasecmp(encoding, "identity") != 0 && !x->q->keep_encoding) {
		err_set(x->e, ERR_PROTOCOL, "'%s' sends the content encoded (%.32s), which was not asked for",
			x->q->url->host, encoding);
		return fail(x);
	}
	if (lengths.n && u64_parse(lengths.items[0], &n) && n > x->q->max_body &&
	    !str_eq(x->q->method, "HEAD")) {
		err_set(x->e, ERR_LIMIT, "'%s' sends %llu bytes, more than the %llu allowed", x->q->url->host,
			(unsigned long long)n, (unsigned long long)x->q->max_body);
		return fail(x);
	}
	return true;
}

/* The empty line behind the fields of one answer. */
static bool end_of_head(struct exchange *x)
{
	long status = 0;

	curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &status);
	/* curl takes a first line it cannot read, such as "http/1.1 404", for a 200 */
	if (!x->status_seen) {
		err_set(x->e, ERR_PROTOCOL, "'%s' does not begin its answer with a status", x->q->url->host);
		return fail(x);
	}
	x->status_seen = false;
	if (status < 200)
		return true;
	x->r->status = (int)status;
	x->head_done = true;
	if (!head_sane(x))
		return false;
	if (x->hooks->head && x->hooks->head(x->hooks->ctx, x->r, x->e) < 0)
		return fail(x);
	return true;
}

/* "HTTP/1.1 200" and perhaps words. */
static bool is_status_line(const char *line, size_t n)
{
	static const char shape[] = "HTTP/1.x ddd";

	if (n < sizeof(shape))
		return false;
	for (size_t i = 0; i < sizeof(shape) - 1; i++)
		if (shape[i] == 'x' || shape[i] == 'd' ? !isdigit((unsigned char)line[i]) : line[i] != shape[i])
			return false;
	return isspace((unsigned char)line[sizeof(shape) - 1]);
}

static size_t on_header(char *line, size_t size, size_t n, void *ctx)
{
	struct exchange *x = ctx;

	n *= size;
	x->head_bytes += n;
	if (x->head_bytes > HTTP_HEADERS_MAX || x->r->headers.n > FIELDS_MAX) {
		err_set(x->e, ERR_PROTOCOL, "'%s' sends headers without end", x->q->url->host);
		return (size_t)fail(x);
	}
	if (x->head_done)               /* trailers say nothing we would believe */
		return n;
	if (n > 5 && memcmp(line, "HTTP/", 5) == 0) {
		strv_release(&x->r->headers);
		x->status_seen = is_status_line(line, n);
		return n;
	}
	if (n <= 2 && (line[0] == '\r' || line[0] == '\n'))
		return end_of_head(x) ? n : 0;

	char *field = clean_field(line, n);

	if (field)
		strv_push_take(&x->r->headers, field);
	return n;
}

/* Body of an answer that is not a success: kept for its words, up to a limit. */
static size_t keep_text(struct exchange *x, const char *p, size_t n)
{
	struct buf *text = &x->r->text;
	size_t room = MIN(n, HTTP_TEXT_MAX - text->len);

	buf_put(text, p, room);
	if (room == n)
		return n;
	x->enough = true;
	return 0;
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct exchange *x = ctx;

	n *= size;
	if (x->r->status < 200 || x->r->status > 299)
		return keep_text(x, p, n);
	if (x->r->body_size + n > x->q->max_body) {
		err_set(x->e, ERR_LIMIT, "'%s' sends more than the %llu bytes allowed", x->q->url->host,
			(unsigned long long)x->q->max_body);
		return (size_t)fail(x);
	}
	x->r->body_size += n;
	if (!x->hooks->write)
		return n;

	uint64_t began = wire_now();

	if (x->hooks->write(x->hooks->ctx, p, n, x->e) < 0)
		return (size_t)fail(x);
	window_pause(x, began);
	return n;
}

static size_t on_read(char *p, size_t size, size_t n, void *ctx)
{
	struct exchange *x = ctx;
	const struct wire_request *q = x->q;
	size_t want = (size_t)MIN((uint64_t)(n * size), q->body_size - x->sent);
	ssize_t got = (ssize_t)want;
	uint64_t began = wire_now();

	if (!want)
		return 0;
	if (q->source)
		got = q->source->read(q->source->ctx, p, want, x->e);
	else
		memcpy(p, (const char *)q->body + x->sent, want);
	window_pause(x, began);
	if (got == 0)
		err_set(x->e, ERR_TRUNCATED, "the source ended after %llu of %llu bytes", (unsigned long long)x->sent,
			(unsigned long long)q->body_size);
	if (got <= 0) {
		fail(x);
		return CURL_READFUNC_ABORT;
	}
	x->sent += (uint64_t)got;
	return (size_t)got;
}

/* curl asks for this when a kept connection turned out to be dead. */
static int on_seek(void *ctx, curl_off_t at, int origin)
{
	struct exchange *x = ctx;
	const struct source *s = x->q->source;

	if (origin != SEEK_SET || at < 0 || (uint64_t)at > x->q->body_size)
		return CURL_SEEKFUNC_FAIL;
	if (s && (!s->seek || s->seek(s->ctx, (uint64_t)at, x->e) < 0))
		return CURL_SEEKFUNC_CANTSEEK;
	x->sent = (uint64_t)at;
	return CURL_SEEKFUNC_OK;
}

/* Fewer than MOVED_MIN bytes in a whole window. */
static bool stalled(struct exchange *x, uint64_t now, uint64_t moved)
{
	bool body_out = x->q->has_body && x->sent == x->q->body_size;
	uint64_t window = body_out && x->q->answer_ms ? x->q->answer_ms : x->q->stall_ms;

	if (moved - x->window_bytes >= MOVED_MIN) {
		x->window_start = now;
		x->window_bytes = moved;
		return false;
	}
	return now > x->window_start && now - x->window_start > window;
}

static void tell_slow(struct exchange *x, uint64_t now)
{
	if (!x->q->slow || x->slow_said || now < x->window_start + WIRE_SLOW_MS)
		return;
	x->slow_said = true;
	x->q->slow(x->q->slow_ctx, x->q->url);
}

static int give_up(struct exchange *x, const char *why)
{
	auto_free char *host = url_host(x->q->url);

	err_set(x->e, ERR_DEADLINE, "'%s'%s", host, why);
	fail(x);
	return 1;
}

/* Comes with every piece, and once a second when nothing moves. */
static int on_progress(void *ctx, curl_off_t total_in, curl_off_t in, curl_off_t total_out, curl_off_t out)
{
	struct exchange *x = ctx;
	uint64_t now = wire_now();

	if (proc_interrupted) {
		err_set(x->e, ERR_DEADLINE, "interrupted");
		fail(x);
		return 1;
	}
	if (x->q->deadline_at && now > x->q->deadline_at)
		return give_up(x, ": the time for this is up");
	if (stalled(x, now, (uint64_t)in + (uint64_t)out + x->head_bytes)) {
		x->r->broken = true;
		x->r->silent = !x->head_bytes;
		return give_up(x, " is silent for too long");
	}
	tell_slow(x, now);
	return 0;
}

/* ---- setting up ---- */

static void set_trust(CURL *c, const struct wire_request *q)
{
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, q->url->tls ? "https" : "http");
	curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "https");
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
	if (q->ca_file)         /* the system's stay: they are in curl's CA folder too */
		curl_easy_setopt(c, CURLOPT_CAINFO, q->ca_file);
	if (q->ca_file)
		curl_easy_setopt(c, CURLOPT_CAPATH, "/etc/ssl/certs");
	if (q->cert_file) {
		curl_easy_setopt(c, CURLOPT_SSLCERT, q->cert_file);
		curl_easy_setopt(c, CURLOPT_SSLKEY, q->key_file);
	}
	if (q->proxy) {
		curl_easy_setopt(c, CURLOPT_PROXY, q->proxy);
		curl_easy_setopt(c, CURLOPT_NOPROXY, "");
	}
	/* Headers, and so what authorizes us, are for the server and never for a proxy. */
	curl_easy_setopt(c, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
	curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
}

static void set_line(struct exchange *x)
{
	CURL *c = x->curl;
	const struct wire_request *q = x->q;

	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)q->connect_ms);
	curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(c, CURLOPT_MAXCONNECTS, 2L);
	curl_easy_setopt(c, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
	curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, BUFFER_BYTES);
	curl_easy_setopt(c, CURLOPT_USERAGENT, q->user_agent);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, x->curl_text);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(c, CURLOPT_XFERINFODATA, x);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, x);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, x);
}

static void set_method(struct exchange *x)
{
	CURL *c = x->curl;
	const struct wire_request *q = x->q;

	if (q->has_body) {
		curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)q->body_size);
		curl_easy_setopt(c, CURLOPT_READFUNCTION, on_read);
		curl_easy_setopt(c, CURLOPT_READDATA, x);
		curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, on_seek);
		curl_easy_setopt(c, CURLOPT_SEEKDATA, x);
	} else if (str_eq(q->method, "HEAD")) {
		curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
	}
	if (!str_eq(q->method, "GET") && !str_eq(q->method, "HEAD"))
		curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, q->method);
}

/* A line break in a header would let a server that gave us the text write headers of its own. */
static int add_header(struct curl_slist **list, const char *line, struct err *e)
{
	for (const char *p = line; *p; p++)
		if (((unsigned char)*p < ' ' && *p != '\t') || *p == 127)
			return err_set(e, ERR_PROTOCOL, "a header would hold control characters");

	struct curl_slist *longer = curl_slist_append(*list, line);

	if (!longer)
		abort();
	*list = longer;
	return 0;
}

static int make_headers(const struct wire_request *q, struct curl_slist **list, struct err *e)
{
	auto_secret struct secret line = { 0 };

	if (add_header(list, "Expect:", e) < 0 || add_header(list, "Accept: */*", e) < 0)
		return -1;
	for (const char *const *h = q->headers; h && *h; h++)
		if (add_header(list, *h, e) < 0)
			return -1;
	if (!q->authorization || !q->authorization->text)
		return 0;
	secret_setf(&line, "Authorization: %s", q->authorization->text);
	return add_header(list, line.text, e);
}

/* The list may hold a secret. */
static void free_headers(struct curl_slist **list)
{
	for (struct curl_slist *l = *list; l; l = l->next)
		wipe(l->data, strlen(l->data));
	curl_slist_free_all(*list);
}

/* ---- the verdict ---- */

static const struct { CURLcode curl; enum err_code code; bool broken; const char *what; } verdicts[] = {
	{ CURLE_COULDNT_RESOLVE_HOST, ERR_NETWORK, true, "its name is not known" },
	{ CURLE_COULDNT_RESOLVE_PROXY, ERR_NETWORK, true, "the name of the proxy is not known" },
	{ CURLE_COULDNT_CONNECT, ERR_NETWORK, true, "no connection" },
	{ CURLE_OPERATION_TIMEDOUT, ERR_NETWORK, true, "no connection in time" },
	{ CURLE_GOT_NOTHING, ERR_NETWORK, true, "closed the connection without an answer" },
	{ CURLE_SEND_ERROR, ERR_NETWORK, true, "broke the connection" },
	{ CURLE_RECV_ERROR, ERR_NETWORK, true, "broke the connection" },
	{ CURLE_PARTIAL_FILE, ERR_NETWORK, true, "broke the connection before the end" },
	{ CURLE_SEND_FAIL_REWIND, ERR_NETWORK, true, "broke the connection" },
	{ CURLE_SSL_CONNECT_ERROR, ERR_TLS, true, "no TLS connection" },
	{ CURLE_PEER_FAILED_VERIFICATION, ERR_TLS, false, "its certificate is not trusted" },
	{ CURLE_SSL_CACERT_BADFILE, ERR_TLS, false, "the CA file cannot be used" },
	{ CURLE_SSL_CERTPROBLEM, ERR_TLS, false, "the client certificate or its key cannot be used" },
	{ CURLE_SSL_CIPHER, ERR_TLS, false, "TLS" },
	{ CURLE_SSL_ISSUER_ERROR, ERR_TLS, false, "its certificate is not trusted" },
};

/* What to do about it, where there is something. */
static const char *hint(const struct exchange *x, CURLcode rc)
{
	if (rc == CURLE_SSL_CONNECT_ERROR && strstr(x->curl_text, "wrong version number"))
		return ": it seems to speak plain http: write plainHTTP: true for that host, or --plain-http";
	if (rc == CURLE_PEER_FAILED_VERIFICATION && strstr(x->curl_text, "certificate problem"))
		return ": give the certificate of its authority as ca for that host, or with --ca";
	return "";
}

static int judge(struct exchange *x, CURLcode rc)
{
	auto_free char *host = url_host(x->q->url);

	if (x->failed)
		return -1;
	if (rc == CURLE_OK || x->enough) {
		if (x->head_done)
			return 0;
		x->r->broken = true;
		return err_set(x->e, ERR_NETWORK, "'%s' broke the connection amid the headers", host);
	}
	/* the same code as for a broken line, but no better the next time */
	if (strstr(x->curl_text, "chunked-encoding"))
		return err_set(x->e, ERR_PROTOCOL, "'%s' broke the protocol (%s)", host, x->curl_text);
	for (size_t i = 0; i < ARRAY_LEN(verdicts); i++)
		if (verdicts[i].curl == rc) {
			x->r->broken = verdicts[i].broken && !*hint(x, rc);
			x->r->refused = rc == CURLE_COULDNT_CONNECT || rc == CURLE_OPERATION_TIMEDOUT;
			return err_set(x->e, verdicts[i].code, "'%s': %s (%s)%s", host, verdicts[i].what,
				       *x->curl_text ? x->curl_text : curl_easy_strerror(rc), hint(x, rc));
		}
	return err_set(x->e, ERR_PROTOCOL, "'%s' broke the protocol (%s)", host,
		       *x->curl_text ? x->curl_text : curl_easy_strerror(rc));
}

static void count(struct wire_pool *p, const struct exchange *x)
{
	curl_off_t in = 0, out = 0;
	long fresh = 0;

	curl_easy_getinfo(x->curl, CURLINFO_SIZE_DOWNLOAD_T, &in);
	curl_easy_getinfo(x->curl, CURLINFO_SIZE_UPLOAD_T, &out);
	curl_easy_getinfo(x->curl, CURLINFO_NUM_CONNECTS, &fresh);
	p->requests++;
	p->connections += (uint64_t)fresh;
	p->bytes_in += (uint64_t)in;
	p->bytes_out += (uint64_t)out;
}

int wire_exchange(struct wire_pool *p, const struct wire_request *q, const struct wire_hooks *hooks,
		  struct http_response *r, struct err *e)
{
	CLEANUP(free_headers) struct curl_slist *headers = NULL;
	auto_free char *url = url_text(q->url);
	struct exchange x = { .q = q, .hooks = hooks, .r = r, .e = e, .window_start = wire_now() };

	r->broken = false;
	if (make_headers(q, &headers, e) < 0)
		return -1;

	struct wire *w = pool_take(p, q->url, e);

	if (!w)
		return -1;
	x.curl = w->curl;
	curl_easy_reset(w->curl);
	curl_easy_setopt(w->curl, CURLOPT_URL, url);
	curl_easy_setopt(w->curl, CURLOPT_HTTPHEADER, headers);
	set_trust(w->curl, q);
	set_line(&x);
	set_method(&x);

	CURLcode rc = curl_easy_perform(w->curl);

	count(p, &x);
	curl_easy_reset(w->curl);       /* nothing of this exchange stays but the connection */
	pool_give(p, w);
	return judge(&x, rc);
}
