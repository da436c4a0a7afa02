#!/bin/sh
# e2e-install.sh: from an upstream registry with tokens to pods behind the gap, on a real cluster with real helm; then
# again, with drift, with mistakes, with helm 4, and with a stack that only this test knows.
# shellcheck disable=SC2317 # functions are called through ok
set -u
[ "$(id -u)" = 0 ] || ! sudo -n true 2>/dev/null || exec sudo -nE env "PATH=$PATH" "HOME=$HOME" sh "$0"
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
# shellcheck source=tests/demolib.sh
. tests/demolib.sh
need root
need_programs
[ -x "$kube_bin/kubelet" ] || skip_all "no Kubernetes: run scripts/deps"
[ -x "$helm4" ] || skip_all "no helm 4: run scripts/deps"

# revisions NAMESPACE - helm's revisions there, one Secret each.
revisions() { k -n "$1" get secrets -l owner=helm -o 'jsonpath={range .items[*]}{.metadata.name}{"\n"}{end}' | sort; }

# api_writes FROM - the audit log's writes from this line on; dry runs and the deployer's own Lease are none.
api_writes() {
	tail -n "+$(($1 + 1))" "$(cluster_fact audit-log)" | jq -r '
		select(.requestURI | contains("dryRun=All") or contains("/selfsubject") | not)
		| select((.objectRef.resource == "leases" and .objectRef.name == "airgap-deployer") | not)
		| [.verb, .requestURI, .userAgent] | @tsv'
}

registry_log() { grep -E '^[0-9.:]+ - [^ ]+ \[' "$(cluster_fact dir)/registry/registry.log"; }
lines() { wc -l <"$1"; }

# pods NAMESPACE TEMPLATE - a line for each pod.
pods() { k -n "$1" get pods --field-selector=status.phase=Running -o "jsonpath={range .items[*]}$2{\"\\n\"}{end}"; }
ready='{.status.conditions[?(@.type=="Ready")].status}'

# restricted NAMESPACE - its pods are Ready, run as 65532, and came from the site registry; prints what is otherwise.
restricted() {
	k get namespace "$1" -o 'jsonpath={.metadata.labels.pod-security\.kubernetes\.io/enforce}' | grep -v '^restricted$'
	pods "$1" "{.metadata.name} $ready" | grep -v ' True$'
	pods "$1" '{.spec.containers[*].image} {.spec.initContainers[*].image}' | tr ' ' '\n' | grep . | grep -v "^$registry/demo/"
	for pod in $(pods "$1" '{.metadata.name}'); do
		uid=$(k -n "$1" exec "$pod" -- /bin/busybox id -u 2>/dev/null)
		[ "$uid" = 65532 ] || echo "$pod runs as $uid"
	done
}

# ---- built outside, installed inside
demo_cluster >"$T/cluster" 2>&1 || { cat "$T/cluster"; exit 1; }
registry=$(cluster_fact registry)
ok 'the upstream registry wants tokens, the chart repository a bearer token' demo_upstream
ok 'a key pair is made' demo_key
ok 'the bundle is built' demo_build "$T/demo.tar.zst" --site "$T/site.yaml"
[ -f "$T/demo.tar.zst" ] || exit 1
is 'it carries the images of the reviewed list' "$("$B/bin/bundler" images "$T/demo.tar.zst" --trust "$T/trust" | awk 'NR > 1 && !NF { exit } NR > 1 { print $1 }')" \
	"$(cat images/demo/*.txt | awk '!/^#/ { print $1 }' | sort -u)"
like 'as the user the manifest names' "$(cat "$T/upstream/registry/tokend.requests")" '"(user|account)": "demo"'
is 'nothing but the bundle remains of the build' "$(find "$T" -maxdepth 1 -name 'demo.tar.zst?*')" ''
demo_gone
no_helm # the bundle has its own
is 'the site has no way out' "$(in_cluster ip route show default)" ''
ok 'it is planned' deploy plan "$T/demo.tar.zst"
is 'which writes nothing' "$(k get namespaces -o name | grep -c demo)" 0
ok 'also for users that the cluster chooses' deploy plan "$T/demo.tar.zst" --profile nonroot-arbitrary-uid
ok 'it is installed' deploy install "$T/demo.tar.zst"
is 'its pods are Ready as uid 65532 in a restricted namespace, from the site registry' "$(restricted demo 2>&1)" ''
address=$(k -n demo get service web -o 'jsonpath={.spec.clusterIP}')
like 'the page answers' "$(page "$address")" '<h1>All is well</h1>'
ok 'status says so' deploy status "$T/demo.tar.zst"
like 'in words' "$(tail -n 1 "$T/said")" '^demo 1\.2\.0: installed$'

# ---- again: nothing changes
before=$(revisions demo)
audit=$(lines "$(cluster_fact audit-log)")
registry_log >"$T/requests.before"
like 'the first one uploaded' "$(cat "$T/requests.before")" '"PUT /v2/demo/demo/app/manifests/1\.0'
ok 'a second install ends well' deploy install "$T/demo.tar.zst"
like 'and says that nothing changed' "$(tail -n 1 "$T/said")" 'nothing changed'
is 'no new revision' "$(revisions demo)" "$before"
is 'no write to the cluster' "$(api_writes "$audit")" ''
registry_log >"$T/requests.after"
is 'no upload' "$(tail -n "+$(($(lines "$T/requests.before") + 1))" "$T/requests.after" | grep -E '"(PUT|POST|PATCH|DELETE) ')" ''

# ---- drift
k -n demo scale deployment web --replicas=3 >/dev/null
fails 'a change by hand is drift' 46 deploy status "$T/demo.tar.zst"
ok 'install sets it right' deploy install "$T/demo.tar.zst"
is 'one replica again' "$(k -n demo get deployment web -o 'jsonpath={.spec.replicas}')" 1
ok 'status is content' deploy status "$T/demo.tar.zst"
k -n demo delete deployment worker >/dev/null
fails 'a deleted object is drift' 46 deploy status "$T/demo.tar.zst"
ok 'install brings it back' deploy install "$T/demo.tar.zst"
ok 'status is content again' deploy status "$T/demo.tar.zst"

# ---- the file is gone: kubectl is still there from before, helm comes out of the registry again
mv "$T/demo.tar.zst" "$T/away.tar.zst"
rm "$T"/state/airgap/tools/helm-*
demo_site "$T/other.yaml" 'page: {title: Still well}'
fails 'the site file has changed' 46 deploy status --site "$T/other.yaml"
ok 'it is installed without the file' deploy install --site "$T/other.yaml"
like 'the page says so' "$(page "$address")" '<h1>Still well</h1>'
ok 'and back' deploy install
ok 'status without the file' deploy status
mv "$T/away.tar.zst" "$T/demo.tar.zst"

# ---- mistakes of the site, found before the first write
audit=$(lines "$(cluster_fact audit-log)")
demo_site "$T/bad.yaml" 'pge: {title: Typo}'
fails 'a misspelt key is refused' 18 deploy install "$T/demo.tar.zst" --site "$T/bad.yaml"
like 'with file and line' "$(cat "$T/said")" "^error: .*bad\.yaml:9: .*'pge'"
demo_site "$T/bad.yaml" 'overrides: {web: {image: {tag: "9.9"}}}'
fails 'an image that the bundle lacks is refused' 45 deploy install "$T/demo.tar.zst" --site "$T/bad.yaml"
like 'by name' "$(cat "$T/said")" 'demo/demo/app:9\.9'
demo_site "$T/bad.yaml" 'overrides: {web: {podSecurityContext: {runAsUser: 0, runAsNonRoot: false}}}'
fails 'a pod as root is refused under the profile nonroot' 45 deploy install "$T/demo.tar.zst" --site "$T/bad.yaml"
is 'nothing of it was written' "$(api_writes "$audit")" ''

# ---- helm 4, from PATH
use_helm "$helm4"
ok 'a bundle without tools is made' demo_upstream --no-tools
sed -i 's,example/demo,example/four,; s/{name: demo, v/{name: four, v/' "$(demo_fact manifest)"
demo_site "$T/four.yaml" 'releases: {web: {name: web, namespace: four}, worker: {name: worker, namespace: four}}'
ok 'it is built with helm 4' demo_build "$T/four.tar.zst" --site "$T/four.yaml"
ok 'it is installed with helm 4' deploy install "$T/four.tar.zst" --site "$T/four.yaml"
is 'its pods are well' "$(restricted four 2>&1)" ''
ok 'status says so' deploy status "$T/four.tar.zst" --site "$T/four.yaml"
before=$(revisions four)
ok 'again, with helm 4' deploy install "$T/four.tar.zst" --site "$T/four.yaml"
is 'no new revision with helm 4' "$(revisions four)" "$before"
ok 'the other stack is still well' deploy status "$T/demo.tar.zst"
use_helm "$helm3"

# ---- a stack that no program has heard of: the one of docs/stacks.md, and a chart that only some sites want
mkdir -p "$T/stacks"
cp -R manifests/airgap "$T/stacks/airgap"
awk -v to="$T/stacks" '
	/^```[a-z]+ hello\// { file = to "/" $2; dir = file; sub("/[^/]*$", "", dir); system("mkdir -p " dir); next }
	/^```/ { if (file != "") close(file); file = ""; next }
	file != "" { print > file }' docs/stacks.md
hello=$T/stacks/hello
mkdir -p "$hello/more/templates"
printf 'apiVersion: v2\nname: more\nversion: 0.1.0\n' >"$hello/more/Chart.yaml"
printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\n' >"$hello/more/templates/map.yaml"
sed -i 's/^charts:/&\n  - {name: more, path: more}/' "$hello/bundle.yaml"
cat >>"$hello/bundle.yaml" <<-END
aliases: {docker.io: "$(demo_fact registry)/hub"}
hosts: {"$(demo_fact registry)": {plainHTTP: true, username: demo, password: env:REGISTRY_TOKEN}}
END
echo 'more: false' >>"$hello/site/values.yaml"
sed -i 's/"text": {/"more": {"type": "boolean"},\n    &/' "$hello/site/values.schema.json"
cat >>"$hello/site/templates/steps.yaml" <<'END'
{{- if .Values.more }}
---
apiVersion: airgap/v1
kind: Release
metadata: {name: more}
needs: [Namespace/hello]
release: {chart: more, name: more, namespace: {{ $hello.namespace }}}
{{- end }}
END
tests/stand/push --registry "$(demo_fact registry-facts)" "$T/upstream/images/worker" hub/library/busybox:1.36 >/dev/null
demo_site "$T/hello.yaml" 'text: said by a stack of its own'
manifest=$hello/bundle.yaml
ok 'a further stack is built' demo_build "$T/hello.tar.zst" --site "$T/hello.yaml"
unset manifest
demo_gone
ok 'and installed' deploy install "$T/hello.tar.zst" --site "$T/hello.yaml"
is 'its pod is well' "$(restricted hello 2>&1)" ''
is 'it says what the site said' "$(k -n hello logs hello)" 'said by a stack of its own'
demo_site "$T/more.yaml" 'more: true'
fails 'a chart that the bundle lacks is refused' 44 deploy install "$T/hello.tar.zst" --site "$T/more.yaml"
like 'by name' "$(cat "$T/said")" "chart 'more'"
