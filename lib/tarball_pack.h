/*
 * tarball_pack - the members of an archive to be written, gathered; tarball_write.c writes them.
 */
#pragma once

#include <airgap/tarball.h>

#define TARBALL_NAME_MAX 4096u

struct pack_member {
	char *name;
	uint8_t *bytes;         /* NULL: from the file at path */
	char *path;
	uint64_t size;
	bool executable;
};

/* A member's name by the rules of tarball.h; ERR_UNSAFE. */
int tarball_check_name(const char *name, struct err *e) MUST_CHECK;
/* Members by name, of equal ones the one added last; returns how many. The array is the caller's, the members are not. */
size_t pack_sorted(const struct tarball_pack *t, const struct pack_member ***out);
