#!/bin/sh
# build-space.sh: a disk that is full, or too small, or a file system that knows no sparse files.
# shellcheck disable=SC2317 # functions are called through ok
set -u
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
need python3 unshare
bundler=$(realpath "$B/bin/bundler" 2>/dev/null) || skip_all "bundler is not built"
[ "$(id -u)" = 0 ] || skip_all "mounts need root"
unshare -m true 2>/dev/null || skip_all "no mounts may be made here"
export XDG_CACHE_HOME="$T/cache"
mkdir "$T/small" "$T/f" "$T/fat"
head -c 6000000 /dev/urandom >"$T/f/r.gz"
head -c 4000000 /dev/urandom | base64 -w 0 >"$T/f/b.txt"
tests/stand/lock -o "$T/lock" --files "$T/f"
build() { "$bundler" build --no-progress "$T/lock" -o "$@"; }
ok 'with room enough' build "$T/whole.zst"
# on TMPFS_SIZE COMMAND... - with a tmpfs of that size at $T/small
on() {
	size=$1
	shift
	# shellcheck disable=SC2016 # for the inner shell
	unshare -m sh -c 'size=$1 at=$2; shift 2; mount -t tmpfs -o size="$size" tmpfs "$at" && "$@"' sh "$size" "$T/small" "$@"
}

fails 'a disk too small for what is known: 30' 30 on 5M "$bundler" build --no-progress "$T/lock" -o "$T/small/b.zst"
like 'it says what is needed and what is there' "$(cat "$T/said")" 'needs [0-9.]+ MiB more .* has [0-9.]+ MiB'
fails 'a disk that fills on the way: 30' 30 on 8M "$bundler" build --no-progress "$T/lock" -o "$T/small/b.zst"
like 'it was said before' "$(cat "$T/said")" 'may be needed'
# shellcheck disable=SC2016 # for the inner shell
ok 'with more room it goes on, with the same bytes' on 8M sh -c '
	"$1" build --no-progress "$2" -o "$3/b.zst"; [ $? = 30 ] && mount -o remount,size=30M "$3" &&
	"$1" build --no-progress "$2" -o "$3/b.zst" && cmp "$3/b.zst" "$4"' sh "$bundler" "$T/lock" "$T/small" "$T/whole.zst"
like 'and does not start anew' "$(cat "$T/said")" 'going on: [0-9.]+ ([KM]iB|B)'

# limited BLOCKS COMMAND... - no file may be larger than so many blocks of 512 bytes, as on a file system with small files.
limited() { (ulimit -f "$1"; shift; "$@"); }
fails 'a limit on the size of files: 30' 30 limited 4000 "$bundler" build --no-progress "$T/lock" -o "$T/limit.zst"
like 'it names the file' "$(cat "$T/said")" 'limit.zst.*File too large'

if command -v mkfs.vfat >/dev/null && truncate -s 64M "$T/disk" && mkfs.vfat "$T/disk" >/dev/null 2>&1 &&
	unshare -m mount -o loop "$T/disk" "$T/fat" 2>/dev/null; then
	# shellcheck disable=SC2016
	ok 'on FAT, which has no sparse files' unshare -m sh -c 'mount -o loop "$1" "$2" &&
		"$3" build --no-progress "$4" -o "$2/b.zst" --jobs 5 && cmp "$2/b.zst" "$5"' \
		sh "$T/disk" "$T/fat" "$bundler" "$T/lock" "$T/whole.zst"
	# shellcheck disable=SC2016
	ok 'a kill and a second run there' unshare -m sh -c 'mount -o loop "$1" "$2" && rm "$2/b.zst"
		timeout -s KILL 0.03 "$3" build --no-progress "$4" -o "$2/b.zst"; sleep 0.3
		"$3" build --no-progress "$4" -o "$2/b.zst" && cmp "$2/b.zst" "$5"' \
		sh "$T/disk" "$T/fat" "$bundler" "$T/lock" "$T/whole.zst"
else
	skip 'on FAT, which has no sparse files' 'no mkfs.vfat, or it cannot be mounted here'
fi
