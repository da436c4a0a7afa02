#!/bin/sh
# fetch-cuts.sh: a build over a line that breaks, one whose program is killed, and one whose server knows no ranges: what
# was fetched is not fetched again. SIZE=MB (default 256), CUTS=N (default 250; with SIZE=1024 CUTS=1000 a cut each MB).
# shellcheck disable=SC2317 # functions are called through ok
set -u
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
need python3 docker-registry timeout flock
bundler=$(realpath "$B/bin/bundler" 2>/dev/null) || skip_all "bundler is not built"
[ -x "$B/tests/line" ] || skip_all "$B/tests/line is not built: make stands"
size=${SIZE:-256} cuts=${CUTS:-250} kills=${KILLS:-50} jobs=4
[ -z "${SANITIZE:-}" ] || size=64 cuts=60 kills=5
export XDG_CACHE_HOME="$T/cache"

stand_images "$T/images" big --size "$size" --layers 1
stand_registry up
stand_push up "$T/images/big" demo/big:1.0 >/dev/null
up=$(stand_fact up address)
tests/stand/lock -o "$T/lock" --registry "$up" "example.com/demo/big:1.0=$T/images/big"
rm -rf "$T/images"
bytes=$(grep '"size"' "$T/lock" | tr -dc '0-9\n' | sort -n | tail -n 1)

# start_line NAME OPTION...
start_line() {
	line_name=$1
	shift
	mkdir -p "$T/stand/$line_name"
	start_server "$T/stand/$line_name" line "$B/tests/line" --dir "$T/stand/$line_name" --to "$up" "$@"
	wait_server "$T/stand/$line_name" line 5 test -s "$T/stand/$line_name/facts"
	sed "s/$up/$(stand_fact "$line_name" address)/g" "$T/lock" >"$T/$line_name.lock"
}
count() { sed -n "s/^$2=//p" "$T/stand/$1/counts"; }
build() { "$bundler" build "$T/$1.lock" -o "$T/$1.zst" --no-progress --jobs "$jobs"; }

cp "$T/lock" "$T/whole.lock"
ok 'a build over a line that holds' build whole
like 'it remembers how fast that was' "$(cat "$XDG_CACHE_HOME/airgap/rate")" '^[1-9][0-9]{5,}$'
sum=$(sha256sum <"$T/whole.zst")
rm -f "$T/whole.zst"

# ---- cuts
start_line cut --cuts "$cuts" --after $((bytes / (cuts + cuts / 10)))
jobs=8
ok "$size MB over a line that breaks $cuts times" build cut
is 'with the same bytes' "$(sha256sum <"$T/cut.zst")" "$sum"
rm -f "$T/cut.zst"
sleep 0.2
is 'it did break so often' "$(count cut cuts)" "$cuts"
extra=$(($(count cut bytes) - bytes))
note "$(count cut connections) connections, $extra bytes more than the layer's $bytes"
ok 'and cost at most 2 % more' test "$extra" -le $((bytes / 50))
stand_stop cut

# ---- kills: the line is slower than we are, so that little stands in the buffers of the kernel
start_line kill --rate 100000000
jobs=4 killed=0 odd=''
kill_once() {
	"$bundler" build "$T/kill.lock" -o "$T/kill.zst" --no-progress --jobs "$jobs" >/dev/null 2>"$T/err" &
	pid=$!
	sleep "$(awk -v seed="$1" 'BEGIN { srand(seed); printf "%.3f", 0.06 + rand() * 0.12 }')"
	if kill -KILL $pid 2>/dev/null; then
		killed=$((killed + 1))
		wait $pid 2>/dev/null
	else
		wait $pid || odd="$odd $1:$?"
		rm -f "$T/kill.zst"
	fi
	[ ! -e "$T/kill.zst.partial" ] || flock -w 60 "$T/kill.zst.partial" true
}
rounds=0
while [ "$killed" -lt "$kills" ]; do
	rounds=$((rounds + 1))
	kill_once $rounds
done
finished=$((rounds - killed))
ok "after $kills kills it ends well" build kill
is 'with the same bytes' "$(sha256sum <"$T/kill.zst")" "$sum"
is 'and nothing odd in between' "$odd" ''
sleep 0.2
extra=$(($(count kill bytes) - bytes * (finished + 1)))
note "$extra bytes more than $((finished + 1)) times the layer: $((extra / kills / jobs)) for each connection that was killed"
ok 'a kill cost at most a frame for each connection' test "$extra" -le $((kills * jobs * 4194304))
