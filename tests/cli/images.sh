#!/bin/sh
# images.sh: `bundler images` on a manifest, a lock and a bundle says the same.
# shellcheck disable=SC2317 # functions are called through ok
set -u
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
need python3
bundler=$(realpath "$B/bin/bundler" 2>/dev/null) || skip_all "bundler is not built"
[ -x "$helm3" ] || skip_all "helm is not here: run scripts/deps test"

stand_images "$T/w/images" app
mkdir -p "$T/w/web/templates"
printf 'apiVersion: v2\nname: web\nversion: 1.0.0\n' >"$T/w/web/Chart.yaml"
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
cat >"$T/w/bundle.yaml" <<'END'
apiVersion: airgap/v1
kind: Manifest
metadata: {name: w, version: 1.0.0}
kubernetes: {version: "1.32"}
charts: [{name: web, path: web}]
images: [{ref: "up.example/app:1.0", layout: images/app}]
END
export XDG_CACHE_HOME="$T/cache" SOURCE_DATE_EPOCH=1700000000
PATH=$(dirname "$helm3"):$PATH
run() { (cd "$T/w" && "$bundler" "$@" 2>"$T/err"); }

run images bundle.yaml >"$T/manifest"
ok 'a manifest' grep -q '^IMAGE  *SIZE  *PLATFORMS  *WHY$' "$T/manifest"
like 'first reason and how many more' "$(sed -n 2p "$T/manifest")" '^up.example/app:1.0 +[0-9.]+ [KM]iB  linux/amd64 +the manifest \(\+2\)$'
is 'what is not carried' "$(tail -n 2 "$T/manifest")" "NOT CARRIED
up.example/extra:1.0  disabled in chart 'web': web/templates/all.yaml: Policy: spec.extra"
like '-v: all reasons' "$(run images -v bundle.yaml)" "^    chart 'web': web/templates/all.yaml: Pod: spec.containers\[\].env\[\].value$"
ok 'a lock' run lock bundle.yaml
ok 'says the same' sh -c "cd '$T/w' && '$bundler' images bundle.lock.yaml | cmp - '$T/manifest'"
ok 'a bundle' run build bundle.lock.yaml -o b.zst
ok 'says the same' sh -c "cd '$T/w' && '$bundler' images b.zst | cmp - '$T/manifest'"
run images --json bundle.lock.yaml >"$T/json"
is 'as JSON' "$(python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); print(sorted(d), [i["ref"] for i in d["images"]])' "$T/json")" \
	"['images', 'notCarried'] ['up.example/app:1.0']"
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
