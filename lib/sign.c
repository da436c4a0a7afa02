/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/sign.h>

#include <airgap/fs.h>
#include <airgap/proc.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define PEM_MAX        16384u
#define PASSPHRASE_MAX 1024u
#define PBKDF2_ROUNDS  600000           /* OWASP's figure for HMAC-SHA256 */
#define SIGNER_TIMEOUT 600              /* somebody may have to touch a token */

/* What the algorithms differ in. Row = enum sign_algorithm. */
static const struct algorithm {
	const char *name, *title;
	const char *type, *group;       /* OpenSSL's; group NULL = none */
	int spki_len;                   /* the one spelling: uncompressed point, named curve */
} algorithms[] = {
	[SIGN_P256] = { "p256", "ECDSA P-256", "EC", "prime256v1", 91 },
	[SIGN_P384] = { "p384", "ECDSA P-384", "EC", "secp384r1", 120 },
	[SIGN_ED25519] = { "ed25519", "Ed25519", "ED25519", NULL, 44 },
};

static void cleanup_bio(BIO **b)
{
	BIO_free_all(*b);
}

static void cleanup_md_ctx(EVP_MD_CTX **c)
{
	EVP_MD_CTX_free(*c);
}

static void cleanup_pkey(EVP_PKEY **k)
{
	EVP_PKEY_free(*k);
}

enum sign_algorithm sign_algorithm_parse(const char *text)
{
	for (size_t i = SIGN_P256; i < ARRAY_LEN(algorithms); i++)
		if (str_eq(algorithms[i].name, text))
			return (enum sign_algorithm)i;
	return 0;
}

const char *sign_algorithm_name(enum sign_algorithm a)
{
	if ((size_t)a < ARRAY_LEN(algorithms) && algorithms[a].title)
		return algorithms[a].title;
	return "unknown";
}

/* ---- public keys ---- */

void sign_key_release(struct sign_key *k)
{
	EVP_PKEY_free(k->pkey);
	memset(k, 0, sizeof(*k));
}

void sign_key_copy(struct sign_key *out, const struct sign_key *k)
{
	*out = *k;
	if (k->pkey)
		EVP_PKEY_up_ref(k->pkey);
}

static enum sign_algorithm algorithm_of(EVP_PKEY *pkey)
{
	char group[64] = "";

	for (size_t i = SIGN_P256; i < ARRAY_LEN(algorithms); i++) {
		const struct algorithm *a = &algorithms[i];

		if (!EVP_PKEY_is_a(pkey, a->type))
			continue;
		if (!a->group)
			return (enum sign_algorithm)i;
		if (EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group), NULL) == 1 &&
		    str_eq(group, a->group))
			return (enum sign_algorithm)i;
	}
	return 0;
}

/* Sets id, algorithm and name from pkey's public half; pkey stays the caller's. */
static int describe_key(struct sign_key *out, EVP_PKEY *pkey, const char *name, struct err *e)
{
	uint8_t der[256], *end = der;
	enum sign_algorithm a = algorithm_of(pkey);

	if (!a)
		return err_set(e, ERR_UNSUPPORTED, "key '%s': neither P-256, P-384 nor Ed25519", name);
	if (i2d_PUBKEY(pkey, NULL) != algorithms[a].spki_len || i2d_PUBKEY(pkey, &end) != algorithms[a].spki_len)
		return err_set(e, ERR_UNSUPPORTED, "key '%s': not a named curve with an uncompressed point", name);
	memset(out, 0, sizeof(*out));
	out->id = digest_of(der, (size_t)algorithms[a].spki_len);
	out->algorithm = a;
	memcpy(out->name, name, strnlen(name, sizeof(out->name) - 1));
	return 0;
}

int sign_key_parse(struct sign_key *out, const void *pem, size_t n, const char *name, struct err *e)
{
	CLEANUP(cleanup_bio) BIO *bio = BIO_new_mem_buf(pem, (int)MIN(n, PEM_MAX));
	CLEANUP(cleanup_pkey) EVP_PKEY *pkey = NULL;
	struct sign_key k;

	if (bio && n <= PEM_MAX)
		pkey = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	ERR_clear_error();
	if (!pkey)
		return err_set(e, ERR_MALFORMED, "key '%s': not a public key in PEM", name);
	if (describe_key(&k, pkey, name, e) < 0)
		return -1;
	k.pkey = TAKE(pkey);
	*out = k;
	return 0;
}

/* "dir/vendor.pub" -> "vendor" */
static void key_name(const char *path, char out[SIGN_NAME_MAX])
{
	const char *base = strrchr(path, '/');

	base = base ? base + 1 : path;

	size_t n = strnlen(base, SIGN_NAME_MAX - 1);

	if (str_ends(base, ".pub") || str_ends(base, ".key"))
		n = MIN(n, strlen(base) - 4);
	memcpy(out, base, n);
	out[n] = '\0';
}

int sign_key_load(struct sign_key *out, const char *path, struct err *e)
{
	auto_buf struct buf pem = BUF_INIT(PEM_MAX);
	char name[SIGN_NAME_MAX];

	key_name(path, name);
	if (fs_load(path, PEM_MAX, &pem, e) < 0)
		return -1;
	return sign_key_parse(out, buf_str(&pem), pem.len, name, e);
}

/* ---- PAE and checking ---- */

size_t sign_pae(uint8_t out[SIGN_PAE_MAX], const void *body, size_t n)
{
	static const char type[] = "application/vnd.in-toto+json";
	int head = snprintf((char *)out, SIGN_PAE_MAX, "DSSEv1 %zu %s %zu ", sizeof(type) - 1, type, n);

	memcpy(out + head, body, n);
	return (size_t)head + n;
}

static const char *digest_name(enum sign_algorithm a)
{
	return a == SIGN_ED25519 ? NULL : "SHA256";
}

int sign_check(const struct sign_key *k, const void *body, size_t n, const void *sig, size_t sig_len, struct err *e)
{
	CLEANUP(cleanup_md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t pae[SIGN_PAE_MAX];

	if (n > SIGN_BODY_MAX)
		return 0;
	if (!ctx || EVP_DigestVerifyInit_ex(ctx, NULL, digest_name(k->algorithm), NULL, NULL, k->pkey, NULL) != 1) {
		ERR_clear_error();
		return err_set(e, ERR_UNSUPPORTED, "key '%s': %s is not available here", k->name,
			       sign_algorithm_name(k->algorithm));
	}

	size_t len = sign_pae(pae, body, n);
	int good = EVP_DigestVerify(ctx, sig, sig_len, pae, len) == 1;

	ERR_clear_error();      /* a signature that is no DER leaves entries behind */
	return good;
}

int sign_match(const struct policy *p, const void *body, size_t n, struct signature *out, struct err *e)
{
	for (size_t i = 0; i < p->n_keys; i++) {
		const struct sign_key *k = &p->keys[i].key;

		if (p->keys[i].revoked)
			continue;

		int good = sign_check(k, body, n, out->bytes, out->len, e);

		if (good < 0)
			return -1;
		if (good) {
			out->key = k->id;
			out->algorithm = (uint16_t)k->algorithm;
			return 1;
		}
	}
	return 0;
}

/* ---- passphrases ---- */

/* Keeps what stands before the first line end. */
static void keep_first_line(struct buf *b)
{
	size_t n = strcspn(buf_str(b), "\r\n");

	if (n < b->len) {
		wipe(b->ptr + n, b->len - n);
		b->len = n;
	}
}

int passphrase_get(const struct passphrase *p, const char *prompt, struct buf *out, struct err *e)
{
	if (!p || (!p->file && !p->ask))
		return err_set(e, ERR_AUTH, "%s: no passphrase given", prompt);
	if (!p->file)
		return p->ask(p->ctx, prompt, out, e);

	/* Not fs_load: /dev/fd/3 may be a pipe. */
	auto_fd int fd = fs_open(p->file, O_RDONLY, 0, e);

	if (fd < 0)
		return -1;
	if (buf_read_fd(out, fd, e) < 0)
		return err_wrap(e, "passphrase file '%s'", p->file);
	keep_first_line(out);
	return 0;
}

static int read_line(int fd, struct buf *out, struct err *e)
{
	for (char c = 0; c != '\n';) {
		ssize_t n = read(fd, &c, 1);

		if (n < 0)
			return err_sys(e, "terminal: cannot read the passphrase");
		if (n == 0)
			break;
		if (buf_add(out, &c, 1, e) < 0)
			return -1;
	}
	keep_first_line(out);
	return 0;
}

int passphrase_prompt(void *ctx, const char *prompt, struct buf *out, struct err *e)
{
	auto_fd int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	struct termios before, quiet;

	(void)ctx;
	if (tty < 0 || tcgetattr(tty, &before) < 0)
		return err_set(e, ERR_AUTH, "%s: no terminal to ask for the passphrase: use --passphrase-file", prompt);
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(tty, TCSAFLUSH, &quiet);
	dprintf(tty, "%s: passphrase: ", prompt);

	int rc = read_line(tty, out, e);

	tcsetattr(tty, TCSAFLUSH, &before);
	dprintf(tty, "\n");
	return rc;
}

/* ---- private keys ---- */

struct passphrase_want { const struct passphrase *pass; const char *prompt; struct err *e; bool failed; };

static int pem_password(char *out, int room, int writing, void *want)
{
	struct passphrase_want *w = want;
	auto_buf struct buf b = BUF_INIT(PASSPHRASE_MAX);
	int n = -1;

	(void)writing;
	if (passphrase_get(w->pass, w->prompt, &b, w->e) < 0)
		w->failed = true;
	else if (b.len && b.len <= (size_t)room)
		n = (int)b.len;
	if (n > 0)
		memcpy(out, b.ptr, b.len);
	buf_wipe(&b);
	return n;
}

static int load_private_pem(const char *path, struct buf *out, struct err *e)
{
	auto_fd int fd = fs_open(path, O_RDONLY, 0, e);
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		return err_sys(e, "cannot stat '%s'", path);
	if (S_ISDIR(st.st_mode))
		return err_set(e, ERR_UNSAFE, "key '%s': a folder", path);
	if (buf_read_fd(out, fd, e) < 0)
		return err_wrap(e, "key '%s'", path);
	if (str_starts(buf_str(out), "-----BEGIN PUBLIC KEY-----"))
		return err_set(e, ERR_MALFORMED, "key '%s': a public key: give the private one it belongs to", path);
	if ((st.st_mode & 077) || (st.st_uid != geteuid() && st.st_uid != 0))
		return err_set(e, ERR_UNSAFE, "key '%s': open to others: chmod 0600 it", path);
	return 0;
}

int signer_load(struct signer *out, const char *path, const struct passphrase *pass, struct err *e)
{
	auto_buf struct buf pem = BUF_INIT(PEM_MAX);
	CLEANUP(cleanup_pkey) EVP_PKEY *pkey = NULL;
	struct passphrase_want want = { pass, path, e, false };
	struct signer s = { 0 };
	char name[SIGN_NAME_MAX];

	int rc = load_private_pem(path, &pem, e);

	if (rc == 0) {
		CLEANUP(cleanup_bio) BIO *bio = BIO_new_mem_buf(buf_str(&pem), (int)pem.len);

		pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, pem_password, &want) : NULL;
	}

	bool locked = strstr(buf_str(&pem), "ENCRYPTED") != NULL;

	buf_wipe(&pem);
	ERR_clear_error();
	if (rc < 0 || want.failed)
		return -1;
	if (!pkey)
		return locked ? err_set(e, ERR_AUTH, "key '%s': wrong passphrase", path)
			      : err_set(e, ERR_MALFORMED, "key '%s': not a private key in PEM", path);
	key_name(path, name);
	if (describe_key(&s.key, pkey, name, e) < 0)
		return -1;
	EVP_PKEY_up_ref(pkey);          /* the same object serves for checking */
	s.key.pkey = pkey;
	s.pkey = TAKE(pkey);
	*out = s;
	return 0;
}

int signer_command(struct signer *out, const char *command, const struct sign_key *key, struct err *e)
{
	struct signer s = { 0 };

	strv_split(&s.command, command, ' ');
	if (!s.command.n)
		return err_set(e, ERR_USAGE, "signer: an empty command");
	if (key)
		sign_key_copy(&s.key, key);
	*out = s;
	return 0;
}

void signer_release(struct signer *s)
{
	sign_key_release(&s->key);
	EVP_PKEY_free(s->pkey);
	s->pkey = NULL;
	strv_release(&s->command);
}

static int sign_with_key(const struct signer *s, const uint8_t *pae, size_t n, struct signature *out, struct err *e)
{
	CLEANUP(cleanup_md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t len = sizeof(out->bytes);
	bool good = ctx &&
		    EVP_DigestSignInit_ex(ctx, NULL, digest_name(s->key.algorithm), NULL, NULL, s->pkey, NULL) == 1 &&
		    EVP_DigestSign(ctx, out->bytes, &len, pae, n) == 1;

	ERR_clear_error();
	if (!good)
		return err_set(e, ERR_UNSUPPORTED, "key '%s': cannot sign with %s here", s->key.name,
			       sign_algorithm_name(s->key.algorithm));
	out->len = (uint16_t)len;
	return 0;
}

static int sign_with_command(const struct signer *s, const uint8_t *pae, size_t n, struct signature *out, struct err *e)
{
	struct proc p = { .argv = s->command.items, .input = pae, .input_len = n, .timeout = SIGNER_TIMEOUT };
	auto_buf struct buf sig = BUF_INIT(SIGNATURE_MAX);

	if (proc_check(&p, &sig, ERR_IO, e) < 0)
		return err_wrap(e, "signer");
	if (!sig.len)
		return err_set(e, ERR_SIGNATURE, "signer '%s': wrote no signature", s->command.items[0]);
	memcpy(out->bytes, sig.ptr, sig.len);
	out->len = (uint16_t)sig.len;
	return 0;
}

int signer_sign(const struct signer *s, const void *body, size_t n, struct signature *out, struct err *e)
{
	uint8_t pae[SIGN_PAE_MAX];
	struct signature sig = { .key = s->key.id, .algorithm = (uint16_t)s->key.algorithm };

	if (n > SIGN_BODY_MAX)
		return err_set(e, ERR_LIMIT, "statement of %zu bytes: at most %u can be signed", n, SIGN_BODY_MAX);

	size_t len = sign_pae(pae, body, n);

	if ((s->pkey ? sign_with_key : sign_with_command)(s, pae, len, &sig, e) < 0)
		return -1;
	if (s->key.pkey) {
		int good = sign_check(&s->key, body, n, sig.bytes, sig.len, e);

		if (good < 0)
			return -1;
		if (!good)
			return err_set(e, ERR_SIGNATURE, "the signature made is not by key '%s'", s->key.name);
	}
	*out = sig;
	return 0;
}

/* ---- generating ---- */

static int bio_text(BIO *bio, struct buf *out, struct err *e)
{
	char *p = NULL;
	long n = BIO_get_mem_data(bio, &p);

	return buf_add(out, p, n > 0 ? (size_t)n : 0, e);
}

/* PKCS#8 with AES-256 under PBKDF2; the rounds are ours, OpenSSL's default is 2,048. */
static bool write_encrypted(BIO *bio, EVP_PKEY *pkey, const struct buf *pass)
{
	PKCS8_PRIV_KEY_INFO *plain = EVP_PKEY2PKCS8(pkey);
	X509_ALGOR *how = PKCS5_pbe2_set(EVP_aes_256_cbc(), PBKDF2_ROUNDS, NULL, 0);
	X509_SIG *box = plain && how ? PKCS8_set0_pbe(buf_str(pass), (int)pass->len, plain, how) : NULL;
	bool good = box && PEM_write_bio_PKCS8(bio, box) == 1;

	if (!box)
		X509_ALGOR_free(how);   /* else box owns it */
	X509_SIG_free(box);
	PKCS8_PRIV_KEY_INFO_free(plain);
	return good;
}

static int write_private(EVP_PKEY *pkey, const struct passphrase *pass, struct buf *out, struct err *e)
{
	CLEANUP(cleanup_bio) BIO *bio = BIO_new(BIO_s_secmem());
	auto_buf struct buf word = BUF_INIT(PASSPHRASE_MAX);
	bool good;

	if (pass && passphrase_get(pass, "new key", &word, e) < 0)
		return -1;
	if (pass && !word.len)
		return err_set(e, ERR_AUTH, "new key: an empty passphrase");
	if (pass)
		good = bio && write_encrypted(bio, pkey, &word);
	else
		good = bio && PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) == 1;
	buf_wipe(&word);
	if (!good) {
		ERR_clear_error();
		return err_set(e, ERR_UNSUPPORTED, "cannot write the private key");
	}
	return bio_text(bio, out, e);
}

int sign_generate(enum sign_algorithm a, const struct passphrase *pass, struct buf *priv, struct buf *pub,
		  struct digest *out_id, struct err *e)
{
	const char *group = algorithms[a].group;
	CLEANUP(cleanup_pkey) EVP_PKEY *pkey = group ? EVP_PKEY_Q_keygen(NULL, NULL, algorithms[a].type, group)
						     : EVP_PKEY_Q_keygen(NULL, NULL, algorithms[a].type);
	CLEANUP(cleanup_bio) BIO *bio = BIO_new(BIO_s_mem());
	struct sign_key k;

	if (!pkey || !bio || PEM_write_bio_PUBKEY(bio, pkey) != 1) {
		ERR_clear_error();
		return err_set(e, ERR_UNSUPPORTED, "cannot make a key for %s here", sign_algorithm_name(a));
	}
	if (describe_key(&k, pkey, "new key", e) < 0 || write_private(pkey, pass, priv, e) < 0 ||
	    bio_text(bio, pub, e) < 0)
		return -1;
	*out_id = k.id;
	return 0;
}

/* ---- times ---- */

/* Days since 1970-01-01 of a Gregorian date (Hinnant's days_from_civil, for years from 1 on). */
static int64_t days_of(int64_t y, int64_t m, int64_t d)
{
	y -= m <= 2;

	int64_t era = y / 400, yoe = y - era * 400;
	int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

char *sign_time_format(int64_t t, char out[SIGN_TIME])
{
	t = MIN(MAX(t, INT64_C(-62135596800)), INT64_C(253402300799));
	t += INT64_C(719468) * 86400;   /* since 0000-03-01: not negative */

	int64_t days = t / 86400, s = t % 86400, era = days / 146097, doe = days % 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	int64_t m = mp < 10 ? mp + 3 : mp - 9, y = yoe + era * 400 + (m <= 2);
	int64_t d = doy - (153 * mp + 2) / 5 + 1;

	snprintf(out, SIGN_TIME, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)(y % 10000), (unsigned)(m % 100),
		 (unsigned)(d % 100), (unsigned)(s / 3600 % 100), (unsigned)(s / 60 % 60), (unsigned)(s % 60));
	return out;
}

bool sign_time_parse(const char *text, size_t n, int64_t *out)
{
	static const char shape[] = "dddd-dd-ddTdd:dd:ddZ";
	int64_t v[6] = { 0 };
	char again[SIGN_TIME];

	if (n != sizeof(shape) - 1)
		return false;
	for (size_t i = 0, field = 0; i < n; i++) {
		if (shape[i] != 'd' && text[i] != shape[i])
			return false;
		if (shape[i] != 'd')
			field++;
		else if (text[i] < '0' || text[i] > '9')
			return false;
		else
			v[field] = v[field] * 10 + (text[i] - '0');
	}
	if (v[0] < 1 || v[1] < 1 || v[1] > 12)
		return false;

	/* A day or hour that does not exist comes back as another one. */
	int64_t t = days_of(v[0], v[1], v[2]) * 86400 + v[3] * 3600 + v[4] * 60 + v[5];

	if (memcmp(sign_time_format(t, again), text, n) != 0)
		return false;
	*out = t;
	return true;
}

/* ---- policy ---- */

void policy_release(struct policy *p)
{
	for (size_t i = 0; i < p->n_keys; i++)
		sign_key_release(&p->keys[i].key);
	memset(p, 0, sizeof(*p));
}

int policy_find(const struct policy *p, const struct digest *id)
{
	for (size_t i = 0; i < p->n_keys; i++)
		if (digest_eq(&p->keys[i].key.id, id))
			return (int)i;
	return -1;
}

/* One star is remembered at a time: going back to the last one is enough. */
bool policy_glob(const char *glob, const char *text)
{
	const char *star = NULL, *mark = text;

	while (*text) {
		if (*glob == '*') {
			star = ++glob;
			mark = text;
		} else if (*glob == '?' || (*glob == *text && *glob)) {
			glob++;
			text++;
		} else if (star) {
			glob = star;
			text = ++mark;
		} else {
			return false;
		}
	}
	while (*glob == '*')
		glob++;
	return *glob == '\0';
}
