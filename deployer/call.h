/*
 * call - one server that a Call step talks to: its address or a port-forward to it, its answers judged.
 *
 *	auto_call_server struct call_server c = { .engine = g, .step = s };
 *	if (call_open(&c, e) < 0 || call_ask(&c, "find", &s->call.find.request, CALL_ACT, &answer, e) < 0) ...
 *
 * What a server says goes into messages, what is a secret in it does not. No answer is ever logged.
 */
#pragma once

#include "engine.h"

#include <airgap/http.h>

struct call_server {
	struct engine *engine;
	const struct step *step;
	struct http_client *http;
	struct kubectl_forward forward;
	char *base;             /* "http://127.0.0.1:40123", "https://api.example"; NULL = not open */
	int status;             /* of the last answer; 0 = there was none */
	bool unknown;           /* the last request could not be made: something in it is not known yet */
};
#define auto_call_server CLEANUP(call_close)

enum call_mode {
	CALL_LOOK,              /* generates nothing; a request with something unknown in it is not made */
	CALL_ACT,
};

int call_open(struct call_server *c, enum call_mode mode, struct err *e) MUST_CHECK;
void call_close(struct call_server *c);
/* One request of the step, `part` its place in the block ("" = the call itself). 0: *out is the answer, judged good; JSON
 * null when there was no body. -1: c->status says what it was; ERR_PREFLIGHT and c->unknown when it was not made. */
int call_ask(struct call_server *c, const char *part, const struct step_request *q, enum call_mode mode, json_t **out,
	     struct err *e) MUST_CHECK;
/* The call of a step with `members`, after what is to go was removed. */
int call_members(struct call_server *c, struct err *e) MUST_CHECK;
/* Takes away again what it remembers to have added, but for these. */
int call_members_undo(struct call_server *c, const json_t *kept, struct err *e) MUST_CHECK;
/* The failure of the last request is one that retry.on names. */
bool call_may_retry(const struct call_server *c, const struct err *e);

/* ---- a step that goes ---- */

struct removal;
/* What undoes it may be sent: this machine's journal says so, too, or it holds nothing but what Calls saved and Secret steps make. */
bool call_may_send(const struct removal *r, const struct step *s);
/* A step that stays and finds the same thing; NULL = none. */
const struct step *call_found_by(const struct removal *r, const struct step *s);
/* Items that steps which stay put into the same list, owned. */
json_t *call_members_kept(const struct removal *r, const struct step *s) MUST_CHECK;
