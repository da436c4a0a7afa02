/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target over files, without a fuzzer: what clang's libFuzzer found once stays found under gcc.
 *
 *	replay_NAME FILE|FOLDER...       one TAP line; a crash is the failure
 *
 * Each input is given whole, and cut at 64 places: a parser must bear its own beginnings.
 */
#include <airgap/fs.h>
#include <airgap/strv.h>

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define INPUT_MAX ((size_t)16 << 20)
#define CUTS      64u

/* The target gets memory of exactly that length, so that a sanitizer sees a read past its end. */
static void give(const char *p, size_t n)
{
	auto_free uint8_t *exact = xmemdup(p, n);

	LLVMFuzzerTestOneInput(exact, n);
}

static int replay_file(const char *path, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(INPUT_MAX);

	if (fs_load(path, INPUT_MAX, &b, e) < 0)
		return -1;
	give(buf_str(&b), b.len);
	for (size_t i = 0; i < CUTS && i < b.len; i++)
		give(buf_str(&b), b.len <= CUTS ? i : b.len * i / CUTS);
	return 0;
}

static int replay(const char *path, size_t *count, struct err *e)
{
	auto_strv struct strv names = { 0 };

	if (fs_list(path, &names, e) < 0) {
		(*count)++;
		return replay_file(path, e);
	}
	for (size_t i = 0; i < names.n; i++) {
		auto_free char *full = fs_join(path, names.items[i]);

		if (replay(full, count, e) < 0)
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct err e = { 0 };
	size_t count = 0;

	puts("1..1");
	fflush(stdout);
	give("", 0);
	for (int i = 1; i < argc; i++) {
		if (replay(argv[i], &count, &e) < 0) {
			printf("not ok 1 - %s\n", e.msg);
			return 1;
		}
	}
	printf("ok 1 - bears %zu inputs\n", count);
	return 0;
}
