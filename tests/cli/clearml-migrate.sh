#!/bin/sh
# clearml-migrate.sh: an install of earlier charts, made by hand as root with a MongoDB of its own chart, is taken over by
# manifests/clearml on a real cluster: nothing before it is allowed, and all that was there is there after, also when the
# deployer is killed between the upgrade and the restore. Server and database are stand-ins.
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
migrate_finish() {
	migrate_status=$?
	tests/standins/upstream stop "$upstream" >/dev/null 2>&1
	(exit "$migrate_status")
	finish
}
trap migrate_finish EXIT

# site FILE ALLOW... - the server alone, under its old names. The cluster has no DNS, and the kernel of this machine.
site() {
	file=$1
	shift
	cat >"$file" <<-END
	apiVersion: airgap/v1
	kind: Site
	registry: {host: "$(cluster_fact registry)", prefix: clearml, ca: "$(cluster_fact registry-ca)", username: "$(cluster_fact registry-username)", password: "\$(file:$T/password)"}
	domain: ml.example
	releases: {server: {name: clearml, namespace: ml}}
	credentials: {takeOver: clearml-conf}
	tls: {mode: none}
	storage: {install: none, class: own, sizes: {fileserver: 1Gi, mongodb: 1Gi, elasticsearch: 1Gi, redis: 1Gi}}
	ingress: {install: none, class: nginx}
	loadBalancer: {install: none}
	databases: {cache: dragonfly}
	applications: {enabled: false}
	agent: {enabled: false}
	gateway: {enabled: false}
	backup: {fileserver: {snapshotClass: csi, keep: 1}}
	preflight: {skip: [dns, dns-optional, max-map-count]}
	migrate: {$(for what; do printf '%s: {allow: true}, ' "$what"; done)timeout: 2m}
	END
}

# What the cluster of an old install has: a class of its own with volumes, here on paths of this machine.
volumes() {
	printf 'apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: own}\nprovisioner: kubernetes.io/no-provisioner\nvolumeBindingMode: WaitForFirstConsumer\n'
	printf -- '---\napiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: nginx}\nspec: {controller: none.example/none}\n'
	for n in 0 1 2 3 4 5; do
		install -d -m 777 "$T/volumes/$n"
		printf -- '---\napiVersion: v1\nkind: PersistentVolume\nmetadata: {name: "own-%s"}\nspec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], storageClassName: own, hostPath: {path: "%s"}}\n' \
			"$n" "$T/volumes/$n"
	done
}
volume() { k get persistentvolume "$(k -n ml get persistentvolumeclaim "$1" -o 'jsonpath={.spec.volumeName}')" -o 'jsonpath={.spec.hostPath.path}'; }
revision() { k -n ml get secrets -l "owner=helm,name=clearml" -o name | wc -l; }
api() { in_cluster curl -sS --retry 20 --retry-all-errors --retry-delay 1 -u OLDKEY:OLDSECRET -d "${2:-{\}}" "http://$(k -n ml get service clearml-clearml-enterprise-apiserver -o 'jsonpath={.spec.clusterIP}'):8008/$1"; }
companies() { api system.get_companies | jq -r '.data.companies[].name' | sort | tr '\n' ' '; }

# ---- what is there: the server 10.9.0, as root, in a namespace without a level
# shellcheck disable=SC2119 # no arguments on purpose
stand_cluster || exit 1
install -m 600 "$(cluster_fact registry-password-file)" "$T/password"
ok 'the stand-ins are served' tests/standins/upstream start "$upstream"
# shellcheck source=/dev/null
. "$upstream/env"
export HELM_REPO_TOKEN="${HELM_REPO_TOKEN:-unused}"
demo_key
site "$T/refused.yaml"
site "$T/site.yaml" fileserver mongodb
build() { XDG_CACHE_HOME="$T/cache" PATH="$T/bin:$PATH" "$bundler" build manifests/clearml/bundle.yaml --overlay "$upstream/overlay.yaml" --key "$T/demo.key" "$@"; }
ok 'the bundle is built for a site that allows it' build --site "$T/site.yaml" -o "$T/clearml.tar.zst"
[ -f "$T/clearml.tar.zst" ] || { cat "$T/said"; exit 1; }
tests/standins/upstream stop "$upstream" >/dev/null
ok 'its images are in the registry' deploy push "$T/clearml.tar.zst"
volumes | k apply -f - >/dev/null
k create namespace ml >/dev/null
k -n ml create secret docker-registry old-pull "--docker-server=$(cluster_fact registry)" "--docker-username=$(cluster_fact registry-username)" "--docker-password=$(cat "$T/password")" >/dev/null
"$helm3" package tests/standins/charts/clearml-enterprise --version 10.9.0 --app-version 3.26 -d "$T" >/dev/null
cat >"$T/old.yaml" <<END
global: {imageRegistry: "$(cluster_fact registry)/clearml", imagePullSecrets: [old-pull]}
imageCredentials: {existingImagePullSecrets: [{name: old-pull}]}
clearml: {apiserverKey: OLDKEY, apiserverSecret: OLDSECRET, fileserverKey: f, fileserverSecret: g, secureAuthTokenSecret: h, testUserKey: i, testUserSecret: j}
fileserver: {containerSecurityContext: {runAsUser: 0}, podSecurityContext: {}, storage: {data: {class: own, size: 1Gi}}}
clearmlApplications: {enabled: false}
elasticsearch: {enabled: false}
redis: {enabled: false}
mckMongodb: {enabled: false}
mongodb: {enabled: true, image: {repository: library/mongo, tag: "8"}, persistence: {storageClass: own, size: 1Gi}}
END
ok 'the old server is installed' on_site "$helm3" upgrade --install clearml "$T/clearml-enterprise-10.9.0.tgz" -n ml -f "$T/old.yaml" --wait --timeout 2m
[ "$test_failed" = 0 ] || { cat "$T/said"; exit 1; }
api system.create_company '{"name": "red"}' >"$T/said"
k -n ml exec deployment/clearml-clearml-enterprise-fileserver -- sh -c 'mkdir -p /mnt/fileserver/a && echo kept >/mnt/fileserver/a/file && chmod 700 /mnt/fileserver/a' >"$T/said" 2>&1
files=$(volume clearml-clearml-enterprise-fileserver-data)
is 'it has files of root' "$(stat -c %u:%a "$files/a" "$files/a/file" | tr '\n' ' ')" '0:700 0:644 '
is 'and a company in its database' "$(companies)" 'red '

# ---- nothing before it is allowed
no_helm
fails 'it is not upgraded unasked' 44 deploy install "$T/clearml.tar.zst" --site "$T/refused.yaml"
like 'what would be done to the database is said' "$(cat "$T/said")" 'migrate.mongodb: server 10.9.0 needs a migration: MongoDB leaves'
like 'and to the files' "$(cat "$T/said")" "migrate.fileserver: server 10.9.0 needs a migration: .* on claim 'clearml-clearml-enterprise-fileserver-data'"
is 'the release is what it was' "$(revision)" 1
ok 'with the site file that allows it, it is planned' deploy plan "$T/clearml.tar.zst"
like 'the plan has the steps' "$(cat "$T/said")" 'Run/migrate-fileserver'

# ---- killed between the upgrade and the restore, then again
# shellcheck disable=SC2016 # of the inner shell
on_site sh -c 'echo $$ >"$0"; exec "$@"' "$T/pid" "$deployer" install --trust "$T/trust" --site "$T/site.yaml" "$T/clearml.tar.zst" >"$T/first" 2>&1 &
first=$!
n=0
until k -n ml get job airgap-run-migrate-mongodb-restore >/dev/null 2>&1 || [ "$n" = 600 ]; do
	n=$((n + 1))
	sleep 0.1
done
kill -KILL "$(cat "$T/pid")"
wait "$first" 2>/dev/null
is 'the first run is killed behind the upgrade' "$(revision)" 2
ok 'the second goes on' deploy install "$T/clearml.tar.zst"
[ "$test_failed" = 0 ] || { cat "$T/first" "$T/said"; exit 1; }
is 'the company is there, in the new database' "$(companies)" 'red '
is 'which is the operator'\''s' "$(k -n ml get statefulset clearml-mongodb -o name 2>&1 | grep -c NotFound)" 1
is 'the old one'\''s volume is kept' "$(k -n ml get persistentvolumeclaim data-clearml-mongodb-0 -o 'jsonpath={.status.phase}')" Bound
is 'the server has the keys that it had' "$(k -n ml get secret clearml-conf -o 'go-template={{index .data "apiserver_key" | base64decode}}')" OLDKEY
is 'no file is another user'\''s' "$(find "$files" ! -uid 65532)" ''
is 'none is lost' "$(cat "$files/a/file")" kept
is 'and the fileserver runs as that user' "$(k -n ml exec deployment/clearml-clearml-enterprise-fileserver -- id -u)" 65532
is 'the namespace is restricted again' "$(k get namespace ml -o 'jsonpath={.metadata.labels.pod-security\.kubernetes\.io/enforce} {.metadata.annotations.airgap/pod-security}')" 'restricted '
is 'nothing is left scaled down' "$(k -n ml get deployments -o 'jsonpath={range .items[*]}{.spec.replicas}{.metadata.annotations.airgap/replicas}{"\n"}{end}' | sort -u)" 1
is 'the running pods keep that level' "$(k label --dry-run=server --overwrite namespace ml pod-security.kubernetes.io/enforce=restricted pod-security.kubernetes.io/enforce-version=latest 2>&1 | grep -i warning)" ''
ok 'status says installed' deploy status "$T/clearml.tar.zst"
ok 'one more install' deploy install "$T/clearml.tar.zst"
like 'has nothing left to do' "$(cat "$T/said")" 'nothing changed'

# ---- the fileserver's snapshots: the script of its job, with the rights of its account; what answers is a stand-in
cat <<'END' | k apply -f - >/dev/null
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: volumesnapshots.snapshot.storage.k8s.io, annotations: {api-approved.kubernetes.io: "unapproved, a stand-in"}}
spec:
  group: snapshot.storage.k8s.io
  scope: Namespaced
  names: {kind: VolumeSnapshot, plural: volumesnapshots, singular: volumesnapshot}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
END
k wait --for=condition=Established crd/volumesnapshots.snapshot.storage.k8s.io --timeout=30s >/dev/null
mkdir -p "$T/account"
printf ml >"$T/account/namespace"
k -n ml create token clearml-backup >"$T/account/token"
k -n ml get configmap kube-root-ca.crt -o 'jsonpath={.data.ca\.crt}' >"$T/account/ca.crt"
k -n ml get configmap clearml-backup-snapshot -o 'jsonpath={.data.snapshot\.py}' >"$T/snapshot.py"
server=$(k config view -o 'jsonpath={.clusters[0].cluster.server}')
server=${server#https://}
snapshot() {
	on_site env ACCOUNT="$T/account" KUBERNETES_SERVICE_HOST="${server%:*}" KUBERNETES_SERVICE_PORT="${server##*:}" CLAIM=files CLASS=csi KEEP=1 python3 "$T/snapshot.py"
}
snapshots() { k -n ml get volumesnapshots -o 'jsonpath={range .items[*]}{.metadata.name}{"\n"}{end}'; }
ok 'a snapshot is made' snapshot
is 'of the claim, with the class' "$(k -n ml get volumesnapshots -o 'jsonpath={.items[0].spec.source.persistentVolumeClaimName} {.items[0].spec.volumeSnapshotClassName}')" 'files csi'
oldest=$(snapshots)
for n in 2 3; do
	k -n ml get volumesnapshots -o name | while read -r one; do k -n ml patch "$one" --type=merge -p '{"status":{"readyToUse":true}}' >/dev/null; done
	sleep 1.1
	snapshot >"$T/said" 2>&1
done
is 'of those that are ready one is kept, beside the one just made' "$(snapshots | wc -l)" 2
is 'the oldest is gone' "$(snapshots | grep -c "$oldest")" 0
