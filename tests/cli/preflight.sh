#!/bin/sh
# What a cluster lacks for a bundle, found before the first write: the deployer against a real API server with its etcd and
# nothing else. Nodes are objects that somebody wrote, so no pod runs; steps.sh has the probes.
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
need docker-registry skopeo etcd openssl jq
for program in "$helm3" "$kube_bin/kubectl" "$kube_bin/kube-apiserver"; do
	[ -x "$program" ] || skip_all "$program is not there: run scripts/deps test"
done
stand_images "$T/images" app worker
stand_registry main
S=$T/stack
mkdir -p "$S/site/templates" "$S/site/charts" "$T/trust" "$T/bin" "$T/etcd" "$T/stand/api"
cp -R manifests/airgap "$S/site/charts/airgap"
printf 'apiVersion: v2\nname: t-site\nversion: 1.0.0\ndependencies: [{name: airgap, version: 1.x.x, repository: ""}]\n' >"$S/site/Chart.yaml"
printf 'apiVersion: airgap/v1\nkind: Site\nprofile: nonroot\nregistry: {host: ""}\nsteps: []\n' >"$S/site/values.yaml"
cat >"$S/site/templates/steps.yaml" <<'END'
apiVersion: airgap/v1
kind: Namespace
metadata: {name: t}
namespace: {name: t, podSecurity: restricted}
{{- range .Values.steps }}
---
{{ tpl (toYaml .) $ }}
{{- end }}
END
mkdir -p "$T/rel/templates"
printf 'apiVersion: v2\nname: rel\nversion: 1.0.0\n' >"$T/rel/Chart.yaml"
printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: rel}\n' >"$T/rel/templates/x.yaml"
"$B/tests/bundle" "$T/b.tar.zst" "new:$T/k.key" name=t version=1.0.0 stream=example/t sequence=1 "site=$S/site" "chart=$T/rel" \
	"image=docker.io/demo/app:1.0=$T/images/app" "image=docker.io/demo/worker:1.0=$T/images/worker" >"$T/bundle-id"
cp "$T/k.key.pub" "$T/trust/k.pub"
chmod 755 "$T/trust"
ln -s "$helm3" "$T/bin/helm"
ln -s "$kube_bin/kubectl" "$T/bin/kubectl"

# ---- the API server: one user who may do everything, one who may look at little
etcd_port=$(free_port)
peer_port=$(free_port)
api_port=$(free_port)
openssl genrsa -out "$T/sa.key" 2048 2>/dev/null
printf 'admintoken,admin,1,system:masters\nsometoken,some,2,\n' >"$T/tokens.csv"
start_server "$T/stand/api" etcd etcd --data-dir "$T/etcd" --listen-client-urls "http://127.0.0.1:$etcd_port" \
	--advertise-client-urls "http://127.0.0.1:$etcd_port" --listen-peer-urls "http://127.0.0.1:$peer_port" \
	--initial-advertise-peer-urls "http://127.0.0.1:$peer_port" --initial-cluster "default=http://127.0.0.1:$peer_port"
start_server "$T/stand/api" api "$kube_bin/kube-apiserver" --etcd-servers "http://127.0.0.1:$etcd_port" --secure-port "$api_port" \
	--bind-address 127.0.0.1 --advertise-address 192.0.2.1 --cert-dir "$T/certs" --service-account-issuer https://api.example \
	--service-account-key-file "$T/sa.key" --service-account-signing-key-file "$T/sa.key" --service-cluster-ip-range 10.0.0.0/24 \
	--authorization-mode Node,RBAC --token-auth-file "$T/tokens.csv" --disable-admission-plugins ServiceAccount
for user in admin some; do
	printf '{"apiVersion": "v1", "kind": "Config", "current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
		"clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:%s", "insecure-skip-tls-verify": true}}],
		"users": [{"name": "u", "user": {"token": "%stoken"}}]}\n' "$api_port" "$user" >"$T/$user.kube"
done
export PATH="$T/bin:$PATH" KUBECONFIG="$T/admin.kube" XDG_STATE_HOME="$T/state"
ready() { kubectl get --raw /readyz >/dev/null 2>&1; }
wait_server "$T/stand/api" api 60 ready
leases() { kubectl get namespace kube-node-lease >/dev/null 2>&1; }
wait_server "$T/stand/api" api 60 leases

kubectl apply --server-side -f - >/dev/null <<END
{apiVersion: v1, kind: Node, metadata: {name: n1, labels: {nvidia.com/gpu.present: "true"}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: t, labels: {pod-security.kubernetes.io/enforce: baseline}}}
---
{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: n1, namespace: kube-node-lease}, spec: {holderIdentity: n1, renewTime: "$(date -u -d '5 minutes' +%Y-%m-%dT%H:%M:%S.000000Z)"}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny, namespace: t}, spec: {podSelector: {}, policyTypes: [Ingress]}}
---
{apiVersion: v1, kind: ResourceQuota, metadata: {name: q, namespace: t}, spec: {hard: {pods: "1"}}}
---
{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: slow}, provisioner: x}
---
{apiVersion: storage.k8s.io/v1, kind: CSIStorageCapacity, metadata: {name: c, namespace: default}, storageClassName: slow, capacity: 1Gi}
---
{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: gate}, webhooks: [{name: a.b.c, failurePolicy: Ignore, sideEffects: None, admissionReviewVersions: [v1], clientConfig: {url: "https://127.0.0.1:1/"}, rules: [{apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE]}]}]}
END
kubectl patch node n1 --subresource=status --type=merge -p '{"status":{"allocatable":{"cpu":"4","memory":"8Gi"},"capacity":{"cpu":"4","memory":"8Gi"},"conditions":[{"type":"Ready","status":"True","lastHeartbeatTime":null,"lastTransitionTime":null,"reason":"x","message":"x"}],"nodeInfo":{"architecture":"arm64","kernelVersion":"5.15","osImage":"Ubuntu 22.04","bootID":"","containerRuntimeVersion":"","kubeProxyVersion":"","kubeletVersion":"","machineID":"","operatingSystem":"linux","systemUUID":""}}}' >/dev/null
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$T/x.key" -days 10 -subj /CN=a -addext 'subjectAltName=DNS:other.example' -out "$T/x.crt" 2>/dev/null
kubectl -n t create secret tls own --cert "$T/x.crt" --key "$T/x.key" >/dev/null
image='{{ include "airgap.image" (list . "docker.io/demo/app:1.0") }}'
site() {
	printf 'apiVersion: airgap/v1\nkind: Site\nregistry: {host: "%s", plainHTTP: true}\nsteps:\n' "$(stand_fact main address)" >"$T/site.yaml"
	cat >>"$T/site.yaml"
}
site <<END
- apiVersion: airgap/v1
  kind: Apply
  metadata: {name: much}
  apply:
    namespace: t
    objects:
      - {apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data}, spec: {storageClassName: fast, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}
      - {apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: big}, spec: {storageClassName: slow, accessModes: [ReadWriteOnce], resources: {requests: {storage: 5Gi}}}}
      - {apiVersion: v1, kind: Service, metadata: {name: way}, spec: {type: LoadBalancer, ports: [{port: 80}]}}
      - {apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: way}, spec: {ingressClassName: nginx, tls: [{secretName: own, hosts: [a.example]}, {secretName: none, hosts: [a.example]}],
          rules: [{host: a.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: way, port: {number: 80}}}}]}}]}}
      - apiVersion: v1
        kind: Pod
        metadata: {name: large}
        spec: {securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}, containers: [{name: c, image: '$image',
          resources: {requests: {memory: 900Ti}}, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}]}
END
# pf OPTION... - the table as JSON in $T/found.json
pf() { "$B/bin/deployer" preflight "$T/b.tar.zst" --trust "$T/trust" --site "$T/site.yaml" --skip pull --json "$@" >"$T/found.json"; }
results() { jq -r '.[] | "\(.id)=\(.result)"' "$T/found.json" | tr '\n' ' '; }
found() { jq -r ".[] | select(.id == \"$1\") | .found[]" "$T/found.json"; }

# ---- all of it at once
fails 'much is missing' 44 pf
is 'each check has its result' "$(results)" 'registry=ok space=ok contents=ok references=ok kubernetes=ok proof=ok rights=ok architectures=ok capacity=fail storage=fail volumes=warn ingress=fail addresses=warn certificates=fail kernels=ok clock=warn policies=warn networks=warn pull=skipped '
is 'requests' "$(found capacity)" "Apply/much: Pod 'large' asks for 900Ti of memory in one pod, the largest node has 8Gi: lower the request, or add a larger node
cpu: pods ask for 0, the nodes have 4
memory: pods ask for 900Ti in all, the nodes have 8Gi: add nodes, or lower the requests"
is 'storage classes' "$(found storage)" "Apply/much: claim 'data' wants the storage class 'fast', which is not there and no step makes: make it, or name one that is there (slow)"
is 'room' "$(found volumes | tail -n 1)" "storage class 'slow': new claims ask for 5Gi, 1Gi is free: add storage, or ask for less"
is 'ingress classes' "$(found ingress)" "Apply/much: Ingress 'way' wants the class 'nginx', which is not there and no step makes: install its controller, or name another class"
like 'addresses' "$(found addresses)" "^Apply/much: Service 'way' wants an address \(LoadBalancer\), and nobody is known here who gives one"
is 'certificates' "$(found certificates | sed 's/ends in 10 days/ends in 9 days/')" "Apply/much: secret 'none' in namespace 't': is not there and no step makes it: Ingress 'way' wants it for TLS: make it
Apply/much: secret 'own' in namespace 't': 'a.example' is not among its names (other.example): make one for it
Apply/much: secret 'own' in namespace 't': ends in 9 days: renew it"
like 'clocks' "$(found clock)" "^node 'n1': its clock and this machine's are [0-9]+ s apart"
like 'policies' "$(found policies | tr '\n' ' ')" "namespace 't': has the Pod Security level baseline.*has the quota 'q'.*webhook 'gate': may refuse pods"
like 'network policies' "$(found networks)" "^namespace 't': the network policy 'deny' is not of this install"
like 'one answer' "$(cat "$T/said")" '^error: 5 things missing before the first write: capacity: '
fails 'plan says the same' 44 "$B/bin/deployer" plan "$T/b.tar.zst" --trust "$T/trust" --site "$T/site.yaml"
like 'what stops it is an error, what does not a warning' "$(grep -cE '^error: (capacity|storage|ingress|certificates): ' "$T/said") $(grep -c '^warning: ' "$T/said")" '^5 9$'
is 'nothing was made' "$(kubectl get namespaces -o name | grep airgap)" ''
all='--skip capacity --skip storage --skip ingress --skip certificates'
# shellcheck disable=SC2086 # words
ok 'warnings stop nothing' pf $all
fails 'the proof cannot be left out' 2 pf --skip proof

# ---- who may do little is told what he may not, and what could not be seen
kubectl create clusterrole look --verb=get,list --resource=namespaces,secrets,nodes >/dev/null
kubectl create clusterrolebinding look --clusterrole=look --user=some >/dev/null
kubectl -n t create role make --verb=create --resource=pods,services >/dev/null
kubectl -n t create rolebinding make --role=make --user=some >/dev/null
# shellcheck disable=SC2086 # words
fails 'somebody without rights' 44 pf --kubeconfig "$T/some.kube" $all
is 'which are missing' "$(found rights)" "Apply/much: you may not create ingresses.networking.k8s.io in namespace t: ask for that right, or take another kubeconfig
Apply/much: you may not create persistentvolumeclaims in namespace t: ask for that right, or take another kubeconfig
Namespace/t: you may not patch namespaces: ask for that right, or take another kubeconfig"
is 'what is not known is a warning' "$(found clock)" 'not known: you may not list leases.coordination.k8s.io: ask for that right, or look yourself'

# ---- nothing to say
site </dev/null
sed -i 's/^steps:/steps: []/' "$T/site.yaml"
kubectl -n t delete networkpolicy/deny resourcequota/q >/dev/null
kubectl delete validatingwebhookconfiguration gate >/dev/null
kubectl label --overwrite namespace t pod-security.kubernetes.io/enforce=restricted >/dev/null
ok 'a site that lacks nothing' pf --skip clock
is 'has nothing to tell' "$(jq -r '.[] | select(.result != "ok" and .result != "skipped") | .id' "$T/found.json")" ''

# ---- one run at a time
full() { "$B/bin/deployer" preflight "$T/b.tar.zst" --trust "$T/trust" --site "$T/site.yaml" --json "$@" >"$T/found.json"; }
exec 8>"$(find "$T/state" -name lock)"
flock 8
fails 'a run on this machine' 32 full
like 'is waited for' "$(cat "$T/said")" 'another run holds this lock: wait for it to end'
exec 8>&-
kubectl create -f - >/dev/null <<'END_OF_NAMESPACE'
{apiVersion: v1, kind: Namespace, metadata: {name: airgap-probe, labels: {app.kubernetes.io/managed-by: airgap-deployer}, annotations: {airgap/holder: elsewhere/b/1/c}}}
END_OF_NAMESPACE
fails 'a run on another machine' 32 full
like 'keeps its probes' "$(cat "$T/said")" 'namespace airgap-probe: another run asks its probes there, since 2[0-9T:Z-]+ \(elsewhere/b/1/c\): wait, or delete the namespace'
is 'and its namespace' "$(kubectl get namespace airgap-probe -o 'jsonpath={.status.phase}')" Active

# ---- who may see nothing but the namespaces of the site still has the table
helm -n t install rel "$T/rel" >/dev/null
kubectl delete clusterrolebinding look >/dev/null
kubectl create namespace airgap-system >/dev/null
for ns in t airgap-system; do
	kubectl -n $ns create role see --verb=get,list --resource=secrets >/dev/null
	kubectl -n $ns create rolebinding see --role=see --user=some >/dev/null
done
site <<'END_OF_STEPS'
- {apiVersion: airgap/v1, kind: Release, metadata: {name: rel}, release: {name: rel, namespace: t, chart: rel}}
- {apiVersion: airgap/v1, kind: Release, metadata: {name: other}, release: {name: other, namespace: other, chart: rel}}
- apiVersion: airgap/v1
  kind: Probe
  metadata: {name: p}
  probe: {id: P1, title: 'sees {{ keys .Values.airgap.installed | join " " }}', need: x, each: node, run: {image: '{{ include "airgap.image" (list . "docker.io/demo/app:1.0") }}', command: ['true']}}
END_OF_STEPS
fails 'somebody who may see little' 44 full --kubeconfig "$T/some.kube"
like 'is told' "$(cat "$T/said")" 'releases: you may not list those of the whole cluster'
like 'also of a namespace that is not his' "$(cat "$T/said")" "releases in namespace 'other': not known"
is 'releases of his own are seen' "$(jq -r '.[] | select(.id == "P1") | .title' "$T/found.json")" 'sees t/rel'
is 'what needs the nodes is not known' "$(results | tr ' ' '\n' | grep -E '^(pull|P1)=' | tr '\n' ' ')$(found P1)" \
	'pull=warn P1=warn not known: you may not list nodes: ask for that right, or look yourself'
