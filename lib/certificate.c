/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/certificate.h>

#include <airgap/digest.h>

#include <arpa/inet.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <strings.h>
#include <time.h>

#define LEAF_DAYS 825
#define CA_DAYS   3650
#define EARLIER   3600          /* seconds */
#define SERIAL    16            /* bytes */

void certificate_release(struct certificate *c)
{
	char **parts[] = { &c->ca, &c->crt, &c->key };

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (*parts[i])
			wipe(*parts[i], strlen(*parts[i]));
		free(TAKE(*parts[i]));
	}
}

/* ---- hosts ---- */

static bool is_address(const char *host)
{
	uint8_t bytes[16];

	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static bool is_name(const char *host)
{
	static const char legal[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.";
	const char *name = str_starts(host, "*.") ? host + 2 : host;

	return *name && strlen(host) <= 253 && strspn(name, legal) == strlen(name) && *name != '.' && *name != '-' &&
	       !str_ends(name, ".") && !strstr(name, "..");
}

int certificate_check_hosts(const struct strv *hosts, struct err *e)
{
	if (hosts->n == 0 || hosts->n > CERTIFICATE_HOSTS)
		return err_set(e, ERR_MALFORMED, "certificate: name 1 to %u hosts", CERTIFICATE_HOSTS);
	for (size_t i = 0; i < hosts->n; i++)
		if (!is_address(hosts->items[i]) && !is_name(hosts->items[i]))
			return err_set(e, ERR_MALFORMED, "certificate: '%s' is neither a host name nor an IP address", hosts->items[i]);
	return 0;
}

/* ---- keys ---- */

struct pair { EVP_PKEY *ca_key, *key; X509 *ca, *crt; };

static void pair_release(struct pair *p)
{
	EVP_PKEY_free(p->ca_key);
	EVP_PKEY_free(p->key);
	X509_free(p->ca);
	X509_free(p->crt);
}

/* Of a placeholder: Ed25519, whose signatures are the same each time. */
static EVP_PKEY *known_key(const char *name)
{
	struct digest seed = digest_of(name, strlen(name));

	return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed.b, sizeof(seed.b));
}

static bool make_keys(struct pair *p, bool placeholder)
{
	p->ca_key = placeholder ? known_key("airgap placeholder CA") : EVP_EC_gen("P-256");
	p->key = placeholder ? known_key("airgap placeholder") : EVP_EC_gen("P-256");
	return p->ca_key && p->key;
}

/* ---- certificates ---- */

static bool set_serial(X509 *x, bool placeholder)
{
	uint8_t bytes[SERIAL] = { 0x40 };
	BIGNUM *n;
	bool ok;

	if (!placeholder)
		random_bytes(bytes, sizeof(bytes));
	bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40);         /* positive, and always as long */
	n = BN_bin2bn(bytes, sizeof(bytes), NULL);
	ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));
	BN_free(n);
	return ok;
}

static bool set_time(X509 *x, int days, bool placeholder)
{
	time_t from = placeholder ? 946684800 /* 2000 */ : time(NULL) - EARLIER;

	return ASN1_TIME_set(X509_getm_notBefore(x), from) &&
	       ASN1_TIME_set(X509_getm_notAfter(x), from + (time_t)days * 86400);
}

static bool add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	bool ok;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = ext && X509_add_ext(x, ext, -1) == 1;
	X509_EXTENSION_free(ext);
	return ok;
}

static bool set_name(X509_NAME *name, const char *text)
{
	/* A common name has 64 characters; the names that count stand in subjectAltName. */
	return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)text, (int)MIN(strlen(text), 64u), -1, 0) == 1;
}

static char *alternative_names(const struct strv *hosts)
{
	auto_strv struct strv parts = { 0 };

	for (size_t i = 0; i < hosts->n; i++)
		strv_pushf(&parts, "%s:%s", is_address(hosts->items[i]) ? "IP" : "DNS", hosts->items[i]);
	return strv_join(&parts, ",");
}

/* Ed25519 hashes by itself. */
static const EVP_MD *hash_for(bool placeholder)
{
	return placeholder ? NULL : EVP_sha256();
}

static bool make_ca(struct pair *p, bool placeholder)
{
	X509 *x = p->ca = X509_new();

	return x && X509_set_version(x, X509_VERSION_3) && set_serial(x, placeholder) && set_time(x, CA_DAYS, placeholder) &&
	       set_name(X509_get_subject_name(x), "airgap CA") && X509_set_issuer_name(x, X509_get_subject_name(x)) &&
	       X509_set_pubkey(x, p->ca_key) && add_extension(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
	       add_extension(x, x, NID_key_usage, "critical,keyCertSign,cRLSign") &&
	       add_extension(x, x, NID_subject_key_identifier, "hash") && X509_sign(x, p->ca_key, hash_for(placeholder)) > 0;
}

static bool make_leaf(struct pair *p, const struct strv *hosts, bool placeholder)
{
	auto_free char *names = alternative_names(hosts);
	X509 *x = p->crt = X509_new();

	return x && X509_set_version(x, X509_VERSION_3) && set_serial(x, placeholder) && set_time(x, LEAF_DAYS, placeholder) &&
	       set_name(X509_get_subject_name(x), hosts->items[0]) && X509_set_issuer_name(x, X509_get_subject_name(p->ca)) &&
	       X509_set_pubkey(x, p->key) && add_extension(x, p->ca, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_extension(x, p->ca, NID_key_usage, "critical,digitalSignature") &&
	       add_extension(x, p->ca, NID_ext_key_usage, "serverAuth,clientAuth") &&
	       add_extension(x, p->ca, NID_subject_alt_name, names) &&
	       add_extension(x, p->ca, NID_authority_key_identifier, "keyid") && X509_sign(x, p->ca_key, hash_for(placeholder)) > 0;
}

/* What is in a memory BIO, as text; takes the BIO. */
static char *text_of(BIO *b, bool ok)
{
	char *p = NULL, *text = NULL;
	long n = b && ok ? BIO_get_mem_data(b, &p) : 0;

	if (n > 0)
		text = xstrndup(p, (size_t)n);
	BIO_free(b);
	return text;
}

static char *pem_of(X509 *x)
{
	BIO *b = BIO_new(BIO_s_mem());

	return text_of(b, b && PEM_write_bio_X509(b, x) == 1);
}

static char *pem_of_key(EVP_PKEY *key)
{
	BIO *b = BIO_new(BIO_s_secmem());

	return text_of(b, b && PEM_write_bio_PKCS8PrivateKey(b, key, NULL, NULL, 0, NULL, NULL) == 1);
}

static int make(const struct strv *hosts, bool placeholder, struct certificate *out, struct err *e)
{
	CLEANUP(pair_release) struct pair p = { 0 };
	auto_certificate struct certificate made = { 0 };

	if (certificate_check_hosts(hosts, e) < 0)
		return -1;
	if (make_keys(&p, placeholder) && make_ca(&p, placeholder) && make_leaf(&p, hosts, placeholder)) {
		made.ca = pem_of(p.ca);
		made.crt = pem_of(p.crt);
		made.key = pem_of_key(p.key);
	}
	if (!made.ca || !made.crt || !made.key)
		return err_set(e, ERR_BUG, "certificate: libcrypto cannot make one");
	*out = made;
	made = (struct certificate){ 0 };
	return 0;
}

int certificate_make(const struct strv *hosts, struct certificate *out, struct err *e)
{
	return make(hosts, false, out, e);
}

int certificate_placeholder(const struct strv *hosts, struct certificate *out, struct err *e)
{
	return make(hosts, true, out, e);
}

/* ---- what one says ---- */

void certificate_about_release(struct certificate_about *c)
{
	strv_release(&c->names);
	*c = (struct certificate_about){ 0 };
}

static bool read_time(const ASN1_TIME *t, int64_t *out)
{
	struct tm tm = { 0 };

	if (!t || ASN1_TIME_to_tm(t, &tm) != 1)
		return false;
	*out = (int64_t)timegm(&tm);
	return true;
}

/* A name with a NUL in it is no name. */
static void read_name(const GENERAL_NAME *g, struct strv *out)
{
	char text[INET6_ADDRSTRLEN];

	if (g->type == GEN_DNS) {
		int n = ASN1_STRING_length(g->d.dNSName);
		const char *p = (const char *)ASN1_STRING_get0_data(g->d.dNSName);

		if (n > 0 && n <= 253 && !memchr(p, '\0', (size_t)n))
			strv_push_take(out, xstrndup(p, (size_t)n));
	}
	if (g->type == GEN_IPADD) {
		int n = ASN1_STRING_length(g->d.iPAddress);

		if ((n == 4 || n == 16) &&
		    inet_ntop(n == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(g->d.iPAddress), text, sizeof(text)))
			strv_push(out, text);
	}
}

static bool read_all(X509 *x, struct certificate_about *out)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++)
		read_name(sk_GENERAL_NAME_value(names, i), &out->names);
	GENERAL_NAMES_free(names);
	return read_time(X509_get0_notBefore(x), &out->from) && read_time(X509_get0_notAfter(x), &out->until);
}

int certificate_read(const char *pem, struct certificate_about *out, struct err *e)
{
	size_t n = strlen(pem);

	if (n > CERTIFICATE_MAX)
		return err_set(e, ERR_LIMIT, "certificate: more than %u bytes", CERTIFICATE_MAX);

	BIO *b = BIO_new_mem_buf(pem, (int)n);
	X509 *x = b ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;
	bool ok = x && read_all(x, out);

	X509_free(x);
	BIO_free(b);
	if (ok)
		return 0;
	certificate_about_release(out);
	return err_set(e, ERR_MALFORMED, "certificate: not one in PEM");
}

bool certificate_covers(const struct certificate_about *c, const char *host)
{
	const char *rest = strchr(host, '.');

	for (size_t i = 0; i < c->names.n; i++) {
		const char *name = c->names.items[i];

		if (strcasecmp(name, host) == 0 || (str_starts(name, "*.") && rest && rest > host && strcasecmp(name + 1, rest) == 0))
			return true;
	}
	return false;
}
