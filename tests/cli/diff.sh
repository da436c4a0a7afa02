#!/bin/sh
# diff.sh: `bundler diff` between locks and bundles: charts and their default values, images, files, bytes; and a small change
# makes a small change of the lock.
# shellcheck disable=SC2317 # functions are called through ok
set -u
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
need python3 docker-registry skopeo
bundler=$(realpath "$B/bin/bundler" 2>/dev/null) || skip_all "bundler is not built"
[ -x "$helm3" ] || skip_all "helm is not here: run scripts/deps test"

stand_registry main
stand_images "$T/images" app worker docker
stand_push main "$T/images/app" app:1.0 same:1 moved:1 >/dev/null
stand_push main "$T/images/worker" app:1.1 late:2 >/dev/null
mkdir -p "$T/w/web/templates" "$T/w/web/charts/sub/templates" "$T/w/old/templates"
printf 'apiVersion: v2\nname: sub\nversion: 0.1.0\n' >"$T/w/web/charts/sub/Chart.yaml"
printf 'port: 1\n' >"$T/w/web/charts/sub/values.yaml"
printf 'apiVersion: v2\nname: old\nversion: 3.0.0\n' >"$T/w/old/Chart.yaml"
cat >"$T/w/web/templates/all.yaml" <<'END'
apiVersion: v1
kind: Pod
metadata: {name: p}
spec: {containers: [{name: a, image: "up.example/app:{{ .Values.tag }}"}, {name: b, image: "up.example/same:1"}, {name: c, image: "up.example/moved:1"}]}
END
printf 'apiVersion: x/v1\nkind: P\nspec: {idle: {repository: up.example, image: extra, version: "1", enabled: false}}\n' >"$T/w/old/templates/p.yaml"

# state VERSION TAG - the chart web and its manifest
state() {
	printf 'apiVersion: v2\nname: web\nversion: %s\n' "$1" >"$T/w/web/Chart.yaml"
	printf 'tag: "%s"\nreplicas: 1\nlist: [1, 2]\ndeep: {a.b: {c: null}, gone: %s}\n%s' "$2" "$1" "${3:-}" >"$T/w/web/values.yaml"
}
manifest() {
	cat <<-END
	apiVersion: airgap/v1
	kind: Manifest
	metadata: {name: w, version: $1}
	kubernetes: {version: "1.32"}
	aliases: {up.example: "$(stand_fact main address)"}
	hosts: {"$(stand_fact main address)": {plainHTTP: true}}
	charts: [$2]
	files: [$3]
	END
}
export XDG_CACHE_HOME="$T/cache" SOURCE_DATE_EPOCH=1700000000
PATH=$(dirname "$helm3"):$PATH
run() { (cd "$T/w" && "$bundler" "$@" --no-progress 2>"$T/err"); }

state 1.0.0 1.0
printf 'one\n' >"$T/w/note"
manifest 1.0.0 '{name: web, path: web}, {name: old, path: old}' '{name: note, path: note}, {name: gone, path: old/Chart.yaml}' >"$T/w/bundle.yaml"
ok 'the old lock' run lock bundle.yaml -o old.lock
ok 'the old bundle' run build old.lock -o old.zst
ok 'nothing differs from itself' run diff old.lock old.lock --exit-code
is 'which is said' "$(run diff old.lock old.zst)" "w 1.0.0 -> w 1.0.0

both carry the same"
is 'nor does the manifest differ' "$(run diff old.lock bundle.yaml | tail -n 1)" 'both carry the same'

# ---- one tag moves, nothing else
stand_push main "$T/images/docker" moved:1 >/dev/null
ok 'a lock later' run lock bundle.yaml -o moved.lock
is 'its image is named' "$(run diff old.lock moved.lock | sed -n '3,4s/sha256:[0-9a-f]*/D/gp')" '  ~ up.example/moved:1  D -> D'
is 'a lock of one change is read at a glance' "$(diff "$T/w/old.lock" "$T/w/moved.lock" | grep -c '^[<>].*"ref"\|^[<>].*"chart"')" 0
like 'in few lines' "$(diff "$T/w/old.lock" "$T/w/moved.lock" | grep -c '^[<>]')" '^[1-9][0-9]?$'

# ---- much changes
state 1.1.0 1.1 'extra: {on: true}
'
sed -i 's/replicas: 1/replicas: 3/; s/list: .*/list: [1, 3]/' "$T/w/web/values.yaml"
printf 'port: 2\n' >"$T/w/web/charts/sub/values.yaml"
printf 'two\n' >"$T/w/note"
mkdir -p "$T/w/jobs/templates"
printf 'apiVersion: v2\nname: jobs\nversion: 2.1.0\n' >"$T/w/jobs/Chart.yaml"
printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: a, image: "up.example/late:2"}]}\n' >"$T/w/jobs/templates/j.yaml"
manifest 2.0.0 '{name: web, path: web}, {name: jobs, path: jobs}' '{name: note, path: note}, {name: more, path: note, platform: linux/arm64}' >"$T/w/bundle.yaml"
ok 'the new lock' run lock bundle.yaml -o new.lock
ok 'the new bundle' run build new.lock -o new.zst
run diff old.lock new.lock >"$T/locks"
sed 's/sha256:[0-9a-f]*/D/g; s/^to carry.*/to carry/' "$T/locks" >"$T/shown"
cat >"$T/wanted" <<'END'
w 1.0.0 -> w 2.0.0

CHARTS
  - old 3.0.0
  ~ web 1.0.0 -> 1.1.0
      charts/sub/values.yaml: port: 1 -> 2
      values.yaml: tag: "1.0" -> "1.1"
      values.yaml: replicas: 1 -> 3
      values.yaml: list: [1,2] -> [1,3]
      values.yaml: deep.gone: "1.0.0" -> "1.1.0"
      values.yaml: extra: (none) -> {"true":true}
  + jobs 2.1.0

IMAGES
  ~ up.example/app:1.0 -> up.example/app:1.1  D -> D
  + up.example/late:2
  ~ up.example/moved:1  D -> D

FILES
  + more linux/arm64
  ~ note  D -> D
  - gone

NOT CARRIED
  - up.example/extra:1  disabled in chart 'old': old/templates/p.yaml: P: spec.idle

to carry
END
ok 'all of it is told' diff "$T/wanted" "$T/shown"
is 'bundles say the same' "$(run diff old.zst new.zst)" "$(cat "$T/locks")"
is 'and one of each' "$(run diff old.zst new.lock)" "$(cat "$T/locks")"
run diff old.zst new.zst --json >"$T/json"
is 'new and gone bytes, counted by blob' "$(python3 - "$T/json" "$T/w/old.lock" "$T/w/new.lock" <<'END'
import json, sys
d, a, b = (json.load(open(p)) for p in sys.argv[1:])
blobs = lambda l: {x["digest"]: x["size"] for x in l["blobs"]}
a, b = blobs(a), blobs(b)
new, gone = [s for d_, s in b.items() if d_ not in a], [s for d_, s in a.items() if d_ not in b]
w = d["bytes"]
print(w["old"] == sum(a.values()), w["new"] == sum(b.values()), w["newBlobs"] == len(new), w["newBytes"] == sum(new),
      w["goneBlobs"] == len(gone), w["goneBytes"] == sum(gone), sorted(d))
END
)" "True True True True True True ['bytes', 'charts', 'files', 'images', 'new', 'notCarried', 'old']"
ok 'a difference is no failure' run diff old.zst new.zst
fails 'unless that is asked for' 46 run diff old.zst new.zst --exit-code

# ---- a lock without its cache
mv "$T/cache" "$T/cache1"
like 'whose default values cannot be seen' "$(run diff old.lock new.lock)" 'its default values cannot be compared: an archive is not in the content cache'
ok 'and all else can' sh -c "cd '$T/w' && '$bundler' diff old.lock new.lock | grep -v 'values' | sed 's/sha256:[0-9a-f]*/D/g; s/^to carry.*/to carry/' >'$T/less' && grep -v 'values' '$T/wanted' | diff - '$T/less'"

# ---- what is left out and is no image
python3 - "$T/w/new.lock" "$T/w/left.lock" <<'END'
import json, sys
d = json.load(open(sys.argv[1]))
d["contents"]["notCarried"] = [{"packages": "headers", "reason": "no site names it"}]
json.dump(d, open(sys.argv[2], "w"))
END
is 'is told by its list' "$(run diff new.lock left.lock | sed -n '/^NOT/,/^$/p')" "NOT CARRIED
  + packages 'headers'  no site names it"

# ---- hostile
python3 - "$T/w/new.lock" "$T/w/trick.lock" <<'END'
import json, sys
d = json.load(open(sys.argv[1]))
d["contents"]["notCarried"] = [{"image": "\x07\x1b[2J", "reason": "\x9b1m"}]
json.dump(d, open(sys.argv[2], "w"))
END
is 'nothing of it reaches the terminal' "$(run diff old.lock trick.lock | LC_ALL=C grep -c "$(printf '[\001-\010\013-\037\177\233]')")" 0
fails 'one file alone' 2 run diff old.lock
fails 'no such file' 31 run diff old.lock nothing
