#!/bin/sh
# images.sh: `bundler images` on a manifest, a lock and a bundle says the same: what each image costs alone and shared, what
# each component costs, and the reviewed lists, those of the demo too.
# shellcheck disable=SC2317 # functions are called through ok
set -u
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
# shellcheck source=tests/demolib.sh
. tests/demolib.sh
need python3 docker-registry skopeo
[ -x "$bundler" ] || skip_all "bundler is not built"
[ -x "$helm3" ] || skip_all "helm is not here: run scripts/deps test"

# ---- the demo's reviewed lists
ok 'the demo upstream' demo_upstream --no-tools
ok 'its lists are written' env XDG_CACHE_HOME="$T/demo-cache" PATH="$T/bin:$PATH" "$bundler" images --no-progress "$(demo_fact manifest)" \
	--write "$T/demo"
is 'they are the reviewed ones' "$(diff -r images/demo "$T/demo" 2>&1)" ''
demo_gone

# app and worker have a base layer in common; two charts name app, one of them worker
stand_registry main
stand_images "$T/images" app worker
stand_push main "$T/images/app" app:1.0 >/dev/null
stand_push main "$T/images/worker" worker:1.0 >/dev/null
stand_push main "$T/images/worker" listed:1.0 >/dev/null
mkdir -p "$T/w/web/templates" "$T/w/jobs/templates"
printf 'apiVersion: v2\nname: web\nversion: 1.0.0\n' >"$T/w/web/Chart.yaml"
printf 'apiVersion: v2\nname: jobs\nversion: 2.1.0\n' >"$T/w/jobs/Chart.yaml"
cat >"$T/w/web/templates/all.yaml" <<'END'
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers: [{name: a, image: "up.example/app:1.0", env: [{name: SIDE_IMAGE, value: "up.example/app:1.0"}]}]
---
apiVersion: example/v1
kind: Policy
metadata: {name: p}
spec: {extra: {repository: up.example, image: extra, version: "1.0", enabled: false}}
END
cat >"$T/w/jobs/templates/job.yaml" <<'END'
apiVersion: batch/v1
kind: Job
metadata: {name: j}
spec: {template: {spec: {containers: [{name: a, image: "up.example/app:1.0"}, {name: b, image: "up.example/worker:1.0"}]}}}
END
manifest() {
	cat <<-END
	apiVersion: airgap/v1
	kind: Manifest
	metadata: {name: w, version: 1.0.0}
	kubernetes: {version: "1.32"}
	aliases: {up.example: "$(stand_fact main address)"}
	hosts: {"$(stand_fact main address)": {plainHTTP: true}}
	charts: [$1]
	images: [$2]
	END
}
manifest '{name: web, path: web}, {name: jobs, path: jobs}' '{ref: "up.example/app:1.0"}' >"$T/w/bundle.yaml"
export XDG_CACHE_HOME="$T/cache" SOURCE_DATE_EPOCH=1700000000
PATH=$T/bin:$PATH
run() { (cd "$T/w" && "$bundler" "$@" --no-progress 2>"$T/err"); }

# layers IMAGE OTHER - bytes of what only the first of these layouts has, and of what it shares
layers() {
	python3 - "$T/images" "$@" <<'END'
import json, os, sys
def blobs(name):
    root = os.path.join(sys.argv[1], name)
    load = lambda d: json.load(open(os.path.join(root, "blobs/sha256", d[7:])))
    m = json.load(open(os.path.join(root, "index.json")))["manifests"][0]
    doc = load(m["digest"])
    return {m["digest"]: m["size"], **{d["digest"]: d["size"] for d in [doc["config"]] + doc["layers"]}}
first, other = blobs(sys.argv[2]), blobs(sys.argv[3])
own = sum(s for d, s in first.items() if d not in other)
print(own, sum(first.values()) - own)
END
}
# json EXPRESSION [FILE] - d is the document, image(REF) and component(NAME) parts of it
json() {
	python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
image = lambda ref: next(i for i in d["images"] if i["ref"] == ref)
component = lambda name: next(c for c in d["components"] if c.get("name") == name)
print(eval(sys.argv[2]))' "${2:-$T/json}" "$1"
}

run images bundle.yaml >"$T/manifest"
like 'a manifest: the heads' "$(sed -n 1p "$T/manifest")" '^IMAGE +SIZE +OWN +SHARED +PLATFORMS +WHY$'
like 'first reason and how many more' "$(sed -n 2p "$T/manifest")" \
	'^up.example/app:1.0 +[0-9.]+ [KM]iB +[0-9.]+ ([KM]i)?B +[0-9.]+ [KM]iB  linux/amd64 +the manifest \(\+3\)$'
is 'what is not carried' "$(sed -n '/^NOT/,/^$/p' "$T/manifest")" "NOT CARRIED
up.example/extra:1.0  disabled in chart 'web': web/templates/all.yaml: Policy: spec.extra"
like 'components' "$(sed -n '/^COMPONENT/,/^$/p' "$T/manifest" | tr '\n' ';')" '^COMPONENT .*;jobs 2.1.0 +2 .*;web 1.0.0 +1 .*;the manifest +1 '
like 'all of it' "$(tail -n 1 "$T/manifest")" '^2 images, [0-9.]+ [KM]iB; with charts, files and sets [0-9.]+ [KM]iB in [0-9]+ blobs, each once$'
like '-v: all reasons' "$(run images -v bundle.yaml)" "^    chart 'web': web/templates/all.yaml: Pod: spec.containers\[\].env\[\].value$"
ok 'a lock' run lock bundle.yaml
ok 'says the same' sh -c "cd '$T/w' && '$bundler' images bundle.lock.yaml | cmp - '$T/manifest'"
ok 'a bundle' run build bundle.lock.yaml -o b.zst
ok 'says the same' sh -c "cd '$T/w' && '$bundler' images b.zst | cmp - '$T/manifest'"

# ---- what it costs, against the layouts and against a lock without it
run images --json bundle.lock.yaml >"$T/json"
is 'as JSON' "$(json 'sorted(d), [i["ref"] for i in d["images"]]')" \
	"(['components', 'images', 'notCarried', 'size'], ['up.example/app:1.0', 'up.example/worker:1.0'])"
is 'own and shared bytes of one' "$(json '"%d %d" % (image("up.example/app:1.0")["own"], image("up.example/app:1.0")["shared"])')" "$(layers app worker)"
is 'and of the other' "$(json '"%d %d" % (image("up.example/worker:1.0")["own"], image("up.example/worker:1.0")["shared"])')" "$(layers worker app)"
is 'what leaving a chart out saves' "$(manifest '{name: web, path: web}' '{ref: "up.example/app:1.0"}' >"$T/w/less.yaml"
	run images --json less.yaml >"$T/less" && json 'd["size"]' "$T/less")" "$(json 'd["size"] - component("jobs")["saved"]')"
is 'of one whose images others name: itself' "$(json 'component("web")["saved"] < 2000 < component("web")["size"]')" True

# ---- reviewed lists
ok 'lists are written' run images b.zst --write lists
is 'one for each component that has images' "$(cd "$T/w/lists" && echo *)" 'jobs.txt manifest.txt not-carried.txt web.txt'
is 'a line for each place' "$(grep -v '^#' "$T/w/lists/web.txt")" \
	'up.example/app:1.0  web/templates/all.yaml: Pod: spec.containers[].env[].value
up.example/app:1.0  web/templates/all.yaml: Pod: spec.containers[].image'
like 'which says what it is' "$(head -n 1 "$T/w/lists/web.txt")" '^# Images of web 1.0.0 in w 1.0.0'
cp -r "$T/w/lists" "$T/lists"
printf '# Images of gone 1.0.0 in w 1.0.0\n' >"$T/w/lists/gone.txt"
printf 'mine\n' >"$T/w/lists/notes.txt"
ok 'again' run images bundle.lock.yaml --write lists
is 'the same bytes, without what is gone, with what is not ours' "$(diff -r "$T/lists" "$T/w/lists")" "Only in $T/w/lists: notes.txt"

# ---- on another machine
mv "$T/cache" "$T/cache1"
like 'a lock alone does not know what is shared' "$(run images bundle.lock.yaml | sed -n 2p)" '^up.example/app:1.0 +[0-9.]+ [KM]iB +- +-  linux/amd64 '
like 'and says so' "$(cat "$T/err")" 'not all manifests are in the content cache'
ok 'its bundle does' sh -c "cd '$T/w' && '$bundler' images b.zst | cmp - '$T/manifest'"

# ---- hostile and wrong
python3 - "$T/w/bundle.lock.yaml" "$T/w/trick.lock" <<'END'
import json, sys
d = json.load(open(sys.argv[1]))
d["contents"]["images"][0]["reasons"][0] = {"chart": "x\x1b[2J", "file": "a\nb", "path": "\x9bm"}
d["contents"]["notCarried"] = [{"image": "\x07", "reason": "\x1b]0;x"}]
json.dump(d, open(sys.argv[2], "w"))
END
is 'nothing of it reaches the terminal' "$(run images -v trick.lock | LC_ALL=C grep -c "$(printf '[\001-\010\013-\037\177\233]')")" 0
fails 'no such file' 31 run images nothing.yaml
fails 'a site for a lock' 2 run images bundle.lock.yaml --site x
fails 'neither' 18 run images web/templates/all.yaml
