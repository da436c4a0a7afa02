#!/bin/sh
# build-sources.sh: a bundle from every sort of source of a lock: registry, address, file, layout, member of an archive,
# folder packed again, made, content cache; and what happens when a source is gone, wrong, short or slow.
# shellcheck disable=SC2317 # functions are called through ok
set -u
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
need python3 docker-registry skopeo openssl
bundler=$(realpath "$B/bin/bundler" 2>/dev/null) || skip_all "bundler is not built"
export XDG_CACHE_HOME="$T/cache" HOME="$T/home"
lock() { tests/stand/lock "$@"; }
build() { "$bundler" build --no-progress "$@"; }
checked() { tests/format1.py check "$1"; }
said() { cat "$T/said"; }
# cached TEXT - its file in the content cache
cached() { echo "$XDG_CACHE_HOME/airgap/content/sha256/$(sha256sum <"$1" | cut -d ' ' -f 1)"; }

stand_images "$T/img" --size 12
mkdir "$T/f" "$T/home"
head -c 5000000 /dev/urandom >"$T/f/r.gz"
seq 200000 >"$T/f/n.txt"
printf 'few' >"$T/f/small"

# ---- layouts and files
ok 'a lock on layouts' lock -o "$T/layout.lock" example.com/app:1.0="$T/img/app" example.com/multi:1.0="$T/img/multi" \
	example.com/big:1.0="$T/img/big" --files "$T/f"
ok 'is built' build "$T/layout.lock" -o "$T/layout.zst"
ok 'and checked' checked "$T/layout.zst"
sum=$(tests/format1.py id "$T/layout.zst")

# ---- registries
for auth in none basic token; do
	if [ $auth = basic ]; then tls=--tls; else tls=; fi
	# shellcheck disable=SC2086 # an option or none
	ok "a registry with auth $auth $tls starts" stand_registry $auth --auth $auth $tls
	host=$(stand_fact $auth address)
	stand_push $auth "$T/img/app" app:1.0 >/dev/null && stand_push $auth "$T/img/multi" multi:1.0 >/dev/null &&
		stand_push $auth "$T/img/big" big:1.0 >/dev/null
	set -- -o "$T/$auth.lock" --registry "$host" example.com/app:1.0="$T/img/app" example.com/multi:1.0="$T/img/multi" \
		example.com/big:1.0="$T/img/big" --files "$T/f"
	[ $auth = none ] || set -- "$@" --user robot --password file:password
	[ -z "$tls" ] || set -- "$@" --ca ca.pem
	[ $auth = none ] || (umask 077 && cp "$(stand_fact $auth password-file)" "$T/password")
	[ -z "$tls" ] || cp "$(stand_fact $auth ca)" "$T/ca.pem"
	lock "$@"
	ok 'a lock on it is built' build "$T/$auth.lock" -o "$T/$auth.zst"
	is 'with the content the layouts gave' "$(tests/format1.py id "$T/$auth.zst")" "$sum"
	is 'each blob came once' "$(stand_log $auth 'GET /v2/[a-z]*/blobs/' | grep -c ' 200 ')" \
		"$(python3 -c 'import json,sys; print(sum(b["sources"][0]["kind"] == "registry" and not b.get("manifest")
			for b in json.load(open(sys.argv[1]))["blobs"]))' "$T/$auth.lock")"
done
rm -f "$T/password"
fails 'no file with the password: 31' 31 build "$T/token.lock" -o "$T/x.zst"
printf 'wrong' >"$T/password" && chmod 600 "$T/password"
fails 'a wrong password: 21' 21 build "$T/token.lock" -o "$T/x.zst"
is 'it is not in what was said' "$(grep -c wrong "$T/said")" 0
stand_stop none
fails 'a registry that is gone: 20' 20 build "$T/none.lock" -o "$T/x.zst"
like 'it is named' "$(said)" "registry '127.0.0.1:[0-9]*/"
rm -f "$T/x.zst.partial" "$T/x.zst.partial.journal"

# ---- other servers, archives
mkdir -p "$T/www/a/inner" && cp "$T/f/r.gz" "$T/www/r.gz" && cp "$T/f/n.txt" "$T/www/a/inner/n.txt"
tar -C "$T/www" -czf "$T/www/a.tgz" a
port=$(free_port)
python3 -m http.server -b 127.0.0.1 -d "$T/www" "$port" >"$T/www.log" 2>&1 &
server=$!
sleep 1
at=http://127.0.0.1:$port
lock -o "$T/www.lock" --plain "127.0.0.1:$port" --url "r=$at/r.gz=$T/f/r.gz" \
	--member n "$at/a.tgz" "$T/www/a.tgz" a/inner/n.txt "$T/f/n.txt" \
	--member s "$T/www/a.tgz" "$T/www/a.tgz" a/inner/n.txt "$T/f/n.txt"
ok 'an address and a member of an archive behind one' build "$T/www.lock" -o "$T/www.zst"
ok 'are right' checked "$T/www.zst"
printf 'xxxx' | dd of="$(cached "$T/www/a.tgz")" bs=1 seek=99 conv=notrunc 2>/dev/null
ok 'a damaged archive in the cache comes again' build "$T/www.lock" -o "$T/x.zst"
rm "$T/x.zst"
kill $server
ok 'the archive is in the cache: the next build needs the server for the rest only' test -f "$(cached "$T/www/a.tgz")"
fails 'the rest is missing: 20' 20 build "$T/www.lock" -o "$T/x.zst" --jobs 1
mkdir -p "$(dirname "$(cached "$T/f/r.gz")")" && cp "$T/f/r.gz" "$(cached "$T/f/r.gz")"
ok 'unless it is in the cache too' build "$T/www.lock" -o "$T/x.zst"
ok 'which gives the same bundle' cmp "$T/www.zst" "$T/x.zst"
printf 'x' | dd of="$(cached "$T/f/r.gz")" bs=1 seek=4999999 conv=notrunc 2>/dev/null
fails 'a damaged file in the cache does not count' 20 build "$T/www.lock" -o "$T/y.zst"
ok 'and is removed' test ! -e "$(cached "$T/f/r.gz")"
rm -f "$T"/?.zst.partial* "$XDG_CACHE_HOME"/airgap/content/sha256/*

# ---- wrong content
head -c 5000000 /dev/urandom >"$T/other.gz"
head -c 4999999 "$T/f/r.gz" >"$T/short.gz"
printf 'fex' >"$T/other"
mkdir "$T/g" && cp "$T/f/"* "$T/g"
lock -o "$T/good.lock" --files "$T/g"
ok 'files alone' build "$T/good.lock" -o "$T/good.zst"
cp "$T/other.gz" "$T/g/r.gz"
fails 'a file with other content: 14' 14 build "$T/good.lock" -o "$T/bad.zst"
like 'both digests are named' "$(said)" "wanted sha256:$(sha256sum <"$T/f/r.gz" | cut -d ' ' -f 1), got sha256:$(sha256sum <"$T/other.gz" | cut -d ' ' -f 1)"
like 'and the file' "$(said)" "g/r.gz"
ok 'there is no bundle' test ! -e "$T/bad.zst"
cp "$T/short.gz" "$T/g/r.gz"
fails 'a file of another size: 14' 14 build "$T/good.lock" -o "$T/bad.zst"
rm "$T/g/r.gz"
fails 'a file that is gone: 31' 31 build "$T/good.lock" -o "$T/bad.zst"
cp "$T/f/r.gz" "$T/g/r.gz" && cp "$T/other" "$T/g/small"
rm -f "$T"/bad.zst.partial*
fails 'a small file with other content: 14' 14 build "$T/good.lock" -o "$T/bad.zst"
cp "$T/f/small" "$T/g/small"
ok 'once it is right again the build ends' build "$T/good.lock" -o "$T/bad.zst"
ok 'with the same bytes' cmp "$T/good.zst" "$T/bad.zst"
lock -o "$T/two.lock" --files "$T/g" --wrong "$T/g/r.gz=$T/other.gz" --wrong "$T/g/small=$T/other" \
	--wrong "$T/g/n.txt=$T/gone"
ok 'a second source helps' build "$T/two.lock" -o "$T/two.zst"
ok 'and the bundle is the same' cmp "$T/good.zst" "$T/two.zst"

# ---- the command
printf 'no lock' >"$T/none.txt"
sed 's/"sequence"/"sequenze"/' "$T/good.lock" >"$T/typo.lock"
fails 'a lock with a wrong key: 18' 18 build "$T/typo.lock" -o "$T/x.zst"
like 'the key is named, and the right one' "$(said)" "sequenze.*sequence"
fails 'a lock and --site: 2' 2 build "$T/good.lock" --site "$T/none.txt" -o "$T/x.zst"
fails 'a level that is none: 2' 2 build "$T/good.lock" --level 20 -o "$T/x.zst"
fails 'a folder as output: 2' 2 build "$T/good.lock" -o "$T/g"
fails 'a folder that is not there: 31' 31 build "$T/good.lock" -o "$T/no/where.zst"
fails 'a key that is not there' 31 build "$T/good.lock" -o "$T/x.zst" --key "$T/no.key"
ok 'nothing of these is left' test ! -e "$T/x.zst.partial"
( cd "$T/g" && build ../good.lock ) >"$T/out" 2>/dev/null
like 'without -o it is bundle.tar.zst' "$(cat "$T/out")" '^sha256:[0-9a-f]{64} bundle.tar.zst$'
exec 9>>"$T/busy.zst.partial"
flock 9
fails 'a second build of the same file: 32' 32 build "$T/good.lock" -o "$T/busy.zst"
exec 9>&-
