/*
 * bcrypt - password hashes as htpasswd files and many servers take them: "$2b$10$" and 53 characters.
 */
#pragma once

#include <airgap/err.h>

#define BCRYPT_SALT 22          /* characters of a salt: letters, digits, '.' and '/' */
#define BCRYPT_MAX  72          /* bytes of a password; what comes behind would not count */

/* *out owned. ERR_LIMIT: the password is longer. ERR_MALFORMED: the salt is not one. */
int bcrypt_hash(const char *password, const char *salt, char **out, struct err *e) MUST_CHECK;
