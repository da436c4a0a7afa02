#!/bin/sh
# images-add.sh: an image of our making: files as one layer on top of another image, for one platform or several; the same
# bytes for the same files; what a runtime unpacks of it; files that change, go or are no files; a run that is killed.
# shellcheck disable=SC2317 # functions are called through ok
set -u
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
need python3 skopeo umoci zstd docker-registry openssl
bundler=$(realpath "$B/bin/bundler" 2>/dev/null) || skip_all "bundler is not built"
deployer=$(realpath "$B/bin/deployer" 2>/dev/null) || skip_all "deployer is not built"
export XDG_CACHE_HOME="$T/cache" XDG_STATE_HOME="$T/state" SOURCE_DATE_EPOCH=1700000000 HOME="$T"
stand_images "$T/img" app multi docker
stand_registry main --auth token
registry=$(stand_fact main address)
stand_push main "$T/img/app" hub/demo/app:1.0 >/dev/null
stand_push main "$T/img/multi" hub/demo/multi:1.0 >/dev/null
stand_push main "$T/img/docker" hub/demo/docker:1.0 >/dev/null
digest_of() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1] + "/index.json"))["manifests"][0]["digest"])' "$1"; }
app=$(digest_of "$T/img/app") multi=$(digest_of "$T/img/multi")
w=$T/w
mkdir -p "$w/apps" "$T/trust"
seq 50000 >"$w/apps/apps.zip"
printf '#!/bin/sh\necho up\n' >"$w/upload_apps.py" && chmod 755 "$w/upload_apps.py"
chmod 600 "$w/apps/apps.zip"
REGISTRY_TOKEN=$(cat "$(stand_fact main password-file)")
export REGISTRY_TOKEN

# manifest ENTRY...
manifest() {
	{
		printf 'apiVersion: airgap/v1\nkind: Manifest\nmetadata: {name: a, version: 1.0.0, stream: test/a}\n'
		printf 'platforms: [linux/amd64]\nkubernetes: {version: "1.32"}\naliases: {docker.io: "%s/hub"}\n' "$registry"
		printf 'hosts: {"%s": {plainHTTP: true, username: robot, password: env:REGISTRY_TOKEN}}\nimages:\n' "$registry"
		printf '  - %s\n' "$@"
	} >"$w/bundle.yaml"
}
lock() { "$bundler" lock --no-progress "$w/bundle.yaml"; }
build() { "$bundler" build --no-progress "$w/bundle.lock.yaml" -o "$T/b.zst" "$@"; }
said() { cat "$T/said"; }
value() {
	python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
image = lambda ref: next(i for i in d["contents"]["images"] if i["ref"] == "docker.io/local/" + ref)
blob = lambda digest: next(b for b in d["blobs"] if b["digest"] == digest)
made = lambda digest: json.loads(next(m["text"] for m in d["made"] if m["digest"] == digest))
print(eval(sys.argv[2]))' "$w/bundle.lock.yaml" "$1"
}
unpack_bundle() { rm -rf "$T/out" && mkdir "$T/out" && zstd -dqc "$T/b.zst" | tar -x -C "$T/out"; }
# rootfs DIR OPTION... SOURCE - what a runtime would see
rootfs() {
	test_dir=$1
	shift
	rm -rf "$T/skopeo" "$test_dir"
	skopeo copy -q "$@" "oci:$T/skopeo:x" && umoci unpack --rootless --image "$T/skopeo:x" "$test_dir"
}
# same_rootfs GOT BASE - GOT is BASE and the two files, nothing else
same_rootfs() {
	cp "$w/apps/apps.zip" "$w/upload_apps.py" "$2/rootfs/" && diff -r --no-dereference "$1/rootfs" "$2/rootfs"
}

entry='base: "docker.io/demo/app:1.0", add: [apps/apps.zip, upload_apps.py]'
manifest "{ref: \"local/apps:1\", $entry, tags: [latest]}" "{ref: \"local/pinned:1\", base: \"docker.io/demo/app@$app\", add: upload_apps.py}" \
	'{ref: "local/multi:1", base: "docker.io/demo/multi:1.0", add: [apps/apps.zip, upload_apps.py], platforms: [linux/amd64, linux/arm64]}' \
	'{ref: "local/all:1", base: "docker.io/demo/multi:1.0", add: [upload_apps.py, apps/apps.zip], platforms: all}' \
	'{ref: "local/arm:1", base: "docker.io/demo/multi:1.0", add: [apps/apps.zip], platforms: [linux/arm64]}' \
	'{ref: "local/docker:1", base: "docker.io/demo/docker:1.0", add: [apps/apps.zip, upload_apps.py]}'
ok 'made images are locked' lock
ok 'and built' build
ok 'and unpacked' unpack_bundle
rootfs "$T/got" "oci:$T/out:docker.io/local/apps:1" && rootfs "$T/want" "oci:$T/img/app:1.0"
ok 'a runtime sees the base and the files' same_rootfs "$T/got" "$T/want"
rootfs "$T/got" --override-arch arm64 "oci:$T/out:docker.io/local/multi:1" && rootfs "$T/want" --override-arch arm64 "oci:$T/img/multi:1.0"
ok 'for another platform too' same_rootfs "$T/got" "$T/want"
rootfs "$T/got" "oci:$T/out:docker.io/local/docker:1" && rootfs "$T/want" "dir:$T/img/docker"
ok "on a base of Docker's types" same_rootfs "$T/got" "$T/want"
layer=$(value 'made(image("apps:1")["target"])["layers"][-1]["digest"][7:]')
is 'the layer has the two files, by root, without a time' \
	"$(TZ=UTC tar --numeric-owner -tvf "$T/out/blobs/sha256/$layer" | tr -s ' ')" \
	"-rw-r--r-- 0/0 288894 1970-01-01 00:00 apps.zip
-rwxr-xr-x 0/0 18 1970-01-01 00:00 upload_apps.py"
is 'the manifest says what it is made of' "$(value 'sorted(made(image("apps:1")["target"])["annotations"].items())')" \
	"[('org.opencontainers.image.base.digest', '$app'), ('org.opencontainers.image.base.name', 'docker.io/demo/app:1.0')]"
like 'so does the list of images' "$("$bundler" images -v "$w/bundle.lock.yaml" 2>&1)" \
	"note: made of docker.io/demo/app:1.0, $app, and apps.zip upload_apps.py"
is "the base's layers come from its registry" "$(value '[blob(l["digest"])["sources"] for l in made(image("apps:1")["target"])["layers"]][1]')" \
	"[{'kind': 'registry', 'location': '$registry/hub/demo/app'}]"
is 'the lock says what the layer holds' "$(value 'blob(made(image("apps:1")["target"])["layers"][-1]["digest"])["sources"]')" \
	"[{'kind': 'add', 'location': '.', 'member': '$(sha256sum <"$w/apps/apps.zip" | cut -d ' ' -f 1)  apps/apps.zip\\n$(sha256sum <"$w/upload_apps.py" | cut -d ' ' -f 1)  upload_apps.py'}]"
is 'a manifest for each platform under one index' "$(value '[(c["platform"], made(c["digest"])["config"]["mediaType"][16:26]) for c in image("multi:1")["children"]]')" \
	"[('linux/amd64', 'oci.image.'), ('linux/arm64', 'oci.image.')]"
is 'all of them are the same' "$(value 'image("multi:1")["target"] == image("all:1")["target"]')" True
is 'one platform of two is no index' "$(value 'image("arm:1")["mediaType"][16:34], image("arm:1")["target"] == image("arm:1")["digest"]')" "('oci.image.manifest', True)"
is "the base's index is not carried" "$(value "any(b['digest'] == '$multi' for b in d['blobs'])")" False
config=$(value 'made(image("apps:1")["target"])["config"]["digest"]')
is 'the config has a diff_id and a history more' "$(value "[len(made('$config')['rootfs']['diff_ids']), made('$config')['history'][-1]]")" \
	"[3, {'created_by': 'bundler add apps.zip upload_apps.py'}]"

# ---- on site
"$bundler" keygen "$T/k" >/dev/null && cp "$T/k.pub" "$T/trust"
chmod 755 "$T/trust"
rm "$T/b.zst"
build --key "$T/k.key" >/dev/null 2>&1
stand_registry site
site=$(stand_fact site address)
ok 'they are pushed' "$deployer" push "$T/b.zst" "$site/m" --plain-http --trust "$T/trust"
is 'and have the digest of the lock there' "$(skopeo inspect --tls-verify=false "docker://$site/m/local/apps:latest" | python3 -c 'import json, sys; print(json.load(sys.stdin)["Digest"])')" \
	"$(value 'image("apps:1")["target"]')"
ok 'every platform comes back' skopeo copy -q --all --src-tls-verify=false "docker://$site/m/local/multi:1" "oci:$T/back:1"

# ---- the same again
cp "$w/bundle.lock.yaml" "$T/first" && cp "$T/b.zst" "$T/first.zst"
touch -d 2001-01-01 "$w/apps/apps.zip" && chmod 444 "$w/apps/apps.zip"
rm -rf "$T/cache"
ok 'locked again, at other times of the files and without a cache' lock
ok 'it is the same lock' cmp "$T/first" "$w/bundle.lock.yaml"
rm -rf "$T/cache" "$T/b.zst"
ok 'built again without a cache' build --key "$T/k.key"
is 'it is the same bundle' "$(tail -c +16397 "$T/b.zst" | sha256sum)" "$(tail -c +16397 "$T/first.zst" | sha256sum)"

# ---- on an image of the manifest that no registry has
mkdir "$w/own"
tests/stand/save "$w/own/app.tar" "$T/img/app=own/app:1.0"
cp "$w/bundle.lock.yaml" "$T/lock"
manifest '{ref: "own/app:1.0", layout: own/app.tar}' '{ref: "local/own:1", base: "own/app:1.0", add: [apps/apps.zip]}'
ok 'a base that is an archive beside the manifest' lock
is 'its layers come from there' "$(value '[blob(l["digest"])["sources"][0]["location"] for l in made(image("own:1")["target"])["layers"]]')" "['own/app.tar', 'own/app.tar', '.']"
rm "$T/b.zst"
ok 'and is built' build
manifest '{ref: "own/made:1", base: "docker.io/demo/app:1.0", add: [upload_apps.py]}' '{ref: "local/own:1", base: "own/made:1", add: [apps/apps.zip]}'
fails 'a base that is made itself: 19' 19 lock
cp "$T/lock" "$w/bundle.lock.yaml"

# ---- what has changed since the lock
rm -rf "$T/b.zst" "$T/cache"
cp "$w/apps/apps.zip" "$T/apps.zip"
chmod 644 "$w/apps/apps.zip" && echo more >>"$w/apps/apps.zip"
fails 'a file that has changed: 14' 14 build
like 'it is named' "$(said)" "'apps/apps.zip' has changed since it was locked: its sha256 is [0-9a-f]*, was [0-9a-f]*: lock again"
cp "$T/apps.zip" "$w/apps/apps.zip" && chmod 755 "$w/apps/apps.zip"
rm -rf "$T"/b.zst.partial*
fails 'one that may be executed now: 14' 14 build
like 'the files are named' "$(said)" "layer of (apps/apps.zip|apps/apps.zip, upload_apps.py): add '.': wanted sha256:"
rm "$w/apps/apps.zip"
fails 'one that is gone: 31' 31 build
cp "$T/apps.zip" "$w/apps/apps.zip" && chmod 644 "$w/apps/apps.zip"
ok 'when all is as it was the build ends' build --key "$T/k.key"
is 'with the same bundle' "$(tail -c +16397 "$T/b.zst" | sha256sum)" "$(tail -c +16397 "$T/first.zst" | sha256sum)"

# ---- what cannot be made. bad ENTRY STATUS TEXT
bad() {
	manifest "$1"
	fails "$1: $2" "$2" lock
	like 'and why' "$(said)" "$3"
}
mkdir "$w/d" && cp "$w/apps/apps.zip" "$w/d" && ln -s d/apps.zip "$w/link" && echo x >"$w/.wh.bin"
bad '{ref: "local/x:1", base: "docker.io/demo/app:1.0", add: [apps/apps.zip, d/apps.zip]}' 2 "'apps/apps.zip' and 'd/apps.zip' would be one file, /apps.zip"
bad '{ref: "local/x:1", base: "docker.io/demo/app:1.0", add: [link]}' 17 "link': a symbolic link: put the file there"
bad '{ref: "local/x:1", base: "docker.io/demo/app:1.0", add: [d]}' 17 "d': is no regular file"
bad '{ref: "local/x:1", base: "docker.io/demo/app:1.0", add: [.wh.bin]}' 17 "'.wh.bin': no name that a file of a layer can have"
bad '{ref: "local/x:1", base: "docker.io/demo/app:1.0", add: [none]}' 31 "none': No such file"
bad '{ref: "local/x:1", base: "docker.io/demo/none:1.0", add: [link]}' 17 'link'
bad '{ref: "local/x:1", base: "docker.io/demo/none:1.0", add: [apps/apps.zip]}' 20 "docker.io/local/x:1' \(the manifest\): .*hub/demo/none"
bad '{ref: "local/x:1", base: "docker.io/demo/app:1.0", add: [apps/apps.zip], platforms: [linux/s390x]}' 19 'it is for linux/amd64, not for linux/s390x'
bad '{ref: "local/x:1", base: "docker.io/demo/app:1.0"}' 18 "bundle.yaml:9: images\[0\] 'local/x:1': base: needs add"
bad '{ref: "local/x:1", add: [d]}' 18 'add: needs base'
bad "{ref: \"local/x@$app\", base: \"docker.io/demo/app:1.0\", add: [d]}" 18 'has no digest yet'
bad '{ref: "local/x:1", base: "docker.io/demo/app", add: [d]}' 18 'base: needs a tag or a digest'
bad '{ref: "local/x:1", base: "docker.io/demo/app:1.0", layout: d, add: [d]}' 18 'only one of layout and base'

# ---- killed in the middle
truncate -s 250M "$w/large"
manifest '{ref: "local/large:1", base: "docker.io/demo/app:1.0", add: [large]}'
rm -rf "$T/cache" "$w/bundle.lock.yaml" && mkdir "$T/tmp" "$T/cache"
# killed SECONDS COMMAND...
killed() {
	test_wait=$1
	shift
	(TMPDIR=$T/tmp exec "$@" >"$T/killed" 2>&1) &
	test_pid=$!
	sleep "$test_wait"
	kill -9 "$test_pid" 2>/dev/null
	wait "$test_pid" 2>/dev/null
}
killed 0.15 "$bundler" lock --no-progress "$w/bundle.yaml"
ok 'a lock killed while it makes the layer: there is no lock' test ! -e "$w/bundle.lock.yaml"
is 'nothing in the cache is half written' "$(find "$T/cache" -type f -path '*/content/*' | while read -r f; do
	[ "$(sha256sum <"$f" | cut -d ' ' -f 1)" = "$(basename "$f")" ] || echo "$f"; done)" ''
is 'and there is no large file' "$(find "$T/cache" "$T/tmp" -size +1M)" ''
ok 'the same command ends' lock
ok 'and so does a build' build --key "$T/k.key"
mv "$T/b.zst" "$T/whole.zst"
killed 0.25 "$bundler" build --no-progress "$w/bundle.lock.yaml" -o "$T/b.zst" --key "$T/k.key"
ok 'a build killed while it makes the layer: there is no bundle' test ! -e "$T/b.zst"
ok 'the same command ends' build --key "$T/k.key"
is 'with the same bundle' "$(tail -c +16397 "$T/b.zst" | sha256sum)" "$(tail -c +16397 "$T/whole.zst" | sha256sum)"
