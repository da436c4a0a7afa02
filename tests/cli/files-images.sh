#!/bin/sh
# files-images.sh: files out of the layers of images: the topmost layer is right, whiteouts count, links are refused; pinned by the
# image's digest, carried from its registry, made again by a build.
# shellcheck disable=SC2317 # functions are called through ok
set -u
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
need python3 skopeo docker-registry openssl zstd
bundler=$(realpath "$B/bin/bundler" 2>/dev/null) || skip_all "bundler is not built"
deployer=$(realpath "$B/bin/deployer" 2>/dev/null) || skip_all "deployer is not built"
export XDG_CACHE_HOME="$T/cache" SOURCE_DATE_EPOCH=1700000000 HOME="$T"
w=$T/w
mkdir -p "$w" "$T/trust"

# Three layers: gzip, plain, gzip; an index of it for two platforms.
python3 - "$T/img" <<'END'
import gzip, hashlib, io, json, os, sys, tarfile
out = sys.argv[1]
os.makedirs(out + "/blobs/sha256")
OCI = "application/vnd.oci.image."
def blob(data, kind):
    d = hashlib.sha256(data).hexdigest()
    with open(f"{out}/blobs/sha256/{d}", "wb") as f:
        f.write(data)
    return {"mediaType": OCI + kind, "digest": "sha256:" + d, "size": len(data)}
def layer(entries, squeeze):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, content in entries:
            t = tarfile.TarInfo(name)
            if content is None:
                t.type, t.mode = tarfile.DIRTYPE, 0o755
            elif content.startswith("->"):
                t.type, t.linkname = tarfile.SYMTYPE, content[2:]
            elif content.startswith("=>"):
                t.type, t.linkname = tarfile.LNKTYPE, content[2:]
            else:
                t.size = len(content)
            tar.addfile(t, io.BytesIO((content or "").encode()) if t.size else None)
    tar = raw.getvalue()
    if squeeze:
        return blob(gzip.compress(tar, 6, mtime=0), "layer.v1.tar+gzip"), "sha256:" + hashlib.sha256(tar).hexdigest()
    return blob(tar, "layer.v1.tar"), "sha256:" + hashlib.sha256(tar).hexdigest()
lower = [("opt", None), ("opt/apps.zip", "one"), ("opt/gone", "x"), ("opt/below/gone", "x"), ("opt/only", "lower"), ("d", None),
         ("d/f", "f"), ("p", None), ("p/q", "q"), ("opt/soft", "->apps.zip"), ("opt/hard", "=>opt/apps.zip"), ("./dot/file", "dot"), ("/abs/file", "abs"),
         ("odd\\x2d/file", "odd")]
middle = [("opt/apps.zip", "two"), ("opt/.wh.gone", ""), ("opt/.wh.below", ""), ("twice", "a"), ("twice", "b")]
top = [("d/.wh..wh..opq", ""), ("d/new", "new"), ("p", "a file now"), ("lnk", "->opt"), ("opt/again", "top")]
def image(arch, more):
    layers = [layer(lower + more, True), layer(middle, False), layer(top, True)]
    config = blob(json.dumps({"os": "linux", "architecture": arch, "rootfs": {"type": "layers", "diff_ids": [d for _, d in layers]}}).encode(), "config.v1+json")
    text = json.dumps({"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json", "config": config, "layers": [l for l, _ in layers]}).encode()
    return dict(blob(text, "manifest.v1+json"), platform={"os": "linux", "architecture": arch})
index = json.dumps({"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": [image("amd64", []), image("arm64", [("opt/arm", "arm")])]}).encode()
top = dict(blob(index, "index.v1+json"), annotations={"org.opencontainers.image.ref.name": "1.0"})
for name, text in (("oci-layout", {"imageLayoutVersion": "1.0.0"}), ("index.json", {"schemaVersion": 2, "manifests": [top]})):
    with open(f"{out}/{name}", "w", encoding="utf-8") as f:
        json.dump(text, f)
END
index=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1] + "/index.json"))["manifests"][0]["digest"])' "$T/img")
stand_registry main --auth token
registry=$(stand_fact main address)
stand_push main "$T/img" hub/clearml/apps:1 >/dev/null
REGISTRY_TOKEN=$(cat "$(stand_fact main password-file)")
export REGISTRY_TOKEN

# manifest ENTRY...
manifest() {
	{
		printf 'apiVersion: airgap/v1\nkind: Manifest\nmetadata: {name: a, version: 1.0.0, stream: test/a}\n'
		printf 'platforms: [linux/amd64]\nkubernetes: {version: "1.32"}\naliases: {docker.io: "%s/hub"}\n' "$registry"
		printf 'hosts: {"%s": {plainHTTP: true, username: robot, password: env:REGISTRY_TOKEN}}\nfiles:\n' "$registry"
		printf '  - %s\n' "$@"
	} >"$w/bundle.yaml"
}
lock() { "$bundler" lock --no-progress "$w/bundle.yaml"; }
build() { "$bundler" build --no-progress "$w/bundle.lock.yaml" -o "$T/b.zst" "$@"; }
said() { cat "$T/said"; }
value() {
	python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
file = lambda name: next(f for f in d["contents"]["files"] if f["name"] == name)
blob = lambda digest: next(b for b in d["blobs"] if b["digest"] == digest)
print(eval(sys.argv[2]))' "$w/bundle.lock.yaml" "$1"
}
sum() { printf %s "$1" | sha256sum | cut -d ' ' -f 1; }
image='image: "docker.io/clearml/apps:1"'

manifest "{name: apps, $image, member: opt/apps.zip, mode: 755}" "{name: only, $image, member: opt/only, sha256: \"$(sum lower)\"}" \
	"{name: new, $image, member: d/new}" "{name: again, $image, member: opt/again}" "{name: dot, $image, member: dot/file}" \
	"{name: abs, $image, member: abs/file}" "{name: odd, $image, member: odd\\x2d/file}" "{name: arm, $image, member: opt/arm, platform: linux/arm64}" \
	"{name: pinned, image: \"docker.io/clearml/apps@$index\", member: opt/only}"
ok 'files of images are locked' lock
is 'the topmost layer is right' "$(value 'file("apps")["blob"][7:]')" "$(sum two)"
is 'what only a lower one has' "$(value 'file("only")["blob"][7:]')" "$(sum lower)"
is 'what stands beside an opaque mark' "$(value 'file("new")["blob"][7:]')" "$(sum new)"
is 'names however a tar writes them' "$(value '[file(n)["blob"][7:13] for n in ("dot", "abs", "odd")]')" "['$(sum dot | cut -c 1-6)', '$(sum abs | cut -c 1-6)', '$(sum odd | cut -c 1-6)']"
is 'another platform' "$(value 'file("arm")["blob"][7:], file("arm")["platform"]')" "('$(sum arm)', 'linux/arm64')"
is 'the digest that the tag had is recorded' "$(value 'file("apps")["origin"], file("pinned")["origin"]')" \
	"('docker.io/clearml/apps:1@$index', 'docker.io/clearml/apps@$index')"
is 'name and mode' "$(value 'file("apps")["file"], file("apps")["mode"]')" "('apps.zip', '755')"
is 'where a build finds it' "$(value '[(s["kind"], s["location"], s["member"]) for s in blob(file("apps")["blob"])["sources"]]')" "[('layer', '$registry/hub/clearml/apps', 'opt/apps.zip')]"
ok 'built' build
rm -rf "$T/cache" "$T/b.zst"
gets() { stand_log main '"GET /v2/[^ ]*/blobs/' | grep -c ' 200 '; }
before=$(gets)
ok 'built without a cache' build
is 'each once: three of one image, one of the other' "$(($(gets) - before))" 4
rm "$T/b.zst"
cp "$w/bundle.lock.yaml" "$T/first"
layer=$(value 'blob(file("apps")["blob"])["sources"][0]["archive"][7:]')
printf x | dd of="$T/cache/airgap/content/sha256/$layer" bs=1 seek=700 conv=notrunc 2>/dev/null
ok 'a damaged layer of the cache comes again' build
ok 'locked again' lock
ok 'it is the same lock' cmp "$T/first" "$w/bundle.lock.yaml"

# ---- on site
"$bundler" keygen "$T/k" >/dev/null 2>&1 && cp "$T/k.pub" "$T/trust"
chmod 755 "$T/trust"
rm "$T/b.zst" && build --key "$T/k.key" >/dev/null 2>&1
stand_registry site
site=$(stand_fact site address)
ok 'pushed' env XDG_STATE_HOME="$T/state" "$deployer" push "$T/b.zst" "$site/m" --plain-http --trust "$T/trust"
digest=$(value 'file("apps")["digest"][7:39]')
ok 'a file comes back' skopeo copy -q --src-tls-verify=false "docker://$site/m/files/apps:$digest" "dir:$T/back"
is 'with its content' "$(cat "$T/back/$(sum two)")" two

# ---- what cannot be had. bad ENTRY STATUS TEXT
bad() {
	manifest "$1"
	fails "$3: $2" "$2" lock
	like 'it is told' "$(said)" "file 'x': image 'docker.io/clearml/apps:1': .*$3"
}
bad "{name: x, $image, member: opt/none}" 2 "there is no 'opt/none' in it"
bad "{name: x, $image, member: opt/gone}" 2 "there is no 'opt/gone' in it: a layer took it away"
bad "{name: x, $image, member: opt/below/gone}" 2 'a layer took it away'
bad "{name: x, $image, member: d/f}" 2 'a layer took it away'
bad "{name: x, $image, member: p/q}" 2 'a layer took it away'
bad "{name: x, $image, member: opt/soft}" 17 "'opt/soft' is a link"
bad "{name: x, $image, member: opt/hard}" 17 "'opt/hard' is a link"
bad "{name: x, $image, member: lnk/apps.zip}" 17 "'lnk/apps.zip' lies behind the link 'lnk'"
bad "{name: x, $image, member: opt}" 17 "'opt' is a folder"
bad "{name: x, $image, member: twice}" 17 'there twice in one layer'
bad "{name: x, $image, member: opt/apps.zip, platform: linux/s390x}" 19 'there is none for linux/s390x'
manifest "{name: x, $image, member: ../etc/passwd}"
fails 'a path that leaves the image: 17' 17 lock
manifest "{name: x, $image, member: opt/apps.zip, sha256: \"$(sum one)\"}"
fails 'another sha256 than the manifest says: 14' 14 lock
like 'both are told' "$(said)" "file 'x': 'opt/apps.zip': its sha256 is $(sum two), the manifest says $(sum one)"
manifest '{name: x, image: "docker.io/clearml/none:1", member: opt/apps.zip}'
fails 'no such image: 20' 20 lock
manifest "{name: x, $image, member: opt/apps.zip}"
sed -i 's/^platforms: .*/platforms: [linux\/amd64, linux\/arm64]/' "$w/bundle.yaml"
fails 'several platforms and none named: 2' 2 lock
like 'it is told' "$(said)" 'say which with platform'
