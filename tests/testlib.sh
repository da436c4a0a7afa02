# testlib.sh: TAP and stand-ins for the suites in tests/cli. Sourced first thing, not run:
#
#   . "$(dirname "$0")/../testlib.sh"
#
# It moves to the root of the repository, makes $T, a folder that is removed at the end with everything started
# here, and prints the plan at the end. A suite that stops early fails.
#
#   ok NAME COMMAND...            COMMAND succeeds; else what it said is shown
#   fails NAME STATUS COMMAND...  COMMAND ends with STATUS
#   is NAME GOT WANTED            the same text         like NAME GOT REGEX    matches (grep -E)
#   skip NAME WHY                 not run, and said so  skip_all WHY           ends the suite: nothing of it is run
#   need PROGRAM...               skip_all unless each is in PATH; `need root` unless root or sudo without a password
#   plan N                        fails the suite if it does not come to N tests; not needed
#   note TEXT                     a line for the reader
#   free_port                     prints a TCP port nobody listens on
#
#   stand_registry NAME OPTION...    tests/stand/registry; see there     stand_chartrepo NAME DIR OPTION...
#   stand_discard NAME OPTION...     the registry that keeps nothing     stand_referrers NAME OPTION...  one with the referrers API
#   stand_stop NAME
#   stand_images DIR OPTION...       makes images                        stand_push NAME LAYOUT PATH:TAG...
#   stand_fact NAME KEY              address, url, ca, password-file, …  stand_log NAME [REGEX]   its requests
#   stand_cluster OPTION...          a cluster of the suite's own        in_cluster COMMAND...    in its network
#   cluster_fact KEY                 a line of `scripts/cluster status`
#
# shellcheck shell=sh

cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=scripts/versions
. scripts/versions
# shellcheck source=tests/stand/serve.sh
. tests/stand/serve.sh
B=${B:-build}
T=$(mktemp -d "${TMPDIR:-/tmp}/airgap-test.XXXXXX") || exit 1
export LC_ALL=C.UTF-8
test_n=0 test_failed=0 test_plan='' test_cluster=''

finish() {
	status=$?
	trap - EXIT HUP INT TERM
	[ -z "$test_cluster" ] || AIRGAP_CLUSTER=$test_cluster scripts/cluster down >&2
	for dir in "$T"/stand/*/; do
		[ -d "$dir" ] || continue
		for server in "$dir"*.pid; do
			[ ! -f "$server" ] || stop_server "${dir%/}" "$(basename "$server" .pid)"
		done
	done
	rm -rf "$T"
	if [ "$status" != 0 ]; then
		echo "not ok $((test_n + 1)) - the suite ended early, with $status"
		exit "$status"
	fi
	[ -n "$test_plan" ] || echo "1..$test_n"
	exit "$test_failed"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

note() { printf '# %s\n' "$*"; }

pass() {
	test_n=$((test_n + 1))
	echo "ok $test_n - $1"
}

# fail NAME [FILE] - FILE's content says why.
fail() {
	test_n=$((test_n + 1)) test_failed=1
	echo "not ok $test_n - $1"
	[ -z "${2:-}" ] || tail -n 40 "$2" | sed 's/^/# /'
}

ok() {
	test_name=$1
	shift
	if "$@" >"$T/said" 2>&1; then pass "$test_name"; else fail "$test_name" "$T/said"; fi
}

fails() {
	test_name=$1 test_wanted=$2 test_status=0
	shift 2
	"$@" >"$T/said" 2>&1 || test_status=$?
	if [ "$test_status" = "$test_wanted" ]; then
		pass "$test_name"
	else
		echo "ended with $test_status, not $test_wanted" >>"$T/said"
		fail "$test_name" "$T/said"
	fi
}

is() {
	if [ "$2" = "$3" ]; then pass "$1"; return; fi
	printf 'got:    %s\nwanted: %s\n' "$2" "$3" >"$T/said"
	fail "$1" "$T/said"
}

like() {
	if printf '%s\n' "$2" | grep -Eq -- "$3"; then pass "$1"; return; fi
	printf 'got:    %s\nwanted: %s\n' "$2" "$3" >"$T/said"
	fail "$1" "$T/said"
}

skip() {
	test_n=$((test_n + 1))
	echo "ok $test_n - $1 # SKIP $2"
}

skip_all() {
	test_plan=0
	echo "1..0 # SKIP $*"
	exit 0
}

plan() {
	test_plan=$1
	echo "1..$1"
}

need() {
	for program; do
		if [ "$program" = root ]; then
			[ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null || skip_all "needs root"
		else
			command -v "$program" >/dev/null || skip_all "$program is not installed: run scripts/deps"
		fi
	done
}

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

stand_registry() {
	test_stand=$T/stand/$1
	shift
	tests/stand/registry start "$test_stand" "$@" >/dev/null
}

stand_images() { tests/stand/images "$@" >/dev/null; }

stand_chartrepo() {
	test_stand=$T/stand/$1 test_charts=$2
	shift 2
	mkdir -p "$test_stand"
	rm -f "$test_stand/facts"
	start_server "$test_stand" chartrepo tests/stand/chartrepo.py "$test_charts" --helm "$helm3" \
		--facts "$test_stand/facts" --log "$test_stand/requests" "$@"
	wait_server "$test_stand" chartrepo 20 test -s "$test_stand/facts"
}

stand_discard() {
	test_stand=$T/stand/$1
	shift
	mkdir -p "$test_stand"
	start_server "$test_stand" discard "$B/tests/discard" "$@"
	wait_server "$test_stand" discard 5 grep -q ^pid= "$test_stand/discard.log"
	cp "$test_stand/discard.log" "$test_stand/facts"
}

stand_referrers() {
	test_stand=$T/stand/$1
	shift
	mkdir -p "$test_stand"
	rm -f "$test_stand/facts"
	start_server "$test_stand" referrers tests/stand/referrers.py --facts "$test_stand/facts" --log "$test_stand/requests" "$@"
	wait_server "$test_stand" referrers 20 test -s "$test_stand/facts"
}

stand_stop() {
	for server in "$T/stand/$1"/*.pid; do
		[ ! -f "$server" ] || stop_server "$T/stand/$1" "$(basename "$server" .pid)"
	done
}

stand_push() {
	test_stand=$T/stand/$1
	shift
	tests/stand/push --registry "$test_stand/facts" "$@"
}

stand_fact() { sed -n "s/^$2=//p" "$T/stand/$1/facts"; }

# A registry's access log is combined with its other messages; its lines have the request in quotes.
stand_log() {
	if [ -f "$T/stand/$1/registry.log" ]; then
		grep -E '^[0-9.:]+ - [^ ]+ \[' "$T/stand/$1/registry.log" | grep -E -- "${2:-.}" || :
	else
		grep -E -- "${2:-.}" "$T/stand/$1/requests" || :
	fi
}

stand_cluster() {
	test_cluster=t$$
	AIRGAP_CLUSTER=$test_cluster scripts/cluster up "$@" >/dev/null
}

in_cluster() { AIRGAP_CLUSTER=$test_cluster scripts/cluster exec "$@"; }

cluster_fact() { AIRGAP_CLUSTER=$test_cluster scripts/cluster status | sed -n "s/^$1=//p"; }
