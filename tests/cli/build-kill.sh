#!/bin/sh
# build-kill.sh: a build that is killed at any moment goes on, and ends with the bytes of one that was not.
# KILLS=N kills that often (default 200).
# shellcheck disable=SC2317 # functions are called through ok
set -u
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
need python3 openssl timeout flock
bundler=$(realpath "$B/bin/bundler" 2>/dev/null) || skip_all "bundler is not built"
kills=${KILLS:-200}
[ -z "${SANITIZE:-}" ] || kills=$((kills / 16 + 1))
export XDG_CACHE_HOME="$T/cache"

mkdir "$T/files"
python3 - "$T/files" <<'PY'
import random, sys
r = random.Random(7)
sizes = {"a.gz": 9 << 20, "b.gz": 4194304, "c.gz": 65537, "d.bin": 9 << 20, "e.bin": 4194305, "f.bin": 70000, "g.bin": 0}
sizes.update({f"s{i}.txt": 1 + i * 211 for i in range(300)})
words = [b"%08d" % r.randrange(10**8) for _ in range(5000)]
for name, size in sizes.items():
    with open(f"{sys.argv[1]}/{name}", "wb") as f:
        f.write(r.randbytes(size) if name.endswith(".gz") else b"".join(r.choices(words, k=size // 8 + 1))[:size])
PY
ok 'images are made' stand_images "$T/images" --size 24
ok 'a lock is written' tests/stand/lock -o "$T/lock" --files "$T/files" example.com/app:1="$T/images/app" \
	example.com/multi:1="$T/images/multi" example.com/big:1="$T/images/big"
openssl genpkey -algorithm ed25519 -out "$T/key" && chmod 600 "$T/key"

build() { "$bundler" build "$T/lock" -o "$T/$1" --key "$T/key" --jobs "${2:-4}" --no-progress; }

took=1000000000
for i in 1 2 3; do
	rm -f "$T/whole.zst"
	start=$(date +%s%N)
	ok "a build that nobody kills ($i)" build whole.zst
	ended=$(date +%s%N)
	[ $((ended - start)) -ge "$took" ] || took=$((ended - start))
done
note "it takes $((took / 1000000)) ms"
sum=$(sha256sum <"$T/whole.zst")

# One build that is killed after a part of the time; true when it was finished before.
killed=0 finished=0 odd=''
try_once() {
	# The kernel may still be ending the one that was killed, which holds the lock.
	[ ! -e "$T/b.zst.partial" ] || flock -w 60 "$T/b.zst.partial" true
	after=$(awk -v took="$took" -v seed="$1" 'BEGIN { srand(seed); printf "%.4f", rand() * 0.9 * took / 1e9 + 0.001 }')
	if timeout -s KILL "$after" "$bundler" build "$T/lock" -o "$T/b.zst" --key "$T/key" --jobs $(($1 % 5 + 1)) \
		--no-progress >/dev/null 2>"$T/err"; then
		finished=$((finished + 1))
		[ "$(sha256sum <"$T/b.zst")" = "$sum" ] || odd="$odd $1:bytes"
		[ ! -e "$T/b.zst.partial" ] || odd="$odd $1:partial"
		rm -f "$T/b.zst"
	else
		status=$?
		[ "$status" = 137 ] || odd="$odd $1:$status:$(cat "$T/err")"
		killed=$((killed + 1))
		# Between the rename and the program's end the bundle may be there already, then whole.
		[ ! -e "$T/b.zst" ] || [ "$(sha256sum <"$T/b.zst")" = "$sum" ] || odd="$odd $1:early"
		rm -f "$T/b.zst"
	fi
}
n=0
while [ "$killed" -lt "$kills" ] && [ $n -lt $((kills * 20)) ]; do
	n=$((n + 1))
	try_once $n
done
note "killed $killed times, finished $finished times in between"
is "no odd end in $kills kills" "$odd" ''
is 'as many kills as were wanted' "$killed" "$kills"
ok 'the last one ends well' build b.zst 3
is 'with the same bytes' "$(sha256sum <"$T/b.zst")" "$sum"

# ---- signals that ask
interrupted() {
	rm -f "$T/i.zst"
	timeout --foreground --preserve-status -s "$1" 0.7 "$bundler" build "$T/slow.lock" -o "$T/i.zst" --jobs 2 --no-progress \
		>"$T/out" 2>"$T/err"
}
# A source that never ends: a server that takes its time.
port=$(free_port)
python3 - "$port" "$T/files/a.gz" >/dev/null 2>&1 <<'PY' &
import http.server, sys, time
data = open(sys.argv[2], "rb").read()
class Slow(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", str(len(data))); self.end_headers()
        self.wfile.write(data[:5 << 20])
        time.sleep(60)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Slow).serve_forever()
PY
server=$!
ok 'a slow server starts' python3 - "$port" <<'PY'
import socket, sys, time
for _ in range(100):
    try:
        sys.exit(socket.create_connection(("127.0.0.1", int(sys.argv[1]))).close())
    except OSError:
        time.sleep(0.1)
sys.exit(1)
PY
tests/stand/lock -o "$T/slow.lock" --plain "127.0.0.1:$port" --url "a=http://127.0.0.1:$port/a.gz=$T/files/a.gz"
fails 'INT ends a build with 130' 130 interrupted INT
like 'it says how to go on' "$(cat "$T/err")" 'the same command again|the same command goes on'
is 'nothing is on stdout' "$(cat "$T/out")" ''
ok 'the unfinished file stays' test -s "$T/i.zst.partial"
fails 'TERM ends it with 143' 143 interrupted TERM
like 'it went on where it was' "$(cat "$T/err")" 'going on: 4.0 MiB of'
kill $server
