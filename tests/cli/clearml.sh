#!/bin/sh
# clearml.sh: the whole stack of manifests/clearml, out of stand-ins for what is not public, on a real cluster: one site
# file in, everything running; the phases after the server done by themselves; tenants added and changed; keys of all modes.
#
# On is what manifests/clearml/examples/everything.yaml turns on, and the applications. Otherwise than there: Keycloak and
# written users for LDAP (one provider fits), certificates from files, the one node is the GPU node and in MIG mode (ts is in
# clearml-sites.sh), and what only this cluster decides. Nothing of it reaches a Kafka or a Keycloak, and the
# backup's CronJob stands and does not start: there are none, nor a volume for it.
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

# site FILE - the site of this suite, with these of the moment. The cluster has no DNS, no Kafka, no Keycloak, and the kernel of
# the machine that runs the suite; preflight would say so.
queues='default: {}, half: {fraction: "0.500"}, slice: {mig: 1g.10gb}, whole: {gpu: 1}'
applications='queueMode: per_tenant, image: "docker.io/local/applications:new"'
credentials='mode: api'
red="  - {name: red, admin: {name: red-admin, email: admin@red.example}, domains: [red.example], allowedUsers: 20, features: [applications, app_management, custom_events],
     agent: {queues: {default: {}}}, gateway: {ports: 31100-31103}, applications: {hpo: owner}, events: {service_instance_id: red-1},
     sso: {tenant: red-idp, adminGroups: [chiefs], groupMapping: {ops: users}, provider: {name: keycloak, configuration: {id: red, client_id: red-client, client_secret: '\$(env:RED_SECRET)'}}}}"
blue=''
site() {
	cat >"$1" <<-END
	apiVersion: airgap/v1
	kind: Site
	registry: {host: "$registry", prefix: clearml, ca: "$(cluster_fact registry-ca)", username: "$(cluster_fact registry-username)", password: "\$(file:$T/password)"}
	domain: ml.example
	loadBalancer: {pools: [10.20.0.240-10.20.0.250]}
	tls: {cert: "\$(file:$T/tls/wild.pem)", key: "\$(file:$T/tls/wild.key)", ca: "\$(file:$T/tls/ca.pem)"}
	databases: {cache: dragonfly}
	credentials: {$credentials}
	applications: {package: apps.zip, $applications}
	agent: {bootstrap: true, clusterAccess: true, queues: {$queues}}
	gateway: {ports: 31000-31003}
	presign: {enabled: true}
	platformManagement: {enabled: true}
	metering: {enabled: true}
	backup: {enabled: true, volume: {persistentVolumeClaim: {claimName: backups}}}
	events: {enabled: true, monitorID: 7d0f2c5e-5a2b-4b8e-9a51-0b8c6d1f3a20, kafka: {hosts: ["kafka.example:9092"], username: clearml, password: "\$(file:$T/password)"}}
	gpu: {enabled: true, driver: {mode: precompiled, branch: "580"}, sharing: {mode: mixed, nodes: {$node: {mode: mig}}}}
	sso: {provider: keycloak, settings: {base_url: "https://keycloak.example/realms/ml/", client_id: clearml, client_secret: "\$(env:RED_SECRET)"}, groups: {enabled: true, admins: [ml-admins]}}
	fixedUsers: [{username: admin, name: Administrator, admin: true}]
	preflight: {skip: [dns, dns-optional, kafka, sso, max-map-count]}
	tenants:
	$red
	$blue
	END
}

ingress() { in_cluster curl -sS --retry 20 --retry-all-errors --retry-delay 1 --cacert "$T/tls/ca.pem" --resolve "$1:443:$address" "https://$1$2"; }
ready() { k -n "$1" get pods -o 'jsonpath={range .items[*]}{.metadata.name} {.status.phase} {.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}' | grep -v ' Running True$' | grep -v ' Succeeded '; }

mkdir -p "$T/tls" "$T/trust"
tests/stand/cert "$T/tls" wild /CN=wild 'DNS:*.ml.example,DNS:*.router.ml.example' >/dev/null
# shellcheck disable=SC2119 # no arguments on purpose
stand_cluster || exit 1
install -m 600 "$(cluster_fact registry-password-file)" "$T/password"
registry=$(cluster_fact registry)
node=$(k get nodes -o 'jsonpath={.items[0].metadata.name}')
export RED_SECRET=red-client-secret
site "$T/site.yaml"
ok 'the stand-ins are served, private under the tokens' tests/standins/upstream start "$upstream"
# shellcheck source=/dev/null
. "$upstream/env"
demo_key
ok 'the nodes tell their kernels' on_site "$deployer" facts -o "$T/facts.json"
build() { XDG_CACHE_HOME="$T/cache" PATH="$T/bin:$PATH" "$bundler" build manifests/clearml/bundle.yaml --overlay "$upstream/overlay.yaml" --key "$T/demo.key" "$@"; }
ok 'the bundle is built for the site' build --site "$T/site.yaml" --facts "$T/facts.json" -o "$T/clearml.tar.zst"
[ -f "$T/clearml.tar.zst" ] || { cat "$T/said"; exit 1; }
like 'with the images that applications name' "$("$bundler" images -v "$T/clearml.tar.zst" 2>&1 | grep -A9 'clearml-apps:ide')" 'ide\.zip/ide\.app\.conf'
tests/standins/upstream stop "$upstream" >/dev/null
unset CLEARML_DOCKERHUB_TOKEN HELM_REPO_TOKEN
no_helm
ok 'it is planned' deploy plan "$T/clearml.tar.zst"
ok 'it is installed' deploy install "$T/clearml.tar.zst"
[ "$test_failed" = 0 ] || { cat "$T/said"; exit 1; }
for ns in clearml clearml-workers clearml-red ingress-nginx gpu-operator cdmo cfgi; do
	is "all pods of $ns are Ready" "$(ready "$ns")" ''
done
address=$(k -n ingress-nginx get service ingress-nginx-controller -o 'jsonpath={.spec.clusterIP}')
like 'the API answers through the ingress' "$(ingress api.ml.example /debug.ping)" '"result_code": *200'
like 'so does the web application' "$(ingress app.ml.example /)" 'webserver'
like 'and the files' "$(ingress files.ml.example /)" 'fileserver'
# The API's own words, asked as the server's key pair; through the Service, as from inside.
api_key=$(k -n clearml get secret clearml-conf -o 'go-template={{index .data "apiserver_key" | base64decode}}:{{index .data "apiserver_secret" | base64decode}}')
# api CALL [BODY] [HEADER]
api() { in_cluster curl -sS -u "$api_key" ${3:+-H "$3"} -d "${2:-{\}}" "http://$(k -n clearml get service clearml-enterprise-apiserver -o 'jsonpath={.spec.clusterIP}'):8008/$1"; }
companies() { api system.get_companies | jq -r '.data.companies[].name' | sort | tr '\n' ' '; }
users() { api users.get_all | jq -r '.data.users[].name' | sort | tr '\n' ' '; }
is 'the tenant is there' "$(companies)" 'red '
is 'with the users that keys belong to' "$(users)" 'airgap-agent airgap-applications airgap-events airgap-gateway airgap-presign red-admin '
key=$(k -n clearml-red get secret clearml-enterprise-agent-ac -o 'go-template={{index .data "agentk8sglue_key" | base64decode}}:{{index .data "agentk8sglue_secret" | base64decode}}')
like 'its agent has a key that the API takes, of that tenant' "$(api_key=$key; api users.get_current_user)" '"role": *"admin", *"company": *"[0-9a-f]{32}"'
like 'the server was told of the presign service, by the one release there is' \
	"$(k -n clearml get deployment clearml-enterprise-apiserver -o 'jsonpath={.spec.template.spec.containers[0].env}')" 'presign.ml.example'
for ns in clearml clearml-workers clearml-red; do
	is "the running pods of $ns keep the restricted level" \
		"$(k label --dry-run=server --overwrite namespace "$ns" pod-security.kubernetes.io/enforce=restricted pod-security.kubernetes.io/enforce-version=latest 2>&1 | grep -i warning)" ''
done

# ---- applications: converted and uploaded by the scripts of their package
apps() { api applications.get_all | jq -r '.data.applications[] | [.id, .package, .images[]] | join(" ")' | sort; }
is_there() { in_cluster curl -sS -o /dev/null -w '%{http_code}' -I --cacert "$(cluster_fact registry-ca)" -u "$(cluster_fact registry-username):$(cat "$T/password")" \
	-H 'Accept: application/vnd.oci.image.manifest.v1+json' "https://$registry/v2/clearml/$1/manifests/$2"; }
is 'the API has the applications, their images at the site registry' "$(apps)" \
	"hpo new $registry/clearml/allegroai/clearml-apps:hpo-1.10.0-1062
ide new $registry/clearml/allegroai/clearml-apps:ide-1.4.0-97"
is 'where they are' "$(is_there allegroai/clearml-apps hpo-1.10.0-1062) $(is_there allegroai/clearml-apps ide-1.4.0-97)" '200 200'
apps_queues() {
	for ns in clearml-workers clearml-red; do
		k -n "$ns" get deployment clearml-enterprise-agent -o 'jsonpath={.spec.template.spec.containers[0].env[?(@.name=="K8S_GLUE_APPS_QUEUE")].value} '
	done
	k -n clearml get deployment clearml-enterprise-apps-agent -o 'jsonpath={.spec.template.spec.containers[0].env[?(@.name=="K8S_GLUE_QUEUE")].value}'
}
is 'each tenant has a queue of its own for them' "$(apps_queues)" 'true true per_tenant'

# ---- GPUs: drivers, sharing
label() { k get node "$node" -o "jsonpath={.metadata.labels.$1}"; }
is 'the node is labelled for its configuration and for MIG' "$(label 'nvidia\.com/device-plugin\.config') $(label 'cdmo\.clear\.ml/gpu-partitioning')" 'mig mig'
in_plugin() { k -n gpu-operator exec daemonset/nvidia-device-plugin-daemonset -- "$@"; }
is 'after its GPUs were put into MIG mode, once' "$(in_plugin grep -c -- '^-mig 1' /tmp/nvidia-smi.log) $(in_plugin nvidia-smi --query-gpu=mig.mode.current --format=csv,noheader | tr '\n' ' ')" \
	'1 Enabled Enabled '
is 'the device plugin has a configuration for each kind of node' \
	"$(k -n gpu-operator get configmap device-plugin-config -o json | jq -r '.data | keys | join(" ")') $(in_plugin env | sed -n 's/^CONFIG_FILE=//p')" 'all-disabled mig ts all-disabled'
driver=$(k get clusterpolicies.nvidia.com cluster-policy -o json | jq -r '.spec.driver | "\(.repository)/\(.image) \(.usePrecompiled) \(.version)"')
is 'the driver comes from the site registry' "$driver" "$registry/clearml/nvidia/driver true 580"
is 'which has it for the kernel of the node' "$(is_there nvidia/driver "580-$(uname -r)-$(. /etc/os-release && echo "$ID$VERSION_ID")")" 200
queue() { k -n clearml-workers get configmap "clearml-enterprise-agent-pt-$1" -o 'jsonpath={.data.template\.yaml}'; }
like 'a queue gives half a GPU' "$(queue half)" 'labels: \{"clearml-injector/fraction":"0.500"\}'
like 'another a slice' "$(queue slice)" 'limits":\{"nvidia.com/mig-1g.10gb":1\}'
like 'a third a whole one' "$(queue whole)" 'limits":\{"nvidia.com/gpu":1\}'

# ---- what a tenant is
company() { api system.get_companies | jq -c ".data.companies[] | select(.name == \"$1\") | $2"; }
as_admin() { printf 'X-Clearml-Act-As: %s' "$(api users.get_all "{\"name\": \"$1-admin\"}" | jq -r '.data.users[0].id')"; }
login() { api login.get_settings '{}' "$(as_admin "$1")" | jq -c .data; }
is "a tenant's own login" "$(company red .sso)" '{"admin_groups":["chiefs"],"group_mapping":{"ops":"users"},"tenant":"red-idp"}'
is 'and provider, with its secret' "$(company red .configuration)" '{"client_id":"red-client","client_secret":"red-client-secret","id":"red"}'
is 'its events' "$(company red .fields)" '{"service_instance_id":"red-1"}'
is 'who sees its applications' "$(company red .app_instance_access)" '{"applications":{"hpo":{"allowed":"owner"}}}'
is 'its features and users' "$(company red '[.features, .defaults.allowed_users]')" '[["applications","app_management","custom_events"],"20"]'
ok 'status says installed' deploy status "$T/clearml.tar.zst"
ok 'a second install' deploy install "$T/clearml.tar.zst"
like 'changes nothing' "$(tail -n 1 "$T/said")" 'nothing changed'

# ---- a further tenant needs the site file alone; a changed key, only its steps
revisions() { k get secrets -A -l owner=helm -o 'jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name}{"\n"}{end}' | sort; }
touched() { revisions | comm -13 "$T/before" - | sed 's/sh.helm.release.v1.//' | tr '\n' ' '; }
revisions >"$T/before"
blue='  - {name: blue, admin: {email: admin@blue.example}, whitelist: [ann@blue.example, bob@blue.example], agent: {queues: {default: {}}}}'
site "$T/site.yaml"
mv "$T/clearml.tar.zst" "$T/away.tar.zst"
ok 'a tenant is added, without the bundle file' deploy install
mv "$T/away.tar.zst" "$T/clearml.tar.zst"
is 'the API has both' "$(companies)" 'blue red '
is 'its agent runs' "$(ready clearml-blue)" ''
is 'no release but its own was touched' "$(touched)" 'clearml-blue/clearml-enterprise-agent.v1 '

# What a tenant's own administrators let in is theirs.
api login.add_whitelist_entries '{"emails": ["cid@blue.example"]}' "$(as_admin blue)" >/dev/null
revisions >"$T/before"
blue=$(echo "$blue" | sed 's/ann@blue.example, //')
red=$(echo "$red" | sed 's/allowedUsers: 20/allowedUsers: 30/; s/domains: .red.example./domains: [red.example, red2.example]/')
queues="$queues, large: {maxPods: 2}"
site "$T/site.yaml"
ok 'tenants are changed and a queue is added: it is planned' deploy plan "$T/clearml.tar.zst"
is 'by their calls alone, and the agent' "$(awk '$1 == "~" { printf "%s ", $2 }' "$T/said")" 'Call/tenant-red Call/tenant-red-domains Call/tenant-blue-whitelist Release/agent '
ok 'it is installed' deploy install "$T/clearml.tar.zst"
is 'only the agent was upgraded' "$(touched)" 'clearml-workers/clearml-enterprise-agent.v2 '
is 'a tenant has more users, its features as before' "$(company red '[.features, .defaults.allowed_users]')" '[["applications","app_management","custom_events"],"30"]'
is 'and a domain more' "$(login red)" '{"domains":["red.example","red2.example"],"whitelist":[]}'
is 'the other, a guest less, but not the one that it invited itself' "$(login blue)" '{"domains":[],"whitelist":["bob@blue.example","cid@blue.example"]}'
is 'the users are who they were' "$(users)" 'airgap-agent airgap-applications airgap-events airgap-gateway airgap-presign blue-admin red-admin '

# ---- keys declared to the server beforehand; the older package of applications, one queue for all of them
key_of() { k -n "$1" get secret "$2" -o "go-template={{index .data \"$3\" | base64decode}}:{{index .data \"$4\" | base64decode}}"; }
agent_key() { key_of clearml-workers clearml-enterprise-agent-ac agentk8sglue_key agentk8sglue_secret; }
whose() { api_key=$1; api users.get_current_user | jq -c '.data.user | [.id, .role]'; }
credentials='mode: predeclared' applications='queueMode: global, image: "docker.io/local/applications:old"'
site "$T/site.yaml"
ok 'keys that are declared beforehand' deploy install "$T/clearml.tar.zst"
is 'the agent has the one of the Secret' "$(agent_key)" "$(key_of clearml clearml-identities agent_key agent_secret)"
is 'which the API takes' "$(whose "$(agent_key)")" '["agent","admin"]'
is 'applications were uploaded with another' "$(apps | cut -d ' ' -f 1,2 | tr '\n' ' ')" 'hpo old ide old '
is 'they have one queue' "$(apps_queues)" '  global'

# ---- keys that somebody made by hand
made=$(api auth.create_user '{"name": "ann", "company": "d1bd92a3b039400cbafc60a7a5b1e52b", "email": "ann@ml.example", "role": "admin"}' | jq -r .data.id)
(umask 077 && api auth.create_credentials '{"label": "by hand"}' "X-Clearml-Impersonate-As: $made" >"$T/made" &&
	jq -j .data.credentials.access_key "$T/made" >"$T/key" && jq -j .data.credentials.secret_key "$T/made" >"$T/secret")
pair="{key: \"\$(file:$T/key)\", secret: \"\$(file:$T/secret)\"}"
credentials="mode: provided, keys: {agent: $pair, gateway: $pair, presign: $pair, events: $pair, applications: $pair}"
site "$T/site.yaml"
ok 'keys that are given' deploy install "$T/clearml.tar.zst"
is 'the agent has that' "$(agent_key)" "$(cat "$T/key"):$(cat "$T/secret")"
is 'which is that user' "$(whose "$(agent_key)")" "[\"$made\",\"admin\"]"
ok 'status says installed at the end' deploy status "$T/clearml.tar.zst"

# ---- a tenant that is taken out is told of, not taken away
blue=''
site "$T/site.yaml"
ok 'a tenant is taken out: it is planned' deploy plan "$T/clearml.tar.zst"
like 'its agent leaves' "$(cat "$T/said")" '^- Release/tenant-blue-agent +leaving'
like 'its company would stay even then' "$(cat "$T/said")" '^- Call/tenant-blue +leaving +protected'
ok 'it is installed' deploy install "$T/clearml.tar.zst"
is 'the company is there' "$(companies)" 'blue red '
is 'and its agent runs' "$(ready clearml-blue)" ''
ok 'which is no drift' deploy status "$T/clearml.tar.zst"
