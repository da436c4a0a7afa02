#!/bin/sh
# drivers.sh: a stand-in for the GPU operator's chart (its documented keys, nothing behind them) and made tags of a driver in
# a real registry: which images a lock carries for which nodes, what is said where there is none; include and overlays.
# shellcheck disable=SC2317,SC2016 # functions are called through ok; templates in single quotes
set -u
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
need python3 skopeo docker-registry
bundler=$(realpath "$B/bin/bundler" 2>/dev/null) || skip_all "bundler is not built"
[ -x "$helm3" ] || skip_all "helm is not here: run scripts/deps test"
PATH=$(dirname "$helm3"):$PATH
rules=$(realpath manifests/clearml/gpu-operator.yaml)

# ---- a registry with what is there
w=$T/world
mkdir -p "$w/operator/templates" "$w/stack/site/templates" "$w/sites" "$T/tmp"
stand_registry main
stand_images "$T/images" app
registry=$(stand_fact main address)
tags() { for tag; do printf 'nvidia/driver:%s ' "$tag"; done; }
# shellcheck disable=SC2046 # a word for each tag
stand_push main "$T/images/app" nvidia/gpu-operator:v26.7.0 nvidia/gpu-operator:v25.10.1 nvidia/toolkit:v1.20.0 nvidia/manager:v0.12.0 \
	nvidia/nvidia-fs:2.29.4-ubuntu22.04 nvidia/node:ubuntu $(tags 580-5.15.0-1070-nvidia-ubuntu22.04 580-5.15.0-1071-nvidia-ubuntu22.04 \
	580-6.8.0-60-generic-ubuntu24.04 595-5.15.0-1099-nvidia-ubuntu22.04 580.105.08-ubuntu22.04 580.105.08-rhel9 580.105.08-rhel9.4) >/dev/null

# ---- a chart that asks for images as the operator's does
cat >"$w/operator/values.yaml" <<'END'
driver: {enabled: true, usePrecompiled: false, repository: nvcr.io/nvidia, image: driver, version: 580.105.08, crd: false,
  manager: {repository: nvcr.io/nvidia, image: manager, version: v0.12.0}}
gds: {enabled: false, repository: nvcr.io/nvidia, image: nvidia-fs, version: 2.29.4}
END
cat >"$w/operator/templates/all.yaml" <<'END'
apiVersion: apps/v1
kind: Deployment
metadata: {name: gpu-operator}
spec: {template: {spec: {containers: [{name: c, image: "nvcr.io/nvidia/gpu-operator:{{ .Chart.Version }}"}]}}}
---
apiVersion: nvidia.com/v1
kind: ClusterPolicy
metadata: {name: cluster-policy}
spec:
  sandboxWorkloads: {enabled: false}
  vfioManager: {enabled: true, repository: nvcr.io/nvidia, image: never, version: v1}
  toolkit: {enabled: true, repository: nvcr.io/nvidia, image: toolkit, version: v1.20.0}
  gds: {{ .Values.gds | toJson }}
  driver: {{ merge (dict "useNvidiaDriverCRD" .Values.driver.crd) (omit .Values.driver "crd") | toJson }}
{{- if .Values.driver.crd }}
---
apiVersion: nvidia.com/v1alpha1
kind: NVIDIADriver
metadata: {name: default}
spec: {{ omit .Values.driver "crd" "enabled" | toJson }}
{{- end }}
END
printf 'apiVersion: v2\nname: gpu-operator\nversion: v25.10.1\n' >"$w/operator/Chart.yaml"
cp -R "$w/operator" "$w/newer"
printf 'apiVersion: v2\nname: gpu-operator\nversion: v26.7.0\n' >"$w/newer/Chart.yaml"

# ---- a site chart, in a folder of its own with the manifest that others include
printf 'apiVersion: v2\nname: the-site\nversion: 0.1.0\n' >"$w/stack/site/Chart.yaml"
printf 'driver: {}\ngds: {}\nfiles: null\n' >"$w/stack/site/values.yaml"
cat >"$w/stack/site/templates/steps.yaml" <<'END'
apiVersion: airgap/v1
kind: Release
metadata: {name: gpu-operator}
release: {chart: gpu-operator, name: gpu-operator, namespace: gpu, values: {driver: {{ .Values.driver | toJson }}, gds: {{ .Values.gds | toJson }}}}
---
apiVersion: airgap/v1
kind: Carry
metadata: {name: c}
carry:
  images: [{{ range $i, $n := .Values.airgap.facts.nodes }}{{ if and $n.gpu (eq $n.os "ubuntu") (eq $i 0) }}nvcr.io/nvidia/node:{{ $n.os }}{{ end }}{{ end }}]
  {{- if kindIs "slice" .Values.files }}
  files: {{ toJson .Values.files }}
  {{- end }}
END
cat >"$w/stack/common.yaml" <<END
include: [$rules]
kubernetes: {version: "1.30"}
aliases: {nvcr.io: "$registry"}
site: site
hosts: {"$registry": {plainHTTP: true, ca: ca.pem}}
charts:
  - {name: gpu-operator, path: ../newer}
  - {name: other, path: none}
files:
  - {name: run, path: driver.run}
  - {name: spare, path: driver.run}
END
# what is taken back of it: a chart and a CA that are not there
cat >"$w/bundle.yaml" <<END
apiVersion: airgap/v1
kind: Manifest
metadata: {name: gpu, version: 1.0.0}
include: stack/common.yaml
charts: [{name: other, remove: true}]
hosts: {"$registry": {ca: null}}
END
printf 'a driver\n' >"$w/stack/driver.run"

# site NAME LINE... - a site file
site() {
	name=$1
	shift
	{ printf 'apiVersion: airgap/v1\nkind: Site\n' && printf '%s\n' "$@"; } >"$w/sites/$name.yaml"
}
site precompiled 'driver: {usePrecompiled: true, version: "580"}' 'gds: {enabled: true}' 'files: [run]'
site mixed 'driver: {usePrecompiled: true, version: "580"}'
site container 'driver: {usePrecompiled: false}'
site pools 'driver: {crd: true, usePrecompiled: true, version: "580"}'
site dated 'kubernetes: {version: "1.33.7"}' 'driver: {enabled: false}'
site pool 'driver: {crd: true, usePrecompiled: true, version: "580", nodeSelector: {feature.node.kubernetes.io/system-os_release.ID: ubuntu}}'
site host 'driver: {enabled: false}' 'files: []'

# nodes NAME NODE... - a facts file; NODE is "gpu|- ID VERSION KERNEL"
nodes() {
	name=$1
	shift
	{
		printf 'apiVersion: airgap/v1\nkind: Facts\nkubernetes: {version: v1.31.4, apiVersions: [nvidia.com/v1]}\nnodes:\n'
		for node; do
			# shellcheck disable=SC2086 # four words
			set -- $node
			printf -- '- {gpu: %s, os: %s, osVersion: "%s", kernel: %s, architecture: amd64}\n' \
				"$([ "$1" = gpu ] && echo true || echo false)" "$2" "$3" "$4"
		done
	} >"$T/$name.facts"
}
nodes ubuntu 'gpu ubuntu 22.04 5.15.0-1071-nvidia' 'gpu ubuntu 22.04 5.15.0-1071-nvidia' 'gpu ubuntu 24.04 6.8.0-60-generic' '- ubuntu 22.04 5.15.0-130-generic'
nodes jammy 'gpu ubuntu 22.04 5.15.0-1071-nvidia'
nodes both 'gpu ubuntu 22.04 5.15.0-1071-nvidia' 'gpu rhel 9.4 5.14.0-427.13.1.el9_4.x86_64'
nodes rhel 'gpu rhel 9.4 5.14.0-427.13.1.el9_4.x86_64'
nodes gone 'gpu ubuntu 22.04 5.15.0-1075-nvidia'

lock() { (cd "$w" && TMPDIR=$T/tmp XDG_CACHE_HOME=$T/cache "$bundler" lock bundle.yaml -o "$T/lock.yaml" "$@"); }
# value EXPRESSION - of c, the contents of the lock
value() { python3 -c 'import json, sys; l = json.load(open(sys.argv[1])); c = l["contents"]; print(eval(sys.argv[2]))' "$T/lock.yaml" "$1"; }
images() { value '" ".join(i["ref"].split("/")[-1] for i in c["images"])'; }
said() { like "$1" "$(cat "$T/said")" "$2"; }

# ---- without facts
fails 'a driver without facts' 2 lock --site sites/precompiled.yaml
said 'it is said what is missing, and where it stands' \
	"image 'nvcr.io/nvidia/driver:580-\{kernel\}-\{osTag\}' \(chart 'gpu-operator': .*ClusterPolicy: spec.driver\): .*--facts FILE.*\`facts\` in the manifest"
ok 'a driver on the nodes needs none' lock --site sites/host.yaml
is 'and none is carried' "$(images)" 'gpu-operator:v26.7.0 toolkit:v1.20.0'
is 'it is listed' "$(value '[n["reason"][:11] for n in c["notCarried"] if n.get("image", "").startswith("nvcr.io/nvidia/driver:")]')" "['disabled in']"
is 'what runs for virtual machines alone is not carried' "$(value '[n["reason"][:11] for n in c["notCarried"] if "never" in n.get("image", "")]')" "['disabled in']"
is 'files that the site does not name are told' "$(value '[(n["file"], n["reason"]) for n in c["notCarried"] if "file" in n]')" \
	"[('run', 'no step of the given sites names it'), ('spare', 'no step of the given sites names it')]"
printf 'discover: {waive: [{image: nvcr.io/nvidia/driver, reason: ours}, {image: nvcr.io/nvidia/nvidia-fs, reason: ours}]}\n' >"$T/waive.yaml"
ok 'or it is waived' lock --site sites/precompiled.yaml --overlay "$T/waive.yaml"

# ---- with facts
ok 'one image for each kernel' lock --site sites/precompiled.yaml --facts "$T/jammy.facts"
is 'exactly these' "$(images)" \
	'driver:580-5.15.0-1071-nvidia-ubuntu22.04 gpu-operator:v26.7.0 manager:v0.12.0 node:ubuntu nvidia-fs:2.29.4-ubuntu22.04 toolkit:v1.20.0'
is 'the reason names the nodes' "$(value '[r["path"] for i in c["images"] if "/driver:" in i["ref"] for r in i["reasons"]]')" \
	"['spec.driver for 1 node ubuntu 22.04, kernel 5.15.0-1071-nvidia']"
is 'facts are in the bundle, and decide what is rendered for' "$(value '(c["kubeVersion"], c["apiVersions"], c["facts"]["nodes"][0]["kernel"])')" \
	"('v1.31.4', ['nvidia.com/v1'], '5.15.0-1071-nvidia')"
is 'the files that are named' "$(value '[f["name"] for f in c["files"]]')" "['run']"
ok 'nodes of several sorts' lock --site sites/mixed.yaml --facts "$T/ubuntu.facts"
is 'each has its own' "$(images | tr ' ' '\n' | grep ^driver | tr '\n' ' ')" 'driver:580-5.15.0-1071-nvidia-ubuntu22.04 driver:580-6.8.0-60-generic-ubuntu24.04 '
like 'nodes alike are counted' "$(value '[r["path"] for i in c["images"] if "1071" in i["ref"] for r in i["reasons"]]')" 'for 2 nodes ubuntu 22.04'
sed 's/architecture: amd64/architecture: arm64/' "$T/jammy.facts" >"$T/arm.facts"
ok 'the site file goes before the facts' lock --site sites/dated.yaml --facts "$T/arm.facts"
is 'in what is rendered for' "$(value 'c["kubeVersion"]')" 1.33.7
like 'a machine that no image is for is told' "$(value 'l["warnings"]')" 'facts: 1 node ubuntu 22.04, kernel 5.15.0-1071-nvidia: architecture arm64 is not among platforms'
ok 'pools of nodes' lock --site sites/pools.yaml --facts "$T/jammy.facts"
is 'the policy is not asked' "$(value '[(r["kind"], r["path"][:8]) for i in c["images"] if "/driver:" in i["ref"] for r in i["reasons"]]')" \
	"[('NVIDIADriver', 'spec for')]"
ok 'a pool among nodes of other distributions' lock --site sites/pool.yaml --facts "$T/both.facts"
is 'asks for its own nodes' "$(images | tr ' ' '\n' | grep ^driver)" 'driver:580-5.15.0-1071-nvidia-ubuntu22.04'
printf 'facts: {nodes: [{os: ubuntu, osVersion: "22.04", kernel: 5.15.0-1070-nvidia, gpu: true}]}\n' >"$T/known.yaml"
ok 'facts in a manifest and in a file' lock --site sites/pools.yaml --facts "$T/jammy.facts" --overlay "$T/known.yaml"
is 'are put together' "$(images | tr ' ' '\n' | grep -c ^driver)" 2

# ---- how a distribution is written follows the version of the chart
ok 'built on the node, with a new operator' lock --site sites/container.yaml --facts "$T/rhel.facts"
like 'the major version' "$(images)" 'driver:580.105.08-rhel9 '
printf 'charts: [{name: gpu-operator, path: operator}]\n' >"$w/older.yaml"
ok 'an overlay takes an older operator' lock --site sites/container.yaml --facts "$T/rhel.facts" --overlay older.yaml
like 'the whole version' "$(images)" 'driver:580.105.08-rhel9.4 '
is 'of that chart' "$(value '[x["version"] for x in c["charts"] if x["name"] == "gpu-operator"]')" "['v25.10.1']"

# ---- what is not there
fails 'a kernel that has no image' 20 lock --site sites/precompiled.yaml --facts "$T/gone.facts"
said 'what there is instead, the nearest first' \
	"is not in '.*/nvidia/driver': it has 580-5.15.0-1071-nvidia-ubuntu22.04, 580-5.15.0-1070-nvidia-ubuntu22.04: take a kernel or a version that is there"
said 'and which nodes want it' "driver:580-5.15.0-1075-nvidia-ubuntu22.04' \(.*for 1 node ubuntu 22.04, kernel 5.15.0-1075-nvidia\)"
fails 'a distribution that has none' 20 lock --site sites/precompiled.yaml --facts "$T/rhel.facts"
said 'what there is of that branch' 'it has 580-5.*-ubuntu22.04, .*: take a kernel'
sed 's/kernel: /kernal: /' "$T/jammy.facts" >"$T/bad.facts"
fails 'a misspelt key in facts' 18 lock --site sites/precompiled.yaml --facts "$T/bad.facts"
said 'is named with its line' "bad.facts:5: nodes\[0\]: unknown key 'kernal': did you mean 'kernel'"
printf 'chart: []\n' >"$w/wrong.yaml"
fails 'a misspelt key in an overlay' 18 lock --overlay wrong.yaml
said 'is named with its file' "wrong.yaml:1: unknown key 'chart': did you mean 'charts'"

# ---- two sites
printf 'discover: {sites: ["sites/precompiled.yaml", "sites/container.yaml"]}\n' >"$w/both.yaml"
ok 'two sites' lock --overlay both.yaml --facts "$T/jammy.facts"
is 'the union is carried' "$(images | tr ' ' '\n' | grep ^driver | tr '\n' ' ')" 'driver:580-5.15.0-1071-nvidia-ubuntu22.04 driver:580.105.08-ubuntu22.04 '
is 'one of them does not speak of files: all are' "$(value '[f["name"] for f in c["files"]]')" "['run', 'spare']"

# ---- the way back
ok 'a bundle of it' sh -c 'cd "$1" && XDG_CACHE_HOME=$2 exec "$3" build bundle.yaml --site sites/precompiled.yaml --facts "$4" -o "$5"' \
	- "$w" "$T/cache" "$bundler" "$T/jammy.facts" "$T/b.tar.zst"
"$bundler" images "$T/b.tar.zst" >"$T/listed" 2>/dev/null
like 'says why it has the driver' "$(cat "$T/listed")" 'driver:580-5.15.0-1071-nvidia-ubuntu22.04 .*for 1 node ubuntu 22.04'
like 'and what it has not' "$(cat "$T/listed")" "file 'spare'  no step of the given sites names it"
