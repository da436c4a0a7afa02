/*
 * certificate - a server certificate of its own CA, made on the spot: ECDSA P-256, for the hosts it names.
 *
 * The CA signs this one certificate and its key is forgotten: nobody can make another one that clients trust because of
 * it. The certificate holds 825 days, the CA ten years, both from an hour ago on, since clocks differ.
 */
#pragma once

#include <airgap/strv.h>
#include <airgap/err.h>

#define CERTIFICATE_HOSTS 64u   /* at most */

struct certificate { char *ca, *crt, *key; };   /* PEM; the key PKCS#8, not encrypted */
#define auto_certificate CLEANUP(certificate_release)
void certificate_release(struct certificate *c);        /* wipes */

/* Host names, "*." in front of some, and IP addresses. ERR_MALFORMED names the one that is none. */
int certificate_check_hosts(const struct strv *hosts, struct err *e) MUST_CHECK;
int certificate_make(const struct strv *hosts, struct certificate *out, struct err *e) MUST_CHECK;
/* One of the same shape whose key is known to everybody and whose time is over; the same bytes each time. */
int certificate_placeholder(const struct strv *hosts, struct certificate *out, struct err *e) MUST_CHECK;
