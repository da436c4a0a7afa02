/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/digest.h>
#include <airgap/fs.h>
#include <airgap/gpgv.h>
#include <airgap/log.h>
#include <airgap/proc.h>

#include <stdio.h>

#define MESSAGE "-----BEGIN PGP SIGNED MESSAGE-----"
#define BEGIN   "-----BEGIN PGP SIGNATURE-----"
#define END     "-----END PGP SIGNATURE-----"
#define KEYS    "-----BEGIN PGP PUBLIC KEY BLOCK-----"
#define KEYS_END "-----END PGP PUBLIC KEY BLOCK-----"

/* ---- lines */

struct lines { const char *at, *end; };

/* The next line without its end; false: none is left. */
static bool next_line(struct lines *l, const char **out, size_t *n)
{
	if (l->at == l->end)
		return false;

	const char *newline = memchr(l->at, '\n', (size_t)(l->end - l->at));

	*out = l->at;
	*n = (size_t)((newline ? newline : l->end) - l->at);
	l->at = newline ? newline + 1 : l->end;
	while (*n && ((*out)[*n - 1] == '\r' || (*out)[*n - 1] == ' ' || (*out)[*n - 1] == '\t'))
		--*n;
	return true;
}

static bool is(const char *p, size_t n, const char *text)
{
	return n == strlen(text) && memcmp(p, text, n) == 0;
}

static bool starts(const char *p, size_t n, const char *text)
{
	return n >= strlen(text) && memcmp(p, text, strlen(text)) == 0;
}

/* ---- what is signed in the clear */

/* Up to the line that begins the signature; lines that begin with a dash were given another. */
static int clear_lines(struct lines *l, struct buf *out, struct err *e)
{
	const char *p;
	size_t n;

	while (next_line(l, &p, &n)) {
		if (is(p, n, BEGIN))
			return 0;
		if (*p == '-' && !starts(p, n, "- "))
			return err_set(e, ERR_MALFORMED, "a signed message with another one in it");
		if (n >= 2 && *p == '-') {
			p += 2;
			n -= 2;
		}
		if (buf_add(out, p, n, e) < 0 || buf_add(out, "\n", 1, e) < 0)
			return -1;
	}
	return err_set(e, ERR_MALFORMED, "a signed message without its signature");
}

/* The signature's own lines, and nothing behind them. */
static int clear_end(struct lines *l, struct err *e)
{
	const char *p;
	size_t n;
	bool ended = false;

	while (!ended && next_line(l, &p, &n))
		ended = is(p, n, END);
	while (ended && next_line(l, &p, &n))
		if (n)
			return err_set(e, ERR_MALFORMED, "text behind the signature");
	return ended ? 0 : err_set(e, ERR_MALFORMED, "a signature that is cut");
}

int gpgv_clear_text(const char *p, size_t n, struct buf *out, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(out->max);
	struct lines l = { p, p + n };
	const char *line;
	size_t len;

	if (!next_line(&l, &line, &len) || !is(line, len, MESSAGE))
		return 0;
	while (next_line(&l, &line, &len) && len)
		if (!starts(line, len, "Hash: "))
			return err_set(e, ERR_MALFORMED, "a signed message with more than 'Hash:' above it");
	if (clear_lines(&l, &text, e) < 0 || clear_end(&l, e) < 0)
		return -1;
	return buf_add(out, buf_str(&text), text.len, e) < 0 ? -1 : 1;
}

/* ---- keyrings */

/* One block's lines of base64, up to its checksum and end. */
static int dearmor_block(struct lines *l, struct buf *out, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(2 * GPGV_KEYRING_MAX);
	const char *p;
	size_t n, got;
	bool ended = false;

	while (next_line(l, &p, &n) && n)
		if (!memchr(p, ':', n))
			return err_set(e, ERR_MALFORMED, "an armoured key without an empty line above it");
	while (!ended && next_line(l, &p, &n)) {
		ended = is(p, n, KEYS_END);
		if (!ended && n && *p != '=' && buf_add(&text, p, n, e) < 0)
			return -1;
	}

	auto_free uint8_t *bytes = xmalloc(text.len + 1);

	if (!ended || !base64_decode(buf_str(&text), text.len, bytes, &got))
		return err_set(e, ERR_MALFORMED, "an armoured key that is %s", ended ? "no base64" : "cut");
	return buf_add(out, bytes, got, e);
}

int gpgv_dearmor(const char *p, size_t n, struct buf *out, struct err *e)
{
	struct lines l = { p, p + n };
	const char *line;
	size_t len;
	bool armoured = false;

	/* Packets begin with their highest bit set, which no armour does. */
	if (n && (*p & 0x80))
		return buf_add(out, p, n, e);
	while (next_line(&l, &line, &len)) {
		if (!is(line, len, KEYS))
			continue;
		armoured = true;
		if (dearmor_block(&l, out, e) < 0)
			return -1;
	}
	return armoured ? 0 : err_set(e, ERR_MALFORMED, "has no OpenPGP keys: it takes what `gpg --export` writes");
}

/* ---- the program */

/* What it said of all signatures. */
struct verdict {
	bool good, valid, bad, dead, unknown, unclear;
	char key[64];           /* the last key it did not take */
};

static void read_status(const char *text, struct verdict *v)
{
	static const char mark[] = "[GNUPG:] ";
	struct lines l = { text, text + strlen(text) };
	const char *p;
	size_t n;

	while (next_line(&l, &p, &n)) {
		if (!starts(p, n, mark))
			continue;
		p += strlen(mark);
		n -= strlen(mark);

		const char *space = memchr(p, ' ', n);
		size_t word = space ? (size_t)(space - p) : n;
		bool no = is(p, word, "NO_PUBKEY"), dead = is(p, word, "EXPKEYSIG") || is(p, word, "REVKEYSIG") ||
							   is(p, word, "EXPSIG");

		v->good |= is(p, word, "GOODSIG");
		v->valid |= is(p, word, "VALIDSIG");
		v->bad |= is(p, word, "BADSIG");
		v->dead |= dead;
		v->unknown |= no;
		v->unclear |= is(p, word, "ERRSIG");
		if (space && (no || dead))
			snprintf(v->key, sizeof(v->key), "%.*s", (int)strcspn(space + 1, " \n"), space + 1);
	}
}

static int judge(const struct verdict *v, const char *keyring, struct err *e)
{
	if (v->bad)
		return err_set(e, ERR_SIGNATURE, "its signature does not fit: it was altered, or is half of another version");
	if (v->good && v->valid)
		return 0;
	if (v->dead)
		return err_set(e, ERR_UNTRUSTED, "signed by key %s, which has expired or was revoked: get a newer keyring than '%s'",
			       v->key, keyring);
	if (v->unknown)
		return err_set(e, ERR_UNTRUSTED, "signed by key %s, which is not in '%s'", v->key, keyring);
	if (v->unclear)
		return err_set(e, ERR_SIGNATURE, "its signature is of a kind that gpgv does not take");
	return err_set(e, ERR_UNSIGNED, "is not signed");
}

static int save(const char *dir, const char *name, const void *p, size_t n, char **out, struct err *e)
{
	*out = fs_join(dir, name);
	return fs_save(*out, p, n, 0600, e);
}

static int load_keyring(const char *path, const char *dir, char **out, struct err *e)
{
	auto_buf struct buf file = BUF_INIT(GPGV_KEYRING_MAX), keys = BUF_INIT(GPGV_KEYRING_MAX);

	if (fs_load(path, GPGV_KEYRING_MAX, &file, e) < 0)
		return err_wrap(e, "keyring");
	if (gpgv_dearmor(buf_str(&file), file.len, &keys, e) < 0)
		return err_wrap(e, "keyring '%s'", path);
	return save(dir, "keys.gpg", buf_str(&keys), keys.len, out, e);
}

/* files: a signature and what it signs, or one with both in it, whose text goes to `output`. */
static int run(const char *dir, const char *keyring, const char *keys, const char *output, const char *const *files,
	       struct err *e)
{
	auto_strv struct strv argv = { 0 }, env = { 0 };
	auto_buf struct buf status = BUF_INIT(1u << 20);
	const char *path = getenv("PATH");
	struct verdict v = { 0 };
	int code;

	strv_push(&argv, "gpgv");
	strv_pushf(&argv, "--homedir=%s", dir);
	strv_pushf(&argv, "--keyring=%s", keys);
	strv_push(&argv, "--weak-digest=SHA1");
	strv_push(&argv, "--status-fd=1");
	if (output)
		strv_pushf(&argv, "--output=%s", output);
	for (; *files; files++)
		strv_push(&argv, *files);
	strv_pushf(&env, "PATH=%s", path ? path : "/usr/bin:/bin");
	strv_push(&env, "LC_ALL=C");

	struct proc p = { .argv = argv.items, .env = env.items, .timeout = 120 };

	if (proc_run(&p, &status, &code, e) < 0)
		return e->code == ERR_PREFLIGHT ? err_wrap(e, "signatures are checked by gpgv: install it") : -1;
	read_status(buf_str(&status), &v);
	return judge(&v, keyring, e);
}

static void remove_folder(char **dir)
{
	struct err ignored;

	if (*dir && fs_remove_tree(*dir, &ignored) < 0)
		log_debug("%s", ignored.msg);
	free(*dir);
}
#define auto_folder CLEANUP(remove_folder)

int gpgv_clear(const char *keyring, const void *p, size_t n, struct buf *out, struct err *e)
{
	auto_folder char *dir = NULL;
	auto_free char *keys = NULL, *message = NULL;
	auto_buf struct buf text = BUF_INIT(out->max);
	int clear = gpgv_clear_text(p, n, &text, e);

	if (clear <= 0)
		return clear < 0 ? -1 : err_set(e, ERR_UNSIGNED, "is not signed");
	if (fs_temp_dir(NULL, "airgap-gpgv-", &dir, e) < 0 || load_keyring(keyring, dir, &keys, e) < 0 ||
	    save(dir, "message", p, n, &message, e) < 0)
		return -1;

	auto_free char *output = fs_join(dir, "text");

	if (run(dir, keyring, keys, output, (const char *const[]){ message, NULL }, e) < 0)
		return -1;
	return fs_load(output, out->max - out->len, out, e);
}

int gpgv_detached(const char *keyring, const void *p, size_t n, const void *sig, size_t sig_n, struct err *e)
{
	auto_folder char *dir = NULL;
	auto_free char *keys = NULL, *data = NULL, *signature = NULL;

	if (fs_temp_dir(NULL, "airgap-gpgv-", &dir, e) < 0 || load_keyring(keyring, dir, &keys, e) < 0 ||
	    save(dir, "data", p, n, &data, e) < 0 || save(dir, "signature", sig, sig_n, &signature, e) < 0)
		return -1;
	return run(dir, keyring, keys, NULL, (const char *const[]){ signature, data, NULL }, e);
}
