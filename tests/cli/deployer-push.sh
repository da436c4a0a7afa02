#!/bin/sh
# `deployer push`: straight from the file to a registry, and nothing twice. Bundles made without bundler.
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
need docker-registry skopeo python3 openssl

mkdir -p "$T/trust"
chmod 755 "$T/trust"
stand_images "$T/images" app worker multi
head -c 300000 /dev/urandom >"$T/file"
mkdir -p "$T/chart/templates"
printf 'apiVersion: v2\nname: some\nversion: 1.0.0+a\n' >"$T/chart/Chart.yaml"
bundle() {
	out=$1
	shift
	"$B/tests/bundle" "$T/$out" "$T/k.key" "$@" >"$T/said"
}
"$B/tests/bundle" "$T/empty" "new:$T/k.key" sequence=1 >/dev/null
cp "$T/k.key.pub" "$T/trust/k.pub"
bundle b sequence=2 "chart=$T/chart" "file=data=$T/file" "image=docker.io/demo/app:1.0=$T/images/app" \
	"image=other.example:5000/demo/worker:1.0=$T/images/worker" "image=docker.io/demo/multi:1.0=$T/images/multi" \
	"image=docker.io/demo/copy:1.0=$T/images/app"
app=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["manifests"][0]["digest"])' "$T/images/app/index.json")
bundle pinned stream=example/pinned "image=docker.io/demo/app@$app=$T/images/app"
bundle sparse stream=example/sparse "sparse=docker.io/demo/multi:1.0=$T/images/multi"

deployer() {
	command=$1 file=$2
	shift 2
	env XDG_STATE_HOME="$T/state" DOCKER_CONFIG="$T/docker" "$B/bin/deployer" "$command" "$T/$file" --trust "$T/trust" "$@"
}
said() { like "$1" "$(cat "$T/said")" "$2"; }
mkdir "$T/docker"

# requests METHOD PATH - how many of them since mark
mark() { marked=$(stand_log r | wc -l); }
requests() { stand_log r | tail -n "+$((marked + 1))" | grep -cE "\"$1 [^ ]*$2" || :; }

stand_registry r
r=$(stand_fact r address)
mark
ok 'push' deployer push b "$r/site/mirror" --plain-http
said 'it says what it did' "^$r: 4 images, 1 chart, 1 file: [0-9]+ blobs uploaded .*, [1-9][0-9]* mounted"
is 'an image arrives with its digest' "$(skopeo inspect --tls-verify=false "docker://$r/site/mirror/demo/app:1.0" | python3 -c 'import json, sys; print(json.load(sys.stdin)["Digest"])')" "$app"
ok 'an index arrives whole' skopeo copy --quiet --all --src-tls-verify=false "docker://$r/site/mirror/demo/multi:1.0" "oci:$T/back:1"
ok 'a chart arrives under its version' skopeo inspect --raw --tls-verify=false "docker://$r/site/mirror/charts/some:1.0.0_a"
uploads=$(requests POST /blobs/uploads/)
mark
ok 'push again' deployer push b "$r/site/mirror" --plain-http --json
is 'nothing is uploaded' "$(python3 -c 'import json, sys; j = json.load(open(sys.argv[1])); print(j["uploaded"], j["mounted"], j["bytes"])' "$T/said")" '0 0 0'
is 'nothing is written' "$(requests '(PUT|POST|PATCH|DELETE)' '')" 0
note "the first push opened $uploads uploads; the second made $(requests HEAD /) HEAD requests"
is 'one question for each blob and each tag' "$(requests HEAD /)" "$(python3 -c 'import json, sys; j = json.load(open(sys.argv[1])); print(
	j["blobs"] + j["images"] + j["charts"] + j["files"] + 1)' "$T/said")"

# What is kept of the bundle itself: its head, and what may be read when the file is gone, which is not sent twice.
kept=$(find "$(stand_fact r data)" -type d -path '*/site/mirror/bundles/*/_manifests/tags/*' | sed -n 's,.*/repositories/\(site/mirror/bundles/[0-9a-f]*\)/_manifests/tags/\([0-9a-f]*\)$,\1:\2,p')
skopeo inspect --raw --tls-verify=false "docker://$r/$kept" >"$T/kept.json"
# layer N FIELD
layer() { python3 -c 'import json, sys; l = json.load(open(sys.argv[1]))["layers"][int(sys.argv[2])]; print(l[sys.argv[3]])' "$T/kept.json" "$1" "$2"; }
is 'the head is the first layer' "$(head -c "$(layer 0 size)" "$T/b" | sha256sum | cut -c1-64)" "$(layer 0 digest | cut -c8-)"
like 'the file is one of the others' "$(cat "$T/kept.json")" "$(sha256sum <"$T/file" | cut -c1-64)"
is 'it went over the line once' "$(stand_log r | grep -c "\"PUT [^ ]*digest=sha256.*$(sha256sum <"$T/file" | cut -c1-64)")" 1

# A registry that lost a blob while its tags are still right.
blob=$(find "$(stand_fact r data)" -path '*/demo/app/_layers/*' -type d -name '[0-9a-f]*' | head -n 1)
rm -rf "$blob"
ok 'push after a blob was lost' deployer push b "$r/site/mirror" --plain-http
ok 'it is there again' [ -e "$blob/link" ]

ok 'an image pinned by digest' deployer push pinned "$r/pin" --plain-http
is 'it has the tag of its digest' "$(skopeo inspect --tls-verify=false "docker://$r/pin/demo/app:d-$(echo "${app#sha256:}" | cut -c1-32)" |
	python3 -c 'import json, sys; print(json.load(sys.stdin)["Digest"])')" "$app"

fails 'an index with platforms left out, at a registry that takes none' 43 deployer push sparse "$r/s" --plain-http
said 'it says what to do' 'takes no index with platforms left out .*: carry all platforms of this image, or set'

# ---- who may

stand_registry a --auth basic --tls
a=$(stand_fact a address)
fails 'nobody' 21 deployer push b "$a" --ca "$(stand_fact a ca)"
fails 'a certificate we do not know' 22 deployer push b "$a"
auth() { printf '{"auths":{"%s":{"auth":"%s"}}}' "$a" "$(printf '%s:%s' "$1" "$2" | base64 -w 0)" >"$T/docker/config.json"; }
auth robot wrong
fails 'a wrong password' 21 deployer push b "$a" --ca "$(stand_fact a ca)"
auth robot "$(cat "$(stand_fact a password-file)")"
ok 'the right one, from a Docker auth file' deployer push b "$a" --ca "$(stand_fact a ca)"
is 'the password is not shown' "$(deployer push b "$a" --ca "$(stand_fact a ca)" -v 2>&1 | grep -c "$(cat "$(stand_fact a password-file)")")" 0
stand_stop a
fails 'a registry that is down' 20 deployer push b "$a" --ca "$(stand_fact a ca)"

stand_registry t --auth token
t=$(stand_fact t address)
a=$t
auth reader "$(stand_fact t reader-password)"
fails 'a user who may only read' 21 deployer push b "$t" --plain-http
auth robot "$(stand_fact t password)"
ok 'a token server' deployer push b "$t" --plain-http

# ---- what is pushed must be trusted

bundle old sequence=1
fails 'an older bundle of the same stream' 13 deployer push old "$r" --plain-http
ok 'verify' deployer verify b
ok 'inspect' deployer inspect b
"$B/tests/bundle" "$T/strange" "new:$T/other.key" stream=example/strange >/dev/null
fails 'a key that is not trusted' 12 deployer push strange "$r" --plain-http
printf x | dd of="$T/b" bs=1 seek=900000 conv=notrunc 2>/dev/null
fails 'verify finds a changed byte' 14 deployer verify b
stand_registry z
fails 'push finds a changed byte' 14 deployer push b "$(stand_fact z address)" --plain-http
