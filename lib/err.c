/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/err.h>

#include <errno.h>
#include <stdio.h>

static const char *const names[] = {
	[ERR_NONE] = "done",
	[ERR_USAGE] = "usage",
	[ERR_UNSIGNED] = "no signature",
	[ERR_SIGNATURE] = "bad signature",
	[ERR_UNTRUSTED] = "key not trusted",
	[ERR_POLICY] = "refused by policy",
	[ERR_DIGEST] = "content does not match its hash",
	[ERR_TRUNCATED] = "truncated",
	[ERR_LIMIT] = "limit passed",
	[ERR_UNSAFE] = "unsafe name or type",
	[ERR_MALFORMED] = "malformed",
	[ERR_UNSUPPORTED] = "unsupported format",
	[ERR_NETWORK] = "network",
	[ERR_AUTH] = "authentication",
	[ERR_TLS] = "TLS",
	[ERR_RATE] = "rate limited",
	[ERR_PROTOCOL] = "server broke protocol",
	[ERR_REDIRECT] = "redirect refused",
	[ERR_DEADLINE] = "deadline",
	[ERR_SPACE] = "no space",
	[ERR_IO] = "I/O",
	[ERR_LOCKED] = "locked by another run",
	[ERR_CLUSTER] = "cluster unreachable",
	[ERR_CONFLICT] = "conflict",
	[ERR_NOT_READY] = "not ready in time",
	[ERR_REGISTRY] = "registry refused",
	[ERR_PREFLIGHT] = "preflight failed",
	[ERR_PROOF] = "proof failed",
	[ERR_DRIFT] = "drift",
	[ERR_ROLLED_BACK] = "failed and rolled back",
	[ERR_BUG] = "bug",
};

const char *err_code_name(enum err_code code)
{
	if ((size_t)code < ARRAY_LEN(names) && names[code])
		return names[code];
	return "unknown";
}

void err_clear(struct err *e)
{
	e->code = ERR_NONE;
	e->sys = 0;
	e->msg[0] = '\0';
}

/* Formats into msg; what does not fit ends in "...". */
static PRINTF(2, 0) void set_text(struct err *e, const char *fmt, va_list ap)
{
	int n = vsnprintf(e->msg, sizeof(e->msg), fmt, ap);

	if (n < 0)
		e->msg[0] = '\0';
	else if ((size_t)n >= sizeof(e->msg))
		memcpy(e->msg + sizeof(e->msg) - 4, "...", 4);
}

static void append_text(struct err *e, const char *s)
{
	size_t len = strlen(e->msg), n = strlen(s);
	size_t room = sizeof(e->msg) - 1 - len;

	n = MIN(n, room);
	memcpy(e->msg + len, s, n);
	e->msg[len + n] = '\0';
}

int err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	e->code = code;
	e->sys = 0;
	va_start(ap, fmt);
	set_text(e, fmt, ap);
	va_end(ap);
	return -1;
}

int err_sys(struct err *e, const char *fmt, ...)
{
	int sys = errno;
	va_list ap;

	e->code = sys == ENOSPC || sys == EDQUOT || sys == EFBIG ? ERR_SPACE : ERR_IO;
	e->sys = sys;
	va_start(ap, fmt);
	set_text(e, fmt, ap);
	va_end(ap);
	append_text(e, ": ");
	append_text(e, strerror(sys));
	return -1;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char outer[sizeof(e->msg)];
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(outer, sizeof(outer), fmt, ap);
	va_end(ap);
	if (n < 0)
		return -1;

	/* The outer text may take half the room at most: the cause stays readable. */
	size_t len = MIN((size_t)n, sizeof(outer) / 2 - 1);
	size_t inner = MIN(strlen(e->msg), sizeof(e->msg) - len - 3);

	memmove(e->msg + len + 2, e->msg, inner);
	memcpy(e->msg, outer, len);
	memcpy(e->msg + len, ": ", 2);
	e->msg[len + 2 + inner] = '\0';
	return -1;
}
