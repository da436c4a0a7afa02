#!/bin/sh
# The deployer against a real cluster: what it refuses before the first write, what it says when a step fails, how it
# goes on after being killed, interrupted or locked out. A stack of the suite's own, in a bundle made without bundler.
# shellcheck source=tests/testlib.sh disable=SC2016 # $(env:X) is for the deployer
. "$(dirname "$0")/../testlib.sh"
need root docker-registry skopeo python3 etcd containerd
for program in "$helm3" "$helm4" "$kube_bin/kubectl"; do
	[ -x "$program" ] || skip_all "$program is not there: run scripts/deps test"
done

# ---- a stack whose site file can make it go wrong

S=$T/stack
mkdir -p "$S/app/templates" "$S/site/templates" "$S/site/charts" "$T/trust" "$T/bin"
cp -R manifests/airgap "$S/site/charts/airgap"
printf 'apiVersion: v2\nname: app\nversion: 1.0.0\n' >"$S/app/Chart.yaml"
cat >"$S/app/values.yaml" <<'END'
image: ""
uid: 65532
ready: "true"
delay: 0
text: one
token: ""
base: none
late: none
END
printf 'base: from the chart\ntext: from the chart\n' >"$S/app/production.yaml"
cat >"$S/app/templates/app.yaml" <<'END'
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {text: {{ .Values.text | quote }}, leak: {{ .Values.token | quote }}, base: {{ .Values.base }}, late: {{ .Values.late }}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  replicas: 1
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}, annotations: {text: {{ .Values.text | quote }}}}
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 0
      securityContext: {runAsNonRoot: {{ ne (int .Values.uid) 0 }}, runAsUser: {{ .Values.uid }}, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: app
          image: {{ .Values.image }}
          command: [/bin/busybox, sh, -c, 'echo "the last words"; exec sleep 100000']
          readinessProbe: {exec: {command: [/bin/busybox, sh, -c, {{ .Values.ready | quote }}]}, periodSeconds: 1, initialDelaySeconds: {{ .Values.delay }}}
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
END
cat >"$S/site/Chart.yaml" <<'END'
apiVersion: v2
name: t-site
version: 1.0.0
dependencies: [{name: airgap, version: 1.x.x, repository: ""}]
END
cat >"$S/site/values.yaml" <<'END'
apiVersion: airgap/v1
kind: Site
profile: nonroot
registry: {host: "", username: "", password: ""}
image: docker.io/demo/app:1.0
timeout: 60s
rollback: stop
reference: plain
pod: ""
app: {}
END
cat >"$S/site/values.schema.json" <<'END'
{"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "additionalProperties": false, "properties": {
  "apiVersion": {}, "kind": {}, "profile": {}, "airgap": {}, "global": {}, "registry": {"type": "object"}, "kubernetes": {},
  "image": {}, "pod": {}, "timeout": {}, "rollback": {}, "reference": {}, "app": {"$ref": "#/definitions/app"}},
 "definitions": {"app": {"type": "object", "additionalProperties": false,
  "properties": {"uid": {}, "ready": {}, "delay": {}, "text": {}, "token": {}}}}}
END
cat >"$S/site/templates/steps.yaml" <<'END'
apiVersion: airgap/v1
kind: Namespace
metadata: {name: t}
namespace: {name: t, podSecurity: restricted, pullSecret: {name: site-registry, serviceAccounts: [default]}}
---
apiVersion: airgap/v1
kind: Secret
metadata: {name: made}
secret: {namespaces: [t], name: made, data: {token: "$(generate:alnum:24)", other: {{ .Values.reference | quote }}}}
---
apiVersion: airgap/v1
kind: Release
metadata: {name: app}
needs: [Namespace/t]
release:
  chart: app
  name: app
  namespace: t
  timeout: {{ .Values.timeout }}
  rollback: {{ .Values.rollback }}
  base: [{chartFile: production.yaml}, {chartFile: absent.yaml, optional: true}]
  late: [{needs: [Wait/app], values: {late: "merged"}}]
  values: {{ merge (dict "image" (include "airgap.image" (list . .Values.image)) "number" 1.0 "none" nil) .Values.app | toJson }}
---
apiVersion: airgap/v1
kind: Apply
metadata: {name: note}
apply:
  namespace: t
  objects:
    - {apiVersion: v1, kind: ConfigMap, metadata: {name: note}, data: {a: b}}
    {{- with .Values.pod }}
    - {apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: {{ . }}}]}}
    {{- end }}
---
apiVersion: airgap/v1
kind: Wait
metadata: {name: app}
needs: [Release/app]
wait: {object: {apiVersion: apps/v1, kind: Deployment, namespace: t, name: app}, until: Ready, timeout: 60s}
END

stand_images "$T/images" app worker
stand_cluster --timeout 180
"$B/tests/bundle" "$T/b.tar.zst" "new:$T/k.key" name=t version=1.0.0 stream=example/t sequence=1 "site=$S/site" "chart=$S/app" \
	"image=docker.io/demo/app:1.0=$T/images/app" >"$T/bundle-id"
"$B/tests/bundle" "$T/later.tar.zst" "$T/k.key" name=t version=1.1.0 stream=example/t sequence=2 "site=$S/site" "chart=$S/app" \
	"image=docker.io/demo/app:1.0=$T/images/app" >"$T/said"
"$B/tests/bundle" "$T/other.tar.zst" "new:$T/other.key" name=o >"$T/said"
cp "$T/k.key.pub" "$T/trust/k.pub"
cp "$T/other.key.pub" "$T/other.pub"
chmod 755 "$T/trust"
ln -s "$helm4" "$T/bin/helm"
ln -s "$kube_bin/kubectl" "$T/bin/kubectl"
registry=$(cluster_fact registry)
password=$(cat "$(cluster_fact registry-password-file)")
kubeconfig=$(cluster_fact kubeconfig)

# site LINE... - $T/site.yaml with these lines; indented ones go under registry.
site() {
	{
		printf 'apiVersion: airgap/v1\nkind: Site\nregistry:\n  host: %s\n  ca: %s\n  username: %s\n  password: env:TEST_PASSWORD\n' \
			"${host:-$registry}" "$(cluster_fact registry-ca)" "$(cluster_fact registry-username)"
		[ $# = 0 ] || printf '%s\n' "$@"
	} >"$T/site.yaml"
}
in_net() {
	in_cluster env TMPDIR="$T" XDG_STATE_HOME="${state:-$T/state}" TEST_PASSWORD="${secret:-$password}" KUBECONFIG="${config:-$kubeconfig}" \
		PATH="$T/bin:$PATH" "$@"
}
deployer() {
	command=$1
	shift
	in_net "$B/bin/deployer" "$command" "$T/b.tar.zst" --trust "$T/trust" --site "$T/site.yaml" "$@"
}
kubectl() { in_net kubectl "$@"; }
helm_revision() { kubectl -n t get secrets -l owner=helm,name=app,status=deployed -o 'jsonpath={.items[*].metadata.labels.version}'; }
# said REGEX - the last `ok` or `fails` said so.
said() { like "$1" "$(cat "$T/said")" "$2"; }
absent() { [ -z "$(kubectl get namespace t --ignore-not-found -o name)" ]; }
clean() {
	kubectl delete namespace t airgap-system --ignore-not-found --wait >/dev/null 2>&1
	rm -rf "$T/state"
}
# writes - what the deployer changed in the cluster since mark, without dry runs and its lease.
mark() { marked=$(wc -l <"$(cluster_fact audit-log)"); }
writes() {
	tail -n "+$((marked + 1))" "$(cluster_fact audit-log)" | python3 -c '
import json, sys
for line in sys.stdin:
    e = json.loads(line)
    agent = e.get("userAgent", "")
    if e["verb"] in ("get", "list", "watch") or e.get("stage") != "ResponseComplete" or "dryRun" in e["requestURI"] or "/selfsubject" in e["requestURI"]:
        continue
    if ("kubectl" in agent or "elm" in agent) and "/leases/" not in e["requestURI"]:
        print(e["verb"], e["requestURI"])'
}

# ---- pods that break a rule each (tests/data/pods/rules.txt): the verdict of our rules is the API server's

# verdicts LEVEL - NAME yes|no of a server-side dry run in a namespace of that level. What is no pod at all to the server (a host process
# of Windows without the host's network) is refused too; what is refused for another reason stays as it is said.
verdicts() {
	kubectl create namespace "pods-$1" >/dev/null
	kubectl label namespace "pods-$1" "pod-security.kubernetes.io/enforce=$1" >/dev/null
	tries=0
	until kubectl -n "pods-$1" get serviceaccount default >/dev/null 2>&1; do
		[ $((tries += 1)) -le 150 ] || { echo 'no service account'; return; }
		sleep 0.2
	done
	"$B/tests/pods" tests/data/pods/rules.txt "pods-$1" >"$T/pods.json"
	kubectl create --dry-run=server -o name -f "$T/pods.json" 2>"$T/refused" | sed 's,^pod/\(.*\),\1 yes,' >"$T/verdicts"
	sed -e 's/^Error from server (Forbidden): .*: pods "\([^"]*\)" is forbidden: violates PodSecurity.*/\1 no/' -e '/^Warning:/d' \
		-e 's/^Error from server (Invalid): .*: Pod "\([^"]*\)" is invalid: .*\(hostProcess\|procMount\).*/\1 no/' "$T/refused" >>"$T/verdicts"
	sort "$T/verdicts"
	kubectl delete namespace "pods-$1" --wait=false >/dev/null
}
ours() { "$B/tests/pods" tests/data/pods/rules.txt | awk -v column="$1" -v take="$2" '{ print $1, ($4 == "stricter" && column == 3) ? take : $column }' | sort; }
is 'pods of the table are judged as the API server judges them: baseline' "$(verdicts baseline)" "$(ours 2 no)"
is 'restricted, but for those that we refuse on purpose' "$(verdicts restricted)" "$(ours 3 yes)"
like 'most of them break a rule' "$(ours 3 yes | grep -c ' no$')" '^([5-9][0-9]|1[0-9][0-9])$'

# ---- what the nodes are

site
facts() { in_net "$B/bin/deployer" facts --site "$T/site.yaml" -o "$T/facts.json"; }
# node EXPRESSION - of f, the facts, and n, their one node.
node() { python3 -c 'import json, sys; f = json.load(open(sys.argv[1])); [n] = f["nodes"]; print(eval(sys.argv[2]))' "$T/facts.json" "$1"; }
ok 'facts of the nodes' facts
said 'they are told' "1 node .*, kernel $(uname -r)"
is 'as the kubelet says them' "$(node 'n["kernel"], n["architecture"], n["runtime"].split(":")[0], n["count"]')" \
	"$(kubectl get nodes -o 'jsonpath={.items[0].status.nodeInfo.kernelVersion} {.items[0].status.nodeInfo.architecture}' |
		python3 -c 'k, a = input().split(); print((k, a, "containerd", 1))')"
is 'with versions for rendering' "$(node 'f["kubernetes"]["version"], "apps/v1" in f["kubernetes"]["apiVersions"], "gpu" in n')" \
	"('$(kubectl version -o json | python3 -c 'import json, sys; print(json.load(sys.stdin)["serverVersion"]["gitVersion"])')', True, False)"
is 'without its name' "$(node '"name" in n or "uid" in n, sorted(f)')" "(False, ['apiVersion', 'created', 'kind', 'kubernetes', 'nodes'])"
nfd=feature.node.kubernetes.io
kubectl label nodes --all $nfd/system-os_release.ID=rocky $nfd/system-os_release.VERSION_ID=9.4 $nfd/kernel-version.full=5.14.0-1.el9 \
	$nfd/pci-10de.present=true nvidia.com/gpu.product=A100 nvidia.com/gpu.count=2 nvidia.com/cuda.driver-version.full=580.1 >/dev/null
ok 'facts where features are discovered' facts
is 'labels go before words' "$(node '" ".join(str(n[k]) for k in ("os", "osVersion", "kernel", "gpu", "gpus", "gpuProduct", "gpuDriver"))')" \
	'rocky 9.4 5.14.0-1.el9 True 2 A100 580.1'
kubectl label nodes --all $nfd/system-os_release.ID- $nfd/system-os_release.VERSION_ID- $nfd/kernel-version.full- $nfd/pci-10de.present- \
	nvidia.com/gpu.product- nvidia.com/gpu.count- nvidia.com/cuda.driver-version.full- >/dev/null
config=$T/absent.kubeconfig
fails 'facts of no cluster' 40 facts
config=

# ---- refused before the first write

site
cat >"$T/none.kubeconfig" <<'END'
apiVersion: v1
kind: Config
clusters: [{name: a, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: a, user: {}}]
contexts: [{name: a, context: {cluster: a, user: a}}]
current-context: a
END
config=$T/none.kubeconfig
fails 'a cluster that is down' 40 deployer install
config=$T/absent.kubeconfig
fails 'a kubeconfig that is not there' 40 deployer install
said 'it is named' "kubeconfig '.*/absent.kubeconfig': no such file"
config=
host=10.89.0.1:1 site
fails 'a registry that is down' 20 deployer install
said 'the registry is named' 'registry: .*10\.89\.0\.1:1'
site
secret=wrong
fails 'wrong credentials' 21 deployer install
secret=
site 'app: {txt: two}'
fails 'a key the site chart does not know' 18 deployer plan
said 'it is named with its line, the nearest key and what helm said' "site.yaml:8: .*unknown key 'txt': did you mean 'text'.*additional properties 'txt' not allowed"
site '  hots: x'
fails 'a key of the registry we do not know' 18 deployer plan
said 'it is named with its line and the nearest key' "site.yaml:8: .*unknown key 'hots': did you mean 'host'"
site
sed 's/password: .*/password: hunter2/' "$T/site.yaml" >"$T/open.yaml" && mv "$T/open.yaml" "$T/site.yaml"
fails 'a password in the open' 18 deployer plan
said 'it is named by its line and not shown' 'site.yaml:7: registry.password: a password in the open'
is 'it is not shown' "$(grep -c hunter2 "$T/said")" 0
site
fails 'an unknown profile' 2 deployer plan --profile root
site 'image: docker.io/demo/other:2'
fails 'an image that is not in the bundle' 44 deployer install
said 'it is named' 'image docker.io/demo/other:2: not in the bundle t 1.0.0'
site 'reference: "$(env:TEST_ABSENT)"'
fails 'a variable that is not set' 44 deployer install
said 'it is named with its step' 'references: Secret/made: .*TEST_ABSENT.*not set'
site 'app: {uid: 0}'
fails 'a profile violation' 45 deployer install
said 'it is named' 'Release/app: app: app/templates/app.yaml: Deployment: spec.template.spec.securityContext.runAsUser: 0: set another uid'
site 'pod: docker.io/library/ubuntu:18.04'
fails 'a pod that a step applies is proved as a chart is' 45 deployer plan
said 'its image' 'Apply/note: .*Pod: spec.containers\[\].image: docker.io/library/ubuntu:18.04: does not point to the site registry'
said 'and its profile' 'Apply/note: .*Pod: spec.containers\[c\].securityContext.runAsNonRoot: set it to true, here or for the pod'
site 'app: {token: "$(secret:made/token)"}'
fails 'a secret that a chart puts into a ConfigMap' 45 deployer install
said 'its place is named' "chart 'app': app/templates/app.yaml: ConfigMap: data.leak"
fails 'a step that does not exist' 2 deployer install --retry Release/none
site
python3 -c 'import sys
b = bytearray(open(sys.argv[1], "rb").read()); b[len(b) * 6 // 10] ^= 1; open(sys.argv[2], "wb").write(b)' "$T/b.tar.zst" "$T/damaged.tar.zst"
mark
fails 'an image damaged in the file' 14 in_net "$B/bin/deployer" install "$T/damaged.tar.zst" --trust "$T/trust" --site "$T/site.yaml"
is 'it is found before a pod asks anything' "$(writes)" ''
ok 'nothing was installed by any of these' absent

# ---- plan, install, status

site
# gone COMMAND OPTION... - without the bundle's file.
gone() {
	command=$1
	shift
	in_net "$B/bin/deployer" "$command" --trust "${trust:-$T/trust}" --site "$T/site.yaml" "$@"
}
fails 'no file, and nothing is installed' 2 gone plan
said 'it says what to do' 'nothing is installed in this cluster: name the bundle file'
state=$T/unused
ok 'plan' deployer plan
state=
said 'plan says what will be made' 'Release/app +create'
is 'plan makes nothing' "$(kubectl get namespace t airgap-system --ignore-not-found -o name)" ''
is 'plan keeps nothing' "$(find "$T/unused" -name 'journal*' -o -name lock 2>/dev/null)" ''
ok 'install' deployer install
said 'install says what it did' 't 1.0.0: installed: 6 steps done, [0-9]+ blobs uploaded'
is 'a values file of the chart came under the values' "$(kubectl -n t get configmap app -o 'jsonpath={.data.base} {.data.text}')" \
	'from the chart from the chart'
is 'late values came when what they need was done' "$(kubectl -n t get configmap app -o 'jsonpath={.data.late}') $(helm_revision)" 'merged 2'
mark
ok 'install again' deployer install
said 'nothing changed' 't 1.0.0: nothing changed'
is 'the second install wrote nothing but its lease' "$(writes)" ''
ok 'status' deployer status
said 'all is as installed' 'Release/app +unchanged +app-1.0.0'
ok 'plan without a site file takes the one last applied' in_net "$B/bin/deployer" plan "$T/b.tar.zst" --trust "$T/trust"
state=$T/elsewhere
ok 'status from another machine' deployer status
ok 'install from another machine' deployer install
said 'it has nothing to do' 'nothing changed'
state=
is 'the pull secret holds what the site file refers to' "$(kubectl get secret site-registry -n t -o 'jsonpath={.data.\.dockerconfigjson}' | base64 -d |
	python3 -c 'import json, sys; print(json.load(sys.stdin)["auths"]["'"$registry"'"]["password"])')" "$password"
is 'no record holds the password' "$(kubectl get secrets -A -o json | python3 -c '
import base64, gzip, json, sys
n = 0
for s in json.load(sys.stdin)["items"]:
    if s["type"] == "kubernetes.io/dockerconfigjson": continue
    for v in s.get("data", {}).values():
        b = base64.b64decode(v)
        if s["type"] == "helm.sh/release.v1": b = gzip.decompress(base64.b64decode(b))
        n += sys.argv[1].encode() in b
print(n)' "$password")" 0

# ---- without the bundle's file: its head, charts and files are in the registry

mv "$T/b.tar.zst" "$T/away.tar.zst"
mark
ok 'plan without the file' gone plan
said 'nothing would change' 'Release/app +unchanged'
ok 'status without the file' gone status
said 'it says what it looked at' 't 1\.0\.0: installed'
ok 'install without the file' gone install
said 'it has nothing to do' 'nothing changed'
is 'nothing was written' "$(writes)" ''
state=$T/elsewhere
ok 'from a machine that applied the site file which the cluster keeps' in_net sh -c "cd '$T/unused' && '$(realpath "$B")/bin/deployer' status --trust '$T/trust'"
state=$T/elsewhere4
fails 'from one that did not' 2 in_net sh -c "cd '$T/unused' && '$(realpath "$B")/bin/deployer' status --trust '$T/trust'"
said 'it says what to do' 'site kept in the cluster: it refers to files or variables of the machine that applied it: give --site FILE'
ok 'with the site file it goes' gone status
state=
site 'app: {text: by hand}'
ok 'another value in the site file' gone install
said 'its step alone is done' 'installed: 1 step done, 0 blobs'
is 'the value has arrived' "$(kubectl -n t get configmap app -o 'jsonpath={.data.text}')" 'by hand'
site 'image: docker.io/demo/other:2'
fails 'what the bundle lacks' 44 gone install
site 'app: {text: by hand}'
fails '--stream and a file' 2 gone plan --stream example/t "$T/away.tar.zst"
fails 'a stream that is not installed' 2 gone plan --stream example/u
said 'those that are' 'but: example/t \(t 1\.0\.0\)'
kubectl -n airgap-system create secret generic airgap-installed-0 \
	--from-literal='document={"stream":"example/other","bundle":"0","name":"other","version":"2.0"}' >/dev/null
kubectl -n airgap-system label secret airgap-installed-0 airgap/kind=installed >/dev/null
fails 'two bundles' 2 gone plan
said 'both are named' '--stream: example/other \(other 2\.0\), example/t \(t 1\.0\.0\)$'
ok 'one of them is chosen' gone plan --stream example/t
kubectl -n airgap-system delete secret airgap-installed-0 >/dev/null

# What may be wrong with it; nothing is changed then. kept: its repository; blob N: of its layer.
data=$(cluster_fact registry-data)/docker/registry/v2
kept=$(find "$data/repositories/bundles" -mindepth 1 -maxdepth 1)
tag=$(find "$kept/_manifests/tags" -mindepth 1 -maxdepth 1)
blob() {
	manifest=$(sed 's/sha256://' "$tag/current/link")
	hex=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["layers"][int(sys.argv[2])]["digest"][7:])' \
		"$data/blobs/sha256/$(echo "$manifest" | cut -c1-2)/$manifest/data" "$1")
	echo "$data/blobs/sha256/$(echo "$hex" | cut -c1-2)/$hex/data"
}
# flip FILE - its byte 600; twice is not at all.
flip() { python3 -c 'import sys; f = open(sys.argv[1], "r+b"); f.seek(600); b = f.read(1); f.seek(600); f.write(bytes([b[0] ^ 1]))' "$1"; }
mark
mkdir "$T/none" && chmod 755 "$T/none"
cp "$T/other.pub" "$T/none/"
trust=$T/none
fails 'a key that is not trusted' 12 gone install
trust=
flip "$(blob 0)"
fails 'a head that was altered' 14 gone install
flip "$(blob 0)"
for layer in 1 2; do flip "$(blob $layer)"; done
fails 'charts that were altered' 14 gone install
said 'which is said' "chart 't-site': .*content does not match"
for layer in 1 2; do flip "$(blob $layer)"; done
lost=$(blob 1)
mv "$lost" "$T/blob"
fails 'a chart that the registry has lost' 44 gone install
said 'it says what to do' "repository 'bundles/.*': the registry has lost it: give the bundle file"
mv "$T/blob" "$lost"
cp "$tag/current/link" "$T/link"
state=$T/elsewhere3
ok 'a later bundle of the stream is pushed, not installed' in_net "$B/bin/deployer" push "$T/later.tar.zst" --trust "$T/trust" --site "$T/site.yaml"
state=
for other in "$kept"/_manifests/tags/*; do
	[ "$other" = "$tag" ] || cp "$other/current/link" "$tag/current/link"
done
fails 'another bundle under the name of this one' 14 gone install
said 'that is what it says' "bundles/.*: another bundle than the one that is installed"
cp "$T/link" "$tag/current/link"
mv "$tag" "$T/tag"
fails 'the registry has lost it' 44 gone install
said 'it says what to do' 'bundles/.*: not in the registry: give the bundle file'
mv "$T/tag" "$tag"
image=$data/repositories/demo/app/_manifests/tags/1.0
mv "$image" "$T/tag"
fails 'the registry has lost an image' 45 gone install
said 'it is named' '1 of 1 images are not in the site registry: give the bundle file: docker.io/demo/app:1.0'
mv "$T/away.tar.zst" "$T/b.tar.zst"
fails 'so with the file, and told not to push' 45 deployer install --no-push
said 'it is named there, too' 'leave out --no-push: docker.io/demo/app:1.0'
mv "$T/tag" "$image"
ok 'it is back: installed without pushing' deployer install --no-push
host=10.89.0.1:1 site
fails 'the registry is down' 20 gone install
is 'none of it changed anything' "$(writes)" ''

# ---- drift

site
ok 'as before' deployer install
kubectl -n t patch deployment app --type=merge -p '{"spec":{"replicas":0}}' >/dev/null
fails 'drift of a release' 46 deployer status
said 'the field is shown' 'Deployment/app: spec.replicas: 0 -> 1'
said 'it is drift and no change' 'Release/app +drifted'
kubectl -n t patch configmap note --type=merge -p '{"data":{"a":"c"}}' >/dev/null
kubectl -n t delete secret made >/dev/null
token=$(kubectl -n airgap-system get secret airgap-secrets -o 'jsonpath={.data.document}')
fails 'drift of several' 46 deployer status --json
ok 'status --json is JSON' in_net sh -c "'$B/bin/deployer' status '$T/b.tar.zst' --trust '$T/trust' --site '$T/site.yaml' --json 2>/dev/null | python3 -m json.tool"
ok 'install repairs it' deployer install
said 'three steps' 'installed: 3 steps done'
is 'the generated secret is what it was' "$(kubectl -n airgap-system get secret airgap-secrets -o 'jsonpath={.data.document}')" "$token"
ok 'all is well again' deployer status

# ---- which steps

ok 'one step again' deployer install --retry Apply/note
said 'it was done' 'installed: 1 step done'
site 'app: {text: two}'
ok 'one step alone' deployer install --only Apply/note
said 'the changed one was left out' 'nothing changed'
ok 'a step and what needs it' deployer install --from Release/app
is 'the text has arrived' "$(kubectl -n t get configmap app -o 'jsonpath={.data.text}')" two

# ---- failures, told and undone

site 'app: {ready: "false", text: three}' 'timeout: 6s'
fails 'a release that is not ready in time' 42 deployer install
said 'the pod is named' 'Release/app: pod t/app-'
said 'its event is told' 'event Unhealthy'
said 'its dependants were not started' 'Wait/app: not started'
fails 'it is missing in the status' 46 deployer status
site 'app: {text: four}'
ok 'the next install mends it' deployer install
site 'app: {ready: "false", text: five}' 'timeout: 6s' 'rollback: auto'
fails 'a release that is rolled back' 47 deployer install
said 'it says so' 'Release/app: failed and rolled back to revision [0-9]+: helm upgrade app: '
said 'with the diagnosis of before' 'event Unhealthy'
is 'what ran before runs again' "$(kubectl -n t get configmap app -o 'jsonpath={.data.text}')" four

# ---- one at a time

site 'app: {text: four}'
lease() {
	kubectl -n airgap-system patch lease airgap-deployer --type=merge \
		-p "{\"spec\":{\"holderIdentity\":\"$1\",\"acquireTime\":\"$2\",\"renewTime\":\"$2\"}}" >/dev/null
}
lease other/host/1/2 "$(date -u +%Y-%m-%dT%H:%M:%S.000000Z)"
fails 'another deployer is at work' 32 deployer install
said 'it is named' 'another deployer is at work: other/host/1/2 since 20'
lease other/host/1/2 2020-01-01T00:00:00.000000Z
ok 'a lease that has run out is taken over' deployer install
said 'and it says so' 'taking over from other/host/1/2'
is 'the lease is given back' "$(kubectl -n airgap-system get lease airgap-deployer -o 'jsonpath={.spec.holderIdentity}')" ''

# ---- killed and interrupted, with either helm

# started SIGNAL - an install whose release is under way gets SIGNAL; its status in $ended.
started() {
	deployer install >"$T/said" 2>&1 &
	job=$!
	n=0
	until kubectl -n t get secrets -l owner=helm -o 'jsonpath={.items[*].metadata.labels.status}' | grep -q pending; do
		n=$((n + 1))
		[ $n -lt 100 ] || break
		sleep 0.2
	done
	kill -"$1" "$(pgrep -f "^$B/bin/deployer install $T" | head -n 1)"
	ended=0
	wait "$job" || ended=$?
}
for helm in "$helm3" "$helm4"; do
	ln -sf "$helm" "$T/bin/helm"
	clean
	site 'app: {delay: 4, text: one}'
	V=$(basename "$(dirname "$helm")")
	kubectl create namespace t >/dev/null
	kubectl -n t create configmap app --from-literal=a=b >/dev/null
	fails "$V: an object that belongs to somebody else" 41 deployer install
	said "$V: it is named" 'ConfigMap "app"'
	ok "$V: it is taken over when we are told to" deployer install --take-ownership
	clean
	site 'app: {ready: "false"}' 'timeout: 6s' 'rollback: auto'
	fails "$V: a first install that fails" 47 deployer install
	said "$V: it is removed again" 'Release/app: failed and removed again: helm upgrade app: '
	is "$V: nothing of it is left" "$(kubectl -n t get deployments -o name; kubectl -n t get secrets -l owner=helm -o name)" ''
	site 'app: {delay: 4, text: one}'
	started KILL
	is "$V: killed while it installs" "$ended" 137
	state=$T/elsewhere2
	fails "$V: another machine does not clear it away" 41 deployer install
	said "$V: it says what to do" 'pending-install, and not by a run on this machine: .*kubectl -n t delete secret sh.helm.release.v1.app.v1'
	state=
	ok "$V: the next run goes on at once" deployer install
	said "$V: it says so" 'going on where a run was interrupted'
	site 'app: {delay: 4, text: two}'
	started KILL
	is "$V: killed while it upgrades" "$ended" 137
	ok "$V: the next run goes on" deployer install
	is "$V: the upgrade has arrived" "$(kubectl -n t get configmap app -o 'jsonpath={.data.text}')" two
	site 'app: {delay: 4, text: three}'
	started TERM    # a shell's background job does not hear INT
	is "$V: interrupted" "$ended" 143
	said "$V: it says how to go on" 'interrupted: run the same command again'
	is "$V: the lease is given back" "$(kubectl -n airgap-system get lease airgap-deployer -o 'jsonpath={.spec.holderIdentity}')" ''
	ok "$V: the next run goes on after that" deployer install
	ok "$V: all is well" deployer status
	mark
	ok "$V: once more" deployer install
	is "$V: nothing was written" "$(writes)" ''
done
