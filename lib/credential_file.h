/*
 * credential_file - Docker's and containers' auth files and their helper programs; private to lib/credential*.c.
 */
#pragma once

#include <airgap/credential.h>
#include <airgap/strv.h>

/* The names one host goes by, most specific first. hub: docker.io under any of its names. */
void credential_keys(const char *host, const char *repository, struct strv *out);
bool credential_is_hub(const char *host);

struct auth_files;
struct auth_files *auth_files_new(void) MUST_CHECK;     /* reads nothing yet */
void auth_files_free(struct auth_files *f);
/* Not thread-safe. 1, 0, -1 like credential_find. */
int auth_files_find(struct auth_files *f, const char *host, const char *repository, struct credential *out,
		    struct err *e) MUST_CHECK;
