# chaos.sh: starts chaos.py and runs its cases. Sourced behind tests/testlib.sh, not run.
#
#   chaos_start [--matrix]   makes certificates and starts it; its files are in $chaos
#   chaos_fact KEY           an address of it
#   chaos_run                every case is a test; what was printed is in $chaos/drive/said
#
# ONLY_CASES='REGEX…' runs only those.
#
# shellcheck shell=sh

chaos=$T/stand/chaos

# An expired certificate and one that nobody signed.
chaos_odd_certs() {
	printf 'subjectAltName=%s\n' "$1" >"$chaos/ext"
	cp "$chaos/certs/server.key" "$chaos/certs/expired.key"
	openssl req -new -key "$chaos/certs/expired.key" -subj /CN=expired -out "$chaos/request" 2>/dev/null
	openssl x509 -req -in "$chaos/request" -CA "$chaos/certs/ca.pem" -CAkey "$chaos/certs/ca.key" -CAcreateserial -days 0 \
		-extfile "$chaos/ext" -out "$chaos/certs/expired.pem" 2>/dev/null
	cp "$chaos/certs/server.key" "$chaos/certs/alone.key"
	openssl req -x509 -key "$chaos/certs/alone.key" -subj /CN=alone -addext "subjectAltName=$1" -days 30 -out "$chaos/certs/alone.pem"
}

chaos_start() {
	san="IP:127.0.0.1,DNS:$(hostname)"
	mkdir -p "$chaos/certs" "$chaos/drive"
	tests/stand/cert "$chaos/certs" server /CN=server "$san"
	tests/stand/cert "$chaos/certs" misnamed /CN=misnamed DNS:elsewhere.example
	tests/stand/cert "$chaos/elsewhere" stranger /CN=stranger "$san"
	cp "$chaos"/elsewhere/stranger.* "$chaos/certs"
	chaos_odd_certs "$san"
	start_server "$chaos" chaos python3 tests/stand/chaos.py --certs "$chaos/certs" --dir "$chaos" "$@"
	wait_server "$chaos" chaos 30 test -s "$chaos/facts"
}

chaos_fact() { sed -n "s/^$1=//p" "$chaos/facts"; }

chaos_run() {
	# shellcheck disable=SC2086 # words
	python3 tests/stand/chaos_drive.py --fetch "$B/tests/fetch" --dir "$chaos" --work "$chaos/drive" ${SANITIZE:+--slow} \
		${ONLY_CASES:+--only $ONLY_CASES} >"$chaos/results" || fail 'the cases are run' "$chaos/results"
	tab=$(printf '\t')
	while IFS=$tab read -r case why; do
		case $case in
		=*) note "${case#= }" ;;
		*)
			if [ -z "$why" ]; then pass "$case"; continue; fi
			sed -n "\|^--- $case: |,\|^--- |p" "$chaos/drive/failed" >"$T/said"
			fail "$case: $why" "$T/said"
			;;
		esac
	done <"$chaos/results"
	is 'the server of the tests made no mistake of its own' "$(grep -c '^Traceback' "$chaos/chaos.log")" 0
}
