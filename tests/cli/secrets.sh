#!/bin/sh
# secrets.sh: tokens and passwords, plain or in base64, stand nowhere but where they have to: not in any command line
# while the programs run, nor in what they print at -v, in their errors, the bundle, the caches, the journal or a ConfigMap.
# shellcheck disable=SC2317 # functions are called through ok
set -u
[ "$(id -u)" = 0 ] || ! sudo -n true 2>/dev/null || exec sudo -nE env "PATH=$PATH" "HOME=$HOME" sh "$0"
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
# shellcheck source=tests/demolib.sh
. tests/demolib.sh
need root
need_programs
[ -x "$kube_bin/kubelet" ] || skip_all "no Kubernetes: run scripts/deps"

cat >"$T/canary.py" <<'END'
"""canary.py search CANARIES PATH...: says where a canary is found, in files and below folders; "-" is standard input.
canary.py watch CANARIES OUT: until it is killed, writes to OUT the command lines that hold one, each once.

CANARIES is a file of lines NAME VALUE. Base64 is found at each of its three alignments, in both alphabets.
"""
import base64, os, re, sys

def forms(value):
    yield value
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + value)
        middle = text[-(-shift * 8 // 6):len(text) - (0, 3, 2)[(shift + len(value)) % 3]].rstrip(b"=")
        if shift:
            middle = middle[1:]
        yield middle
        yield middle.translate(bytes.maketrans(b"+/", b"-_"))

def load(path):
    with open(path, "rb") as f:
        pairs = [line.rstrip(b"\n").split(b" ", 1) for line in f]
    if any(len(v) < 12 for _, v in pairs):
        sys.exit("a canary is too short to be told from chance")
    names = {form: n.decode() for n, v in pairs for form in forms(v)}
    return names, re.compile(b"|".join(re.escape(form) for form in names))

def search(names, pattern, stream, where):
    tail = b""
    while piece := stream.read(1 << 22):
        for hit in {names[m.group()] for m in pattern.finditer(tail + piece)}:
            print(f"{where}: holds {hit}")
        tail = piece[-256:]

def files(path):
    if os.path.isdir(path):
        for folder, _, inside in os.walk(path):
            yield from (os.path.join(folder, f) for f in inside if os.path.isfile(os.path.join(folder, f)))
    elif path != "-":
        yield path

def watch(names, pattern, out):
    seen = set()
    with open(out, "wb", buffering=0) as f:
        f.write(b"watching\n")
        while True:
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    with open(f"/proc/{pid}/cmdline", "rb") as c:
                        line = c.read()
                except OSError:
                    continue
                if pattern.search(line) and line not in seen:
                    seen.add(line)
                    f.write(pid.encode() + b": " + line.replace(b"\0", b" ") + b"\n")

command, (names, pattern) = sys.argv[1], load(sys.argv[2])
if command == "watch":
    watch(names, pattern, sys.argv[3])
for path in sys.argv[3:]:
    if path == "-":
        search(names, pattern, sys.stdin.buffer, "-")
    for name in files(path):
        with open(name, "rb") as f:
            search(names, pattern, f, name)
END

# found PATH... - where a canary is; also in standard input, which has to be given.
found() { python3 "$T/canary.py" search "$T/canaries" "$@"; }
canary() { printf '%s %s\n' "$1" "$2" >>"$T/canaries"; }

# heard NAME STATUS COMMAND... - what the command says is kept; it ends with STATUS.
heard() {
	name=$1 wanted=$2
	shift 2
	fails "$name" "$wanted" "$@"
	cp "$T/said" "$T/logs/$test_n"
}

mkdir "$T/logs"
demo_cluster >"$T/said" 2>&1 || { cat "$T/said"; exit 1; }
# shellcheck disable=SC2119 # it takes options
demo_upstream >"$T/said" 2>&1 || { cat "$T/said"; exit 1; }
(umask 077 && : >"$T/canaries" && printf 'a passphrase %s' "$(openssl rand -hex 12)" >"$T/passphrase")
canary registry-token "$REGISTRY_TOKEN"
canary chart-token "$HELM_REPO_TOKEN"
canary site-password "$(cat "$T/password")"
canary wrong-token wrong-0123456789abcdef
canary control control-0123456789abcdef
canary passphrase "$(cat "$T/passphrase")"

# ---- the net has no hole
printf 'x%sy' "$(printf 'user:%s' "$(cat "$T/password")" | base64 -w 0)" >"$T/control"
like 'a password inside base64 is found' "$(found "$T/control")" 'holds site-password'
start_server "$T" watch python3 "$T/canary.py" watch "$T/canaries" "$T/watched"
wait_server "$T" watch 10 test -s "$T/watched"
sh -c 'read -r _ <"$1"' control-0123456789abcdef "$T/fifo" 2>/dev/null
mkfifo "$T/fifo"
sh -c 'read -r _ <"$1"' control-0123456789abcdef "$T/fifo" &
until grep -q control- "$T/watched"; do :; done
echo >"$T/fifo"
wait $!
pass 'a token in a command line is seen'

# ---- outside
key_options=
if "$bundler" keygen --help | grep -q passphrase-file; then
	mkdir -p "$T/trust"
	heard 'a key with a passphrase is made' 0 env -C "$T" "$bundler" keygen demo --passphrase-file "$T/passphrase"
	cp "$T/demo.pub" "$T/trust/"
	"$bundler" build --help | grep -q passphrase-file && key_options="--passphrase-file $T/passphrase"
fi
[ -n "$key_options" ] || { rm -f "$T/demo.key" "$T/demo.pub"; demo_key >/dev/null 2>&1; }
# shellcheck disable=SC2086 # words
heard 'a build at -v' 0 demo_build "$T/demo.tar.zst" --site "$T/site.yaml" -v $key_options
for variable in REGISTRY_TOKEN HELM_REPO_TOKEN; do
	kept=$(eval "echo \$$variable")
	export "$variable=wrong-0123456789abcdef"
	# shellcheck disable=SC2086
	heard "a build with a wrong $variable" 21 demo_build "$T/wrong.tar.zst" --site "$T/site.yaml" -v $key_options
	export "$variable=$kept"
done
if "$bundler" help lock >/dev/null 2>&1; then
	heard 'a lock' 0 env XDG_CACHE_HOME="$T/cache" PATH="$T/bin:$PATH" "$bundler" lock "$(demo_fact manifest)" \
		--site "$T/site.yaml" -o "$T/logs/demo.lock" -v
fi
heard 'inspect' 0 "$bundler" inspect "$T/demo.tar.zst" --trust "$T/trust"
demo_gone

# ---- inside
heard 'plan' 0 deploy plan "$T/demo.tar.zst" -v
heard 'install' 0 deploy install "$T/demo.tar.zst" -v --log-format json
canary generated "$(k -n demo get secret page -o 'jsonpath={.data.token}' | base64 -d)"
heard 'install again' 0 deploy install "$T/demo.tar.zst" -v
heard 'status' 0 deploy status "$T/demo.tar.zst" -v
printf 'wrong-0123456789abcdef' >"$T/wrong"
chmod 600 "$T/wrong"
site_password="\$(file:$T/wrong)"
demo_site "$T/wrong.yaml"
deploy push "$T/demo.tar.zst" --site "$T/wrong.yaml" -v >"$T/logs/wrong-push" 2>&1
is 'a wrong password at the site registry ends a push' "$(grep -c '^error: ' "$T/logs/wrong-push")" 1
deploy install "$T/demo.tar.zst" --site "$T/wrong.yaml" -v >"$T/logs/wrong-install" 2>&1
like 'and an install' "$(cat "$T/logs/wrong-install")" '^error: .*10\.89\.0\.1:5000'

# ---- nothing was caught
stop_server "$T" watch
sed -n '2,$p' "$T/watched" | grep -v 'control-' >"$T/caught"
is 'no command line held a secret' "$(cat "$T/caught")" ''
is 'nothing that was printed' "$(found "$T/logs")" ''
is 'nothing in the bundle' "$(zstd -dcq "$T/demo.tar.zst" | found - "$T/demo.tar.zst")" ''
is "nothing in the bundler's cache" "$(found "$T/cache")" ''
is "nothing in the deployer's state and journal" "$(found "$T/state" 2>&1)" ''
is 'nothing in a ConfigMap' "$(k get configmaps --all-namespaces -o json | found -)" ''
k get events --all-namespaces -o json >"$T/events"
is 'nothing in an event' "$(found "$T/events")" ''
