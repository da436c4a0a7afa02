/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/platform.h>

#include <stdio.h>

/* Other spellings; a variant in the right-hand side counts only where none was given. */
static const struct { const char *spelling, *arch, *variant; } architectures[] = {
	{ "x86_64", "amd64", "" }, { "x86-64", "amd64", "" }, { "i386", "386", "" }, { "aarch64", "arm64", "" },
	{ "armhf", "arm", "v7" }, { "armel", "arm", "v6" },
};

static bool word_ok(const char *s, size_t room)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

	return n > 0 && n < room && !s[n];
}

static void lower(char *to, const char *s)
{
	for (; *s; s++)
		*to++ = *s >= 'A' && *s <= 'Z' ? (char)(*s | 32) : *s;
	*to = '\0';
}

static void normalise(struct platform *p)
{
	if (str_eq(p->os, "macos"))
		snprintf(p->os, sizeof(p->os), "darwin");
	for (size_t i = 0; i < ARRAY_LEN(architectures); i++) {
		if (!str_eq(p->arch, architectures[i].spelling))
			continue;
		snprintf(p->arch, sizeof(p->arch), "%s", architectures[i].arch);
		if (!p->variant[0])
			snprintf(p->variant, sizeof(p->variant), "%s", architectures[i].variant);
	}
	/* A bare number is the variant without its v: arm64/8. */
	if (p->variant[0] >= '0' && p->variant[0] <= '9' && strlen(p->variant) + 1 < sizeof(p->variant)) {
		memmove(p->variant + 1, p->variant, strlen(p->variant) + 1);
		p->variant[0] = 'v';
	}
	if (str_eq(p->arch, "arm") && !p->variant[0])
		snprintf(p->variant, sizeof(p->variant), "v7");
	if ((str_eq(p->arch, "arm64") && (str_eq(p->variant, "v8") || str_eq(p->variant, "v8.0"))) ||
	    (str_eq(p->arch, "amd64") && str_eq(p->variant, "v1")))
		p->variant[0] = '\0';
}

int platform_set(const char *os, const char *arch, const char *variant, struct platform *out, struct err *e)
{
	struct platform p = { 0 };

	if (!variant)
		variant = "";
	if (!word_ok(os, sizeof(p.os)) || !word_ok(arch, sizeof(p.arch)) ||
	    (*variant && !word_ok(variant, sizeof(p.variant))))
		return err_set(e, ERR_MALFORMED, "'%s/%s%s%s' is not a platform", os, arch, *variant ? "/" : "", variant);
	lower(p.os, os);
	lower(p.arch, arch);
	lower(p.variant, variant);
	normalise(&p);
	*out = p;
	return 0;
}

int platform_parse(const char *text, struct platform *out, struct err *e)
{
	const char *slash = strchr(text, '/');
	const char *second = slash ? strchr(slash + 1, '/') : NULL;

	if (!slash || strlen(text) >= PLATFORM_TEXT || (second && !second[1]))
		return err_set(e, ERR_MALFORMED, "'%s' is not a platform: write it as linux/amd64", text);

	auto_free char *os = xstrndup(text, (size_t)(slash - text));
	auto_free char *arch = second ? xstrndup(slash + 1, (size_t)(second - slash - 1)) : xstrdup(slash + 1);

	return platform_set(os, arch, second ? second + 1 : NULL, out, e);
}

char *platform_format(const struct platform *p, char out[PLATFORM_TEXT])
{
	if (!p->os[0])
		out[0] = '\0';
	else
		snprintf(out, PLATFORM_TEXT, "%s/%s%s%s", p->os, p->arch, p->variant[0] ? "/" : "", p->variant);
	return out;
}

bool platform_eq(const struct platform *a, const struct platform *b)
{
	return str_eq(a->os, b->os) && str_eq(a->arch, b->arch) && str_eq(a->variant, b->variant);
}

/* A variant as one number that grows with what the processor can do: v8.7 is 807. 0 = not of the form vN[.N]. */
static unsigned level(const char *variant)
{
	unsigned major = 0, minor = 0;
	int end = 0;

	if (sscanf(variant, "v%2u%n", &major, &end) == 1 && !variant[end])
		return major * 100;
	if (sscanf(variant, "v%2u.%2u%n", &major, &minor, &end) == 2 && !variant[end])
		return major * 100 + minor;
	return 0;
}

/* Armv9.x contains Armv8.(x+5). */
static unsigned arm64_level(unsigned l)
{
	return l >= 900 ? l - 900 + 805 : l;
}

unsigned platform_match(const struct platform *want, const struct platform *have)
{
	if (!want->os[0] || !str_eq(want->os, have->os) || !str_eq(want->arch, have->arch))
		return 0;
	if (str_eq(want->variant, have->variant))
		return 100000;

	bool arm64 = str_eq(want->arch, "arm64");

	if (!arm64 && !str_eq(want->arch, "arm") && !str_eq(want->arch, "amd64"))
		return 0;

	/* No variant is the lowest one: v8 of arm64, v1 of amd64. */
	unsigned lowest = arm64 ? 800 : 100;
	unsigned w = want->variant[0] ? level(want->variant) : lowest;
	unsigned h = have->variant[0] ? level(have->variant) : lowest;

	if (!w || !h)
		return 0;
	if (!arm64)
		return h <= w ? h : 0;
	/* v9.x images need v9 even where v8.(x+5) would have the instructions. */
	if (w < 900 && h >= 900)
		return 0;
	if (w >= 900 && h >= 900)
		return h <= w ? 50000 + h : 0;
	return arm64_level(h) <= arm64_level(w) ? h : 0;
}

bool platform_unknown(const struct platform *p)
{
	return str_eq(p->os, "unknown") && str_eq(p->arch, "unknown");
}
