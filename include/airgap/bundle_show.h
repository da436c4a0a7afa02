/*
 * bundle_show - the bodies of `verify` and `inspect`, which both programs have.
 *
 *	auto_buf struct buf text = BUF_INIT(SHOW_MAX);
 *	if (bundle_show_verify(path, &(struct show_options){ .trust = dir }, jobs, &text, &trusted, e) < 0) ...
 *	fputs(buf_str(&text), stdout);
 *
 * Text is for people and made safe for a terminal; JSON is for programs.
 */
#pragma once

#include <airgap/bundle_read.h>
#include <airgap/json.h>

#define SHOW_MAX (16u << 20)            /* ceiling for the buffers below */

struct show_options {
	const char *trust;              /* trust folder; NULL = search */
	bool allow_unsigned;
	bool inspect;                   /* without any trust folder: open all the same, judged by nobody */
};

/* Every byte checked, with progress: the id and the verdict, a line each. *out_trusted false: it is not signed,
 * and that was allowed. */
int bundle_show_verify(const char *path, const struct show_options *o, unsigned jobs, struct buf *out, bool *out_trusted,
		       struct err *e) MUST_CHECK;
/* What it is and what is in it, from its head alone. */
int bundle_show_inspect(const char *path, const struct show_options *o, bool as_json, struct buf *out, struct err *e) MUST_CHECK;

/* The parts of the two. */

/* Trust folder, local state, the verdict on the head. p must outlive the bundle and is released by the caller
 * (also on failure). */
struct bundle *bundle_show_open(const char *path, const struct show_options *o, struct policy *p, struct err *e) MUST_CHECK;

/* One line: who vouches for it, or that nobody does. */
void bundle_show_verdict(const struct bundle *b, const struct policy *p, struct buf *out);
/* What it is and what is in it, by bundle.json. -1: bundle.json is no JSON. */
int bundle_show_text(const struct bundle *b, const struct policy *p, struct buf *out, struct err *e) MUST_CHECK;
json_t *bundle_show_json(const struct bundle *b, const struct policy *p, struct err *e) MUST_CHECK;
