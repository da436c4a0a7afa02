/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "cosign.h"

#include <airgap/fs.h>
#include <airgap/log.h>
#include <airgap/trust.h>

#include <stdio.h>

struct sign_opts { const char *key, *signer, *export, *attach, *public, *trust, *passphrase_file; };

const struct opt sign_options[] = {
	OPT_STR(struct sign_opts, key, 'k', "key", "KEY", "sign with this private key"),
	OPT_STR(struct sign_opts, signer, 0, "signer", "COMMAND", "sign with a program: it reads what is to be signed"),
	OPT_STR(struct sign_opts, export, 0, "export", "FILE", "write what is to be signed to FILE, sign nothing"),
	OPT_STR(struct sign_opts, attach, 0, "attach", "FILE", "add the signature in FILE (DER, or 64 bytes of Ed25519)"),
	OPT_STR(struct sign_opts, public, 0, "public", "KEY.pub", "whose signature COMMAND or FILE gives (else found by trust)"),
	OPT_STR(struct sign_opts, trust, 't', "trust", "DIR", "where to look for that public key"),
	OPT_STR(struct sign_opts, passphrase_file, 0, "passphrase-file", "FILE", "its first line opens KEY"),
	{ 0 }
};
const size_t sign_opts_size = sizeof(struct sign_opts);

static int export_pae(const struct cosign *c, const char *path, struct err *e)
{
	uint8_t pae[SIGN_PAE_MAX];
	size_t n = sign_pae(pae, c->record.body, c->record.body_len);

	if (!str_eq(path, "-"))
		return fs_save(path, pae, n, 0644, e);
	if (fwrite(pae, 1, n, stdout) != n || fflush(stdout) != 0)
		return err_sys(e, "cannot write");
	return 0;
}

/* A signature without a name: whose is it? */
static int find_owner(const struct cosign *c, const struct sign_opts *o, struct signature *sig, struct err *e)
{
	auto_policy struct policy p = { 0 };

	if (o->public) {
		if (sign_key_load(&p.keys[0].key, o->public, e) < 0)
			return -1;
		p.n_keys = 1;
	} else if (trust_load(o->trust, &p, e) < 0) {
		return -1;
	}

	int found = sign_match(&p, c->record.body, c->record.body_len, sig, e);

	if (found == 0)
		return err_set(e, ERR_SIGNATURE, "the signature is by no key in %s",
			       o->public ? o->public : o->trust ? o->trust : "the trust folder: use --public KEY.pub");
	return found < 0 ? -1 : 0;
}

static int attach(const struct cosign *c, const struct sign_opts *o, struct signature *sig, struct err *e)
{
	auto_buf struct buf bytes = BUF_INIT(SIGNATURE_MAX);

	if (fs_load(o->attach, SIGNATURE_MAX, &bytes, e) < 0)
		return -1;
	memcpy(sig->bytes, buf_str(&bytes), bytes.len);
	sig->len = (uint16_t)bytes.len;
	return find_owner(c, o, sig, e);
}

/* 1: signed. 0: the key's signature is there already. */
static int make(const struct cosign *c, const struct sign_opts *o, struct signature *sig, struct err *e)
{
	struct passphrase pass = { .file = o->passphrase_file, .ask = passphrase_prompt };
	auto_signer struct signer s = { 0 };

	if ((o->key ? signer_load(&s, o->key, &pass, e) : signer_command(&s, o->signer, NULL, e)) < 0)
		return -1;

	int there = s.key.pkey ? cosign_has(c, &s.key, e) : 0;

	if (there) {
		sig->key = s.key.id;
		return there < 0 ? -1 : 0;
	}
	if (signer_sign(&s, c->record.body, c->record.body_len, sig, e) < 0)
		return -1;
	if (!s.key.pkey && find_owner(c, o, sig, e) < 0)
		return -1;
	return 1;
}

int sign_run(const void *opts, char **args, struct err *e)
{
	const struct sign_opts *o = opts;
	auto_cosign struct cosign c = { .fd = -1 };
	struct signature sig = { 0 };
	char hex[DIGEST_HEX];

	if (!!o->key + !!o->signer + !!o->export + !!o->attach != 1)
		return err_set(e, ERR_USAGE, "sign: one of --key, --signer, --export, --attach");
	if (cosign_open(&c, args[0], e) < 0)
		return -1;
	if (c.resumed)
		log_info("%s: completed a signature that an earlier run began", args[0]);
	if (o->export)
		return export_pae(&c, o->export, e);

	int rc = o->attach ? attach(&c, o, &sig, e) : make(&c, o, &sig, e);

	if (rc < 0)
		return -1;
	if ((o->attach || rc == 1) && cosign_add(&c, &sig, e) < 0)
		return -1;
	log_info("%s: %zu signature%s", args[0], c.record.n, c.record.n == 1 ? "" : "s");
	printf("%s\n", digest_hex(&sig.key, hex));
	return 0;
}
