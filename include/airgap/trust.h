/*
 * trust - the trust folder (DIR/NAME.pub and policy.yaml) as a struct policy, and what a site remembers of each
 * stream.
 *
 *	static struct policy p;                         // 60 KiB
 *	if (trust_load(NULL, &p, e) < 0) ...            // p.present: was there a folder?
 *
 * policy.yaml, all optional, unknown keys are errors:
 *	threshold: 2
 *	audience: site-a
 *	revoked: [KEYID]                                # 64 hex digits; need not be in the folder
 *	keys: {KEYID: {streams: ["example/?*"], notAfter: 2027-01-01}}     # must be in the folder
 * notAfter is a date (its last second counts) or a time with Z.
 */
#pragma once

#include <airgap/json.h>
#include <airgap/sign.h>

/* dir NULL: the first that exists of /etc/airgap/trust.d and $XDG_CONFIG_HOME/airgap/trust.d (or
 * ~/.config/...), alone; none is not an error. A folder without keys is present all the same.
 * -1: ERR_UNTRUSTED when folder or a file belongs to somebody else or is writable by others;
 * ERR_MALFORMED, ERR_LIMIT for its content; ERR_IO. out is then released. */
int trust_load(const char *dir, struct policy *out, struct err *e) MUST_CHECK;
/* The text of a policy.yaml applied to a policy whose keys are there; path is for messages. -1: p is half changed. */
int trust_policy_parse(struct policy *p, const void *text, size_t n, const char *path, struct err *e) MUST_CHECK;
/* The folder trust_load(NULL) takes, or NULL. */
char *trust_dir(void) MUST_CHECK;

/* State of a stream in dir (NULL = fs_state_dir()). Absent: 0 and !present. Unreadable or damaged: ERR_IO (31). */
int trust_state_load(const char *dir, const char *stream, struct stream_state *out, struct err *e) MUST_CHECK;
/* 0: on disk. The caller merged: this replaces. -1: what was there is untouched. */
int trust_state_save(const char *dir, const char *stream, const struct stream_state *s, struct err *e) MUST_CHECK;
/* The same as a document, for the cluster's Secret. */
json_t *trust_state_encode(const char *stream, const struct stream_state *s) MUST_CHECK;
int trust_state_decode(const json_t *j, const char *stream, struct stream_state *out, struct err *e) MUST_CHECK;
/* The higher sequence with its id, the later time. */
struct stream_state trust_state_merge(const struct stream_state *a, const struct stream_state *b);
