#!/bin/sh
# referrers.sh: signatures, attestations and SBOMs travel with their image: by subject, with the referrers API or without it,
# and by cosign's tags; what is found, what stays behind, how they stand in the bundle, what a site's registry lists of them.
# shellcheck disable=SC2317 # functions are called through ok
set -u
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
need python3 skopeo zstd docker-registry openssl
bundler=$(realpath "$B/bin/bundler" 2>/dev/null) || skip_all "bundler is not built"
deployer=$(realpath "$B/bin/deployer" 2>/dev/null) || skip_all "deployer is not built"
export XDG_CACHE_HOME="$T/cache" XDG_STATE_HOME="$T/state" SOURCE_DATE_EPOCH=1700000000 HOME="$T"
stand_images "$T/img" app multi worker
tests/stand/indexes "$T/img" >/dev/null
stand_registry plain                    # no API
stand_referrers api                     # with it, in pages of two
plain=$(stand_fact plain address) api=$(stand_fact api address)
for name in app multi worker two; do
	stand_push plain "$T/img/$name" "demo/$name:1.0" >/dev/null
	stand_push api "$T/img/$name" "demo/$name:1.0" >/dev/null
done
stand_push plain "$T/img/app" demo/app:2.0 >/dev/null
digest_of() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1] + "/index.json"))["manifests"][0]["digest"])' "$1"; }
# child LAYOUT N
child() { python3 -c 'import json, sys
d = sys.argv[1]
i = json.load(open(d + "/index.json"))["manifests"][0]["digest"][7:]
print(json.load(open(d + "/blobs/sha256/" + i))["manifests"][int(sys.argv[2])]["digest"])' "$1" "$2"; }
app=$(digest_of "$T/img/app") multi=$(digest_of "$T/img/multi") two=$(digest_of "$T/img/two") worker=$(digest_of "$T/img/worker")
two0=$(child "$T/img/two" 0) multi1=$(child "$T/img/multi" 1)
tag_of() { echo "$1" | tr : -; }
attach() { tests/stand/attach "$@"; }
w=$T/w
mkdir -p "$w" "$T/trust"

# manifest ENTRY...
manifest() {
	{
		printf 'apiVersion: airgap/v1\nkind: Manifest\nmetadata: {name: a, version: 1.0.0, stream: test/a}\n'
		printf 'platforms: [linux/amd64]\nkubernetes: {version: "1.32"}\naliases: {plain.example: "%s", api.example: "%s"}\n' "$plain" "$api"
		printf 'hosts: {"%s": {plainHTTP: true}, "%s": {plainHTTP: true}}\nimages:\n' "$plain" "$api"
		printf '  - %s\n' "$@"
	} >"$w/bundle.yaml"
}
lock() { "$bundler" lock --no-progress "$w/bundle.yaml" "$@"; }
said() { cat "$T/said"; }
value() {
	python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
image = lambda ref: next(i for i in d["contents"]["images"] if i["ref"] == ref)
found = lambda ref: sorted((r.get("tag", "by subject"), r["digest"], r.get("artifactType")) for r in image(ref).get("referrers", []))
print(eval(sys.argv[2]))' "$w/bundle.lock.yaml" "$1"
}

# ---- what there is: the same in both, each in its way
for at in "$plain" "$api"; do
	index=
	[ "$at" != "$plain" ] || index=--index
	# shellcheck disable=SC2086 # an option or none
	{
		sig=$(attach "$at/demo/app" "$app" --tag "$(tag_of "$app").sig" --type application/vnd.dev.cosign.artifact.sig.v1+json)
		sbom=$(attach "$at/demo/app" "$app" $index)
		att=$(attach "$at/demo/app" "$app" $index --type application/vnd.in-toto+json --text attestation)
		third=$(attach "$at/demo/app" "$app" $index --text third)
		nested=$(attach "$at/demo/app" "$sbom" $index --type application/vnd.example.sig --text nested)
		deep=$(attach "$at/demo/app" "$nested" $index --text deep)
		multi_sig=$(attach "$at/demo/multi" "$multi" --tag "$(tag_of "$multi").sig" --text multi)
		multi_sbom=$(attach "$at/demo/multi" "$multi1" $index --text child)
		attach "$at/demo/two" "$two" $index --text of-the-index >/dev/null
		two_att=$(attach "$at/demo/two" "$two0" --tag "$(tag_of "$two0").att" --text of-the-child)
	} || note 'the stand failed'
done
want_app="[('by subject', '$att', 'application/vnd.in-toto+json'), ('by subject', '$nested', 'application/vnd.example.sig'), \
('by subject', '$sbom', 'application/vnd.example.sbom'), ('by subject', '$third', 'application/vnd.example.sbom'), \
('$(tag_of "$app").sig', '$sig', 'application/vnd.dev.cosign.artifact.sig.v1+json')]"
want_app=$(python3 -c 'import sys; print(sorted(eval(sys.argv[1])))' "$want_app")

manifest '{ref: "plain.example/demo/app:1.0"}' '{ref: "plain.example/demo/app:2.0"}' '{ref: "plain.example/demo/worker:1.0"}' \
	'{ref: "plain.example/demo/multi:1.0"}' '{ref: "plain.example/demo/two:1.0"}' '{ref: "api.example/demo/app:1.0"}' \
	'{ref: "api.example/demo/multi:1.0"}' '{ref: "api.example/demo/two:1.0"}'
before=$(stand_log plain | wc -l)
ok 'images with what belongs to them are locked' lock
is 'without the API: by subject, by tag, and what belongs to an SBOM, but nothing deeper' "$(value 'found("plain.example/demo/app:1.0")')" "$want_app"
is 'with it, over several pages: the same' "$(value 'found("api.example/demo/app:1.0")')" "$want_app"
like 'the third level is left out' "$(value 'str(found("plain.example/demo/app:1.0")).count("'"$deep"'")')" '^0$'
is 'of an index and of its children' "$(value 'found("plain.example/demo/multi:1.0") == found("api.example/demo/multi:1.0"), [f[1] for f in found("api.example/demo/multi:1.0")]')" \
	"(True, ['$multi_sbom', '$multi_sig'])"
is 'one child of an index: what belongs to the index stays behind with it' "$(value '[f[1] for f in found("plain.example/demo/two:1.0") + found("api.example/demo/two:1.0")]')" \
	"['$two_att', '$two_att']"
is 'of an image that has nothing: nothing' "$(value 'found("plain.example/demo/worker:1.0")')" '[]'
is 'the size counts them' "$(value 'image("plain.example/demo/app:1.0")["size"] > image("plain.example/demo/worker:1.0")["size"]')" True

# ---- what it costs
cost() { stand_log plain | tail -n "+$((before + 1))" | grep -cE "$1"; }
is 'a registry is asked once whether it has the API' "$(cost 'GET /v2/demo/[a-z]*/referrers/')" 1
is 'each repository once for its tags' "$(cost 'GET /v2/demo/[a-z]*/tags/list')" 4
is 'and for nothing that it has not' "$(cost '(GET|HEAD) /v2/demo/[a-z]*/manifests/[^ ]* [^ ]* 404')" 0
cp "$w/bundle.lock.yaml" "$T/first"
ok 'locked again' lock -j 1
ok 'it is the same lock' cmp "$T/first" "$w/bundle.lock.yaml"
ok 'without them' lock --no-referrers
is 'there are none' "$(value 'sum(len(i.get("referrers", [])) for i in d["contents"]["images"])')" 0
is 'nor their blobs' "$(value "any(b['digest'] == '$sbom' for b in d['blobs'])")" False
cp "$T/first" "$w/bundle.lock.yaml"

# ---- a registry that shows nobody its tags
stand_referrers closed --closed
closed=$(stand_fact closed address)
stand_push closed "$T/img/app" demo/app:1.0 >/dev/null 2>&1
stand_push closed "$T/img/worker" demo/worker:1.0 >/dev/null 2>&1
attach "$closed/demo/app" "$app" --tag "$(tag_of "$app").sig" --type application/vnd.dev.cosign.artifact.sig.v1+json >/dev/null
attach "$closed/demo/app" "$app" >/dev/null
manifest "{ref: \"$closed/demo/app:1.0\"}" "{ref: \"$closed/demo/worker:1.0\"}"
sed -i "s/^hosts: {/hosts: {\"$closed\": {plainHTTP: true}, /" "$w/bundle.yaml"
ok 'locked from a registry with closed lists, that says "denied" of what it has not' lock
is 'tags are asked for one by one' "$(value "[f[1] for f in found('$closed/demo/app:1.0')], found('$closed/demo/worker:1.0')")" "(['$sbom', '$sig'], [])"
cp "$T/first" "$w/bundle.lock.yaml"

# ---- in the bundle
"$bundler" keygen "$T/k" >/dev/null 2>&1 && cp "$T/k.pub" "$T/trust"
chmod 755 "$T/trust"
ok 'built' "$bundler" build --no-progress "$w/bundle.lock.yaml" -o "$T/b.zst" --key "$T/k.key"
mkdir "$T/out" && zstd -dqc "$T/b.zst" | tar -x -C "$T/out"
is 'one of the layout, by its tag' "$(skopeo inspect --raw "oci:$T/out:plain.example/demo/app:$(tag_of "$app").sig" | sha256sum | cut -d ' ' -f 1)" "${sig#sha256:}"
is 'one of the layout, by its digest' "$(skopeo inspect --raw "oci:$T/out:plain.example/demo/app@$sbom" | sha256sum | cut -d ' ' -f 1)" "${sbom#sha256:}"

# ---- on site
push() {
	test_to=$1
	shift
	env XDG_STATE_HOME="$T/state" "$deployer" push "$T/b.zst" "$test_to" --plain-http --trust "$T/trust" "$@"
}
# listed HOST/REPOSITORY SUBJECT - digests, by the API, else by the tag
listed() {
	python3 - "$1" "$2" <<'END'
import json, sys, urllib.error, urllib.request
host, _, repository = sys.argv[1].partition("/")
def get(path):
    with urllib.request.urlopen(urllib.request.Request(f"http://{host}/v2/{repository}/{path}", headers={"Accept": "application/vnd.oci.image.index.v1+json"})) as r:
        return json.load(r)["manifests"]
try:
    found = get("referrers/" + sys.argv[2])
except urllib.error.HTTPError:
    found = get("manifests/" + sys.argv[2].replace(":", "-"))
print(*sorted(m["digest"] + " " + m["artifactType"] + " " + m.get("annotations", {}).get("org.example.made-by", "-") for m in found))
END
}
sorted() { printf '%s\n' "$@" | sort | tr '\n' ' ' | sed 's/ $//'; }
manifest '{ref: "api.example/demo/app:1.0"}' '{ref: "plain.example/demo/multi:1.0"}' '{ref: "plain.example/demo/two:1.0"}'
lock >/dev/null 2>&1
rm "$T/b.zst"
"$bundler" build --no-progress "$w/bundle.lock.yaml" -o "$T/b.zst" --key "$T/k.key" >/dev/null 2>&1
stand_registry site
stand_referrers modern --page 100
site=$(stand_fact site address) modern=$(stand_fact modern address)
other=$(attach "$site/m/demo/app" "$app" --index --type application/vnd.other --text "somebody else's")
ok 'pushed to a registry without the API' push "$site/m"
is 'an index of which one child is carried: its tag names the child' "$(skopeo inspect --raw --tls-verify=false "docker://$site/m/demo/two:1.0" | sha256sum | cut -d ' ' -f 1)" "${two0#sha256:}"
made='tests/stand/attach'
app_list=$(sorted "$att application/vnd.in-toto+json $made" "$sbom application/vnd.example.sbom $made" "$third application/vnd.example.sbom $made")
is "the index under the fallback tag lists them, and somebody else's" "$(listed "$site/m/demo/app" "$app")" \
	"$(sorted "$att application/vnd.in-toto+json $made" "$sbom application/vnd.example.sbom $made" "$third application/vnd.example.sbom $made" "$other application/vnd.other -")"
is 'and what belongs to an SBOM' "$(listed "$site/m/demo/app" "$sbom")" "$nested application/vnd.example.sig $made"
ok "cosign's tag is there" skopeo copy -q --src-tls-verify=false "docker://$site/m/demo/app:$(tag_of "$app").sig" "dir:$T/sig"
ok 'an SBOM comes back by its digest' skopeo copy -q --src-tls-verify=false "docker://$site/m/demo/app@$sbom" "dir:$T/sbom"
is 'with its content' "$(cat "$T/sbom/$(echo hello | tr -d '\n' | sha256sum | cut -d ' ' -f 1)")" hello
marked=$(stand_log site | wc -l)
ok 'pushed again' push "$site/m" --json
is 'they are counted' "$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["referrers"])' "$T/said")" 8
is 'nothing is written' "$(stand_log site | tail -n "+$((marked + 1))" | grep -cE '"(PUT|POST|PATCH|DELETE) ')" 0
is 'the API is asked for once' "$(stand_log site | tail -n "+$((marked + 1))" | grep -c '/referrers/')" 1
ok 'pushed to a registry with the API' push "$modern/m"
is 'it lists them itself' "$(listed "$modern/m/demo/app" "$app")" "$app_list"
is 'with no index of ours' "$(stand_log modern "PUT.*/manifests/$(tag_of "$app")\"" | wc -l)" 0
like "cosign's tag is there too" "$(skopeo inspect --tls-verify=false --raw "docker://$modern/m/demo/app:$(tag_of "$app").sig")" 'cosign'
marked=$(stand_log modern | wc -l)
ok 'pushed again' push "$modern/m"
is 'nothing is written' "$(stand_log modern | tail -n "+$((marked + 1))" | grep -cE '"(PUT|POST|PATCH|DELETE)"')" 0

# ---- registries that will not
stand_push site "$T/img/worker" "n/demo/app:$(tag_of "$app")" >/dev/null
fails 'the fallback tag is an image: 43' 43 push "$site/n"
like 'it is named' "$(said)" "$site: 'n/demo/app': what belongs to $app: 'n/demo/app:$(tag_of "$app")' is no list of what belongs to an image"
stand_referrers forget --forget
fails 'a registry that says it lists them, and does not: 43' 43 push "$(stand_fact forget address)/m"
like 'it says so' "$(said)" 'the registry does not list what it was given'

# ---- what stays behind, and lies
attach "$plain/demo/worker" "$worker" --index --times 34000 --text "$(head -c 1000 /dev/zero | tr '\0' x)" >/dev/null
small=$(attach "$plain/demo/worker" "$worker" --index --text small)
attach "$plain/demo/worker" "$worker" --wrong --text wrong >/dev/null
attach "$plain/demo/worker" "$worker" --index --list >/dev/null
manifest '{ref: "plain.example/demo/worker:1.0"}'
ok 'locked with referrers that are too large, of somebody else, or indexes' lock
is 'only the right one is carried' "$(value '[f[1] for f in found("plain.example/demo/worker:1.0")]')" "['$small']"
is 'the others are notes' "$(value 'sorted(n.partition("sha256")[2][66:] for n in image("plain.example/demo/worker:1.0")["notes"])')" \
	"['has more than 32 MiB: it stays behind', 'is an index: it stays behind']"
attach "$api/demo/worker" "$worker" --count 66 >/dev/null
manifest '{ref: "api.example/demo/worker:1.0"}'
ok 'locked with 66 of them' lock
is 'the first 64 are carried' "$(value 'len(found("api.example/demo/worker:1.0")), image("api.example/demo/worker:1.0")["notes"]')" \
	"(64, ['more than 64 signatures and the like belong to it: the rest stays behind'])"
cp "$w/bundle.lock.yaml" "$T/first"
lock -j 1 >/dev/null 2>&1
ok 'always the same ones' cmp "$T/first" "$w/bundle.lock.yaml"
