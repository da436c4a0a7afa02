#!/bin/sh
# clearml.sh: the whole stack of manifests/clearml, out of stand-ins for what is not public, on a real cluster: one site
# file in, everything running; the phases after the server done by themselves; tenants added and taken away.
# shellcheck disable=SC2317 # functions are called through ok
set -u
[ "$(id -u)" = 0 ] || ! sudo -n true 2>/dev/null || exec sudo -nE env "PATH=$PATH" "HOME=$HOME" sh "$0"
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
# shellcheck source=tests/demolib.sh
. tests/demolib.sh
need root gcc
need_programs
[ -x /usr/sbin/nginx ] || skip_all "nginx is not installed: run scripts/deps test"
[ -x "$kube_bin/kubelet" ] || skip_all "no Kubernetes: run scripts/deps"

upstream=$T/upstream
clearml_finish() {
	clearml_status=$?
	tests/standins/upstream stop "$upstream" >/dev/null 2>&1
	(exit "$clearml_status")
	finish
}
trap clearml_finish EXIT

# site FILE [YAML] - what this suite's sites have in common; YAML is of the top level and comes after.
site() {
	cat >"$1" <<-END
	apiVersion: airgap/v1
	kind: Site
	registry: {host: "$(cluster_fact registry)", prefix: clearml, ca: "$(cluster_fact registry-ca)", username: "$(cluster_fact registry-username)", password: "\$(file:$T/password)"}
	domain: ml.example
	loadBalancer: {pools: [10.20.0.240-10.20.0.250]}
	tls: {cert: "\$(file:$T/tls/wild.pem)", key: "\$(file:$T/tls/wild.key)", ca: "\$(file:$T/tls/ca.pem)"}
	databases: {cache: dragonfly}
	gateway: {ports: 31000-31003}
	presign: {enabled: true}
	platformManagement: {enabled: true}
	# no DNS and no Kafka here, and the machine's vm.max_map_count is not ours to set: the stand-ins need none of them
	preflight: {skip: [dns, dns-optional, kafka, max-map-count]}
	metering: {enabled: true}
	events: {enabled: true, monitorID: 7d0f2c5e-5a2b-4b8e-9a51-0b8c6d1f3a20, kafka: {hosts: ["kafka.example:9092"], username: clearml, password: "\$(file:$T/password)"}}
	END
	[ -z "${2:-}" ] || printf '%s\n' "$2" >>"$1"
}
red='  - {name: red, admin: {name: red-admin, email: admin@red.example}, domains: [red.example], features: [applications, pipelines], gateway: {ports: 31100-31103}}'
blue='  - {name: blue, admin: {email: admin@blue.example}, whitelist: [ann@blue.example]}'

ingress() { in_cluster curl -sS --retry 20 --retry-all-errors --retry-delay 1 --cacert "$T/tls/ca.pem" --resolve "$1:443:$address" "https://$1$2"; }
ready() { k -n "$1" get pods -o 'jsonpath={range .items[*]}{.metadata.name} {.status.phase} {.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}' | grep -v ' Running True$' | grep -v ' Succeeded '; }

mkdir -p "$T/tls" "$T/trust"
tests/stand/cert "$T/tls" wild /CN=wild 'DNS:*.ml.example,DNS:*.router.ml.example' >/dev/null
# shellcheck disable=SC2119 # no arguments on purpose
stand_cluster || exit 1
install -m 600 "$(cluster_fact registry-password-file)" "$T/password"
site "$T/site.yaml" "tenants:
$red"
ok 'the stand-ins are served, private under the tokens' tests/standins/upstream start "$upstream"
# shellcheck source=/dev/null
. "$upstream/env"
demo_key
build() { XDG_CACHE_HOME="$T/cache" PATH="$T/bin:$PATH" "$bundler" build manifests/clearml/bundle.yaml --overlay "$upstream/overlay.yaml" --key "$T/demo.key" "$@"; }
ok 'the bundle is built for the site' build --site "$T/site.yaml" -o "$T/clearml.tar.zst"
[ -f "$T/clearml.tar.zst" ] || { cat "$T/said"; exit 1; }
tests/standins/upstream stop "$upstream" >/dev/null
unset CLEARML_DOCKERHUB_TOKEN HELM_REPO_TOKEN
no_helm
ok 'it is planned' deploy plan "$T/clearml.tar.zst"
ok 'it is installed' deploy install "$T/clearml.tar.zst"
[ "$test_failed" = 0 ] || { cat "$T/said"; exit 1; }
for ns in clearml clearml-workers clearml-red ingress-nginx; do
	is "all pods of $ns are Ready" "$(ready "$ns")" ''
done
address=$(k -n ingress-nginx get service ingress-nginx-controller -o 'jsonpath={.spec.clusterIP}')
like 'the API answers through the ingress' "$(ingress api.ml.example /debug.ping)" '"result_code": *200'
like 'so does the web application' "$(ingress app.ml.example /)" 'webserver'
like 'and the files' "$(ingress files.ml.example /)" 'fileserver'
# The API's own words, asked as the server's key pair; through the Service, as from inside.
api_key=$(k -n clearml get secret clearml-conf -o 'go-template={{index .data "apiserver_key" | base64decode}}:{{index .data "apiserver_secret" | base64decode}}')
api() { in_cluster curl -sS -u "$api_key" -d "${2:-{\}}" "http://$(k -n clearml get service clearml-enterprise-apiserver -o 'jsonpath={.spec.clusterIP}'):8008/$1"; }
companies() { api system.get_companies | jq -r '.data.companies[].name' | sort | tr '\n' ' '; }
users() { api users.get_all | jq -r '.data.users[].name' | sort | tr '\n' ' '; }
is 'the tenant is there' "$(companies)" 'red '
is 'with the users that keys belong to' "$(users)" 'airgap-agent airgap-events airgap-gateway airgap-presign red-admin '
key=$(k -n clearml-red get secret clearml-enterprise-agent-ac -o 'go-template={{index .data "agentk8sglue_key" | base64decode}}:{{index .data "agentk8sglue_secret" | base64decode}}')
like 'its agent has a key that the API takes, of that tenant' "$(api_key=$key; api users.get_current_user)" '"role": *"admin", *"company": *"[0-9a-f]{32}"'
like 'the server was told of the presign service, by the one release there is' \
	"$(k -n clearml get deployment clearml-enterprise-apiserver -o 'jsonpath={.spec.template.spec.containers[0].env}')" 'presign.ml.example'
for ns in clearml clearml-workers clearml-red; do
	is "the running pods of $ns keep the restricted level" \
		"$(k label --dry-run=server --overwrite namespace "$ns" pod-security.kubernetes.io/enforce=restricted pod-security.kubernetes.io/enforce-version=latest 2>&1 | grep -i warning)" ''
done
ok 'status says installed' deploy status "$T/clearml.tar.zst"
ok 'a second install' deploy install "$T/clearml.tar.zst"
like 'changes nothing' "$(tail -n 1 "$T/said")" 'nothing changed'

# ---- a further tenant needs the site file alone; a changed key, only its steps
revisions() { k get secrets -A -l owner=helm -o 'jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name}{"\n"}{end}' | sort; }
revisions >"$T/before"
site "$T/site.yaml" "tenants:
$red
$blue"
ok 'a tenant is added' deploy install "$T/clearml.tar.zst"
is 'the API has both' "$(companies)" 'blue red '
is 'its agent runs' "$(ready clearml-blue)" ''
is 'no release but its own was touched' "$(revisions | comm -13 "$T/before" - | cut -d/ -f1 | sort -u)" 'clearml-blue'
revisions >"$T/before"
site "$T/site.yaml" "agent: {queues: {default: {}, large: {maxPods: 2}}}
tenants:
$(echo "$red" | sed 's/gateway:/agent: {queues: {default: {}}}, gateway:/')
$(echo "$blue" | sed 's/}$/, agent: {queues: {default: {}}}}/')"
ok 'a queue is added' deploy install "$T/clearml.tar.zst"
is 'only the agent was upgraded' "$(revisions | comm -13 "$T/before" -)" 'clearml-workers/sh.helm.release.v1.clearml-enterprise-agent.v2'
is 'the users are who they were' "$(users)" 'airgap-agent airgap-events airgap-gateway airgap-presign blue-admin red-admin '
