#!/bin/sh
# interop.sh: a bundle is read by tools that have never heard of it: tar, zstd, bsdtar, sha256sum, skopeo, openssl,
# Sigstore's own verifier, and the checker that was written from the format's text alone.
# shellcheck disable=SC2317 # functions are called through ok
set -u
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
# shellcheck source=tests/demolib.sh
. tests/demolib.sh
need_programs
need bsdtar tar sha256sum
sigstore='@sigstore/verify@3.1.1 @sigstore/bundle@4.0.0'

# bytes FILE OFFSET COUNT - that part of a file.
bytes() { tail -c "+$(($2 + 1))" "$1" | head -c "$3"; }
u16() { bytes "$1" "$2" 2 | od -An -tu2 | tr -d ' '; }
u32() { bytes "$1" "$2" 4 | od -An -tu4 | tr -d ' '; }

# signed_part BUNDLE - what is signed to $T/pae, the first signature to $T/sig, its key's id printed.
# The record stands at 524; DSSE's pre-authentication encoding of its body is what the key signed.
signed_part() {
	n=$(u32 "$1" 536)
	{ printf 'DSSEv1 28 application/vnd.in-toto+json %d ' "$n"; bytes "$1" 540 "$n"; } >"$T/pae"
	at=$((540 + n + 2))
	bytes "$1" $((at + 36)) "$(u16 "$1" $((at + 34)))" >"$T/sig"
	bytes "$1" "$at" 32 | od -An -tx1 | tr -d ' \n'
}

# mismatched FOLDER - blobs whose name is not their hash.
mismatched() { (cd "$1/blobs/sha256" && sha256sum -- * | awk '$1 != $2'); }

key_id() { openssl pkey -pubin -in "$1" -outform DER | sha256sum | cut -d ' ' -f 1; }

# sigstore_verifies BUNDLE.sigstore.json PUB
sigstore_verifies() {
	cat >"$T/verify.js" <<-'END'
	const fs = require('fs'), crypto = require('crypto');
	const { bundleFromJSON } = require('@sigstore/bundle');
	const { Verifier, toSignedEntity, toTrustMaterial } = require('@sigstore/verify');
	const [, , file, pub] = process.argv;
	const bundle = bundleFromJSON(JSON.parse(fs.readFileSync(file, 'utf8')));
	const publicKey = crypto.createPublicKey(fs.readFileSync(pub, 'utf8'));
	const none = { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [] };
	const key = () => ({ publicKey, validFor: () => true });
	const options = { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 };
	new Verifier(toTrustMaterial(none, key), options).verify(toSignedEntity(bundle));
	const statement = JSON.parse(bundle.content.dsseEnvelope.payload);
	console.log(statement.subject[0].digest.sha256);
	END
	NODE_PATH=$1/node_modules node "$T/verify.js" "$2" "$3"
}

# shellcheck disable=SC2119 # it takes options
demo_upstream >"$T/said" 2>&1 || { cat "$T/said"; exit 1; }
ok 'a key pair is made' demo_key
ok 'a bundle is built' demo_build "$T/demo.tar.zst"
[ -f "$T/demo.tar.zst" ] || exit 1
bundle=$T/demo.tar.zst

# ---- archives
ok 'zstd tests it' zstd -qt "$bundle"
mkdir "$T/tar" "$T/bsd"
ok 'tar --zstd unpacks it' tar --zstd -xf "$bundle" -C "$T/tar"
ok 'bsdtar unpacks it' bsdtar -xf "$bundle" -C "$T/bsd"
ok 'to the same files' diff -r "$T/tar" "$T/bsd"
ok 'which begin with the signature' sh -c "tar --zstd -tf '$bundle' | head -n 1 | grep -qx bundle.sig"
is 'each blob is named by its hash' "$(mismatched "$T/tar")" ''

# ---- an image layout
layout=$T/tar
image=registry.example.com/demo/app:1.0
ok 'skopeo takes an image out of it' skopeo copy --quiet --preserve-digests "oci:$layout:$image" "dir:$T/app"
is 'with the digest it had upstream' "$(sha256sum <"$T/app/manifest.json" | cut -d ' ' -f 1)" \
	"$(jq -r '.manifests[0].digest' "$T/upstream/images/app/index.json" | cut -d : -f 2)"
ok 'and a whole index' skopeo copy --quiet --all --preserve-digests "oci:$layout:docker.io/demo/worker:1.1" "dir:$T/worker"
if command -v umoci >/dev/null; then
	like 'umoci lists its images' "$(umoci list --layout "$layout" 2>&1)" '(^|/)demo/app:1\.0$'
else
	skip 'umoci lists its images' 'umoci is not installed'
fi

# ---- signatures
is 'the key id is the hash of the public key' "$(signed_part "$bundle")" "$(key_id "$T/demo.pub")"
case $(openssl pkey -pubin -in "$T/demo.pub" -noout -text | head -n 1) in
ED25519*) ok 'openssl verifies the signature' openssl pkeyutl -verify -pubin -inkey "$T/demo.pub" -rawin -in "$T/pae" -sigfile "$T/sig" ;;
*) ok 'openssl verifies the signature' openssl dgst -sha256 -verify "$T/demo.pub" -signature "$T/sig" "$T/pae" ;;
esac
ln -s demo.tar.zst "$T/bundle.tar.zst"
cp "$T/demo.pub" "$T/release.pub"
sed -n '/^    f=bundle/,/^    openssl dgst/p' README.md >"$T/recipe"
ok 'so does the recipe in README.md' env -C "$T" sh -eu recipe
like 'in so many words' "$(cat "$T/said")" '^Verified OK$'
is 'which covers bundle.json' "$(sha256sum <"$T/tar/bundle.json" | cut -d ' ' -f 1)" \
	"$(tail -c +40 "$T/pae" | sed 's/^[0-9]* //' | jq -r '.subject[0].digest.sha256')"
ok 'the checker written from the text finds nothing' python3 tests/format1.py check "$bundle" --key "$T/demo.pub"
(cd "$T" && "$bundler" keygen second --type p256 >/dev/null 2>&1 && "$bundler" sign demo.tar.zst --key second.key >/dev/null 2>&1)
ok 'nor after a second signature' python3 tests/format1.py check "$bundle" --key "$T/demo.pub" --key "$T/second.pub"
if command -v npm >/dev/null && command -v node >/dev/null; then
	modules=$airgap_cache/$(echo "$sigstore" | tr -c 'a-z0-9.\n' -)
	# shellcheck disable=SC2086 # a list of words
	if [ -d "$modules/node_modules/@sigstore/verify" ] ||
		timeout 120 npm install --prefix "$modules" --no-audit --no-fund --ignore-scripts --silent $sigstore >"$T/said" 2>&1; then
		ok "Sigstore's verifier accepts it" sigstore_verifies "$modules" "$T/tar/bundle.sigstore.json" "$T/demo.pub"
		is 'for the same bundle.json' "$(tail -n 1 "$T/said")" "$(sha256sum <"$T/tar/bundle.json" | cut -d ' ' -f 1)"
		fails 'and refuses another key' 1 sigstore_verifies "$modules" "$T/tar/bundle.sigstore.json" "$T/second.pub"
	else
		skip "Sigstore's verifier accepts it" 'npm cannot fetch it'
	fi
else
	skip "Sigstore's verifier accepts it" 'there is no npm'
fi
