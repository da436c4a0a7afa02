#!/bin/sh
# leaks.sh: no secret leaves its origin, whatever way a server sends the client elsewhere; and it does reach its origin.
# The table is tests/stand/leaks.py.
set -u
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
need python3 openssl curl
[ -x "$B/tests/fetch" ] || skip_all "$B/tests/fetch is not built: make stands"
mkdir -p "$T/certs" "$T/work"
tests/stand/cert "$T/certs" net /CN=net "$(python3 tests/stand/leaks.py --names)"
tab=$(printf '\t')
python3 tests/stand/leaks.py --fetch "$(realpath "$B/tests/fetch")" --bundler "$(realpath "$B/bin/bundler")" \
	--certs "$T/certs" --work "$T/work" ${ONLY_CASES:+--only "$ONLY_CASES"} \
	>"$T/results" 2>"$T/trouble" || fail 'the cases are run' "$T/trouble"
while IFS=$tab read -r name why; do
	case $name in
	=*) note "${name#= }" ;;
	*) is "$name" "$why" '' ;;
	esac
done <"$T/results"
