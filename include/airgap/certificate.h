/*
 * certificate - a server certificate of its own CA, made on the spot: ECDSA P-256, for the hosts it names; and what one says.
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

#define CERTIFICATE_MAX (1u << 20)      /* bytes of PEM */

/* What a certificate says of itself; nothing about who believes it. */
struct certificate_about {
	struct strv names;              /* subjectAltName: host names as they stand there, IP addresses */
	int64_t from, until;            /* seconds since 1970 */
};
void certificate_about_release(struct certificate_about *c);
/* The first certificate in PEM text, as servers take it. ERR_MALFORMED: there is none, or it is damaged; ERR_LIMIT. */
int certificate_read(const char *pem, struct certificate_about *out, struct err *e) MUST_CHECK;
/* One of its names is this host, or stands for it: "*.x" for one label before ".x". Case does not matter. */
bool certificate_covers(const struct certificate_about *c, const char *host);
