/*
 * pip - Python packages through the real pip: requirements in, the closure of wheels with address and hash out.
 *
 *	const struct pip_target t = { .python = "3.10", .platform = "manylinux_2_28_x86_64" };
 *	auto_pip_wheels struct pip_wheels w = { 0 };
 *	if (pip_resolve(&t, &requirements, &from, &w, e) < 0) ...
 *
 * `pip install` judges markers (`; python_version < "3.11"`) and Requires-Python by the interpreter it runs on, whatever
 * --python-version says: a few lines of Python give it the destination's answers before they start it. It runs with a home of
 * its own, none of the machine's configuration, no cache, wheels only, and nothing secret in argv: the password is in
 * a 0600 netrc in that home. Nothing is installed.
 *
 * Errors: ERR_USAGE a requirement that cannot be met (what there is is named) · ERR_PREFLIGHT no python3 or no pip · ERR_NETWORK,
 * ERR_AUTH, ERR_DEADLINE · ERR_MALFORMED what pip says is no report.
 */
#pragma once

#include <airgap/buf.h>
#include <airgap/digest.h>
#include <airgap/secret.h>
#include <airgap/strv.h>

#define PIP_REQUIREMENTS_MAX 1000u
#define PIP_WHEELS_MAX       10000u
#define PIP_PAGE_MAX         (64u << 20)             /* bytes of the page of a project */
#define PIP_INDEX            "https://pypi.org/simple"

struct pip_target {
	const char *python;             /* "3.10" or "3.10.14" */
	const char *platform;           /* "manylinux_2_28_x86_64"; what it can run besides is tried too */
};

/* All borrowed. */
struct pip_from {
	const char *index;              /* URL of a simple index; NULL = PIP_INDEX */
	const char *username;           /* NULL: nobody */
	const struct secret *password;
	const char *ca_file;            /* NULL = the system's */
	const char *proxy;              /* "http://HOST:PORT"; "environment"; NULL = none */
	bool plain_http;                /* an http:// index is allowed */
};

struct pip_wheel {
	char *name, *version;           /* as the package calls itself */
	char *file;                     /* "psutil-7.2.2-cp36-abi3-….whl" */
	char *url;
	struct digest digest;
};
struct pip_wheels { struct pip_wheel *items; size_t n; };       /* sorted by file name */
#define auto_pip_wheels CLEANUP(pip_wheels_release)
void pip_wheels_release(struct pip_wheels *w);

/* Pure. A requirement is NAME[EXTRAS] VERSIONS ; MARKERS (PEP 508): no options, addresses, paths or line ends. */
int pip_check_requirement(const char *text, struct err *e) MUST_CHECK;
int pip_check_target(const char *python, const char *platform, struct err *e) MUST_CHECK;

/* -1: *out_missing (owned, or NULL) is the project of which pip found no file at all: it says the same whether the index
 * refuses us, does not know it, or has it for others only. pip_explain_page knows more, for who can read the page. */
int pip_resolve(const struct pip_target *t, const struct strv *requirements, const struct pip_from *from,
		struct pip_wheels *out, char **out_missing, struct err *e) MUST_CHECK;
/* Pure: from the page of a project in the index (HTML), why there is nothing for this target. -1, ERR_USAGE. */
int pip_explain_page(const char *html, size_t n, const char *project, const struct pip_target *t, struct err *e);

/* Pure: the JSON of `pip install --report`. Only wheels over http and https with a sha256, no package twice: else
 * ERR_MALFORMED, ERR_UNSAFE; out is then unchanged. */
int pip_report_parse(const char *p, size_t n, struct pip_wheels *out, struct err *e) MUST_CHECK;

/* "Foo.Bar_baz" → "foo-bar-baz" (PEP 503). */
char *pip_normal_name(const char *name) MUST_CHECK;
/* The pages of a static index beside the wheels: simple/index.html (project NULL) and simple/PROJECT/index.html, with
 * relative addresses. The same wheels, in whatever order, give the same bytes. */
void pip_page(const struct pip_wheels *w, const char *project, struct buf *out);
