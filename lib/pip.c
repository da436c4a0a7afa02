/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/pip.h>

#include <airgap/fs.h>
#include <airgap/json.h>
#include <airgap/proc.h>
#include <airgap/url.h>

#include "pip_part.h"

#include <ctype.h>
#include <stdio.h>
#include <unistd.h>

#define REPORT_MAX     (256u << 20)
#define TOTAL_SECONDS  1800u
#define SYSTEM_CA      "/etc/ssl/certs/ca-certificates.crt"

/* argv: a JSON object of marker values, then pip's own arguments. -I: neither the folder we are in nor PYTHON* counts.
 * `pip install` holds Requires-Python of a wheel against its own interpreter, too: its resolver can be told otherwise. */
static const char script[] =
	"import json, runpy, sys\n"
	"try:\n"
	"    from pip._vendor.packaging import markers\n"
	"    from pip._internal.cli.req_command import RequirementCommand as command\n"
	"    make = command.make_resolver.__func__\n"
	"except (ImportError, AttributeError):\n"
	"    sys.exit('ERROR: there is no pip that we know')\n"
	"target = dict(markers.default_environment(), **json.loads(sys.argv.pop(1)))\n"
	"version = tuple(int(n) for n in target['python_full_version'].split('.'))\n"
	"markers.default_environment = lambda: dict(target)\n"
	"command.make_resolver = classmethod(lambda *a, **k: make(*a, **dict(k, py_version_info=version)))\n"
	"sys.argv[0] = 'pip'\n"
	"runpy.run_module('pip', run_name='__main__')\n";

/* ---- the destination */

/* "3.10.14": major, minor, patch (UINT64_MAX = not said). */
static bool parse_python(const char *text, uint64_t out[3])
{
	auto_strv struct strv parts = { 0 };

	strv_split(&parts, text, '.');
	if (parts.n < 2 || parts.n > 3 || strspn(text, "0123456789.") != strlen(text) || !isdigit((unsigned char)*text))
		return false;
	out[2] = UINT64_MAX;
	for (size_t i = 0; i < parts.n; i++)
		if (strlen(parts.items[i]) > 3 || !u64_parse(parts.items[i], &out[i]))
			return false;
	return out[0] == 3;
}

/* "manylinux_2_28_x86_64": the family up to "2_", 28, and "x86_64" or what stands there. */
static bool parse_libc(const char *platform, const char *family, uint64_t *minor, const char **machine)
{
	auto_free char *digits = NULL;
	size_t n;

	if (!str_starts(platform, family))
		return false;
	platform += strlen(family);
	n = strspn(platform, "0123456789");
	digits = xstrndup(platform, n);
	*machine = platform + n + 1;
	return n && n < 4 && platform[n] == '_' && u64_parse(digits, minor);
}

static const struct { const char *name; unsigned minor; } old_names[] = {
	{ "manylinux2014", 17 }, { "manylinux2010", 12 }, { "manylinux1", 5 },
};

/* The machine of a platform tag: "x86_64" of "manylinux2014_x86_64". NULL: it is no platform of Linux. */
static const char *machine_of(const char *platform)
{
	const char *machine;
	uint64_t minor;

	if (parse_libc(platform, "manylinux_2_", &minor, &machine) || parse_libc(platform, "musllinux_1_", &minor, &machine))
		return machine;
	for (size_t i = 0; i < ARRAY_LEN(old_names); i++)
		if (str_starts(platform, old_names[i].name) && platform[strlen(old_names[i].name)] == '_')
			return platform + strlen(old_names[i].name) + 1;
	return str_starts(platform, "linux_") ? platform + strlen("linux_") : NULL;
}

int pip_check_target(const char *python, const char *platform, struct err *e)
{
	const char *machine = machine_of(platform);
	uint64_t version[3];

	if (!parse_python(python, version))
		return err_set(e, ERR_MALFORMED, "python: '%.32s' is no version: write \"3.10\"", python);
	if (!machine || !*machine || strspn(machine, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(machine))
		return err_set(e, ERR_MALFORMED, "platform: '%.64s' is no platform of wheels: write manylinux_2_28_x86_64", platform);
	return 0;
}

static void add_older(struct strv *args, const char *family, uint64_t minor, unsigned least, const char *machine)
{
	for (; minor >= least; minor--) {
		strv_pushf(args, "--platform=%s%u_%s", family, (unsigned)minor, machine);
		for (size_t i = 0; i < ARRAY_LEN(old_names) && least; i++)
			if (old_names[i].minor == minor)
				strv_pushf(args, "--platform=%s_%s", old_names[i].name, machine);
		if (!minor)
			break;
	}
}

/* pip takes the platform by its letter; a libc runs what was made for older ones. Newest first: the order counts. */
static void add_platforms(struct strv *args, const char *platform)
{
	const char *machine;
	uint64_t minor;

	if (parse_libc(platform, "manylinux_2_", &minor, &machine)) {
		add_older(args, "manylinux_2_", minor, 5, machine);
		return;
	}
	if (parse_libc(platform, "musllinux_1_", &minor, &machine)) {
		add_older(args, "musllinux_1_", minor, 0, machine);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(old_names); i++)
		if (str_starts(platform, old_names[i].name)) {
			add_older(args, "manylinux_2_", old_names[i].minor, 5, machine_of(platform));
			return;
		}
	strv_pushf(args, "--platform=%s", platform);
}

static char *marker_values(const struct pip_target *t)
{
	uint64_t v[3] = { 3, 0, 0 };
	struct buf out = BUF_INIT(4096);
	struct err ignored;
	auto_json json_t *j = NULL;

	if (!parse_python(t->python, v))
		return xstrdup("{}");

	auto_free char *minor = xasprintf("%u.%u", (unsigned)v[0], (unsigned)v[1]);
	auto_free char *full = xasprintf("%s.%u", minor, v[2] == UINT64_MAX ? 0 : (unsigned)v[2]);

	j = json_pack("{ss, ss, ss, ss, ss, ss, ss, ss, ss, ss, ss}", "python_version", minor, "python_full_version", full,
		      "implementation_version", full, "implementation_name", "cpython", "platform_python_implementation", "CPython",
		      "os_name", "posix", "sys_platform", "linux", "platform_system", "Linux", "platform_machine",
		      machine_of(t->platform), "platform_release", "", "platform_version", "");
	if (!j || jdoc_dump(j, &out, &ignored) < 0)
		buf_puts(&out, "{}");
	return buf_take(&out);
}

/* ---- one run of pip */

static void add_args(struct strv *a, const struct pip_target *t, const char *index, const char *home)
{
	auto_free char *values = marker_values(t);
	static const char *const fixed[] = {
		"install", "--dry-run", "--ignore-installed", "--quiet", "--no-cache-dir", "--no-input", "--no-color",
		"--disable-pip-version-check", "--only-binary=:all:", "--implementation=cp", "--report=-",
		"--timeout=30", "--retries=3",
	};

	strv_push(a, "python3");
	strv_push(a, "-I");
	strv_push(a, "-c");
	strv_push(a, script);
	strv_push(a, values);
	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		strv_push(a, fixed[i]);
	strv_pushf(a, "--python-version=%s", t->python);
	add_platforms(a, t->platform);
	strv_pushf(a, "--index-url=%s", index);
	/* pip demands a folder with --platform, and puts nothing there in a dry run. */
	strv_pushf(a, "--target=%s/target", home);
	strv_pushf(a, "--requirement=%s/requirements.txt", home);
}

static void add_env(struct strv *env, const struct pip_from *from, const char *home)
{
	static const char *const kept[] = { "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY" };
	const char *path = getenv("PATH"), *ca = from->ca_file ? from->ca_file : getenv("SSL_CERT_FILE");

	strv_pushf(env, "HOME=%s", home);
	strv_pushf(env, "TMPDIR=%s", home);
	strv_pushf(env, "PATH=%s", path ? path : "/usr/local/bin:/usr/bin:/bin");
	strv_push(env, "LC_ALL=C.UTF-8");
	strv_push(env, "PIP_CONFIG_FILE=/dev/null");    /* the one value for which pip reads no file at all */
	if (!ca && access(SYSTEM_CA, R_OK) == 0)
		ca = SYSTEM_CA;                         /* what our own downloads trust, not pip's list */
	if (ca)
		strv_pushf(env, "PIP_CERT=%s", ca);
	if (from->proxy && strcmp(from->proxy, "environment") != 0)
		strv_pushf(env, "PIP_PROXY=%s", from->proxy);
	for (size_t i = 0; from->proxy && strcmp(from->proxy, "environment") == 0 && i < ARRAY_LEN(kept); i++)
		if (getenv(kept[i]))
			strv_pushf(env, "%s=%s", kept[i], getenv(kept[i]));
}

/* A word of a netrc, in quotes. */
static void netrc_word(struct buf *out, const char *word)
{
	buf_putc(out, '"');
	for (; *word; word++) {
		if (*word == '"' || *word == '\\')
			buf_putc(out, '\\');
		buf_putc(out, *word);
	}
	buf_putc(out, '"');
}

static int save_netrc(const struct pip_from *from, const struct url *index, const char *home, struct err *e)
{
	auto_free char *path = fs_join(home, ".netrc");
	struct buf text = BUF_INIT(1u << 20);
	int done;

	if (!from->password)
		return 0;
	if (strpbrk(from->password->text, "\r\n"))
		return err_set(e, ERR_AUTH, "a password with a line end cannot be given to pip");
	buf_putf(&text, "machine %s login ", index->host);
	netrc_word(&text, from->username ? from->username : "__token__");
	buf_puts(&text, " password ");
	netrc_word(&text, from->password->text);
	buf_puts(&text, "\n");
	done = fs_save(path, buf_str(&text), text.len, 0600, e);
	buf_wipe(&text);
	return done;
}

static int save_requirements(const struct strv *requirements, const char *home, struct err *e)
{
	auto_free char *path = fs_join(home, "requirements.txt"), *text = strv_join(requirements, "\n");

	return fs_save(path, text, strlen(text), 0600, e);
}

int pip_resolve(const struct pip_target *t, const struct strv *requirements, const struct pip_from *from,
		struct pip_wheels *out, char **out_missing, struct err *e)
{
	const char *index = from->index ? from->index : PIP_INDEX;
	auto_temp_dir char *home = NULL;
	auto_strv struct strv argv = { 0 }, env = { 0 };
	auto_buf struct buf report = BUF_INIT(REPORT_MAX);
	auto_url struct url u = { 0 };
	int status;

	*out_missing = NULL;
	if (url_parse(index, "index", &u, e) < 0)
		return -1;
	if (!u.tls && !from->plain_http)
		return err_set(e, ERR_USAGE, "'%s' is plain http: write https, or plainHTTP: true under hosts", index);
	if (fs_temp_dir(NULL, "airgap-pip-", &home, e) < 0 || save_netrc(from, &u, home, e) < 0 ||
	    save_requirements(requirements, home, e) < 0)
		return -1;
	add_args(&argv, t, index, home);
	if (!u.tls)
		strv_pushf(&argv, "--trusted-host=%s:%u", u.host, u.port);
	add_env(&env, from, home);

	struct proc p = { .argv = argv.items, .env = env.items, .dir = home, .timeout = TOTAL_SECONDS };

	if (proc_run(&p, &report, &status, e) < 0)
		return e->code == ERR_PREFLIGHT ? err_set(e, ERR_PREFLIGHT, "python3 is not there: install python3 and python3-pip") : -1;
	if (status != 0)
		return pip_explain(p.tail, status, t, out_missing, e);
	return pip_report_parse(buf_str(&report), report.len, out, e);
}
