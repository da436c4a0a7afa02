#!/bin/sh
# Charts that have no key for their images, on a real cluster: renamed after rendering with either helm, or left as they are
# and pulled through the mirror files that `deployer mirrors` writes for the node's containerd.
# shellcheck source=tests/testlib.sh disable=SC2016 # $1 and $(env:X) are not for this shell
. "$(dirname "$0")/../testlib.sh"
need root docker-registry skopeo python3 etcd containerd
for program in "$helm3" "$helm4" "$kube_bin/kubectl"; do
	[ -x "$program" ] || skip_all "$program is not there: run scripts/deps test"
done

# ---- a chart that names its images itself: in a pod, in a text, in a hook

S=$T/stack
mkdir -p "$S/hard/templates" "$S/site/templates" "$S/site/charts" "$T/trust" "$T/bin"
cp -R manifests/airgap "$S/site/charts/airgap"
printf 'apiVersion: v2\nname: hard\nversion: 1.0.0\n' >"$S/hard/Chart.yaml"
printf 'hook: false\n' >"$S/hard/values.yaml"
cat >"$S/hard/templates/app.yaml" <<'END'
# what runs
apiVersion: apps/v1
kind: Deployment
metadata: {name: hard}
spec:
  replicas: 1
  selector: {matchLabels: {app: hard}}
  template:
    metadata: {labels: {app: hard}, annotations: {number: "010", word: "yes"}}
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 0
      imagePullSecrets: [{name: site-registry}]
      securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: app
          image: docker.io/demo/app:1.0
          imagePullPolicy: Always
          command: [/bin/busybox, sleep, "100000"]
          env: [{name: WORKER_IMAGE, value: "quay.io/demo/worker:2"}]
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
END
cat >"$S/hard/templates/text.yaml" <<'END'
apiVersion: v1
kind: ConfigMap
metadata: {name: hard}
data:
  template.yaml: |
    # a pod that is made later
    spec:
      containers:
        - image: quay.io/demo/worker:2   # for work
          args: ["010", yes]
      securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
END
cat >"$S/hard/templates/hook.yaml" <<'END'
{{- if .Values.hook }}
apiVersion: batch/v1
kind: Job
metadata: {name: hard-hook, annotations: {helm.sh/hook: "post-install,post-upgrade"}}
spec:
  template:
    spec:
      automountServiceAccountToken: false
      restartPolicy: Never
      imagePullSecrets: [{name: site-registry}]
      securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: hook
          image: quay.io/demo/worker:2
          command: [/bin/busybox, "true"]
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
{{- end }}
END
# the agent's text has a pod template, which the profile judges as if it ran
sed -i 's/          args: .*/&\n          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}/' "$S/hard/templates/text.yaml"
cat >"$S/site/Chart.yaml" <<'END'
apiVersion: v2
name: r-site
version: 1.0.0
dependencies: [{name: airgap, version: 1.x.x, repository: ""}]
END
printf 'apiVersion: airgap/v1\nkind: Site\nprofile: nonroot\nregistry: {host: "", username: "", password: ""}\nhook: false\n' >"$S/site/values.yaml"
cat >"$S/site/templates/steps.yaml" <<'END'
apiVersion: airgap/v1
kind: Namespace
metadata: {name: r}
namespace: {name: r, podSecurity: restricted, pullSecret: {name: site-registry}}
---
apiVersion: airgap/v1
kind: Release
metadata: {name: hard}
release: {chart: hard, name: hard, namespace: r, timeout: 60s, values: {hook: {{ .Values.hook }}, listed: {{ include "airgap.image" (list . "docker.io/demo/app:1.0") }}}}
---
apiVersion: airgap/v1
kind: Apply
metadata: {name: note}
apply:
  namespace: r
  objects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: note}, data: {image: "quay.io/demo/worker:2"}}]
END

stand_images "$T/images" app worker
stand_cluster --timeout 180
"$B/tests/bundle" "$T/b.tar.zst" "new:$T/k.key" name=r version=1.0.0 stream=example/r sequence=1 "site=$S/site" "chart=$S/hard" \
	"image=docker.io/demo/app:1.0=$T/images/app" "image=quay.io/demo/worker:2=$T/images/worker" >"$T/bundle-id"
cp "$T/k.key.pub" "$T/trust/k.pub"
chmod 755 "$T/trust"
ln -s "$kube_bin/kubectl" "$T/bin/kubectl"
registry=$(cluster_fact registry)
password=$(cat "$(cluster_fact registry-password-file)")
kubeconfig=$(cluster_fact kubeconfig)

# site LINE... - $T/site.yaml with these lines; indented ones go under registry.
site() {
	{
		printf 'apiVersion: airgap/v1\nkind: Site\nregistry:\n  host: %s\n  ca: %s\n  username: %s\n  password: env:TEST_PASSWORD\n' \
			"$registry" "$(cluster_fact registry-ca)" "$(cluster_fact registry-username)"
		printf '%s\n' "$@"
	} >"$T/site.yaml"
}
in_net() {
	in_cluster env TMPDIR="$T" XDG_STATE_HOME="$T/state" TEST_PASSWORD="$password" KUBECONFIG="$kubeconfig" PATH="$T/bin:$PATH" "$@"
}
deployer() {
	command=$1
	shift
	in_net "$B/bin/deployer" "$command" "$T/b.tar.zst" --trust "$T/trust" --site "$T/site.yaml" "$@"
}
kubectl() { in_net kubectl "$@"; }
helm() { ln -sf "$1" "$T/bin/helm"; }
said() { like "$1" "$(cat "$T/said")" "$2"; }
image() { kubectl -n r get deployment hard -o 'jsonpath={.spec.template.spec.containers[0].image}'; }
# pulled - by what name the node knows the image that runs.
pulled() { kubectl -n r get pods -l app=hard -o 'jsonpath={.items[0].status.containerStatuses[0].imageID}' | sed 's/@.*//'; }
# ---- values alone do not do

helm "$helm4"
site '  prefix: p'
fails 'values and a check: a chart without keys is refused' 45 deployer plan
said 'the image is named' 'Deployment: spec.template.spec.containers\[\].image: docker.io/demo/app:1.0: does not point to the site registry'

# ---- post-render, helm 3

helm "$helm3"
site '  prefix: p' '  rewrite: post-render' 'hook: true'
fails 'helm 3: a chart whose hooks need it is refused' 44 deployer install
said 'helm 3: it says why and what to do' "Release/hard: chart 'hard': hard/templates/hook.yaml: the hook Job/hard-hook names images upstream, and helm 3 does not post-render hooks: use helm 4, or set the image keys of the hook in the site chart"
is 'helm 3: nothing was installed' "$(kubectl get namespace r airgap-system --ignore-not-found -o name)" ''
site '  prefix: p' '  rewrite: post-render'
ok 'helm 3: without such hooks it installs' deployer install
is 'helm 3: the pod has the name of the site registry' "$(image)" "$registry/p/demo/app:1.0"
ok 'helm 3: install again' deployer install
said 'helm 3: nothing changed' 'r 1.0.0: nothing changed'

# ---- post-render, helm 4

helm "$helm4"
site '  prefix: q' '  rewrite: post-render'
ok 'a plan with another prefix' deployer plan
said 'the release follows, though no value of it changes' 'Release/hard +change'
site '  prefix: p' '  rewrite: post-render' 'hook: true'
ok 'post-render with helm 4' deployer install
is 'the pod has the name of the site registry' "$(image)" "$registry/p/demo/app:1.0"
is 'the node has pulled it there' "$(pulled)" "$registry/p/demo/app"
is 'the hook ran with it' "$(kubectl -n r get job hard-hook -o 'jsonpath={.spec.template.spec.containers[0].image} {.status.succeeded}')" \
	"$registry/p/demo/worker:2 1"
is 'a variable has it' "$(kubectl -n r get deployment hard -o 'jsonpath={.spec.template.spec.containers[0].env[0].value}')" "$registry/p/demo/worker:2"
is 'a pod in a text has it, and the text is as it was' "$(kubectl -n r get configmap hard -o 'jsonpath={.data.template\.yaml}' | sed -n '1p;4,5p')" \
	"# a pod that is made later
    - image: $registry/p/demo/worker:2   # for work
      args: [\"010\", yes]"
is 'what a step applies has it' "$(kubectl -n r get configmap note -o 'jsonpath={.data.image}')" "$registry/p/demo/worker:2"
is 'nothing else has changed' "$(kubectl -n r get deployment hard -o 'jsonpath={.spec.template.metadata.annotations.number} {.spec.template.metadata.annotations.word}')" '010 yes'
ok 'install again' deployer install
said 'nothing changed' 'r 1.0.0: nothing changed'
ok 'status' deployer status
said 'the release is as installed' 'Release/hard +unchanged'
is 'no folder of a plugin stays' "$(find "$T" -name 'airgap-helm-*' | wc -l)" 0

# ---- mirror: the node's containerd is told where upstream names lead

certs=$(cluster_fact certs-d)
mirrors() { deployer mirrors --containerd -o "$T/node" "$@"; }
# give HOST... - the node gets their files. Here its certs.d is elsewhere.
give() {
	for host in "$@"; do
		mkdir -p "$certs/$host"
		for file in "$T/node/etc/containerd/certs.d/$host"/*; do
			sed "s|/etc/containerd/certs.d|$certs|" "$file" >"$certs/$host/${file##*/}"
		done
	done
}
site '  prefix: m' '  keepHost: true' '  rewrite: mirror' 'hook: true'
fails 'mirrors: what the nodes run must be said' 2 deployer mirrors
ok 'mirrors prints the files' deployer mirrors --containerd
said 'each with its place' "^# /etc/containerd/certs.d/quay.io/hosts.toml"
is 'a password is not printed unasked' "$(grep -c "$(printf '%s:%s' "$(cluster_fact registry-username)" "$password" | base64)" "$T/said")" 0
ok 'mirrors writes the files' mirrors --with-password
is 'for the registries of the images, with the authority of the registry' \
	"$(find "$T/node" -type f -printf '%P %m\n' | sort | sed "s|etc/containerd/certs.d/||;s|$registry|REGISTRY|" | tr '\n' ';')" \
	'REGISTRY/ca.crt 644;docker.io/hosts.toml 600;quay.io/hosts.toml 600;'
give "$registry" docker.io
fails 'a node without a file for one of them' 44 deployer install
said 'node, image and file are named' "node 'node': cannot pull 'quay.io/demo/worker:2': .*: write /etc/containerd/certs.d/quay.io/hosts.toml there, as .deployer mirrors --containerd. has it"
is 'the other one was pulled' "$(grep -c "cannot pull 'docker.io" "$T/said")" 0
is 'nothing was changed' "$(image)" "$registry/p/demo/app:1.0"
give quay.io
ok 'mirror: install' deployer install
ok 'the file for CRI-O' deployer mirrors --crio -o "$T/node"
printf '{"auths": {"%s": {"auth": "%s"}}}' "$registry" "$(printf '%s:%s' "$(cluster_fact registry-username)" "$password" | base64)" >"$T/auth.json"
ok 'leads to the site registry: skopeo reads it with the same library' in_net skopeo --registries-conf "$T/node/etc/containers/registries.conf.d/50-airgap.conf" \
	inspect --raw --authfile "$T/auth.json" --cert-dir "$T/node/etc/containers/certs.d/$registry" docker://quay.io/demo/worker:2
is 'names stay' "$(image)" docker.io/demo/app:1.0
like 'from the site registry' "$(cat "$(cluster_fact registry-log)")" '/v2/m/docker.io/demo/app/manifests/1.0\?ns=docker.io'
is 'the hook ran with it' "$(kubectl -n r get job hard-hook -o 'jsonpath={.spec.template.spec.containers[0].image} {.status.succeeded}')" 'quay.io/demo/worker:2 1'
ok 'mirror: install again' deployer install
said 'mirror: nothing changed' 'r 1.0.0: nothing changed'
ok 'mirror: status' deployer status
