/*
 * system - the deployer's own namespace, airgap-system, and the Secrets it keeps there.
 *
 * All of them are read at once, in the beginning; what was read is what a run plans with. Whoever then takes the
 * lease asks system_unchanged whether it still holds: another run may have ended in between.
 */
#pragma once

#include "session.h"

#define SYSTEM_NAMESPACE "airgap-system"

/* Reads every document there is; none when the namespace is not there yet. */
int system_read(struct session *s, struct err *e) MUST_CHECK;
/* The document as read: 1 and *out (owned), or 0. -1: ERR_IO, damaged. */
int system_load(struct session *s, const char *name, json_t **out, struct err *e) MUST_CHECK;
/* 0: the cluster still has what was read. -1: ERR_LOCKED, another run wrote meanwhile. */
int system_unchanged(struct session *s, struct err *e) MUST_CHECK;

/* Makes the namespace if it is absent (restricted, no pods run there). */
int system_ensure(struct session *s, struct err *e) MUST_CHECK;
/* A document into a Secret, under one key "document", labelled airgap/kind=KIND. */
int system_save(struct session *s, const char *name, const char *kind, const json_t *document, struct err *e) MUST_CHECK;

/* A short name for a stream: 16 hex digits. */
#define SYSTEM_STREAM 17
char *system_stream(const char *stream, char out[SYSTEM_STREAM]);
/* RFC 3339 in UTC with microseconds: compares as text. */
#define SYSTEM_TIME 32
char *system_now(char out[SYSTEM_TIME]);
