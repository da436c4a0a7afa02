#!/bin/sh
# Whom `bundler verify` believes, through the program: codes of format §6, the trust folder, the state folder.
# shellcheck disable=SC2154,SC2094,SC2016
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
need openssl python3 sha256sum

bundler=$PWD/$B/bin/bundler
case $B in /*) bundler=$B/bin/bundler ;; esac
data=$PWD/tests/data/vectors
export HOME="$T/home" XDG_CONFIG_HOME="$T/config" XDG_STATE_HOME="$T/state"
mkdir -p "$HOME" "$XDG_CONFIG_HOME" "$T/keys" "$T/none"
cp "$data/p256.pub" "$T/keys/vendor.pub"
chmod 755 "$T/keys" "$T/none"
cd "$T" || exit 1
cp "$data/p256.tar.zst" b
chmod 644 b keys/vendor.pub
id=5b34b8b1c7345125f172aaf6708bf167966cd5d52b386323dc9a00fed19c1ccf

# change OFFSET [XOR] - a copy of the bundle with one byte changed, as ./bad
change() {
	python3 - "$1" "${2:-1}" <<-'EOF'
	import sys
	d = bytearray(open("b", "rb").read())
	d[int(sys.argv[1])] ^= int(sys.argv[2])
	open("bad", "wb").write(d)
	EOF
}

# unsigned - the same bundle with a record of no signatures, as ./unsigned
unsigned() {
	python3 - <<-'EOF'
	import struct
	d = bytearray(open("b", "rb").read())
	n = struct.unpack_from("<I", d, 536)[0]
	d[540 + n:524 + 8192] = bytes(8192 - 16 - n)
	d[9228:9228 + 7168] = b" " * 7167 + b"\n"
	open("unsigned", "wb").write(d)
	EOF
}

refused() { fails "$1: $2" "$2" "$bundler" verify "$3" --trust keys; }

ok 'a good bundle' "$bundler" verify b --trust keys
is 'its id on stdout' "$("$bundler" verify b --trust keys 2>/dev/null | head -n 1)" \
	sha256:e81eeb7b278a33054c951b290a622ef3a0a8210646d18bb24b7df9dc6bdeaf47
like 'and who signed' "$("$bundler" verify b --trust keys 2>/dev/null)" 'signed by vendor \(ECDSA P-256, key 5b34b8b1'

# one byte of each region, as the format numbers them
while read -r offset code what; do
	change "$offset"
	refused "changed: $what" "$code" bad
done <<-EOF
	0 18 frame header
	9 18 block header
	12 18 tar header of bundle.sig
	524 18 magic
	532 19 record version
	534 18 zero
	560 11 body
	1300 11 signature
	1220 18 count
	1230 12 key id
	1254 11 algorithm
	9000 18 tar header of bundle.sigstore.json
	9300 18 Sigstore file
	16396 18 head: frame header
	16408 18 head: tar header
	16924 14 bundle.json
	17963 14 bundle.blobs
	19000 14 bundle.frames
	20000 14 a frame of P1
	182659 18 end of the seek table
	182600 18 seek table
EOF
head -c 182659 b >bad && refused 'cut by a byte' 15 bad
head -c 100000 b >bad && refused 'cut in the middle' 15 bad
head -c 17000 b >bad && refused 'cut in the head' 15 bad
: >bad && refused 'empty' 15 bad
{ cat b; echo; } >bad && refused 'a byte more' 18 bad
cp "$data/p256.pub" bad && refused 'something else' 15 bad
head -c 200000 /dev/zero >bad && refused 'zeros' 18 bad
mkfifo fifo && refused 'a FIFO' 17 fifo
rm -f fifo
refused 'nothing there' 31 missing

fails 'no trust folder: 10' 10 "$bundler" verify b
fails 'no trust folder, unsigned allowed, but it is signed: 10' 10 "$bundler" verify b --allow-unsigned
fails 'an empty trust folder: 10' 10 "$bundler" verify b --trust none
unsigned
refused 'not signed' 10 unsigned
fails 'not signed, no folder: 10' 10 "$bundler" verify unsigned
fails 'not signed, allowed, but a folder is given: 10' 10 "$bundler" verify unsigned --allow-unsigned --trust keys
ok 'not signed, allowed' "$bundler" verify unsigned --allow-unsigned
like 'and said' "$("$bundler" verify unsigned --allow-unsigned 2>/dev/null)" 'NOT SIGNED'
cp unsigned bad
printf x | dd of=bad bs=1 seek=100000 conv=notrunc 2>/dev/null
fails 'not signed, allowed, and damaged: 14' 14 "$bundler" verify bad --allow-unsigned

# the folder
mkdir other && cp "$data/ed25519.pub" other/
fails 'another key: 12' 12 "$bundler" verify b --trust other
cp "$data/ed25519.pub" keys/second.pub
ok 'one of two keys' "$bundler" verify b --trust keys
policy() { printf '%s\n' "$1" >keys/policy.yaml; chmod 644 keys/policy.yaml; }
policy 'threshold: 2'
refused 'threshold 2' 12 b
policy "revoked: [$id]"
refused 'revoked' 12 b
policy "keys: {$id: {streams: [other/*]}}"
refused 'other stream' 12 b
policy "keys: {$id: {streams: [ref/*]}}"
ok 'this stream' "$bundler" verify b --trust keys
policy "keys: {$id: {notAfter: 2026-01-03}}"
refused 'key past notAfter' 12 b
policy 'tresholt: 2'
refused 'a policy with an unknown key' 18 b
fails 'which is named with its line' 18 "$bundler" verify b --trust keys
like 'and the right key' "$(cat "$T/said")" "policy.yaml:1:.*tresholt.*threshold"
policy 'audience: site-a'
ok 'a bundle for anybody' "$bundler" verify b --trust keys
rm keys/policy.yaml
chmod 666 keys/vendor.pub
refused 'a key writable by others' 12 b
chmod 644 keys/vendor.pub
chmod 777 keys
refused 'a folder writable by others' 12 b
chmod 755 keys
mkdir -p "$XDG_CONFIG_HOME/airgap"
if [ ! -e /etc/airgap/trust.d ]; then
	cp -r keys "$XDG_CONFIG_HOME/airgap/trust.d"
	ok 'the folder is found' "$bundler" verify b
	fails '--trust replaces the search' 12 "$bundler" verify b --trust other
	rm -r "$XDG_CONFIG_HOME/airgap/trust.d"
else
	skip 'the folder is found' '/etc/airgap/trust.d exists'
fi

# the state: compared, never written
state=$XDG_STATE_HOME/airgap/streams/$(printf ref/x | sha256sum | cut -d' ' -f1).json
fails 'no state was written' 1 test -e "$state"
mkdir -p "${state%/*}"
remember() {
	printf '{"stream":"ref/x","sequence":%s,"id":"sha256:%s","newestTime":"2026-01-02T03:04:05Z"}\n' "$1" "$2" >"$state"
}
mine=e81eeb7b278a33054c951b290a622ef3a0a8210646d18bb24b7df9dc6bdeaf47
remember 6 "$(printf '%064d' 0)"
ok 'newer than the state' "$bundler" verify b --trust keys
remember 7 $mine
ok 'the same again' "$bundler" verify b --trust keys
remember 7 "$(printf '%064d' 0)"
refused 'the same sequence, another bundle' 13 b
remember 8 $mine
refused 'older than the state' 13 b
echo '{' >"$state"
refused 'unreadable state' 31 b
