#!/bin/sh
# The verifier core links without zstd, libarchive, libyaml, jansson, libcurl, and without our heap; and no
# decoder or parser is called before the verdict, nor at all on a bundle that is refused.
# shellcheck disable=SC2154,SC2094,SC2016
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
need nm

case $B in /*) ;; *) B=$PWD/$B ;; esac
data=$PWD/tests/data/vectors
mkdir -p "$T/keys"
chmod 755 "$T/keys"
cp "$data/p256.pub" "$T/keys/"
chmod 644 "$T/keys/p256.pub"
cp "$data/p256.tar.zst" "$T/b"
[ -s "$B/flags" ] || skip_all "build first: no $B/flags"
compile=$(cat "$B/flags")
objects() { for o; do printf '%s ' "$B/obj/lib/$o.o"; done; }

cat >"$T/core.c" <<-'EOF'
	#include <airgap/verify.h>
	#include <airgap/fs.h>
	#include <fcntl.h>
	#include <stdio.h>

	static struct verify v;
	static uint8_t json[1 << 20], blobs[1 << 20], frames[1 << 20], read_buf[FRAME_STORED_MAX], made[FRAME_STORED_MAX];
	static struct policy p;
	static int fd;

	static int read_at(void *ctx, void *to, size_t n, uint64_t at, struct err *e)
	{
		(void)ctx;
		return fs_read_exact(fd, to, n, at, e);
	}

	int main(int argc, char **argv)
	{
		struct err e;
		struct source_at src = { read_at, NULL, 0 };
		struct verify_trust t = { .policy = &p, .now = 1770000000 };
		struct verify_fresh f = { .now = 1770000000 };
		struct verify_memory m = { { json, blobs, frames }, read_buf, made };

		p.n_keys = 1;
		p.present = true;
		p.keys[0].not_after = POLICY_NEVER;
		if (argc != 3 || sign_key_load(&p.keys[0].key, argv[2], &e) < 0 || (fd = fs_open(argv[1], O_RDONLY, 0, &e)) < 0 ||
		    fs_size(fd, &src.size, &e) < 0 || verify_record(&v, &src, &t, &e) < 0 || verify_policy(&v, &f, &e) < 0 ||
		    verify_head(&v, &src, &m, &e) < 0 || verify_tables(&v, &e) < 0 || verify_end(&v, &src, &e) < 0) {
			fprintf(stderr, "%s\n", e.msg);
			return e.code;
		}
		policy_release(&p);
		return 0;
	}
EOF
# shellcheck disable=SC2046,SC2086
ok 'the core links with libcrypto alone' \
	$compile -o "$T/core" "$T/core.c" $(objects verify statement head stored sign digest fs proc log strv buf err base) -lcrypto
ok 'and takes the vector' "$T/core" "$T/b" "$T/keys/p256.pub"
fails 'and refuses a cut one' 15 sh -c 'head -c 150000 "$1" >"$1.cut"; "$0" "$1.cut" "$2"' "$T/core" "$T/b" "$T/keys/p256.pub"
# shellcheck disable=SC2046
is 'no heap, file or parser is named in it' \
	"$(nm -u $(objects verify statement head stored) | grep -E ' (malloc|calloc|realloc|free|x[a-z]*alloc|xstr.*|open|read|pread|ZSTD_|json_|yaml_|archive_|curl_)' || :)" ''

wrapped='ZSTD_createDCtx ZSTD_decompressDCtx ZSTD_decompress ZSTD_decompressStream ZSTD_getFrameHeader
	ZSTD_findFrameCompressedSize ZSTD_getFrameContentSize yaml_parser_initialize yaml_parser_parse yaml_parser_load
	json_loads json_loadb json_loadf json_load_callback archive_read_new archive_read_open archive_read_next_header'
{
	cat <<-'EOF'
		#include <airgap/bundle_read.h>
		#include <airgap/trust.h>
		#include <stdio.h>

		static struct policy p;
		static struct buf file = BUF_INIT(1 << 20);

		static int read_at(void *ctx, void *to, size_t n, uint64_t at, struct err *e)
		{
			(void)ctx;
			if (at > file.len || n > file.len - at)
				return err_set(e, ERR_TRUNCATED, "short");
			memcpy(to, file.ptr + at, n);
			return 0;
		}

		static int try(int want, struct err *e)
		{
			struct source_at src = { read_at, NULL, file.len };
			struct bundle_options o = { .policy = &p, .now = 1770000000 };
			auto_bundle struct bundle *b = bundle_open_at(&src, &o, e);
			int good = b && bundle_check_all(b, 1, NULL, e) == 0;

			return good == want ? 0 : -1;
		}

		int main(int argc, char **argv)
		{
			struct err e = { 0 };
			const char *stride = getenv("AIRGAP_STRIDE");
			size_t step = stride ? 7 * strtoul(stride, NULL, 10) : 7;

			if (argc != 3 || trust_load(argv[2], &p, &e) < 0 || buf_read_fd(&file, 0, &e) < 0 || try(1, &e) < 0)
				return fprintf(stderr, "%s\n", e.msg), 1;
			for (size_t i = 0; i < file.len; i += i < 20000 ? step : 97 * step) {
				file.ptr[i] ^= (char)(1u << i % 8);
				if (try(0, &e) < 0)
					return fprintf(stderr, "byte %zu accepted\n", i), 1;
				file.ptr[i] ^= (char)(1u << i % 8);
			}
			buf_release(&file);
			policy_release(&p);
			return 0;
		}
	EOF
	for f in $wrapped; do
		printf '%s\n' "void __wrap_$f(void); void __wrap_$f(void) { fputs(\"$f was called\\n\", stderr); abort(); }"
	done
} >"$T/wrap.c"
flags=$(for f in $wrapped; do printf ' -Wl,--wrap=%s' "$f"; done)
# shellcheck disable=SC2046,SC2086
ok 'a program links in which every decoder is a trap' \
	$compile $flags -o "$T/wrap" "$T/wrap.c" "$B/libairgap.a" $(pkg-config --libs libcrypto libzstd jansson yaml-0.1)
ok 'none is called: not on a good bundle, not on any of its damaged forms' sh -c '"$0" b "$1" <"$2"' "$T/wrap" "$T/keys" "$T/b"
