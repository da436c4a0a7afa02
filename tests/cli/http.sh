#!/bin/sh
# http.sh: the http and registry clients against a server that misbehaves in every known way, and against a real registry.
set -u
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
need python3 openssl curl
fetch=$B/tests/fetch
[ -x "$fetch" ] || skip_all "$fetch is not built: make stands"
for name in http_proxy HTTPS_PROXY https_proxy ALL_PROXY all_proxy; do unset $name; done

# ---- the misbehaving server
# shellcheck source=tests/stand/chaos.sh
. tests/stand/chaos.sh
# shellcheck disable=SC2119 # it takes options
chaos_start
main=$(chaos_fact main)
chaos_run

# ---- no secret leaves its origin
secrets='open-sesame|cm9ib3Q6b3Blbi1zZXNhbWU|token-secret'
like 'the password did go to the first origin' "$(grep -c 'cm9ib3Q6b3Blbi1zZXNhbWU' "$chaos/requests")" '^[1-9]'
is 'no secret reached another origin unless it is the token server' \
	"$(grep -E '"listener": "(other|stranger|old)"' "$chaos/requests" | grep -v '"case": "bearer-elsewhere"' | grep -Ec "$secrets")" 0
is 'no request went to an address that was refused' "$(grep -c '"listener": "stranger"' "$chaos/requests")" 0
is 'no secret and no signed query was ever printed' "$(grep -Ec "$secrets|signed-secret" "$chaos/drive/said")" 0

# ---- proxies
http_proxy=http://127.0.0.1:1
export http_proxy
ok 'proxies of the environment are not used' "$fetch" get "http://$main/ok/x" --plain "$main" -o "$T/out"
fails 'unless they are asked for' 20 "$fetch" get "http://$main/ok/x" --plain "$main" -o "$T/out" --proxies --tries 1
unset http_proxy

# ---- an interrupt ends a silent exchange
"$fetch" get "http://$main/silence/x" --plain "$main" --stall 30000 2>"$T/said" &
sleep 1
kill -TERM $!
began=$(date +%s)
wait $!
is 'an interrupted download ends by the signal' "$?" 143
# shellcheck disable=SC2015 # pass does not fail
[ $(($(date +%s) - began)) -le 2 ] && pass 'within two seconds' || fail 'within two seconds'

# ---- a real registry with a token server, over TLS
if command -v docker-registry >/dev/null; then
	ok 'a registry with tokens starts' stand_registry site --auth token --tls
	site=$(stand_fact site address)
	at_site() {
		command=$1
		shift
		"$fetch" "$command" "$site" "$@" --ca "$site=$(stand_fact site ca)" --stats \
			--user "$site=robot:file:$(stand_fact site password-file)"
	}
	stand_images "$T/images" --size 3
	stand_push site "$T/images/multi" web/multi:1.0 >/dev/null
	head -c 100000000 /dev/urandom >"$T/big"
	big=sha256:$(sha256sum <"$T/big" | cut -d ' ' -f 1)

	ok 'we may push there' at_site ping new/place --push
	ok '100 MB are pushed' at_site put a/one "$T/big" --push
	like 'in one PUT' "$(stand_log site 'PUT /v2/a/one' | wc -l)$(stand_log site 'PATCH /v2/a/one' | wc -l)" '^10$'
	like 'a blob that is there is mounted' "$(at_site put a/two "$T/big" --from a/one --push)" 'mounted'
	is 'without an upload' "$(stand_log site 'PUT /v2/a/two' | wc -l)" 0
	like 'asked again, one HEAD says so' "$(at_site has a/two "$big" --push)" 'there 100000000'
	ok 'it is pulled' at_site blob a/two "$big" 100000000 -o "$T/got"
	ok 'with the same bytes' cmp "$T/big" "$T/got"
	ok 'its end is pulled' at_site blob a/two "$big" 100000000 --offset 99999990 -o "$T/got"
	is 'and is the end' "$(od -An -tx1 "$T/got")" "$(tail -c 10 "$T/big" | od -An -tx1)"
	is 'a mount of what is not there is none' "$(at_site mount a/two "sha256:$(printf %064d 0)" --from a/one --push | head -n 1)" 'not mounted'
	mkdir "$T/stand/cutter"
	start_server "$T/stand/cutter" cutter python3 tests/stand/cutter.py --to "$site" --after 30000000 --times 5 --dir "$T/stand/cutter"
	wait_server "$T/stand/cutter" cutter 5 test -s "$T/stand/cutter/facts"
	real=$site site=$(stand_fact cutter address)
	cuts() { grep -c . "$T/stand/cutter/cuts"; }
	at_cutter() {
		command=$1
		shift
		"$fetch" "$command" "$site" "$@" --ca "$real=$(stand_fact site ca)" --ca "$site=$(stand_fact site ca)" --stats \
			--user "$site=robot:file:$(stand_fact site password-file)" --backoff 20
	}
	ok 'it is pulled over a line that breaks' at_cutter blob a/two "$big" 100000000 -o "$T/got"
	ok 'with the same bytes' cmp "$T/big" "$T/got"
	is 'it broke three times' "$(cuts)" 3
	ok 'it is pushed over a line that breaks' at_cutter put a/cut "$T/big" --push
	is 'it broke twice' "$(cuts)" 5
	site=$real
	like 'and is there' "$(at_site has a/cut "$big" --push)" 'there 100000000'
	head -c 300000 "$T/big" >"$T/small"
	ok 'a small blob is pushed' at_site put a/three "$T/small" --push
	index=$(at_site manifest web/multi 1.0 -o "$T/index" | cut -d ' ' -f 1 | head -n 1)
	is 'an index is pulled as it is' "$index" "sha256:$(sha256sum <"$T/index" | cut -d ' ' -f 1)"
	like 'its head says the same' "$(at_site head web/multi 1.0)" "^$index application/vnd.oci.image.index"
	ok 'it is pushed under a second tag' at_site mput web/multi 2.0 "$T/index" --push --type application/vnd.oci.image.index.v1+json
	is 'both are listed' "$(at_site tags web/multi | head -n 2 | tr '\n' ' ')" '1.0 2.0 '
	is 'what is not there is not' "$(at_site tags web/none | head -n 1)" absent
	fails 'an index without its images is refused' 43 at_site mput a/one x "$T/index" --push --type application/vnd.oci.image.index.v1+json
	said=$(at_site crowd web/multi 1.0 --threads 8)
	like 'eight threads share one token' "$said" ' tokens=1 '
	connections=$(printf '%s\n' "$said" | sed -n 's/.*connections=\([0-9]*\) .*/\1/p')
	# shellcheck disable=SC2015
	[ "$connections" -le 9 ] && pass 'and their connections are kept' || fail "$connections connections"
	stand_stop site
else
	skip 'a real registry' 'docker-registry is not installed'
fi
