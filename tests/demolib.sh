# demolib.sh: the demo's bundle and its way to a site, for the suites that drive the whole of it. Sourced after testlib.sh.
#
#   demo_upstream OPTION...     tests/stand/upstream; sets REGISTRY_TOKEN and HELM_REPO_TOKEN
#   demo_gone                   the upstream servers are stopped and the tokens forgotten
#   demo_fact KEY               a line of what `tests/stand/upstream start` printed
#   demo_key                    makes $T/demo.key, and $T/trust/demo.pub
#   demo_build OUT OPTION...    builds the upstream's manifest, or the one in $manifest; the cache is $T/cache
#   demo_cluster                a cluster of the suite's own, and $T/site.yaml for it; demo_site FILE writes another
#   on_site COMMAND...          in the cluster's network, with state of its own in $T/state
#   deploy COMMAND ARG...       the deployer there, with $T/trust and, unless --site is given, $T/site.yaml
#   page ADDRESS                what it shows
#
# helm 3 is what both programs find in PATH until use_helm FILE names another, or no_helm puts one there that fails.
#
# shellcheck shell=sh disable=SC2154

# demo_finish - testlib.sh's own end, behind that of the upstream servers, also where a suite does not get to demo_gone.
demo_finish() {
	demo_status=$?
	[ ! -d "$T/upstream" ] || tests/stand/upstream stop "$T/upstream"
	(exit "$demo_status")
	finish
}
trap demo_finish EXIT

bundler=$PWD/$B/bin/bundler
deployer=$PWD/$B/bin/deployer
case $B in
/*) bundler=$B/bin/bundler deployer=$B/bin/deployer ;;
esac

use_helm() {
	mkdir -p "$T/bin"
	ln -sf "$1" "$T/bin/helm"
	ln -sf "$kube_bin/kubectl" "$T/bin/kubectl"
}
use_helm "$helm3"

# no_helm - whoever takes helm or kubectl from PATH fails from now on.
no_helm() {
	rm -f "$T/bin/helm" "$T/bin/kubectl"
	printf '#!/bin/sh\necho "%s: taken from PATH" >&2\nexit 99\n' helm >"$T/bin/helm"
	cp "$T/bin/helm" "$T/bin/kubectl"
	chmod 755 "$T/bin/helm" "$T/bin/kubectl"
}

need_programs() {
	for program in "$bundler" "$deployer"; do
		[ -x "$program" ] || skip_all "$program is not built"
	done
	for program in "$helm3" "$helm4" "$kube_bin/kubectl"; do
		[ -x "$program" ] || skip_all "$program is not there: run scripts/deps test"
	done
	need docker-registry skopeo python3 jq curl openssl zstd
}

demo_upstream() {
	tests/stand/upstream start "$T/upstream" "$@" >/dev/null || return 1
	# shellcheck source=/dev/null
	. "$T/upstream/env"
}

demo_gone() {
	tests/stand/upstream stop "$T/upstream"
	unset REGISTRY_TOKEN HELM_REPO_TOKEN
}

demo_fact() { sed -n "s/^$1=//p" "$T/upstream/facts"; }

demo_key() {
	mkdir -p "$T/trust"
	(cd "$T" && "$bundler" keygen demo) && cp "$T/demo.pub" "$T/trust/demo.pub"
}

demo_build() {
	out=$1
	shift
	XDG_CACHE_HOME="$T/cache" PATH="$T/bin:$PATH" "$bundler" build "${manifest:-$(demo_fact manifest)}" \
		--key "$T/demo.key" -o "$out" "$@"
}

# demo_site FILE [EXTRA] - EXTRA is YAML of the top level.
demo_site() {
	cat >"$1" <<-END
	apiVersion: airgap/v1
	kind: Site
	registry:
	  host: $(cluster_fact registry)
	  prefix: demo
	  ca: $(cluster_fact registry-ca)
	  username: $(cluster_fact registry-username)
	  password: $site_password
	END
	[ -z "${2:-}" ] || printf '%s\n' "$2" >>"$1"
}

demo_cluster() {
	stand_cluster || return 1
	# A password file has to be nobody else's to read.
	install -m 600 "$(cluster_fact registry-password-file)" "$T/password"
	site_password="\$(file:$T/password)"
	demo_site "$T/site.yaml"
}

on_site() {
	in_cluster env XDG_STATE_HOME="$T/state" XDG_CONFIG_HOME="$T/config" HOME="$T/home" PATH="$T/bin:$PATH" "$@"
}

deploy() {
	verb=$1
	shift
	case "$verb $*" in
	*--site*) on_site "$deployer" "$verb" --trust "$T/trust" "$@" ;;
	*) on_site "$deployer" "$verb" --trust "$T/trust" --site "$T/site.yaml" "$@" ;;
	esac
}

k() { on_site "$kube_bin/kubectl" "$@"; }

page() { in_cluster curl -sS --retry 9 --retry-all-errors --retry-delay 1 "http://$1/"; }
