#!/bin/sh
# keygen and sign, with openssl as the second opinion: PAE rebuilt here, signatures checked there.
# shellcheck disable=SC2154,SC2094,SC2016
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
need openssl python3 flock timeout

bundler=$PWD/$B/bin/bundler checker=$PWD/tests/format1.py
case $B in /*) bundler=$B/bin/bundler ;; esac
data=$PWD/tests/data/vectors
export HOME="$T/home" XDG_CONFIG_HOME="$T/config" XDG_STATE_HOME="$T/state"
mkdir -p "$HOME" "$T/keys"
chmod 755 "$T/keys"
cd "$T" || exit 1
umask 022
fresh() { rm -f b.sig-new && cp "$data/p256.tar.zst" b && chmod 644 b; }
fresh
cp "$data/p256.pub" keys/vendor.pub

# pae FILE - what is signed, by DSSE's rule, from the bytes in the bundle
pae() {
	len=$(od -An -tu4 -j536 -N4 "$1" | tr -d ' ')
	payload=application/vnd.in-toto+json
	printf 'DSSEv1 %d %s %d ' ${#payload} $payload "$len"
	dd if="$1" bs=1 skip=540 count="$len" 2>/dev/null
}

# entry FILE N - key id in hex and the signature (as ./sig) of entry N
entry() {
	python3 - "$1" "$2" <<-'EOF'
	import struct, sys
	d = open(sys.argv[1], "rb").read()
	at = 540 + struct.unpack_from("<I", d, 536)[0] + 2
	for i in range(int(sys.argv[2]) + 1):
	    key, n = d[at:at + 32], struct.unpack_from("<H", d, at + 34)[0]
	    sig, at = d[at + 36:at + 36 + n], at + 36 + n
	open("sig", "wb").write(sig)
	print(key.hex())
	EOF
}

openssl_verifies() {
	pae b >pae
	case $1 in
	ed*) openssl pkeyutl -verify -pubin -inkey "$1.pub" -rawin -in pae -sigfile sig ;;
	*) openssl dgst -sha256 -verify "$1.pub" -signature sig pae ;;
	esac
}

for type in p256 p384 ed25519; do
	ok "keygen $type" "$bundler" keygen --type $type $type
	is "the private key is private" "$(stat -c %a $type.key)" 600
	id=$(openssl pkey -pubin -in $type.pub -outform DER | openssl dgst -sha256 -r | cut -d' ' -f1)
	fresh
	is "sign with $type prints the key's id" "$("$bundler" sign b --key $type.key 2>/dev/null)" "$id"
	is "and puts it into the record" "$(entry b 1)" "$id"
	ok "openssl verifies the signature" openssl_verifies $type
	cp $type.pub keys/
	ok "verify counts it" "$bundler" verify b --trust keys
	like "by name" "$("$bundler" verify b --trust keys 2>/dev/null)" "vendor .*, $type \("
	ok "the independent checker takes it" python3 "$checker" check b --key keys/vendor.pub --key $type.pub
	ok "nothing behind frame 0 changed" cmp -i 16396 b "$data/p256.tar.zst"
	fails "nothing is left beside it" 1 test -e b.sig-new
	cp b once
	ok "signing again" "$bundler" sign b --key $type.key
	ok "changes nothing" cmp b once
done
fails 'keygen never replaces a key' 2 "$bundler" keygen p256
fails 'keygen of another type' 2 "$bundler" keygen rsa --type rsa

# threshold
printf 'threshold: 3\n' >keys/policy.yaml
fresh
ok 'second signature' "$bundler" sign b --key p384.key
fails 'two of three: 12' 12 "$bundler" verify b --trust keys
ok 'third signature' "$bundler" sign b --key ed25519.key
ok 'three of three' "$bundler" verify b --trust keys
rm keys/policy.yaml

# passphrases
echo secret >word
ok 'keygen with a passphrase' "$bundler" keygen locked --passphrase-file word
ok 'openssl opens it' openssl pkey -in locked.key -passin file:word -noout
fresh
ok 'sign with it' "$bundler" sign b --key locked.key --passphrase-file word
echo wrong >word2
fresh
fails 'a wrong passphrase: 21' 21 "$bundler" sign b --key locked.key --passphrase-file word2
echo secret >pipe
ok 'a passphrase from a descriptor' sh -c '"$0" sign b --key locked.key --passphrase-file /dev/fd/3 3<pipe' "$bundler"
chmod 644 p256.key
fails 'a private key open to others: 17' 17 "$bundler" sign b --key p256.key
chmod 600 p256.key

# other hands
cat >signer <<-'EOF'
	#!/bin/sh
	cat >"$2.pae"
	exec openssl pkeyutl -sign -inkey "$1" -rawin -in "$2.pae"
EOF
chmod 755 signer
fresh
ok 'a program signs' "$bundler" sign b --signer "./signer ed25519.key tmp" --public ed25519.pub
ok 'its signature is good' "$bundler" verify b --trust keys
pae b >pae
ok 'it was given the PAE' cmp pae tmp.pae
fresh
ok 'its key is found in the trust folder' "$bundler" sign b --signer "./signer ed25519.key tmp" --trust keys
fails 'a key that is not its own: 11' 11 "$bundler" sign b --signer "./signer ed25519.key tmp" --public p256.pub
fails 'a program that fails: 31' 31 "$bundler" sign b --signer false
fresh
ok 'export' "$bundler" sign b --export out.pae
pae b >pae
ok 'gives the PAE' cmp pae out.pae
openssl dgst -sha256 -sign p384.key -out out.sig out.pae
ok 'attach' "$bundler" sign b --attach out.sig --public p384.pub
ok 'gives a good signature' "$bundler" verify b --trust keys
is 'in the right place' "$(entry b 1)" "$(openssl pkey -pubin -in p384.pub -outform DER | openssl dgst -sha256 -r | cut -d' ' -f1)"
openssl dgst -sha256 -sign p256.key -out out.sig out.pae
fails 'a signature by another key: 11' 11 "$bundler" sign b --attach out.sig --public p384.pub
fails 'one way at a time: 2' 2 "$bundler" sign b --key p256.key --export x
fails 'no way at all: 2' 2 "$bundler" sign b

# in place, killed anywhere
fresh
head -c 100000 b >volume1
ok 'the first volume alone will do' "$bundler" sign volume1 --key ed25519.key
is 'its length stays' "$(stat -c %s volume1)" 100000
fresh
"$bundler" sign b --key ed25519.key 2>/dev/null >&2
head -c 16396 b >frame0
fresh
cp frame0 b.sig-new                             # killed before the write
ok 'goes on after a kill before the write' "$bundler" sign b --key ed25519.key
ok 'and the signature is there' sh -c 'head -c 16396 b | cmp - frame0'
fails 'and the rest is gone' 1 test -e b.sig-new
fresh
cp frame0 b.sig-new                             # killed within it: half new, half garbage
head -c 1400 frame0 | dd of=b conv=notrunc 2>/dev/null
head -c 15000 /dev/zero | dd of=b bs=1396 seek=1 conv=notrunc 2>/dev/null
fails 'a torn frame 0 is refused' 11 "$bundler" verify b --trust keys
ok 'completed after a kill within the write' "$bundler" sign b --key ed25519.key
ok 'and whole again' "$bundler" verify b --trust keys
cp "$data/ed25519.tar.zst" c
cp frame0 c.sig-new
fails 'what belongs to another copy is not written: 18' 18 "$bundler" sign c --key ed25519.key
ok 'and the bundle is as it was' cmp c "$data/ed25519.tar.zst"
python3 - <<-'EOF'
	d = bytearray(open("c", "rb").read()); d[600:700] = bytes(100); d[16926] ^= 1; open("c", "wb").write(d)
EOF
fails 'nor over a torn frame of another bundle' 14 "$bundler" sign c --key ed25519.key
fresh
echo junk >b.sig-new
fails 'what is no frame is refused: 18' 18 "$bundler" sign b --key ed25519.key
fresh
flock -o b sleep 2 &
holder=$!
sleep 0.3
fails 'one signer at a time: 32' 32 "$bundler" sign b --key ed25519.key
kill $holder 2>/dev/null
wait $holder 2>/dev/null
sleep 0.1

rounds=20 whole=0
[ -z "${SANITIZE:-}" ] || rounds=5
i=0
while [ $i -lt $rounds ]; do
	i=$((i + 1))
	fresh
	timeout -s KILL "0.00$((i % 10))" "$bundler" sign b --key ed25519.key >/dev/null 2>&1
	"$bundler" sign b --key ed25519.key >/dev/null 2>&1 || break
	head -c 16396 b | cmp -s - frame0 && [ ! -e b.sig-new ] && whole=$((whole + 1))
done
is 'killed at random times and run again' "$whole" "$rounds"

fresh
python3 - <<-'EOF'
	d = bytearray(open("b", "rb").read()); d[9300] ^= 1; open("bad", "wb").write(d)
EOF
fails 'a frame 0 that was altered is not signed: 18' 18 "$bundler" sign bad --key ed25519.key
