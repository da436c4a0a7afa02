/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/bcrypt.h>

#include <crypt.h>

int bcrypt_hash(const char *password, const char *salt, char **out, struct err *e)
{
	auto_free struct crypt_data *work = xcalloc(1, sizeof(*work));  /* 32 KiB */
	auto_free char *setting = xasprintf("$2b$10$%s", salt);
	const char *hash;

	if (strlen(password) > BCRYPT_MAX)
		return err_set(e, ERR_LIMIT, "bcrypt: a password of more than %d bytes", BCRYPT_MAX);
	if (strlen(salt) != BCRYPT_SALT)
		return err_set(e, ERR_MALFORMED, "bcrypt: a salt has %d characters", BCRYPT_SALT);
	hash = crypt_rn(password, setting, work, (int)sizeof(*work));
	if (!hash)
		err_set(e, ERR_MALFORMED, "bcrypt: the salt is not one, or this libcrypt has no bcrypt");
	else
		*out = xstrdup(hash);
	wipe(work, sizeof(*work));
	return hash && *out ? 0 : -1;
}
