/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"

#include <airgap/fs.h>
#include <airgap/log.h>
#include <airgap/sign.h>

#include <stdio.h>

struct keygen_opts { const char *type, *passphrase_file; bool ask; };

const struct opt keygen_options[] = {
	OPT_STR(struct keygen_opts, type, 't', "type", "TYPE", "p256 (default), p384 or ed25519"),
	OPT_STR(struct keygen_opts, passphrase_file, 0, "passphrase-file", "FILE", "encrypt the private key: its first line"),
	OPT_FLAG(struct keygen_opts, ask, 0, "passphrase", "encrypt the private key: asked on the terminal"),
	{ 0 }
};
const size_t keygen_opts_size = sizeof(struct keygen_opts);

/* A key that exists may be the only one of its kind: it is never replaced. */
static int check_free(const char *path, struct err *e)
{
	int there = fs_exists(path, e);

	if (there > 0)
		return err_set(e, ERR_USAGE, "'%s' exists: it is not replaced", path);
	return there;
}

int keygen_run(const void *opts, char **args, struct err *e)
{
	const struct keygen_opts *o = opts;
	const char *type = o->type ? o->type : "p256";
	enum sign_algorithm a = sign_algorithm_parse(type);
	struct passphrase pass = { .file = o->passphrase_file, .ask = o->ask ? passphrase_prompt : NULL };
	auto_buf struct buf priv = BUF_INIT(65536), pub = BUF_INIT(65536);
	auto_free char *key = xasprintf("%s.key", args[0]), *pem = xasprintf("%s.pub", args[0]);
	struct digest id;
	char hex[DIGEST_HEX];
	struct err ignored;

	if (!a)
		return err_set(e, ERR_USAGE, "--type '%s': p256, p384 or ed25519", type);
	if (check_free(key, e) < 0 || check_free(pem, e) < 0)
		return -1;
	if (sign_generate(a, pass.file || pass.ask ? &pass : NULL, &priv, &pub, &id, e) < 0)
		return -1;

	int rc = fs_save(key, buf_str(&priv), priv.len, 0600, e);

	buf_wipe(&priv);
	if (rc < 0)
		return -1;
	if (fs_save(pem, buf_str(&pub), pub.len, 0644, e) < 0) {
		rc = fs_unlink(key, &ignored);  /* half a pair is none */
		return -1;
	}
	log_info("wrote %s and %s (%s)", key, pem, sign_algorithm_name(a));
	printf("%s\n", digest_hex(&id, hex));
	return 0;
}
