#!/bin/sh
# discovery.sh: made charts that each hide images in another way (tests/data/discovery/charts.txt), rendered by real helm and
# resolved against a registry: all are found with the right reasons, nothing else is carried or asked for; the lock is the
# same each time, and a build from it needs neither helm nor a tag.
# shellcheck disable=SC2317 # functions are called through ok
set -u
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
need python3 docker-registry skopeo
bundler=$(realpath "$B/bin/bundler" 2>/dev/null) || skip_all "bundler is not built"
[ -x "$helm3" ] || skip_all "helm is not here: run scripts/deps test"

stand_registry main
address=$(stand_fact main address)
stand_images "$T/images" app worker
ok 'the charts are made' tests/stand/hidden tests/data/discovery/charts.txt "$T/w" --registry "$address" --layout "$T/images/app"
note "$(cat "$T/said")"
like 'at least 40' "$(cat "$T/said")" '^([4-9][0-9]|[1-9][0-9][0-9]) charts'
export XDG_CACHE_HOME="$T/cache" SOURCE_DATE_EPOCH=1700000000
path=$PATH
PATH=$(dirname "$helm3"):$path
run() { (cd "$T/w" && "$bundler" "$@" --no-progress 2>"$T/err"); }

# log FROM [REGEX] - the registry's requests since line FROM
lines() { stand_log main | wc -l; }
log() { stand_log main | tail -n "+$(($1 + 1))" | grep -E -- "${2:-.}" || :; }
# json FILE EXPRESSION - d is the document, c its contents
json() { python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); c = d["contents"]; print(eval(sys.argv[2]))' "$1" "$2"; }

# ---- all that is there, and nothing else
before=$(lines)
ok 'they are locked' run lock bundle.yaml
cat "$T/err" >"$T/warnings"
# The reasons as lines, of the lock itself.
json "$T/w/bundle.lock.yaml" '"\n".join(sorted(" ".join([i["ref"], r.get("chart", "-"), r["file"], r["kind"], r["path"]]) for i in c["images"] for r in i["reasons"]))' >"$T/found"
ok 'every image is found, with its reason, and no other' diff "$T/w/expected" "$T/found"
json "$T/w/bundle.lock.yaml" '"\n".join(sorted({n["image"] for n in c["notCarried"]}))' >"$T/off"
ok 'what is turned off is told' diff "$T/w/not-carried" "$T/off"
log "$before" '' | sed -n 's,.*"[A-Z]* /v2/\(.*\)/\(manifests\|blobs\)/.*,\1,p' | sort -u >"$T/asked"
sed -n 's,^up.example/,,p; s,^docker.io/,hub/,p; s,^quay.io/,quay/,p' "$T/found" | sed 's/[:@ ].*//' | sort -u >"$T/may"
is 'the registry was asked for nothing else' "$(diff "$T/may" "$T/asked")" ''
is 'nobody is warned but of what is random' "$(grep -v "chart 'random': renders otherwise each time\|chart 'annotation': renders\|chart 'secret': renders\|has neither tag nor digest\|^[0-9]* images, " "$T/warnings")" ''
like 'a name without a tag is said' "$(cat "$T/warnings")" "image 'docker.io/library/by-rule': has neither tag nor digest in chart 'env-rule': .*: 'latest' is taken"

# ---- the same each time
cp "$T/w/bundle.lock.yaml" "$T/first"
mv "$T/cache" "$T/cache1"
ok 'again, without a cache' run lock bundle.yaml
ok 'the same bytes' cmp "$T/first" "$T/w/bundle.lock.yaml"
if [ -x "$helm4" ]; then
	PATH=$(dirname "$helm4"):$path ok 'with helm 4' run lock bundle.yaml
	ok 'the same bytes' cmp "$T/first" "$T/w/bundle.lock.yaml"
else
	skip 'with helm 4' 'helm 4 is not here'
fi
is 'no random name is in it' "$(json "$T/first" '[r for i in c["images"] for r in i["reasons"] if "x-" in r["path"] or "tls-" in r["path"]]')" '[]'

# ---- a build resolves nothing
mkdir "$T/nohelm"
printf '#!/bin/sh\necho "helm was called" >&2\nexit 99\n' >"$T/nohelm/helm"
chmod 755 "$T/nohelm/helm"
PATH=$T/nohelm:$path
before=$(lines)
ok 'a build without helm' run build bundle.lock.yaml -o b.zst
is 'asks for no tag' "$(log "$before" '/manifests/' | grep -vc '/manifests/sha256:')" 0
PATH=$(dirname "$helm3"):$path

# ---- tag and digest; what is not there
# chart IMAGE [WAIVE] - a manifest over one pod
one() {
	mkdir -p "$T/w/one/templates"
	printf 'apiVersion: v2\nname: one\nversion: 1.0.0\n' >"$T/w/one/Chart.yaml"
	printf 'apiVersion: v1\nkind: %s\nmetadata: {name: x}\nspec: {containers: [{name: c, image: "%s"}], a: "%s"}\n' "${3:-Pod}" "$1" "$1" >"$T/w/one/templates/p.yaml"
	sed '/^charts:/,$d' "$T/w/bundle.yaml" >"$T/w/one.yaml"
	printf 'charts: [{name: one, path: one}]\ndiscover: {waive: [%s]}\n' "${2:-}" >>"$T/w/one.yaml"
}
digest=$(sed -n 's/.*"digest": "\([^"]*\)".*/\1/p' "$T/images/app/index.json")
now=$(stand_push main "$T/images/worker" tag-and-digest:1 | sed 's/.* //')
one "up.example/tag-and-digest:1@$digest"
ok 'a digest whose tag has moved' run lock one.yaml
is 'is carried' "$(json "$T/w/one.lock.yaml" 'c["images"][0]["digest"]')" "$digest"
like 'with a warning that names both' "$(cat "$T/err")" "warning: image '.*': its tag '1' is $now by now: its digest $digest is taken"
one "up.example/tag-and-digest:gone@$digest"
ok 'a digest whose tag is gone' run lock one.yaml
like 'is told too' "$(cat "$T/err")" "its tag 'gone' is not there any more"
one "up.example/tag-and-digest:1@sha256:$(printf '%064d' 7)"
fails 'a digest that is not there' 20 run lock one.yaml
like 'names the place, and what the tag is' "$(cat "$T/err")" "error: image '.*' \(chart 'one': one/templates/p.yaml: Pod: spec.a and 1 more\): is not in '.*': its tag '1' is there and has another digest"
one up.example/private/thing:1 '' Thing
fails 'what only looks like an image and is nowhere' 20 run lock one.yaml
like 'is an error too' "$(cat "$T/err")" "\(chart 'one': .*\): is not in '.*/private/thing'"
for waiver in up.example/private/thing:1 up.example/private/thing 'up.example/private/*' '*/thing:*'; do
	one up.example/private/thing:1 "{image: '$waiver', reason: made up}" Thing
	ok "waived as $waiver" run lock one.yaml
	is 'and told' "$(json "$T/w/one.lock.yaml" 'c["notCarried"]')" "[{'image': 'up.example/private/thing:1', 'reason': 'made up', 'waived': True}]"
done
one short/thing:1 "{image: 'short/*', reason: made up}" Thing
ok 'a pattern without a host is for Docker Hub' run lock one.yaml
one up.example/deployment:1 "{image: 'nobody/*', reason: made up}"
ok 'a waiver that nothing needs' run lock one.yaml
like 'is told' "$(cat "$T/err")" "waive 'nobody/\*': nothing names it: take it out"

# ---- rules that cannot be
rule() {
	one up.example/deployment:1
	sed -i '/^discover/d' "$T/w/one.yaml"
	printf 'discover: {rules: [%s]}\n' "$1" >>"$T/w/one.yaml"
}
rule '{file: nothing, member: "*.conf"}'
fails 'a file that is not there' 2 run lock one.yaml
like 'is named' "$(cat "$T/err")" "discover.rules\[0\]: file 'nothing': is not in the manifest"
rule '{chart: one, join: "{spec.version}"}'
fails 'a join without a kind' 18 run lock one.yaml
like 'says so' "$(cat "$T/err")" 'one.yaml:[0-9]+: discover.rules\[0\]: kind is missing'
rule '{chart: one}'
fails 'a rule of no form' 18 run lock one.yaml
printf 'not an archive\n' >"$T/w/plain"
rule '{file: plain}'
printf 'files: [{name: plain, path: plain}]\n' >>"$T/w/one.yaml"
fails 'a file that is no archive' 18 run lock one.yaml

# ---- what a site would be given, proved before the trip
mkdir -p "$T/w/there/templates" "$T/w/web/templates"
printf 'apiVersion: v2\nname: web\nversion: 1.0.0\n' >"$T/w/web/Chart.yaml"
printf 'image: {repository: up.example/deployment, tag: "1"}\npodSecurityContext: {runAsNonRoot: true}\n' >"$T/w/web/values.yaml"
cat >"$T/w/web/templates/pod.yaml" <<'END'
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  securityContext: {{ merge (dict "seccompProfile" (dict "type" "RuntimeDefault")) .Values.podSecurityContext | toJson }}
  containers:
    - {name: web, image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}",
       securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}
END
cat >"$T/w/there/Chart.yaml" <<END
apiVersion: v2
name: there
version: 1.0.0
dependencies: [{name: airgap, version: 1.x.x, repository: "file://$PWD/manifests/airgap"}]
END
cat >"$T/w/there/templates/steps.yaml" <<'END'
apiVersion: airgap/v1
kind: Namespace
metadata: {name: web}
namespace: {name: web, podSecurity: {{ .Values.level | default "restricted" }}}
---
apiVersion: airgap/v1
kind: Release
metadata: {name: web}
release:
  chart: web
  name: web
  namespace: web
  values:
    {{- $name := printf "%s/deployment" (include "airgap.host" (list $ "up.example")) }}
    image: {{ merge (dict (.Values.key | default "repository") $name) (.Values.image | default dict) | toJson }}
    {{- with .Values.pod }}
    podSecurityContext: {{ toJson . }}
    {{- end }}
END
mkdir "$T/w/there/data"
printf '# the keys of images\nweb: image.repositry\n' >"$T/w/there/data/keys.yaml"
sed '/^charts:/,$d' "$T/w/bundle.yaml" >"$T/w/there.yaml"
printf 'site: there\ncharts: [{name: web, path: web}]\ndiscover: {sites: ["site-*.yaml"]}\n' >>"$T/w/there.yaml"
printf 'apiVersion: airgap/v1\nkind: Site\nregistry: {host: "r.site:5000", prefix: m}\n' >"$T/w/site-good.yaml"
# there NAME LINE - another site file, beside the good one
there() { { cat "$T/w/site-good.yaml"; printf '%s\n' "$2"; } >"$T/w/$1.yaml"; }
warnings() { sed -n 's/^warning: //p' "$T/err" | grep -v 'not signed'; }
errors() { sed -n 's/^error: //p' "$T/err"; }
nothing() { is 'nothing is written' "$(cd "$T/w" && ls there.lock.yaml bundle.tar.zst 2>/dev/null)" ''; }

there bad 'key: repositry'
fails 'a misspelt image key' 45 run build there.yaml --site bad.yaml
is 'is told with its place and the key that it should be' "$(errors)" "site 'bad.yaml': Release/web: web: web/templates/pod.yaml: Pod: spec.containers[].image: \
up.example/deployment:1: does not point to the site registry: set the chart's image keys in the site chart: image.repository
1 thing the deployer would refuse on site: correct the site chart or the site file: nothing was written"
is 'and where it is said' "$(warnings)" "chart 'web': its values.yaml has no image.repositry: write image.repository (there/data/keys.yaml:2)"
nothing
for mode in post-render mirror; do
	there bad 'key: repositry'
	sed -i "s/prefix: m}/prefix: m, rewrite: $mode}/" "$T/w/bad.yaml"
	ok "$mode makes up for it" run lock there.yaml --site bad.yaml
	rm -f "$T/w/there.lock.yaml"
done
there bad 'key: pullPolicy'
fails 'a key that is like none' 45 run lock there.yaml --site bad.yaml
is 'is told too, as far as it is known' "$(warnings)" "chart 'web': its values.yaml has no image.pullPolicy: correct or remove what sets it"
there bad 'image: {tagg: "2"}
pod: {runAsNonRoot: true, fsGroup: 5}'
ok 'a key that changes no image' run lock there.yaml --site bad.yaml
is 'is a warning; a map that is written out takes any' "$(warnings)" "chart 'web': its values.yaml has no image.tagg: write image.tag"
rm "$T/w/there.lock.yaml"
there bad 'pod: {runAsNonRoot: false}'
fails 'a pod that the level of its namespace forbids' 45 run lock there.yaml --site bad.yaml
like 'is told too' "$(errors)" "^site 'bad.yaml': Release/web: web: web/templates/pod.yaml: Pod: spec.securityContext.runAsNonRoot: false: set it to true$"
nothing
there bad 'level: privileged
pod: {runAsNonRoot: false}'
ok 'where the level takes it, it is taken' run lock there.yaml --site bad.yaml
mv "$T/w/there/templates/steps.yaml" "$T/steps"
sed '/^kind: Namespace/,/^namespace:/d; 1d; /^---/,$!d' "$T/steps" >"$T/w/there/templates/steps.yaml"
printf 'profile: standard\n' >"$T/w/there/values.yaml"
there bad 'pod: {runAsNonRoot: false}'
ok "the site chart's own profile counts where the site file has none" run lock there.yaml --site bad.yaml
there bad 'profile: nonroot
pod: {runAsNonRoot: false}'
fails 'the site file goes before it' 45 run lock there.yaml --site bad.yaml
mv "$T/steps" "$T/w/there/templates/steps.yaml"
rm "$T/w/there/values.yaml"
there site-other 'key: repositry'
fails 'the same for each site of a manifest' 45 run lock there.yaml
like 'named as it is there' "$(errors)" "^site 'site-other.yaml': Release/web: web: "
rm "$T/w/site-other.yaml"
ok 'a site that will run' run lock there.yaml
is 'is silent' "$(grep 'error:\|warning:' "$T/err")" ''
