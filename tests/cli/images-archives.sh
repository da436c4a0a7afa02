#!/bin/sh
# images-archives.sh: images out of archives: `docker save` in its forms, skopeo's docker-archive, a tar of an OCI layout, several
# in one; what a runtime unpacks of them; archives that somebody made to do harm.
# shellcheck disable=SC2317 # functions are called through ok
set -u
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
need python3 skopeo umoci zstd
bundler=$(realpath "$B/bin/bundler" 2>/dev/null) || skip_all "bundler is not built"
export XDG_CACHE_HOME="$T/cache" SOURCE_DATE_EPOCH=1700000000 HOME="$T"
stand_images "$T/img" app worker multi pause
save() { tests/stand/save "$@"; }
w=$T/w
mkdir "$w"

# manifest ENTRY... - bundle.yaml with these images.
manifest() {
	{
		printf 'apiVersion: airgap/v1\nkind: Manifest\nmetadata: {name: a, version: 1.0.0, stream: test/a}\n'
		printf 'platforms: [linux/amd64]\nkubernetes: {version: "1.32"}\nimages:\n'
		printf '  - %s\n' "$@"
	} >"$w/bundle.yaml"
}
lock() { "$bundler" lock --no-progress "$w/bundle.yaml"; }
build() { "$bundler" build --no-progress "$w/bundle.lock.yaml" -o "$T/b.zst"; }
said() { cat "$T/said"; }
value() {
	python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
image = lambda ref: next(i for i in d["contents"]["images"] if i["ref"] == ref)
blob = lambda digest: next(b for b in d["blobs"] if b["digest"] == digest)
made = lambda digest: json.loads(next(m["text"] for m in d["made"] if m["digest"] == digest))
print(eval(sys.argv[2]))' "$w/bundle.lock.yaml" "$1"
}
unpack_bundle() { rm -rf "$T/out" && mkdir "$T/out" && zstd -dqc "$T/b.zst" | tar -x -C "$T/out"; }
# rootfs LAYOUT NAME DIR - what a runtime would see
rootfs() {
	rm -rf "$T/skopeo" "$3"
	skopeo copy -q --override-arch "${4:-amd64}" "oci:$1:$2" "oci:$T/skopeo:x" && umoci unpack --rootless --image "$T/skopeo:x" "$3"
}
same_rootfs() { rootfs "$T/out" "$1" "$T/got" && rootfs "$2" 1.0 "$T/want" && diff -r --no-dereference "$T/got/rootfs" "$T/want/rootfs"; }

# ---- what tools write
skopeo copy -q "oci:$T/img/app:1.0" "docker-archive:$w/skopeo.tar:demo/app:1.0" 2>"$T/err" || note "$(cat "$T/err")"
save "$w/old.tar" "$T/img/app=demo/app:1.0,demo/app:latest" "$T/img/worker=demo/worker:1.0" "$T/img/pause=" --form old
save "$w/old.tgz" "$T/img/app=demo/app:1.0" --gzip
save "$w/both.tar" "$T/img/app=demo/app:1.0" "$T/img/worker=demo/worker:1.0" --form both
save "$w/packed.tar" "$T/img/app=demo/app:1.0" --form packed
tar -C "$T/img/multi" -cf "$w/multi.tar" .
tar -C "$T/img/multi" --zstd -cf "$w/multi.tar.zst" index.json oci-layout blobs
manifest '{ref: "skopeo/app:1.0", layout: skopeo.tar}' '{ref: "demo/app:1.0", layout: old.tar, tags: [latest, v1]}' \
	'{ref: "demo/worker:1.0", layout: old.tar}' '{ref: "gz/app:1.0", layout: old.tgz}' '{ref: "both/app:1.0", layout: both2.tar}' \
	'{ref: "docker.io/demo/app:2", layout: packed.tar}' \
	'{ref: "oci/one:1.0", layout: multi.tar}' '{ref: "oci/two:1.0", layout: multi.tar, platforms: [linux/amd64, linux/arm64]}' \
	'{ref: "oci/all:1.0", layout: multi.tar.zst, platforms: all}'
save "$w/both2.tar" "$T/img/app=demo/app:1.0" --form both
ok 'archives of every form are locked' lock
ok 'and built' build
ok 'and unpacked' unpack_bundle
ok "skopeo's docker-archive is the image" same_rootfs docker.io/skopeo/app:1.0 "$T/img/app"
ok 'an archive of docker 24' same_rootfs docker.io/demo/app:1.0 "$T/img/app"
ok 'the second image in it, whose base is a link' same_rootfs docker.io/demo/worker:1.0 "$T/img/worker"
ok 'a compressed one' same_rootfs docker.io/gz/app:1.0 "$T/img/app"
ok 'one of docker 25' same_rootfs docker.io/both/app:1.0 "$T/img/app"
ok 'one with compressed layers' same_rootfs docker.io/demo/app:2 "$T/img/app"
is 'layers stay as they are, uncompressed ones without compression' \
	"$(value '[[l["mediaType"][35:] for l in made(image(r)["target"])["layers"]] for r in ("docker.io/demo/app:1.0", "docker.io/demo/app:2")]')" \
	"[['tar', 'tar'], ['tar+gzip', 'tar+gzip']]"
is 'the config is the one of the archive' "$(value 'made(image("docker.io/demo/app:1.0")["target"])["config"]["digest"]')" \
	"$(python3 -c 'import json,sys
d = sys.argv[1]
i = json.load(open(d + "/index.json"))["manifests"][0]["digest"][7:]
print(json.load(open(d + "/blobs/sha256/" + i))["config"]["digest"])' "$T/img/app")"
is 'the same layers and config make the same manifest' "$(value 'image("docker.io/demo/app:1.0")["target"] == image("docker.io/gz/app:1.0")["target"]')" True
is "docker 25's own manifest is taken, not one of ours" "$(value 'blob(image("docker.io/both/app:1.0")["target"])["sources"][0]["kind"]')" member
is 'further tags' "$(value 'image("docker.io/demo/app:1.0")["tags"]')" "['latest', 'v1']"
is 'one platform, and the other for hardly more' "$(value 'image("docker.io/oci/one:1.0")["notes"]')" "['all platforms are taken: together they are hardly larger']"
is 'both platforms: the index' "$(value '[c["carried"] for c in image("docker.io/oci/two:1.0")["children"]]')" '[True, True]'
is 'all platforms: the same' "$(value '(lambda a, b: a["target"] == b["target"] and a["children"] == b["children"])(image("docker.io/oci/two:1.0"), image("docker.io/oci/all:1.0"))')" True
cp "$w/bundle.lock.yaml" "$T/first"
ok 'locked again' lock
ok 'it is the same lock' cmp "$T/first" "$w/bundle.lock.yaml"

# ---- which image
manifest '{ref: "other/name:1.0", layout: old.tar}'
fails 'several images and none of that name: 2' 2 lock
like 'the names are told' "$(said)" "has 3 images and none is named 'docker.io/other/name:1.0': it has demo/app:1.0, demo/app:latest, demo/worker:1.0"
manifest '{ref: "other/name:1.0", layout: both.tar}'
fails 'a tag that two of them have: 2' 2 lock
manifest '{ref: "docker.io/demo/worker:1.0", layout: both.tar}'
ok 'the whole name' lock
printf 'hello' >"$T/hello" && tar -C "$T" -cf "$w/none.tar" hello
manifest '{ref: "a/none:1", layout: none.tar}'
fails 'no archive of images: 2' 2 lock
like 'it says so' "$(said)" "none.tar': is no OCI layout and no archive of images"
manifest "{ref: \"demo/app:1.0@sha256:$(sha256sum <"$T/hello" | cut -d ' ' -f 1)\", layout: old.tgz}"
fails 'another digest than the one named: 14' 14 lock
manifest '{ref: "demo/app:1.0", layout: old.tgz, platforms: [linux/s390x]}'
fails 'another platform: 19' 19 lock

# ---- changed between lock and build
manifest '{ref: "demo/app:1.0", layout: old.tgz}'
lock >/dev/null 2>&1
cp "$w/skopeo.tar" "$w/old.tgz"
fails 'an archive that has changed: 14' 14 build
like 'it is named' "$(said)" "old.tgz'"
rm -f "$T"/b.zst.partial*

# ---- harm. bad KIND STATUS TEXT
bad() {
	save "$w/bad.tar" "$T/img/app=demo/app:1.0" "$T/img/worker=demo/worker:1.0" --bad "$1" --form "${4:-old}"
	manifest '{ref: "demo/app:1.0", layout: bad.tar}'
	fails "$1: $2" "$2" lock
	like "$1 is told" "$(said)" "image 'docker.io/demo/app:1.0' .*bad.tar': .*$3"
}
bad dotdot 17 "../outside"
bad absolute 17 "/etc/outside"
bad device 17 "dev"
bad twice 17 "manifest.json': there twice"
bad chain 17 "manifest.json': there twice"
bad link 17 "layer.tar' is a link, and nothing in the archive is what it should be"
bad other-layer 14 "layer '.*layer.tar' is sha256:.*, its config says sha256:"
bad other-layer 14 "its config says" packed
bad short-list 18 "its config has 2 layers, manifest.json has 1"
bad no-config 15 "config '.*json' is not in it"
bad no-layer 15 "layer '.*' is not in it"
bad big-config 16 "more than 8388608 bytes"
bad big-manifest 16 "more than 4194304 bytes"
bad cut 15 "[Tt]runcated"
bad not-json 18 "manifest.json"
head -c 100000 /dev/urandom >"$w/bad.tar"
fails 'no archive at all: 18' 18 lock
python3 - "$w/bad.tar" <<'END'
import io, sys, tarfile
with open(sys.argv[1], "wb") as f:      # a member that claims a tebibyte
    t = tarfile.TarInfo("layer.tar")
    t.size = 1 << 40
    f.write(t.tobuf(tarfile.GNU_FORMAT) + b"x" * 1024)
END
fails 'a size that is not there: 15' 15 lock
is 'nothing of these came out of its archive' "$(find "$T" -name 'outside*')" ''
