#!/bin/sh
# What `bundler inspect` says of a bundle, judged or not.
# shellcheck disable=SC2154,SC2094,SC2016
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
need python3

bundler=$PWD/$B/bin/bundler
case $B in /*) bundler=$B/bin/bundler ;; esac
data=$PWD/tests/data/vectors
export HOME="$T/home" XDG_CONFIG_HOME="$T/config" XDG_STATE_HOME="$T/state"
mkdir -p "$HOME" "$T/keys" "$T/other"
cd "$T" || exit 1
umask 022
cp "$data/p256.tar.zst" b
cp "$data/p256.pub" keys/vendor.pub
cp "$data/ed25519.pub" other/
chmod 755 keys other
[ ! -e /etc/airgap/trust.d ] || skip_all '/etc/airgap/trust.d exists'

json() { python3 -c 'import json,sys; d=json.load(sys.stdin)
for k in sys.argv[1:]: d = d[int(k) if k.isdigit() else k]
print(json.dumps(d))' "$@"; }

ok 'without a trust folder' "$bundler" inspect b
like 'it says that nothing was verified' "$("$bundler" inspect b)" '^verdict +NOT VERIFIED'
like 'and shows the statement' "$("$bundler" inspect b)" '^stream +ref/x$'
is 'JSON says so too' "$("$bundler" inspect b --json | json verified)" false
ok 'with one' "$bundler" inspect b --trust keys
like 'it says who signed' "$("$bundler" inspect b --trust keys)" '^verdict +signed by vendor \(ECDSA P-256'
is 'JSON says so too' "$("$bundler" inspect b --trust keys --json | json verified)" true
is 'and which key' "$("$bundler" inspect b --trust keys --json | json signatures 0 key)" \
	'"5b34b8b1c7345125f172aaf6708bf167966cd5d52b386323dc9a00fed19c1ccf"'
is 'the id' "$("$bundler" inspect b --json | json id)" \
	'"sha256:e81eeb7b278a33054c951b290a622ef3a0a8210646d18bb24b7df9dc6bdeaf47"'
is 'bundle.json as it stands' "$("$bundler" inspect b --json | json contents name)" '"reference"'
fails 'with the wrong one it is refused: 12' 12 "$bundler" inspect b --trust other
is 'and nothing is printed' "$("$bundler" inspect b --trust other 2>/dev/null)" ''

python3 - <<-'EOF'
	d = bytearray(open("b", "rb").read())
	for name, at in (("content", 16926), ("seek", 182600)):
	    c = bytearray(d); c[at] ^= 1; open(name, "wb").write(c)
EOF
fails 'a damaged head is refused without trust too: 14' 14 "$bundler" inspect content
fails 'so is a damaged seek table: 18' 18 "$bundler" inspect seek
head -c 100000 b >short
fails 'and a cut file: 15' 15 "$bundler" inspect short
ok 'help' "$bundler" inspect --help
