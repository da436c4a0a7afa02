#!/bin/sh
# sources-python.sh: wheels by requirement, through the real pip, from a simple index on this machine with a password;
# and pip installs them where there is no network.
# shellcheck disable=SC2317 # functions are called through ok
set -u
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
need python3 unshare root
python3 -m pip --version >/dev/null 2>&1 || skip_all "python3 has no pip: run scripts/deps"
bundler=$(realpath "$B/bin/bundler" 2>/dev/null) || skip_all "bundler is not built"
deployer=$(realpath "$B/bin/deployer" 2>/dev/null) || skip_all "deployer is not built"

# ---- an index
www=$T/www w=$T/w
mkdir -p "$www" "$w"
wheel() { tests/stand/wheels.py make "$www" "$@" >/dev/null; }
wheel app 1.0.0 --needs 'lib>=1,<2' --needs 'old; python_version < "3.11"' --needs 'young; python_version >= "3.11"' \
	--needs 'arm; platform_machine == "aarch64"' --needs 'windows; sys_platform == "win32"' --extra more --needs 'extra1; extra == "more"'
wheel app 2.0.0 --python '>=3.12'
wheel lib 1.0.0
wheel lib 1.5.0 --needs 'native'
wheel lib 2.0.0
for name in old young arm windows extra1; do wheel $name 1.0; done
wheel native 1.0 --tag cp310-cp310-manylinux_2_17_x86_64
wheel native 1.0 --tag cp312-cp312-manylinux_2_17_x86_64
wheel native 1.1 --tag cp310-cp310-manylinux_2_17_aarch64
wheel native 1.2 --tag cp310-cp310-manylinux_2_34_x86_64
wheel Strange.Name_X 1.0
wheel broken 1.0
tests/stand/wheels.py sdist "$www" source 1.0
tests/stand/wheels.py index "$www"
printf 'canary-py"\\p w7\n' >"$T/password"

cat >"$T/index.py" <<'END'
"""A simple index with a password; no HEAD for what begins with `lib`."""
import base64, http.server, os, sys
port, folder, password = int(sys.argv[1]), sys.argv[2], open(sys.argv[3]).read().rstrip("\n")
want = "Basic " + base64.b64encode(f"robot:{password}".encode()).decode()
class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def refuse(self, status):
        self.send_response(status)
        self.send_header("WWW-Authenticate", 'Basic realm="index"')
        self.send_header("Content-Length", "0")
        self.end_headers()
    def do_GET(self):
        return super().do_GET() if self.headers.get("Authorization") == want else self.refuse(401)
    def do_HEAD(self):
        if self.headers.get("Authorization") != want: return self.refuse(401)
        return self.refuse(405) if self.path.startswith("/lib") else super().do_HEAD()
os.chdir(folder)
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
END
port=$(free_port)
mkdir -p "$T/stand/index"
start_server "$T/stand/index" index python3 "$T/index.py" "$port" "$www" "$T/password"
wait_server "$T/stand/index" index 10 python3 -c "import socket; socket.create_connection(('127.0.0.1', $port))" 2>/dev/null

# manifest REQUIREMENT... - each quoted
manifest() {
	cat >"$w/b.yaml" <<END
apiVersion: airgap/v1
kind: Manifest
metadata: {name: wheels, version: 1.0.0}
kubernetes: {version: "1.32"}
hosts: {"127.0.0.1:$port": {plainHTTP: true, username: robot, password: env:INDEX_PASSWORD}}
python:
  - {name: wheels, python: "${python:-3.10}", platform: ${platform:-manylinux_2_28_x86_64}, index: "http://127.0.0.1:$port/simple", requirements: [$*]}
END
}
INDEX_PASSWORD=$(cat "$T/password")
# What a user may have set is not to be looked at.
export INDEX_PASSWORD XDG_CACHE_HOME="$T/cache" SOURCE_DATE_EPOCH=1700000000 PIP_INDEX_URL=http://127.0.0.1:1/x PIP_NO_INDEX=1 PYTHONPATH=/nowhere
lock() { (cd "$w" && rm -f b.lock.yaml && "$bundler" lock --no-progress b.yaml "$@"); }
"$bundler" keygen --type ed25519 "$T/key" >/dev/null 2>&1
mkdir "$T/trust" && cp "$T/key.pub" "$T/trust"
build() { (cd "$w" && "$bundler" build --no-progress b.lock.yaml -o "$1" --key "$T/key.key"); }
unpack() { rm -rf "$T/all" && "$deployer" extract "$1" --trust "$T/trust" -o "$T/all" python/wheels; }
said() { grep '^error:' "$T/said"; }
notes() { python3 -c 'import json, sys; print(" ".join(json.load(open(sys.argv[1]))["contents"]["sets"][0]["notes"]))' "$w/b.lock.yaml"; }

# ---- the closure
manifest '"app"'
ok 'a requirement is locked' lock
is 'with what it needs on Python 3.10 and x86_64, whatever this machine is' "$(notes)" \
	'for Python 3.10 on manylinux_2_28_x86_64 app 1.0.0 lib 1.5.0 native 1.0 old 1.0'
like 'each wheel with its address' "$(cat "$w/b.lock.yaml")" "http://127.0.0.1:$port/native-1.0-cp310-cp310-manylinux_2_17_x86_64.whl"
ok 'a bundle is built' build "$T/a.zst"
rm -rf "$T/cache"
ok 'and without the cache' build "$T/b.zst"
ok 'the same bytes' cmp "$T/a.zst" "$T/b.zst"
cp "$w/b.lock.yaml" "$T/first.yaml"
ok 'a second lock' lock
ok 'is the same' cmp "$w/b.lock.yaml" "$T/first.yaml"

# ---- where there is no network
# This machine's Python: a plain `pip install`, as on a node, with nothing but loopback and nobody's configuration.
this=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])') machine=$(uname -m)
wheel native 1.0 --tag "cp$(echo "$this" | tr -d .)-cp$(echo "$this" | tr -d .)-manylinux_2_17_$machine"
tests/stand/wheels.py index "$www"
python=$this platform=manylinux_2_17_$machine
manifest '"app<2"'
ok 'a lock for the Python of this machine' lock
ok 'its bundle' build "$T/here.zst"
ok 'its files come out' unpack "$T/here.zst"
is 'wheels beside an index' "$(cd "$T/all/wheels" && find . -type f ! -name '*.whl' | sort | grep -v -e old -e young | tr '\n' ' ')" \
	'./simple/app/index.html ./simple/index.html ./simple/lib/index.html ./simple/native/index.html '
# offline OPTION...
offline() {
	rm -rf "$T/site"
	# shellcheck disable=SC2086 # nothing, or two words
	env -u PIP_NO_INDEX -u PIP_INDEX_URL -u PIP_FIND_LINKS -u PYTHONPATH PIP_CONFIG_FILE=/dev/null $sudo unshare -n python3 -m pip install -q \
		--no-cache-dir --disable-pip-version-check --target "$T/site" "$@"
}
[ "$(id -u)" = 0 ] && sudo='' || sudo='sudo -n'
ok 'pip installs from the index' offline --index-url "file://$T/all/wheels/simple" app
is 'the versions that were locked' "$(PYTHONPATH=$T/site python3 -c 'import app, lib; print(app.version, lib.version)')" '1.0.0 1.5.0'
ok 'pip installs from the folder' offline --no-index --find-links "$T/all/wheels" app
printf 'x' >>"$T/all/wheels/lib-1.5.0-py3-none-any.whl"
fails 'a wheel that was altered is refused by its hash' 1 offline --index-url "file://$T/all/wheels/simple" app

# ---- other destinations
python=3.12 platform=
manifest '"app[more]<2"'
ok 'Python 3.12' lock
is 'gets its own wheels, and the extra' "$(notes)" \
	'for Python 3.12 on manylinux_2_28_x86_64 app 1.0.0 extra1 1.0 lib 1.5.0 native 1.0 young 1.0'
manifest '"app"'
ok 'and without a ceiling' lock
like 'the newest that is for it' "$(notes)" 'app 2.0.0'
python=3.10 platform=manylinux_2_28_aarch64
manifest '"app"'
ok 'another machine' lock
is 'gets what its markers say' "$(notes)" \
	'for Python 3.10 on manylinux_2_28_aarch64 app 1.0.0 arm 1.0 lib 1.5.0 native 1.1 old 1.0'
platform=manylinux_2_35_x86_64
manifest '"native"' && ok 'a newer libc' lock
like 'gets the newer wheel' "$(notes)" 'native 1.2'
platform=
manifest '"strange-name.x>=1 ; python_version >= \"3\""'
ok 'a name spelt otherwise, with a marker' lock
ok 'is built' build "$T/s.zst"
ok 'taken out' unpack "$T/s.zst"
ok 'and has a page by its normal name' test -f "$T/all/wheels/simple/strange-name-x/index.html"

# ---- refused
# refused NAME STATUS REGEX
refused() {
	fails "$1" "$2" lock
	like 'it says so' "$(said)" "$3"
}
manifest '"source"'
refused 'what there is only as source' 2 "python 'wheels': 'source' has 1 source archives and no wheel"
ok 'and nothing of it ran' test ! -e /tmp/airgap-setup-ran
manifest '"nothing-of-that-name"'
refused 'what there is not' 2 "python 'wheels': 'http://127.0.0.1:$port/simple' does not have 'nothing-of-that-name'"
platform=manylinux_2_28_s390x
manifest '"native"'
refused 'what there is for others only' 2 "'native' has [45] wheels and none for Python 3.10 on manylinux_2_28_s390x: the last of them is native-1.2-cp310"
platform=
manifest '"lib==3"'
refused 'a version that there is not' 2 "lib==3 .from versions: 1.0.0, 1.5.0, 2.0.0."
manifest '"lib>=2", "app<2"'
refused 'requirements that contradict each other' 2 "contradict each other"
manifest '"-r /etc/passwd"'
refused 'an option' 18 "python\[0\] 'wheels': requirements\[0\]: '-r /etc/passwd': options are not taken"
manifest '"app @ https://x/y.whl"'
refused 'an address' 18 "addresses and paths are not taken"
manifest "$(python3 -c 'print(", ".join(f"a{i}" for i in range(1001)))')"
refused 'more than a thousand' 16 'takes at most 1000'
INDEX_PASSWORD=canary-wrong-Xy1
manifest '"app"'
refused 'a wrong password' 21 "python 'wheels': "
INDEX_PASSWORD=$(cat "$T/password")
manifest '"app"' && sed -i 's/plainHTTP: true, //' "$w/b.yaml"
refused 'plain http that nobody allowed' 2 "is plain http: write https, or plainHTTP: true under hosts"

# ---- at build
manifest '"broken"'
ok 'a lock' lock
printf 'x' >>"$www/broken-1.0-py3-none-any.whl"
rm -rf "$T/cache"
fails 'a wheel that is another one at build' 14 build "$T/e.zst"
like 'is named' "$(said)" 'broken-1.0-py3-none-any.whl'
fails 'and at lock' 2 lock
like 'pip says so' "$(said)" 'DO NOT MATCH THE HASHES'
ok 'no password in lock, bundle or cache' sh -c "! grep -rq 'canary-' '$w' '$T/a.zst' '$T/cache'"

# ---- while pip runs
mute=$(free_port)
mkdir -p "$T/stand/mute"
start_server "$T/stand/mute" mute python3 -c "import socket, time
s = socket.create_server(('127.0.0.1', $mute)); time.sleep(600)"
wait_server "$T/stand/mute" mute 10 python3 -c "import socket; socket.create_connection(('127.0.0.1', $mute))" 2>/dev/null
manifest '"app"' && sed -i "s/:$port/:$mute/g" "$w/b.yaml"
(cd "$w" && exec "$bundler" lock --no-progress b.yaml) >/dev/null 2>&1 &
pid=$!
until pip=$(pgrep -P "$pid") && tr '\0' ' ' <"/proc/$pip/cmdline" | grep -q dry-run; do sleep 0.05; done
ok 'no password in its command line or environment' sh -c "! cat /proc/$pip/cmdline /proc/$pip/environ | tr '\\0' '\\n' | grep -q 'canary\|INDEX_PASSWORD'"
kill -9 "$pid"
wait "$pid" 2>/dev/null
sleep 0.3
ok 'a killed program leaves no pip' test -z "$(started_at "$pip")"
