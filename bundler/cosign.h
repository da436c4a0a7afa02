/*
 * cosign - signatures added to a finished bundle, in place (format §6).
 *
 *	struct cosign c = { .fd = -1 };         // auto_cosign
 *	cosign_open(&c, path, e)                completes what an earlier run left in PATH.sig-new
 *	cosign_add(&c, &sig, e)
 *
 * The new frame 0 goes to PATH.sig-new (durable), then over the old one with one write (durable), then
 * PATH.sig-new goes. Killed anywhere, the next cosign_open completes it. Only frame 0 is touched, so the first
 * volume alone will do.
 */
#pragma once

#include <airgap/statement.h>

struct cosign {
	int fd;                         /* locked */
	char *path, *side;              /* PATH.sig-new */
	uint8_t frame0[RECORD_FRAME];
	struct record record;           /* points into frame0 */
	bool resumed;                   /* an earlier run's signature was completed */
};

void cosign_release(struct cosign *c);
#define auto_cosign CLEANUP(cosign_release)

/* -1: not a bundle whose frame 0 is in its one spelling (11 to 19), in use (ERR_LOCKED), unreadable. */
int cosign_open(struct cosign *c, const char *path, struct err *e) MUST_CHECK;
/* 1: there is a good signature by this key. */
int cosign_has(const struct cosign *c, const struct sign_key *key, struct err *e) MUST_CHECK;
/* Adds sig, in place of one by the same key if there is one. 0: on disk. -1: as it was, or completed by the
 * next cosign_open. */
int cosign_add(struct cosign *c, const struct signature *sig, struct err *e) MUST_CHECK;
