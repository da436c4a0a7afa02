/*
 * extract - files and sets out of a bundle onto disk: `deployer extract`.
 *
 *	struct extract x = { .bundle = b, .contents = &c, .dir = "out", .platform = "linux/amd64" };
 *	if (extract_all(&x, names, e) < 0) ...
 *
 * A file becomes DIR/FILE, a set the folder DIR/NAME. Every byte comes from a verified frame and is compared with its
 * digest; what is not complete never stands under its name, and what is there already is never touched.
 */
#pragma once

#include <airgap/bundle_read.h>
#include <airgap/contents.h>

struct extract {
	struct bundle *bundle;
	const struct contents *contents;
	const char *dir;                /* made when it is not there */
	const char *platform;           /* of files that there are several of */
	struct strv done;               /* out: paths, in the order of names; owned by the caller */
};

/* names: "files/NAME", "packages/NAME", "python/NAME", "git/NAME", or NAME alone where one thing has it. All are looked up
 * before the first is written. ERR_USAGE: no such thing, or its place is taken. */
int extract_all(struct extract *x, char *const *names, struct err *e) MUST_CHECK;
/* "packages/headers" and so on, a name for each. */
void extract_names(const struct contents *c, struct strv *out);

/* One blob to a descriptor, compared. -1: fd has a part of it. */
int extract_blob(struct bundle *b, const struct digest *d, int fd, struct err *e) MUST_CHECK;
