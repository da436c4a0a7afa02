# lib-cluster-files.sh: writes the certificates and configuration of the one-node test cluster. Sourced by scripts/cluster.
#
# Reads: dir (the cluster's folder), name, node_ip, registry_address. Everything lands in $dir.
#
# shellcheck shell=sh disable=SC2154

pod_net=10.244.0.0/24
api_url=https://$node_ip:6443

# write_certs - one authority signs the servers and the clients.
write_certs() {
	cert=tests/stand/cert pki=$dir/pki
	"$cert" "$pki" apiserver /CN=kube-apiserver \
		"IP:$node_ip,IP:10.96.0.1,IP:127.0.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc"
	"$cert" "$pki" kubelet-server /CN=node "IP:$node_ip,DNS:node"
	"$cert" "$pki" admin /O=system:masters/CN=admin
	"$cert" "$pki" apiserver-kubelet /O=system:masters/CN=kube-apiserver-kubelet-client
	"$cert" "$pki" node /O=system:nodes/CN=system:node:node
	"$cert" "$pki" controllers /CN=system:kube-controller-manager
	"$cert" "$pki" scheduler /CN=system:kube-scheduler
	"$cert" "$pki" proxy /CN=system:kube-proxy
	openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$pki/service-accounts.key" 2>/dev/null
	openssl pkey -in "$pki/service-accounts.key" -pubout -out "$pki/service-accounts.pub"
}

# kubeconfig_of CERTIFICATE - prints a kubeconfig that needs no other file.
kubeconfig_of() {
	cat <<-END
	apiVersion: v1
	kind: Config
	clusters:
	- name: $name
	  cluster: {server: "$api_url", certificate-authority-data: $(base64 -w 0 "$dir/pki/ca.pem")}
	users:
	- name: $1
	  user: {client-certificate-data: $(base64 -w 0 "$dir/pki/$1.pem"), client-key-data: $(base64 -w 0 "$dir/pki/$1.key")}
	contexts:
	- name: $name
	  context: {cluster: $name, user: $1}
	current-context: $name
	END
}

# write_audit_policy - every write of people and programs, none of the cluster's own, nor questions that are POSTs.
write_audit_policy() {
	cat <<-'END'
	apiVersion: audit.k8s.io/v1
	kind: Policy
	omitStages: [RequestReceived]
	rules:
	- {level: None, userGroups: ["system:nodes", "system:serviceaccounts:kube-system"]}
	- {level: None, users: ["system:kube-scheduler", "system:kube-controller-manager", "system:kube-proxy", "system:apiserver"]}
	- {level: None, resources: [{group: authorization.k8s.io}, {group: authentication.k8s.io}]}
	- {level: Metadata, verbs: [create, update, patch, delete, deletecollection]}
	- {level: None}
	END
}

write_containerd() {
	cat <<-END
	version = 2
	root = "$dir/containerd"
	state = "/run/containerd/state"
	[grpc]
	  address = "$dir/containerd.sock"
	[plugins."io.containerd.grpc.v1.cri"]
	  sandbox_image = "stand.local/pause:1.0"
	  # Machines without CAP_SYS_RESOURCE cannot lower the score, and runc would fail.
	  restrict_oom_score_adj = true
	  disable_apparmor = true
	  stream_server_address = "127.0.0.1"
	  [plugins."io.containerd.grpc.v1.cri".containerd]
	    snapshotter = "overlayfs"
	  [plugins."io.containerd.grpc.v1.cri".cni]
	    bin_dir = "/usr/lib/cni"
	    conf_dir = "$dir/cni"
	  [plugins."io.containerd.grpc.v1.cri".registry]
	    config_path = "$dir/certs.d"
	END
}

# write_cni - each pod on its own wire: pods meet only through the node's routing, where services are translated.
write_cni() {
	cat <<-END
	{"cniVersion": "0.4.0", "name": "airgap", "plugins": [
	  {"type": "ptp", "ipam": {"type": "host-local", "subnet": "$pod_net", "routes": [{"dst": "0.0.0.0/0"}]}},
	  {"type": "portmap", "capabilities": {"portMappings": true}}]}
	END
}

write_kubelet() {
	cat <<-END
	apiVersion: kubelet.config.k8s.io/v1beta1
	kind: KubeletConfiguration
	authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $dir/pki/ca.pem}}
	authorization: {mode: Webhook}
	tlsCertFile: $dir/pki/kubelet-server.pem
	tlsPrivateKeyFile: $dir/pki/kubelet-server.key
	containerRuntimeEndpoint: unix://$dir/containerd.sock
	cgroupDriver: cgroupfs
	cgroupRoot: /airgap-$name
	failCgroupV1: false
	failSwapOn: false
	resolvConf: $dir/resolv.conf
	serializeImagePulls: false
	# The machine's disk may be as full as it likes: a test cluster evicts nothing and collects nothing.
	imageGCHighThresholdPercent: 100
	evictionHard: {memory.available: "1Ki", nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%"}
	END
}

write_proxy() {
	cat <<-END
	apiVersion: kubeproxy.config.k8s.io/v1alpha1
	kind: KubeProxyConfiguration
	mode: iptables
	clusterCIDR: $pod_net
	hostnameOverride: node
	clientConnection: {kubeconfig: $dir/proxy.kubeconfig}
	conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
	END
}

# write_files - all of them.
write_files() {
	mkdir -p "$dir/log" "$dir/cni" "$dir/certs.d"
	write_certs
	for who in admin node controllers scheduler proxy; do kubeconfig_of "$who" >"$dir/$who.kubeconfig"; done
	write_audit_policy >"$dir/audit-policy.yaml"
	write_containerd >"$dir/containerd.toml"
	write_cni >"$dir/cni/10-airgap.conflist"
	write_kubelet >"$dir/kubelet.yaml"
	write_proxy >"$dir/proxy.yaml"
	echo 'options ndots:5' >"$dir/resolv.conf"
	touch "$dir/log/audit.log" # the API server would make it unreadable for the user who called sudo
	if [ -n "$registry_address" ]; then
		mkdir -p "$dir/certs.d/$registry_address"
		cat >"$dir/certs.d/$registry_address/hosts.toml" <<-END
		server = "https://$registry_address"
		[host."https://$registry_address"]
		  capabilities = ["pull", "resolve"]
		  ca = "$dir/registry/certs/ca.pem"
		END
	fi
}
