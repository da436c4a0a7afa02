#!/bin/sh
# build-same.sh: the same lock gives the same bytes, whatever surrounds the build.
# shellcheck disable=SC2317 # functions are called through ok
set -u
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
need python3 openssl
bundler=$(realpath "$B/bin/bundler" 2>/dev/null) || skip_all "bundler is not built"

stand_images "$T/images" --size 20
mkdir "$T/files"
head -c 9000000 /dev/urandom >"$T/files/r.gz"
seq 1000000 >"$T/files/n.txt"
: >"$T/files/empty"
tests/stand/lock -o "$T/lock" --files "$T/files" example.com/app:1="$T/images/app" example.com/multi:1="$T/images/multi" \
	example.com/big:1="$T/images/big"
openssl genpkey -algorithm ed25519 -out "$T/ed.key"
openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$T/ec.key"
chmod 600 "$T/ed.key" "$T/ec.key"
for k in ed ec; do openssl pkey -in "$T/$k.key" -pubout -out "$T/$k.pub"; done

build() { XDG_CACHE_HOME="$T/cache" "$bundler" build --no-progress "$@"; }
# elsewhere UMASK TZ LOCALE FOLDER OUT OPTION... - the same build in other surroundings
elsewhere() {
	mask=$1 zone=$2 locale=$3 folder=$4 out=$5
	shift 5
	mkdir -p "$folder" && (umask "$mask" && cd "$folder" && TZ=$zone LC_ALL=$locale LANG=$locale build "$T/lock" -o "$out" "$@")
}

ok 'a bundle is built' build "$T/lock" -o "$T/a.zst" --key "$T/ed.key"
is 'stdout is its id and its path' "$(build "$T/lock" -o "$T/a2.zst" --key "$T/ed.key" 2>/dev/null)" \
	"sha256:$(tests/format1.py id "$T/a.zst") $T/a2.zst"
ok 'twice the same bytes' cmp "$T/a.zst" "$T/a2.zst"
for jobs in 1 2 7 16; do
	ok "the same with --jobs $jobs" build "$T/lock" -o "$T/b.zst" --key "$T/ed.key" --jobs $jobs
	ok "its bytes too" cmp "$T/a.zst" "$T/b.zst"
	rm "$T/b.zst"
done
ok 'another umask, time zone, locale and folder' elsewhere 077 Pacific/Kiritimati C "$T/far/away" b.zst --key "$T/ed.key"
ok 'its bytes too' cmp "$T/a.zst" "$T/far/away/b.zst"
ok 'and others again' elsewhere 000 America/St_Johns de_DE.UTF-8 "$T/x y/é" ./c.zst --key "$T/ed.key" --jobs 3
ok 'its bytes too' cmp "$T/a.zst" "$T/x y/é/c.zst"
is 'a bundle is readable for all' "$(stat -c %a "$T/a.zst" "$T/far/away/b.zst" | sort -u)" 644

ok 'with ECDSA' build "$T/lock" -o "$T/e1.zst" --key "$T/ec.key"
ok 'and again' build "$T/lock" -o "$T/e2.zst" --key "$T/ec.key"
ok 'equal outside frame 0' cmp -i 16396 "$T/e1.zst" "$T/e2.zst"
ok 'and equal there to the one with Ed25519' cmp -i 16396 "$T/a.zst" "$T/e1.zst"
cat >"$T/signer" <<-'EOF'
	#!/bin/sh
	cat >"$2.pae" && exec openssl pkeyutl -sign -inkey "$1" -rawin -in "$2.pae"
EOF
chmod 755 "$T/signer"
ok 'a program signs' build "$T/lock" -o "$T/p.zst" --signer "$T/signer $T/ed.key $T/tmp" --public "$T/ed.pub"
ok 'as the key itself does' cmp "$T/a.zst" "$T/p.zst"
fails 'a program without its public key: 2' 2 build "$T/lock" -o "$T/q.zst" --signer "$T/signer $T/ed.key $T/tmp"
fails 'a program with another key than it says: 11' 11 build "$T/lock" -o "$T/q.zst" \
	--signer "$T/signer $T/ed.key $T/tmp" --public "$T/ec.pub"
rm -f "$T"/q.zst*
ok 'unsigned' build "$T/lock" -o "$T/u.zst"
ok 'equal outside frame 0' cmp -i 16396 "$T/a.zst" "$T/u.zst"
ok 'another level' build "$T/lock" -o "$T/l.zst" --level 9 --key "$T/ed.key"
is 'is another bundle' "$(cmp -s "$T/a.zst" "$T/l.zst"; echo $?)" 1

# ---- others read it
ok 'the independent checker finds nothing' tests/format1.py check "$T/a.zst" --key "$T/ed.pub"
ok 'nor with ECDSA' tests/format1.py check "$T/e1.zst" --key "$T/ec.pub"
ok 'nor with another level' tests/format1.py check "$T/l.zst" --key "$T/ed.pub"
ok 'nor unsigned' tests/format1.py check "$T/u.zst"
for tool in 'zstd -tq' 'tar --zstd -tf' 'bsdtar -tf'; do
	if command -v "${tool%% *}" >/dev/null; then
		# shellcheck disable=SC2086 # a command and its options
		ok "$tool reads it" $tool "$T/a.zst"
	else
		skip "$tool reads it" "${tool%% *} is not installed"
	fi
done
mkdir "$T/out"
ok 'tar takes it apart' tar --zstd -xf "$T/a.zst" -C "$T/out"
is 'every blob has its digest' "$(cd "$T/out/blobs/sha256" && for f in *; do echo "$f  $f"; done | sha256sum -c --quiet 2>&1)" ''
is 'and none is missing' "$(find "$T/out/blobs/sha256" -type f | wc -l)" "$(grep -c '"mediaType".*' "$T/lock" | cat >/dev/null; python3 -c '
import json, sys; print(len(json.load(open(sys.argv[1]))["blobs"]))' "$T/lock")"
if command -v skopeo >/dev/null; then
	ok 'skopeo reads it as a layout' skopeo inspect --raw "oci:$T/out:example.com/app:1"
else
	skip 'skopeo reads it as a layout' 'skopeo is not installed'
fi
