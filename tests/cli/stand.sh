#!/bin/sh
# stand.sh: the stand-ins themselves answer as the other suites expect, and the test cluster comes and goes without a trace.
set -u
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
need python3 skopeo docker-registry openssl curl jq

auth_file() { # ADDRESS USER PASSWORD
	printf '{"auths":{"%s":{"auth":"%s"}}}\n' "$1" "$(printf '%s:%s' "$2" "$3" | base64 -w 0)"
}

# ---- images
ok 'images are made' stand_images "$T/images" --size 3
ok 'images are made again' stand_images "$T/again" --size 3
ok 'images have the same bytes each time' diff -r "$T/images" "$T/again"
rm -rf "$T/again"

# ---- a registry with a token server, over TLS
ok 'a registry with a token server starts' stand_registry site --auth token --tls --token-expires 30
site=$(stand_fact site address)
pushed=$(stand_push site "$T/images/app" web/app:1.0 public/app:1.0)
like 'skopeo pushes to it' "$pushed" "^$site/web/app:1.0 sha256:[0-9a-f]{64}"
ok 'an index is pushed whole' stand_push site "$T/images/multi" web/multi:1.0
ok "Docker's media types are kept" stand_push site "$T/images/docker" web/docker:1.0
mkdir "$T/ca"
cp "$(stand_fact site ca)" "$T/ca/ca.crt"
auth_file "$site" robot "$(stand_fact site password)" >"$T/auth"
auth_file "$site" robot wrong >"$T/wrong"
auth_file "$site" reader "$(stand_fact site reader-password)" >"$T/reader"
echo '{}' >"$T/nobody"
pull() { skopeo copy --quiet --authfile "$1" --src-cert-dir "$T/ca" "docker://$site/$2" "dir:$T/pulled"; }
ok 'skopeo pulls from it' pull "$T/auth" web/app:1.0
is 'and gets what was pushed' "$(sha256sum <"$T/pulled/manifest.json" | cut -d ' ' -f 1)" \
	"$(printf '%s\n' "$pushed" | sed -n 's/.*web.*sha256://p')"
fails 'not with a wrong password' 1 pull "$T/wrong" web/app:1.0
fails 'not without a password' 1 pull "$T/nobody" web/app:1.0
ok 'but what is public' pull "$T/nobody" public/app:1.0
fails 'a reader cannot push' 1 skopeo copy --quiet --dest-authfile "$T/reader" --dest-cert-dir "$T/ca" \
	"dir:$T/pulled" "docker://$site/web/new:1"
realm=$(stand_fact site token-realm)
ok 'the token server has the POST form' curl -sSf --cacert "$(stand_fact site ca)" -o "$T/token" "$realm" \
	-d grant_type=password -d service=stand -d scope=repository:web/app:pull -d username=robot -d access_type=offline \
	--data-urlencode "password@$(stand_fact site password-file)"
is 'which gives a refresh token' "$(jq -r '.refresh_token | length' "$T/token")" 32
is 'no password is in its log' "$(grep -c "$(stand_fact site password)" "$(stand_fact site token-log)")" 0
stand_stop site
ok 'it stops and starts again' stand_registry site --auth token --tls
is 'at the same address' "$(stand_fact site address)" "$site"
ok 'with its content' pull "$T/auth" web/app:1.0

# ---- a plain registry, and the one that keeps nothing
ok 'a plain registry starts' stand_registry plain --delete
ok 'a big image is pushed' stand_push plain "$T/images/big" web/big:1.0
like 'its requests are logged' "$(stand_log plain 'PUT /v2/web/big/manifests' | wc -l)" '^[1-9]'
if [ -x "$B/tests/discard" ]; then
	ok 'the discarding registry starts' stand_discard null
	ok 'it takes an index' stand_push null "$T/images/multi" a/multi:1.0
	ok 'it takes a big image' stand_push null "$T/images/big" a/big:1.0
	is 'it counts' "$(curl -sS "$(stand_fact null address)/stats" | jq .manifests)" 4
	like 'it checks hashes' "$(curl -sS -X PUT -d x "$(stand_fact null address)/v2/a/manifests/sha256:0")" DIGEST_INVALID
else
	skip 'the discarding registry' "$B/tests/discard is not built"
fi

# ---- a chart repository
if [ -x "$helm3" ]; then
	mkdir -p "$T/chart/templates" "$T/charts"
	printf 'apiVersion: v2\nname: web\nversion: 1.2.3\n' >"$T/chart/Chart.yaml"
	"$helm3" package "$T/chart" -d "$T/charts" >/dev/null
	echo opensesame >"$T/token-file"
	ok 'a chart repository starts' stand_chartrepo charts "$T/charts" --auth bearer --password-file "$T/token-file" --redirect
	url=$(stand_fact charts url)
	like 'it asks for a token' "$(curl -s -o /dev/null -w '%{http_code}' "$url/index.yaml")" 401
	like 'it has an index' "$(curl -sSf -H "Authorization: Bearer opensesame" "$url/index.yaml")" 'web-1.2.3.tgz'
	ok 'it sends archives elsewhere' curl -sSfL -H "Authorization: Bearer opensesame" "$url/web-1.2.3.tgz" -o "$T/got.tgz"
	ok 'from where they come' cmp "$T/got.tgz" "$T/charts/web-1.2.3.tgz"
	like 'it notes whether credentials crossed' "$(stand_log charts '"origin": 2')" '"authorization": (true|false)'
else
	skip 'a chart repository' "no helm: run scripts/deps"
fi

# ---- the cluster
[ -x "$kube_bin/kubelet" ] || { skip 'the cluster' "no Kubernetes: run scripts/deps"; exit 0; }
[ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null || { skip 'the cluster' "needs root"; exit 0; }

deployment() { # IMAGE
	cat <<-END
	apiVersion: v1
	kind: Namespace
	metadata: {name: smoke, labels: {pod-security.kubernetes.io/enforce: restricted}}
	---
	apiVersion: apps/v1
	kind: Deployment
	metadata: {name: web, namespace: smoke}
	spec:
	  selector: {matchLabels: {app: web}}
	  template:
	    metadata: {labels: {app: web}}
	    spec:
	      imagePullSecrets: [{name: pull}]
	      securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
	      containers:
	      - name: web
	        image: $1
	        securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
	        readinessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1}
	---
	apiVersion: v1
	kind: Service
	metadata: {name: web, namespace: smoke}
	spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
	END
}

k() { in_cluster kubectl -n smoke "$@"; }

# traces - whatever of the cluster is still there: processes, mounts, control groups, its network, its folder.
traces() {
	pgrep -af -- "$dir" || :
	grep -- "$dir" /proc/mounts || :
	find /sys/fs/cgroup -name "airgap-$test_cluster*" 2>/dev/null || :
	for path in "/run/netns/$test_cluster" "$dir"; do [ ! -e "$path" ] || echo "$path"; done
}

begun=$(date +%s)
ok 'a cluster starts' stand_cluster
[ "$(cluster_fact state)" = running ] || { note 'no cluster: the rest cannot be tried'; exit 0; }
note "ready after $(($(date +%s) - begun)) seconds"
dir=$(cluster_fact dir) registry=$(cluster_fact registry)
ok 'a second "up" changes nothing' stand_cluster
ok 'its registry takes an image' in_cluster tests/stand/push --registry "$(cluster_fact registry-facts)" "$T/images/app" web/app:1.0
deployment "$registry/web/app:1.0" >"$T/web.yaml"
ok 'objects are created' k apply -f "$T/web.yaml"
auth_file "$registry" robot "$(cat "$(cluster_fact registry-password-file)")" >"$T/pull"
ok 'a pull secret is created' k create secret generic pull --type=kubernetes.io/dockerconfigjson \
	--from-file=.dockerconfigjson="$T/pull"
ok 'a pod in a restricted namespace becomes ready' k rollout status deployment/web --timeout=60s
is 'it runs as uid 65532' "$(k exec deployment/web -- id -u)" 65532
ip=$(k get service web -o 'jsonpath={.spec.clusterIP}')
like 'it answers at its ClusterIP' "$(in_cluster curl -sS --retry 9 --retry-all-errors --retry-delay 1 "http://$ip/")" 'app answers'
like 'also from a pod' "$(k exec deployment/web -- wget -qO- "http://$ip/")" 'app answers'
is 'its network has no way out' "$(in_cluster ip route show default)" ''
host=$(hostname -I | cut -d ' ' -f 1)
if [ -n "$host" ]; then
	fails 'the machine itself is not reached' 7 in_cluster curl -s --max-time 3 "http://$host:$(stand_fact plain address | cut -d : -f 2)/"
else
	skip 'the machine itself is not reached' 'it has no address'
fi
fails 'nor anything else from a pod' 1 k exec deployment/web -- wget -qO- http://192.0.2.1/
like 'writes are in the audit log' "$(jq -r '[.verb, .requestURI, .userAgent] | @tsv' "$(cluster_fact audit-log)")" \
	'^create	/apis/apps/v1/namespaces/smoke/deployments.*	kubectl/'
lines=$(wc -l <"$(cluster_fact audit-log)")
k get pods >"$T/said" 2>&1
sleep 2
is 'reads and the cluster itself are not' "$(wc -l <"$(cluster_fact audit-log)")" "$lines"
ok 'it goes' env AIRGAP_CLUSTER="$test_cluster" scripts/cluster down
is 'and leaves no trace' "$(traces)" ''
