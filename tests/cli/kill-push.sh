#!/bin/sh
# kill-push.sh: `deployer push` is killed at random moments; the next run goes on, and what the registry then holds is
# what it holds after a push that was left alone. KILLS=N changes how often (200), SEED the moments.
# shellcheck disable=SC2317 # functions are called through ok
set -u
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
# shellcheck source=tests/demolib.sh
. tests/demolib.sh
need_programs
kills=${KILLS:-200}
[ -n "${KILLS:-}" ] || [ -z "${SANITIZE:-}" ] || kills=10
each=5 # runs in a row that are to be killed, before one may finish
export XDG_STATE_HOME="$T/state"

push_to="$deployer push $T/demo.tar.zst"
push() { $push_to "$(stand_fact site address)/demo" --plain-http --trust "$T/trust"; }

store() { echo "$(stand_fact site data)/docker/registry/v2"; }

# content - every link and tag of the registry with what it says, and every blob whose bytes are what its name says;
# what lies in unfinished uploads is nobody's.
content() {
	(cd "$(store)" && find repositories -name link ! -path '*/_uploads/*' | sort | while read -r link; do
		echo "$link $(cat "$link")"
	done
	find blobs -name data -exec sha256sum {} + | sort -k 2 | awk '
		{ n = split($2, part, "/"); print $2, part[n - 1] == $1 ? "right" : "WRONG: " $1 }')
}

# fractions - random thousandths, without end, the same for each SEED.
fractions() { awk -v s="${SEED:-1}" 'BEGIN { srand(s); while (1) print int(rand() * 1000) }'; }

now() { date +%s%3N; }

demo_upstream --no-tools --replicas 4 --size 2 >"$T/said" 2>&1 || { cat "$T/said"; exit 1; }
demo_key >/dev/null 2>&1
demo_build "$T/demo.tar.zst" >"$T/said" 2>&1 || { cat "$T/said"; exit 1; }
demo_gone
rm -rf "$T/upstream"
stand_registry site || exit 1
begun=$(now)
ok 'a push that is left alone ends well' push
took=$(($(now) - begun))
note "$(stat -c %s "$T/demo.tar.zst") bytes in $took ms"
content >"$T/reference"
like 'the registry holds it all' "$(cat "$T/reference")" '_manifests/tags/1\.1-stable/current/link sha256:'
is 'with the right bytes' "$(grep -c WRONG "$T/reference")" 0

killed=0 unfinished=0 different=0 round=0 n=0
mkfifo "$T/fractions"
fractions >"$T/fractions" 2>/dev/null &
exec 3<"$T/fractions"
# What the first, second, ... run after an empty registry may take: follows what the machine is doing, so that most
# moments lie before the end.
for i in $(seq 0 $((each - 1))); do echo "$took" >"$T/span.$i"; done
while [ "$killed" -lt "$kills" ] && [ "$n" -lt $((kills * 4)) ]; do
	[ $((n % each)) != 0 ] || rm -rf "$(store)"
	read -r fraction <&3
	read -r span <"$T/span.$((n % each))"
	moment=$(((span * fraction / 1000) + 1))
	moment=$((moment / 1000)).$(printf '%03d' $((moment % 1000)))
	status=0
	# shellcheck disable=SC2086 # words
	timeout -s KILL "$moment" $push_to "$(stand_fact site address)/demo" --plain-http --trust "$T/trust" \
		>"$T/killed" 2>&1 </dev/null || status=$?
	# A run that was faster than its moment has not been killed; one that failed by itself is a failure.
	case $status in
	0) echo $((span * 7 / 10 + 4)) >"$T/span.$((n % each))" ;;
	137)
		killed=$((killed + 1))
		echo $((span * 5 / 4 + 1)) >"$T/span.$((n % each))"
		;;
	*) fail "a push after a kill ended with $status" "$T/killed" ;;
	esac
	n=$((n + 1))
	[ $((n % each)) = 0 ] || [ "$killed" = "$kills" ] || continue
	round=$((round + 1))
	push >"$T/said" 2>&1 </dev/null || { unfinished=$((unfinished + 1)); fail "round $round: the next run did not finish" "$T/said"; }
	content >"$T/content"
	if ! cmp -s "$T/reference" "$T/content"; then
		different=$((different + 1))
		diff "$T/reference" "$T/content" >"$T/said"
		fail "round $round: the registry holds something else" "$T/said"
	fi
done
exec 3<&-
is 'runs that were killed' "$killed" "$kills"
note "of $n, in $round rounds"
is 'each time, the next run finished' "$unfinished" 0
is 'and the registry held the same as without a kill' "$different" 0
ok 'once more' push
like 'nothing is left to upload' "$(tail -n 1 "$T/said")" ': 0 blobs uploaded'
ok 'skopeo reads an image back' skopeo copy --quiet --all --src-tls-verify=false \
	"docker://$(stand_fact site address)/demo/demo/worker:1.1" "dir:$T/read"
