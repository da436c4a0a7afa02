#!/bin/sh
# lib-cluster-node.sh: process 1 of the one-node test cluster. Run by scripts/cluster, not by hand.
#
# Usage: lib-cluster-node.sh DIR NODE_IP REGISTRY_PORT KUBERNETES_PROGRAMS
#
# It runs in a network, process and mount namespace of its own: when it ends the kernel ends everything it
# started, pods included, and drops every mount. Its files are in DIR; DIR/ended/PART is written when PART ends.
set -eu
dir=$1 node_ip=$2 registry_port=$3 kube_bin=$4
cd "$(dirname "$0")/.."

# part NAME COMMAND... - runs a part of the cluster in the background and notes its end.
part() {
	part_name=$1
	shift
	{
		"$@" >"$dir/log/$part_name.log" 2>&1 </dev/null || :
		touch "$dir/ended/$part_name"
	} &
}

# until_true SECONDS COMMAND...
until_true() {
	tries=$(($1 * 10))
	shift
	until "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || { echo "gave up waiting for: $*" >&2; return 1; }
		sleep 0.1
	done
}

# Our own copies of the folders that are fixed in the programs, so that clusters, and the machine, do not meet there.
# The empty folders stay on the machine: removing one would unmount it in every other cluster.
mount --make-rshared /
for fixed in /run/containerd /run/netns /var/lib/kubelet /var/lib/cni /var/log/pods /var/log/containers; do
	mkdir -p "$fixed" "$dir/node$fixed"
	mount --bind "$dir/node$fixed" "$fixed"
done

# A network with no way out: no device of it ends outside, and there is no default route.
ip link set lo up
ip link add node0 type bridge
ip address add "$node_ip/24" dev node0
ip link set node0 up
ip route add 10.96.0.0/16 dev node0 # services: the route is only looked at, the packet never gets that far
sysctl -qw net.ipv4.ip_forward=1

if [ -n "$registry_port" ]; then
	tests/stand/registry start "$dir/registry" --listen "$node_ip" --port "$registry_port" --auth basic --tls --delete \
		>/dev/null
fi
part containerd containerd --config "$dir/containerd.toml"
part etcd etcd --name node --data-dir "$dir/etcd" --listen-client-urls http://127.0.0.1:2379 \
	--advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380
part kube-apiserver "$kube_bin/kube-apiserver" \
	--advertise-address="$node_ip" --secure-port=6443 --etcd-servers=http://127.0.0.1:2379 \
	--service-cluster-ip-range=10.96.0.0/16 --allow-privileged=true --authorization-mode=Node,RBAC \
	--enable-admission-plugins=NodeRestriction --kubelet-preferred-address-types=InternalIP \
	--client-ca-file="$dir/pki/ca.pem" --tls-cert-file="$dir/pki/apiserver.pem" --tls-private-key-file="$dir/pki/apiserver.key" \
	--kubelet-certificate-authority="$dir/pki/ca.pem" --kubelet-client-certificate="$dir/pki/apiserver-kubelet.pem" \
	--kubelet-client-key="$dir/pki/apiserver-kubelet.key" --service-account-issuer=https://kubernetes.default.svc \
	--service-account-key-file="$dir/pki/service-accounts.pub" \
	--service-account-signing-key-file="$dir/pki/service-accounts.key" \
	--audit-policy-file="$dir/audit-policy.yaml" --audit-log-path="$dir/log/audit.log" --audit-log-mode=blocking

until_true 30 ctr --address "$dir/containerd.sock" version
tests/stand/images "$dir" pause >/dev/null
tar -C "$dir/pause" -cf "$dir/pause.tar" .
ctr --address "$dir/containerd.sock" --namespace k8s.io images import --base-name stand.local/pause "$dir/pause.tar" >/dev/null

until_true 120 "$kube_bin/kubectl" --kubeconfig "$dir/admin.kubeconfig" get --raw /readyz
part kube-controller-manager "$kube_bin/kube-controller-manager" --kubeconfig="$dir/controllers.kubeconfig" \
	--use-service-account-credentials=true --root-ca-file="$dir/pki/ca.pem" \
	--service-account-private-key-file="$dir/pki/service-accounts.key" --leader-elect=false \
	--cluster-signing-cert-file="$dir/pki/ca.pem" --cluster-signing-key-file="$dir/pki/ca.key"
part kube-scheduler "$kube_bin/kube-scheduler" --kubeconfig="$dir/scheduler.kubeconfig" --leader-elect=false
part kubelet "$kube_bin/kubelet" --config="$dir/kubelet.yaml" --kubeconfig="$dir/node.kubeconfig" --node-ip="$node_ip" \
	--hostname-override=node
part kube-proxy "$kube_bin/kube-proxy" --config="$dir/proxy.yaml"
touch "$dir/started"

# Process 1 has to collect what others leave behind.
while :; do
	wait || :
	sleep 5
done
