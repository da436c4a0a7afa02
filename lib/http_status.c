/* SPDX-License-Identifier: Apache-2.0 */
/* What a status means, in words and as a code. */
#include <airgap/http.h>

#include <airgap/json.h>

#define WORDS_MAX 300u

/* Printable text on one line, cut at WORDS_MAX. */
static void put_clean(struct buf *b, const char *s)
{
	bool blank = false;

	size_t start = b->len;

	for (; *s && b->len < WORDS_MAX; s++) {
		unsigned char c = (unsigned char)*s;

		if (c <= ' ' || c == 127) {
			blank = b->len > start;
			continue;
		}
		if (blank)
			buf_putc(b, ' ');
		blank = false;
		if (c < 127)
			buf_putc(b, *s);
		else
			buf_putc(b, '?');
	}
}

/* {"errors":[{"code","message","detail"}]} of registries; {"error"}, {"message"}, {"details"} of others. */
static void json_words(struct buf *b, const json_t *j)
{
	const json_t *errors = jdoc_at(j, "errors", NULL);
	const json_t *first = json_is_array(errors) ? json_array_get(errors, 0) : NULL;
	static const char *const keys[] = { "message", "details", "error_description", "error" };

	if (first) {
		const char *code = jdoc_text(first, "code", NULL), *message = jdoc_text(first, "message", NULL);
		const char *digest = jdoc_text(first, "detail", "digest", NULL);

		put_clean(b, code ? code : "");
		if (message && *message) {
			buf_puts(b, b->len ? ": " : "");
			put_clean(b, message);
		}
		if (digest) {
			buf_puts(b, " ");
			put_clean(b, digest);
		}
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(keys) && !b->len; i++) {
		const char *text = jdoc_text(j, keys[i], NULL);

		if (text)
			put_clean(b, text);
	}
}

/* The server's own words, or nothing: pages of HTML say little. */
static void find_words(const struct http_response *r, struct buf *b)
{
	const char *text = buf_str(&r->text);
	struct err ignored;

	text += strspn(text, " \t\r\n");
	if (*text == '<')
		return;
	if (*text == '{') {
		auto_json json_t *j = jdoc_parse(r->text.ptr, r->text.len, HTTP_TEXT_MAX, "answer", &ignored);

		json_words(b, j);
		if (b->len)
			return;
	}
	put_clean(b, text);
}

static const struct { int status; enum err_code code; const char *what; } meanings[] = {
	{ 401, ERR_AUTH, "not found or no access (credentials are missing or refused)" },
	{ 403, ERR_AUTH, "not found or no access (forbidden)" },
	{ 404, ERR_NETWORK, "not there" },
	{ 407, ERR_AUTH, "the proxy wants credentials" },
	{ 408, ERR_NETWORK, "the server waited too long for us" },
	{ 410, ERR_NETWORK, "not there any more" },
	{ 413, ERR_PROTOCOL, "too large for the server" },
	{ 429, ERR_RATE, "rate limited: wait, or use an account" },
	{ 507, ERR_NETWORK, "no space on the server" },
};

int http_status_error(const struct http_response *r, const char *subject, struct err *e)
{
	auto_buf struct buf words = BUF_INIT(4 * WORDS_MAX);
	enum err_code code = r->status >= 500 ? ERR_NETWORK : ERR_PROTOCOL;
	const char *what = NULL;

	for (size_t i = 0; i < ARRAY_LEN(meanings); i++)
		if (meanings[i].status == r->status) {
			code = meanings[i].code;
			what = meanings[i].what;
		}
	find_words(r, &words);
	if (r->status == 404 && strcasestr(buf_str(&words), "not found"))
		buf_clear(&words);      /* no news */
	if (what)
		err_set(e, code, "%s%s%s", what, words.len ? ": " : "", buf_str(&words));
	else
		err_set(e, code, "the server answered %d%s%s", r->status, words.len ? ": " : "", buf_str(&words));
	return subject ? err_wrap(e, "%s", subject) : -1;
}
