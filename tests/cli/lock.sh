#!/bin/sh
# lock.sh: from a manifest to a lock, against a registry with token auth, chart repositories with a bearer token and
# with a password, an OCI chart, folders, layouts, and real helm.
# shellcheck disable=SC2317,SC2016 # functions are called through ok; templates and references in single quotes
set -u
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
need python3 skopeo docker-registry
bundler=$(realpath "$B/bin/bundler" 2>/dev/null) || skip_all "bundler is not built"
[ -x "$helm3" ] || skip_all "helm is not here: run scripts/deps test"

# ---- a small world
w=$T/world
mkdir -p "$w"
stand_registry main --auth token
stand_images "$T/images" app worker docker
tests/stand/indexes "$T/images"
registry=$(stand_fact main address)
app=$(stand_push main "$T/images/app" demo/app:1.0 | sed 's/.* //')
stand_push main "$T/images/app" demo/env:1.0 hub/library/short:7 hub/demo/listed:1 >/dev/null
stand_push main "$T/images/docker" demo/docker:1.0 >/dev/null
stand_push main "$T/images/two" demo/two:1.0 >/dev/null
stand_push main "$T/images/attested" demo/attested:1.0 >/dev/null
stand_push main "$T/images/three" demo/three:1.0 >/dev/null
stand_push main "$T/images/near" demo/near:1.0 >/dev/null
three=$(stand_push main "$T/images/three" demo/pinned:1.0 | sed 's/.* //')
stand_push main "$T/images/arm" demo/arm:1.0 >/dev/null

partly=$(sed 's/.*"digest": "\([^"]*\)".*/\1/' "$T/images/partly/index.json")

# chart NAME VERSION TEMPLATE [LINE OF CHART.YAML] - a folder $w/NAME
chart() {
	mkdir -p "$w/$1/templates"
	printf 'apiVersion: v2\nname: %s\nversion: %s\n%s\n' "$1" "$2" "${4:-}" >"$w/$1/Chart.yaml"
	printf '%s\n' "$3" >"$w/$1/templates/all.yaml"
}
pod() { printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: "%s"%s}]}' "$1" "${2:-}"; }

chart bearer 1.2.0 "$(pod "{{ .Values.host }}/demo/app:1.0")" && printf 'host: up.example\n' >"$w/bearer/values.yaml"
chart basic 0.3.1 "$(pod up.example/demo/docker:1.0)"
chart oci 2.0.1+b1 "$(pod up.example/demo/app:1.0 ', env: [{name: HELPER_IMAGE, value: "up.example/demo/env:1.0"}]')"
chart folder 1.0.0 "$(pod short:7)
---
apiVersion: v1
kind: ConfigMap
metadata: {name: c-{{ randAlphaNum 8 | lower }}}
data:
  noise: {{ randAlphaNum 20 | quote }}
  hidden.yaml: |
    password: {{ randAlphaNum 20 }}
    image: up.example/demo/two:1.0
    other: up.example/demo/attested:1.0
    maybe: {image: nobody/here:1}
  never: up.example/demo/never:1"
# what a release adds by a file of the chart, and late
chart layered 1.0.0 '{{- range .Values.images }}
---
apiVersion: v1
kind: Pod
metadata: {name: p}
spec: {containers: [{name: c, image: {{ . }}}]}
{{- end }}'
printf 'images: {a: up.example/demo/app:1.0}\n' >"$w/layered/values.yaml"
printf 'images: {b: up.example/demo/near:1.0}\n' >"$w/layered/more.yaml"
chart idle 1.0.0 "$(pod up.example/demo/arm:1.0)"
chart old 7.0.0 "$(pod up.example/demo/app:1.0)" 'kubeVersion: "<1.20"'
chart vee v1.0.0 "$(pod up.example/demo/app:1.0)"
mkdir "$w/charts" "$w/repo1" "$w/repo2"
(cd "$w" && for c in bearer basic oci old vee; do "$helm3" package "$c" -d charts; done) >/dev/null
cp "$w/charts/bearer-1.2.0.tgz" "$w/repo1" && cp "$w/charts/basic-0.3.1.tgz" "$w/repo2"
printf 'canary-bearer-Zq3\n' >"$T/bearer"
printf 'canary-basic-Kx9\n' >"$T/basic"
stand_chartrepo bearer "$w/repo1" --auth bearer --password-file "$T/bearer" --prefix /stable
stand_chartrepo basic "$w/repo2" --auth basic --password-file "$T/basic" --absolute
mkdir "$T/helmhome"
export HOME="$T/helmhome"
"$helm3" registry login "$registry" -u robot --password-stdin --plain-http <"$(stand_fact main password-file)" >/dev/null 2>&1
"$helm3" push "$w/charts/oci-2.0.1+b1.tgz" "oci://$registry/charts" --plain-http >/dev/null 2>&1
"$helm3" push "$w/charts/vee-v1.0.0.tgz" "oci://$registry/charts" --plain-http >/dev/null 2>&1

# a plain server: an index that lies, one that names an OCI chart, and files
port=$(free_port)
mkdir -p "$T/stand/www" "$w/www/lies" "$w/www/mixed"
cp "$w/charts/basic-0.3.1.tgz" "$w/www/lies"
printf 'apiVersion: v1\nentries:\n  basic: [{name: basic, version: 0.3.1, urls: [basic-0.3.1.tgz], digest: %064d}]\n' 0 >"$w/www/lies/index.yaml"
printf 'apiVersion: v1\nentries:\n  oci: [{name: oci, version: 2.0.1+b1, urls: ["oci://up.example/charts/oci:2.0.1_b1"]}]\n' >"$w/www/mixed/index.yaml"
printf 'a driver\n' >"$w/www/driver.run"
start_server "$T/stand/www" www python3 -m http.server --bind 127.0.0.1 --directory "$w/www" "$port"
sum() { sha256sum "$1" | cut -d ' ' -f 1; }

# ---- a stack with a site chart
mkdir -p "$w/site/templates" "$w/lib/templates" "$w/examples" "$w/files"
printf 'apiVersion: v2\nname: lib\nversion: 1.0.0\ntype: library\n' >"$w/lib/Chart.yaml"

printf '{{- define "lib.host" -}}up.example{{- end -}}\n' >"$w/lib/templates/_lib.tpl"
cat >"$w/site/Chart.yaml" <<'END'
apiVersion: v2
name: the-site
version: 0.1.0
dependencies: [{name: lib, version: 1.x, repository: "file://../lib"}]
END
printf 'idle: false\nkubernetes: {version: ""}\nairgap: {side: build}\n' >"$w/site/values.yaml"
cat >"$w/site/values.schema.json" <<'END'
{"additionalProperties": false, "properties": {"apiVersion": {}, "kind": {}, "airgap": {}, "global": {}, "lib": {}, "kubernetes": {},
 "idle": {"type": "boolean"}, "tagged": {}, "registry": {"properties": {"host": {}, "prefix": {}, "password": {}}, "additionalProperties": false}}}
END
cat >"$w/site/templates/steps.yaml" <<'END'
{{- range $chart := list "bearer" "basic" "oci" "folder" }}
---
apiVersion: airgap/v1
kind: Release
metadata: {name: {{ $chart }}}
release:
  chart: {{ $chart }}
  name: {{ $chart }}
  namespace: demo
  values: {host: {{ include "lib.host" $ | quote }}, password: "$(secret:x/y)"}
{{- end }}
---
apiVersion: airgap/v1
kind: Release
metadata: {name: layered}
release:
  chart: layered
  name: layered
  namespace: demo
  base: [{chartFile: more.yaml}, {chartFile: none.yaml, optional: true}]
  values: {images: {c: "up.example/demo/docker:1.0"}}
  late: [{needs: [oci], values: {images: {d: up.example/demo/three:1.0}}}]
{{- if .Values.idle }}
---
apiVersion: airgap/v1
kind: Release
metadata: {name: idle}
release: {chart: idle, name: idle, namespace: demo}
{{- end }}
---
apiVersion: airgap/v1
kind: Secret
metadata: {name: x}
secret: {namespaces: [demo], name: x, data: {"y": "$(generate:hex:16)"}}
---
apiVersion: airgap/v1
kind: Carry
metadata: {name: c}
carry: {images: [up.example/demo/env:1.0], tags: {"{{ .Values.tagged | default "up.example/demo/env:1.0" }}": ["1.0-site"]}, files: [note, driver, far]}
---
apiVersion: airgap/v1
kind: Apply
metadata: {name: a}
apply: {file: crds}
END
printf 'apiVersion: airgap/v1\nkind: Site\n' >"$w/examples/one.yaml"
printf 'apiVersion: airgap/v1\nkind: Site\nregistry: {prefix: m, password: "$(env:SITE_PASSWORD)"}\n' >"$w/site.yaml"
printf 'kind: X\nspec: {image: "up.example/demo/docker:1.0"}\n' >"$w/files/crds.yaml"
printf 'note\n' >"$w/files/note.txt"
(cd "$w/files" && tar czf tools.tgz note.txt crds.yaml && cp tools.tgz ../www)

cat >"$w/bundle.yaml" <<END
apiVersion: airgap/v1
kind: Manifest
metadata: {name: world, version: 1.0.0, stream: test/world, expires: 30d, audience: [a, b]}
platforms: [linux/amd64]
kubernetes: {version: "1.32"}
site: site
aliases: {up.example: "$registry", docker.io: "$registry/hub"}
hosts:
  "$registry": {plainHTTP: true, username: robot, password: env:REGISTRY_TOKEN}
  "127.0.0.1:$(stand_fact bearer port)": {plainHTTP: true, token: env:BEARER}
  "127.0.0.1:$(stand_fact basic port)": {plainHTTP: true, username: robot, password: "file:secrets/basic"}
  "$(stand_fact basic origin2 | sed 's,.*//,,')": {plainHTTP: true}
  "127.0.0.1:$port": {plainHTTP: true}
charts:
  - {name: bearer, version: "^1.0", repository: "$(stand_fact bearer url)"}
  - {name: basic, sources: [{repository: "https://no.example", when: env:NOT_SET}, {repository: "$(stand_fact basic url)", when: env:BEARER}]}
  - {name: oci, version: 2.x, repository: "oci://up.example/charts"}
  - {name: folder, path: folder}
  - {name: idle, path: idle}
  - {name: layered, path: layered}
images:
  - {ref: "docker.io/demo/listed:1", tags: ["1-extra"]}
  - {ref: "local/nested:1.0", layout: images/nested}
  - {ref: "local/silent:1.0", layout: images/silent.tar}
  - {ref: "up.example/demo/two:1.0", platforms: [linux/amd64]}
  - {ref: "up.example/demo/three:1.0", platforms: [linux/amd64, linux/arm64]}
  - {ref: "up.example/demo/pinned@$three"}
  - {ref: "local/partly@$partly", layout: images/partly}
  - {ref: "local/both:1.0", layout: images/arm, platforms: [linux/amd64, linux/arm64]}
  - {ref: "up.example/demo/app:1.0@$app"}
files:
  - {name: note, path: files/note.txt, mode: 640}
  - {name: member, path: files/tools.tgz, member: note.txt, role: tool, mode: 755, platform: linux/amd64}
  - {name: crds, path: files/crds.yaml}
  - {name: driver, url: "http://127.0.0.1:$port/driver.run?id=5", sha256: "$(sum "$w/www/driver.run")", mode: 755}
  - {name: far, url: "http://127.0.0.1:$port/tools.tgz", sha256: "$(sum "$w/www/tools.tgz")", member: crds.yaml}
discover:
  sites: [examples/*.yaml]
  waive: [{image: "up.example/demo/never:1", reason: "only with X"}, {image: "up.example/demo/arm", reason: "another machine"}, {image: "nobody/*", reason: "made up"}]
END
cp -r "$T/images" "$w/images"
mkdir "$w/secrets"
cp "$T/basic" "$w/secrets/basic"
chmod 600 "$w/secrets/basic"
REGISTRY_TOKEN=$(cat "$(stand_fact main password-file)") BEARER=$(cat "$T/bearer") SOURCE_DATE_EPOCH=1700000000
export REGISTRY_TOKEN BEARER SOURCE_DATE_EPOCH XDG_CACHE_HOME="$T/cache"
PATH=$(dirname "$helm3"):$PATH

lock() { (cd "$w" && "$bundler" lock --no-progress "$@"); }
# json FILE EXPRESSION - d is the document, image(REF) one of its images
json() {
	python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
c = d["contents"]
image = lambda ref: next((i for i in c["images"] if i["ref"] == ref), None)
blob = lambda digest: next(b for b in d["blobs"] if b["digest"] == digest)
print(eval(sys.argv[2]))' "$1" "$2"
}
value() { json "$w/bundle.lock.yaml" "$1"; }

ok 'a manifest is locked' lock bundle.yaml -v
cp "$T/said" "$T/log"
is 'stdout is the name of the lock' "$(lock bundle.yaml 2>/dev/null)" bundle.lock.yaml
is 'all images are there' "$(value '" ".join(i["ref"] for i in c["images"])')" \
	"docker.io/demo/listed:1 docker.io/library/short:7 docker.io/local/both:1.0 docker.io/local/nested:1.0 docker.io/local/partly@$partly docker.io/local/silent:1.0 \
up.example/demo/app:1.0 up.example/demo/app:1.0@$app up.example/demo/attested:1.0 up.example/demo/docker:1.0 \
up.example/demo/env:1.0 up.example/demo/near:1.0 up.example/demo/pinned@$three up.example/demo/three:1.0 up.example/demo/two:1.0"
is 'all charts, with the best version' "$(value '" ".join(i["name"] + "-" + i["version"] for i in c["charts"])')" \
	'basic-0.3.1 bearer-1.2.0 folder-1.0.0 idle-1.0.0 layered-1.0.0 oci-2.0.1+b1 the-site-0.1.0'
is 'the site chart is marked' "$(value 'c["site"], [i["role"] for i in c["charts"] if i["name"] == "the-site"]')" "('the-site', ['site'])"
is 'times' "$(value 'd["created"], d["expires"], d["sequence"]')" "('2023-11-14T22:13:20Z', '2023-12-14T22:13:20Z', 1700000000)"

# ---- reasons
is 'an image of a container, with every place' "$(value 'sorted((r["chart"], r["file"], r["kind"], r["path"]) for r in image("up.example/demo/app:1.0")["reasons"])')" \
	"[('bearer', 'bearer/templates/all.yaml', 'Pod', 'spec.containers[].image'), ('layered', 'layered/templates/all.yaml', 'Pod', 'spec.containers[].image'), ('oci', 'oci/templates/all.yaml', 'Pod', 'spec.containers[].image')]"
is "what a file of the chart adds" "$(value '[r["chart"] for r in image("up.example/demo/near:1.0")["reasons"]]')" "['layered']"
is "what comes late" "$(value '[r.get("chart") for r in image("up.example/demo/three:1.0")["reasons"]]')" "[None, 'layered']"
is 'one that hides in the environment, and in a Carry step' "$(value 'sorted((r["chart"], r["path"]) for r in image("up.example/demo/env:1.0")["reasons"])')" \
	"[('oci', 'spec.containers[].env[].value'), ('the-site', 'carry.images[]')]"
is 'with a further tag on site' "$(value 'image("up.example/demo/env:1.0")["tags"]')" "['1.0-site']"
is 'one in a text beside a random word' "$(value '[r["path"] for r in image("up.example/demo/attested:1.0")["reasons"]]')" "['data.hidden.yaml.other']"
is 'one in a file that is applied' "$(value '[(r["chart"], r["file"]) for r in image("up.example/demo/docker:1.0")["reasons"]][-1]')" "('the-site', 'crds')"
is 'one of the manifest alone' "$(value 'image("docker.io/demo/listed:1")["reasons"], image("docker.io/demo/listed:1")["tags"]')" "([{}], ['1-extra'])"
is 'what is not carried, and why' "$(value '[(i["image"], i["reason"][:20]) for i in c["notCarried"]]')" \
	"[('nobody/here:1', 'made up'), ('up.example/demo/arm:1.0', 'another machine'), ('up.example/demo/never:1', 'only with X')]"
is 'random names appear nowhere' "$(value 'all("c-" not in r.get("path", "") for i in c["images"] for r in i["reasons"])')" True
like 'random leaves are told' "$(value '" ".join(d["warnings"])')" "chart 'folder': renders otherwise each time: folder/templates/all.yaml: ConfigMap: data.hidden.yaml"

# ---- indexes
is 'one platform of two: the tag names the child' \
	"$(value '(lambda i: (i["target"] == [k for k in i["children"] if k.get("carried")][0]["digest"], [k["platform"] for k in i["children"] if k.get("carried")]))(image("up.example/demo/two:1.0"))')" \
	"(True, ['linux/amd64'])"
is 'two of three: the index is carried with two' \
	"$(value '(lambda i: (i["target"] == i["digest"], [k.get("carried", False) for k in i["children"]]))(image("up.example/demo/three:1.0"))')" \
	'(True, [True, True, False])'
is 'pinned by digest: all of them, with a note' \
	"$(value "(lambda i: (i['target'] == '$three', [k.get('carried', False) for k in i['children']], i['notes']))(image('up.example/demo/pinned@$three'))")" \
	"(True, [True, True, True], ['all platforms are taken: the reference pins the index by its digest'])"
is 'pinned, but not all can be had: the index with what can' \
	"$(value "(lambda i: (i['target'] == '$partly', [k.get('carried', False) for k in i['children']], i.get('notes')))(image('docker.io/local/partly@$partly'))")" \
	"(True, [True, False], None)"
is 'one platform of two without an index: a note' "$(value 'image("docker.io/local/both:1.0")["notes"]')" "['there is none for linux/amd64']"
is 'hardly larger: all of them, with a note' \
	"$(value '(lambda i: (i["target"] == i["digest"], [k.get("carried", False) for k in i["children"]], i["notes"]))(image("up.example/demo/near:1.0"))')" \
	"(True, [True, True], ['all platforms are taken: together they are hardly larger'])"
is 'a complete index is carried with its attestation' "$(value '(lambda i: (i["target"] == i["digest"], [k.get("carried") for k in i["children"]]))(image("up.example/demo/attested:1.0"))')" \
	'(True, [True, True])'
is 'an index in an index is carried whole' "$(value '(lambda i: (i["target"] == i["digest"], [k.get("carried") for k in i["children"]]))(image("docker.io/local/nested:1.0"))')" \
	'(True, [True, True])'
is 'platforms that nobody says are looked up' "$(value '[(k["platform"], k.get("carried", False)) for k in image("docker.io/local/silent:1.0")["children"]]')" \
	"[('linux/arm64', False), ('linux/amd64', True)]"
is "Docker's types stay" "$(value 'image("up.example/demo/docker:1.0")["mediaType"]')" application/vnd.docker.distribution.manifest.v2+json
is 'an alias is recorded' "$(value 'image("docker.io/library/short:7")["source"]')" "$registry/hub/library/short"

# ---- sources
is 'blobs of a registry' "$(value 'sorted({s["location"] for s in blob(image("up.example/demo/docker:1.0")["target"])["sources"]})')" "['$registry/demo/docker']"
is 'blobs of a layout' "$(value 'blob(image("docker.io/local/nested:1.0")["target"])["sources"]')" "[{'kind': 'layout', 'location': 'images/nested'}]"
is 'blobs of an archive' "$(value '[s["kind"] for s in blob(image("docker.io/local/silent:1.0")["target"])["sources"]]')" "['member']"
is 'a folder is packed again' "$(value '[s for i in c["charts"] if i["name"] == "folder" for s in blob(i["archive"])["sources"]]')" \
	"[{'kind': 'pack', 'location': 'folder', 'member': 'folder'}]"
is 'an OCI chart keeps its manifest' "$(value '[s["kind"] for i in c["charts"] if i["name"] == "oci" for s in blob(i["digest"])["sources"]]')" "['registry']"
is 'another gets one' "$(value '[s["kind"] for i in c["charts"] if i["name"] == "basic" for s in blob(i["digest"])["sources"]]')" "['made']"
is 'files' "$(value '[(f["name"], f["file"], f.get("mode"), f.get("role"), f["size"]) for f in c["files"]]')" \
	"[('crds', 'crds.yaml', None, None, 52), ('driver', 'driver.run', '755', None, 9), ('far', 'crds.yaml', None, None, 52), ('member', 'note.txt', '755', 'tool', 5), ('note', 'note.txt', '640', None, 5)]"
is 'a file of a server is not fetched to be locked' "$(grep -c '"GET /driver.run' "$T/stand/www/www.log")" 0

# ---- the same again
cp "$w/bundle.lock.yaml" "$T/first"
ok 'again' lock bundle.yaml
ok 'gives the same bytes' cmp "$T/first" "$w/bundle.lock.yaml"
mv "$T/cache" "$T/cache1"
ok 'without a cache and with one job' lock bundle.yaml -j 1
ok 'too' cmp "$T/first" "$w/bundle.lock.yaml"
if [ -x "$helm4" ]; then
	PATH=$(dirname "$helm4"):$PATH ok 'with helm 4' lock bundle.yaml
	ok 'too' cmp "$T/first" "$w/bundle.lock.yaml"
else
	skip 'with helm 4' 'helm 4 is not here'
fi
mkdir "$T/elsewhere"
ok 'a lock in another folder' lock bundle.yaml -o "$T/elsewhere/l"
is 'has paths from there' "$(json "$T/elsewhere/l" '[s["location"] for f in c["files"] if f["name"] == "note" for s in blob(f["blob"])["sources"]][0]')" ../world/files/note.txt

# ---- secrets
is 'no secret is in the lock' "$(grep -c -e canary -e "$REGISTRY_TOKEN" "$w/bundle.lock.yaml")" 0
is 'nor in the log at -v' "$(grep -c -e canary -e "$REGISTRY_TOKEN" "$T/log")" 0
is 'nor in the cache' "$(grep -rlc -e canary -e "$REGISTRY_TOKEN" "$T/cache" | wc -l)" 0
is "a repository's password stays with its server" "$(stand_log basic '"origin": 2' | grep -c '"authorization": true')" 0
is 'which was asked with it' "$(stand_log basic '"origin": 1' | grep -c '"status": 200, "authorization": true')" "$(stand_log basic '"status": 200' | grep -c '"origin": 1')"

# ---- a site
ok 'with a site' lock bundle.yaml --site ../world/site.yaml -o site.lock
is 'only what a step names is carried' "$(json "$w/site.lock" '" ".join(i["name"] for i in c["charts"])')" 'basic bearer folder layered oci the-site'
is 'the site file is recorded' "$(json "$w/site.lock" 'c["siteValues"]["registry"]["password"]')" '$(env:SITE_PASSWORD)'
sed 's/\$(env:SITE_PASSWORD)/hunter2/' "$w/site.yaml" >"$w/open.yaml"
fails 'a secret in the open is refused' 18 lock bundle.yaml --site open.yaml -o no.lock
like 'and said' "$(cat "$T/said")" 'registry.password: a password in the open'
printf 'apiVersion: airgap/v1\nkind: Site\nidel: true\n' >"$w/typo.yaml"
fails 'a key the site chart does not know' 18 lock bundle.yaml --site typo.yaml -o no.lock
is 'names file, line and the nearest' "$(cat "$T/said")" "error: typo.yaml:3: unknown key 'idel': did you mean 'idle'?"
printf 'apiVersion: airgap/v1\nkind: Site\ntagged: up.example/demo/app:1.0\n' >"$w/tagged.yaml"
fails 'a tag of an image that its Carry step does not carry' 18 lock bundle.yaml --site tagged.yaml -o no.lock
like 'is said' "$(cat "$T/said")" "carry.tags: image 'up.example/demo/app:1.0': is not among carry.images"

# ---- the bundle
ok 'a bundle is built from it' sh -c "cd '$w' && '$bundler' build --no-progress bundle.lock.yaml -o '$T/b.zst'"
mv "$T/cache" "$T/cache2"
ok 'and without the cache' sh -c "cd '$w' && '$bundler' build --no-progress bundle.lock.yaml -o '$T/b2.zst'"
ok 'the same bytes' cmp "$T/b.zst" "$T/b2.zst"
ok 'the independent checker finds nothing' tests/format1.py check "$T/b.zst"

# ---- what is refused
# with SCRIPT - the manifest, changed
with() { sed "$1" "$w/bundle.yaml" >"$w/changed.yaml"; }
refused() {
	fails "$1" "$2" lock changed.yaml
	like 'it says so' "$(grep '^error:' "$T/said")" "$3"
}
with 's/{name: folder, path: folder}/{name: folder, pth: folder}/'
fails 'an unknown key' 18 lock changed.yaml
is 'it says so' "$(cat "$T/said")" "error: changed.yaml:18: charts[3]: unknown key 'pth': did you mean 'path'?"
with 's/{name: idle, path: idle}/{name: idle, path: idle, values: [lost.yaml]}/'
refused 'values that are not there' 31 "chart 'idle': cannot open '.*lost.yaml'"
with '$a\  rules: [{chart: foldre, env: X}]'
ok 'a rule for a chart that is not there' lock changed.yaml
like 'is told' "$(json "$w/changed.lock.yaml" '" ".join(d["warnings"])')" "discover.rules.0.: there is no chart 'foldre': name one of charts"
with 's/{name: bearer, version: "^1.0"/{name: bearer, version: "^9"/'
refused 'a version that is not there' 20 "chart 'bearer': 'http://127.0.0.1:[0-9]*/stable' has no version that satisfies '\^9': the newest is 1.2.0"
with 's/{name: oci, version: 2.x/{name: oci, version: 3.x/'
refused 'nor in a registry' 20 "chart 'oci': 'up.example/charts/oci' has no version that satisfies '3.x': the newest is 2.0.1_b1"
with "s#{name: basic, .*#{name: basic, repository: 'http://127.0.0.1:$port/lies'}#"
refused 'an archive that is not what the index says' 14 "chart 'basic': 'http://127.0.0.1:$port/lies/basic-0.3.1.tgz': is not what its index says"
with "s#{name: oci, .*#{name: oci, repository: 'http://127.0.0.1:$port/mixed'}#"
ok 'an index may name an OCI chart' lock changed.yaml
is 'which is taken from there' "$(json "$w/changed.lock.yaml" '[i["origin"] for i in c["charts"] if i["name"] == "oci"]')" "['oci://up.example/charts/oci']"
with 's/{name: idle, path: idle}/{name: old, path: old}/'
refused 'a chart that excludes the Kubernetes of the site' 2 "chart 'old': takes Kubernetes <1.20, not 1.32"
with "s/{name: idle, path: idle}/{name: old, path: charts\/old-7.0.0.tgz, patch: {kubeVersion: '>=1.19'}}/"
ok 'unless it is patched' lock changed.yaml
like 'which is told' "$(json "$w/changed.lock.yaml" '" ".join(d["warnings"])')" "chart 'old': packed again with kubeVersion '>=1.19'; upstream's archive is sha256:"
mv "$T/cache" "$T/cache3"
ok 'and built again from upstream' sh -c "cd '$w' && '$bundler' build --no-progress changed.lock.yaml -o '$T/p.zst'"
with '/up.example\/demo\/never/d; s/{name: idle, path: idle}/{name: vee, repository: "oci:\/\/up.example\/charts"}/'
refused 'one whose tags no range takes' 20 "chart 'vee': 'up.example/charts/vee' has no version that satisfies '\*': the newest is v1.0.0"
with '/up.example\/demo\/never/d; s/{name: idle, path: idle}/{name: lost, repository: "oci:\/\/up.example\/charts"}/'
refused 'a chart that is not there' 20 "chart 'lost': 'up.example/charts/lost' does not have it"
with '/^  waive/d'
fails 'images that are not there' 20 lock changed.yaml
cp "$T/said" "$T/errors"
is 'each is one line' "$(grep -c "^error: image 'up.example/demo/\(never\|arm\):1" "$T/errors")" 2
like 'what only looks like one is one too' "$(cat "$T/errors")" "error: image 'docker.io/nobody/here:1' \(chart 'folder': .*\): .*if it is none, waive it"
like 'with its place' "$(cat "$T/errors")" "error: image 'up.example/demo/never:1' \(chart 'folder': folder/templates/all.yaml: ConfigMap: data.never\): is not in '$registry/demo/never'"
like 'a wrong platform' "$(cat "$T/errors")" "error: image 'up.example/demo/arm:1.0' \(.*\): it is for linux/arm64, not for linux/amd64"
like 'and they are counted' "$(tail -n 1 "$T/errors")" 'error: 3 images cannot be resolved'
with 's,layout: images/nested,layout: images/foreign,'
fails 'a layer that may not be distributed' 19 lock changed.yaml
with 's/member: note.txt/member: nothing.txt/'
refused 'a member that is not there' 2 "file 'member': .*nothing.txt"
with 's/path: files\/note.txt/path: files\/note.txt, sha256: "0000000000000000000000000000000000000000000000000000000000000000"/'
refused 'another hash' 14 "file 'note': "
with 's/token: env:BEARER/token: env:NOT_SET/'
refused 'a variable that is not set' 2 'NOT_SET'
printf 'wrong\n' >"$w/secrets/basic"
with 's/XX/XX/'
refused 'a wrong password' 21 "chart 'basic': "
cp "$T/basic" "$w/secrets/basic"
with 's/^site: site/site: nowhere/'
refused 'a site chart that is not there' 2 "site chart 'nowhere'"
with "s,^images:,images:\n  - {ref: \"$registry/demo/three:1.0\"},"
sed 's/{prefix/{host: "r.site:5000", prefix/' "$w/site.yaml" >"$w/named.yaml"
fails 'two images with one name on a site that is known' 2 lock changed.yaml --site named.yaml
like 'it says so' "$(cat "$T/said")" "images '$registry/demo/three:1.0' and 'up.example/demo/three:1.0' have one name on site, r.site:5000/m/demo/three:1.0"
ok 'are a warning where it is not' lock changed.yaml
like 'which says so' "$(cat "$T/said")" "warning: images '$registry/demo/three:1.0' and 'up.example/demo/three:1.0' have one name"
printf 'apiVersion: airgap/v1\nkind: Site\nidle: true\n' >"$w/examples/two.yaml"
ok 'the union of several sites' lock bundle.yaml
printf 'dependencies: [{name: gone, version: 1.x}]\n' >>"$w/idle/Chart.yaml"
with 's/XX/XX/'
refused 'a chart with a dependency that is not in it' 18 "chart 'idle': its charts/ folder lacks gone 1.x: it names no repository to get it from"
