#!/bin/sh
# kill-install.sh: `deployer install` is killed behind each new record of its journal, and at random moments; the next
# run goes on by itself, and in the end the cluster is as after an install that was left alone. MOMENTS=N (10), SEED.
# shellcheck disable=SC2317 # functions are called through ok
set -u
[ "$(id -u)" = 0 ] || ! sudo -n true 2>/dev/null || exec sudo -nE env "PATH=$PATH" "HOME=$HOME" sh "$0"
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
# shellcheck source=tests/demolib.sh
. tests/demolib.sh
need root
need_programs
[ -x "$kube_bin/kubelet" ] || skip_all "no Kubernetes: run scripts/deps"

cat >"$T/kill.py" <<'END'
"""kill.py record STATE -- COMMAND... | kill.py SECONDS STATE -- COMMAND...

Runs COMMAND and kills it with signal 9: as soon as the journal in STATE has a (step, result) it never had before, or
after SECONDS. Exit 0: it was killed, and nothing it had started lived on; 3: it had finished, and well; 1: neither.
"""
import glob, json, os, subprocess, sys, time

when, state, command = sys.argv[1], sys.argv[2], sys.argv[4:]

def records():
    found = set()
    for name in glob.glob(os.path.join(state, "airgap", "journal-*")):
        with open(name, "rb") as f:
            for line in f.read().split(b"\n")[:-1]:
                r = json.loads(line.split(b" ", 1)[1])
                found.add((r["step"], r["result"]))
    return found

def size():
    return sum(os.path.getsize(n) for n in glob.glob(os.path.join(state, "airgap", "journal-*")))

def session_of(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[3])

def left(session):
    return [p for p in os.listdir("/proc") if p.isdigit() and session_of(p) == session]

before, was = records(), size()
with open(os.path.join(os.path.dirname(state), "killed.log"), "wb") as log:
    run = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
until = time.monotonic() + float(when) if when != "record" else float("inf")
new = ""
while run.poll() is None and time.monotonic() < until:
    if when == "record" and (now := size()) != was:
        was = now
        if fresh := records() - before:
            new = ", ".join(" ".join(r) for r in sorted(fresh))
            break
    time.sleep(0.0002)
if run.poll() is None:
    run.kill()
    run.wait()
    deadline = time.monotonic() + 5
    while (rest := left(run.pid)) and time.monotonic() < deadline:
        time.sleep(0.01)
    if rest:
        sys.exit("lived on: " + " ".join(open(f"/proc/{p}/cmdline").read().replace("\0", " ") for p in rest))
    print("killed", f"behind {new}" if new else f"after {when} s")
    sys.exit(0)
if run.returncode:
    sys.exit(f"ended with {run.returncode}")
print("finished")
sys.exit(3)
END

# objects - what there is in the namespace, without names of pods, times and what was generated.
objects() {
	k -n demo get deployments,services,configmaps,networkpolicies,serviceaccounts,secrets -o json | jq -S '
		[.items[] | select(.type != "helm.sh/release.v1")
		| del(.metadata.uid, .metadata.resourceVersion, .metadata.creationTimestamp, .metadata.managedFields,
			.metadata.generation, .status, .spec.clusterIP, .spec.clusterIPs)
		| if .kind == "Secret" then .data |= with_entries(.value |= length) else . end]'
	k get namespace demo -o json | jq -S '.metadata.labels'
	on_site "$helm3" -n demo list -o json | jq -S '[.[] | {name, status, chart}]'
	on_site "$helm3" -n demo get values web -o json | jq -S .
	on_site "$helm3" -n demo get values worker -o json | jq -S .
}

# reset - the cluster as it was before the first install; the registry keeps what it has.
reset() {
	k delete namespace demo airgap-system --wait --ignore-not-found --timeout=120s >/dev/null
	rm -rf "$T/state"
}

killed_once() { # WHEN
	on_site python3 "$T/kill.py" "$1" "$T/state" -- "$deployer" install "$T/demo.tar.zst" --trust "$T/trust" \
		--site "$T/site.yaml"
}

# as_if_never_killed NAME - the next run finishes, by itself, and all is as it should be.
as_if_never_killed() {
	ok "$1: the next run finishes" deploy install "$T/demo.tar.zst"
	ok "$1: status is content" deploy status "$T/demo.tar.zst"
	objects >"$T/objects" 2>&1
	ok "$1: the cluster is as after an install that was left alone" diff "$T/reference" "$T/objects"
	ok "$1: and again" deploy install "$T/demo.tar.zst"
	like "$1: nothing changed" "$(tail -n 1 "$T/said")" 'nothing changed'
}

demo_cluster >"$T/said" 2>&1 || { cat "$T/said"; exit 1; }
# shellcheck disable=SC2119 # it takes options
demo_upstream >"$T/said" 2>&1 || { cat "$T/said"; exit 1; }
demo_key >/dev/null 2>&1
demo_build "$T/demo.tar.zst" --site "$T/site.yaml" >"$T/said" 2>&1 || { cat "$T/said"; exit 1; }
demo_gone
ok 'an install that is left alone ends well' deploy install "$T/demo.tar.zst"
objects >"$T/reference" 2>&1
like 'with both releases' "$(cat "$T/reference")" '"worker-0\.9\.0"'
records=$(cut -d ' ' -f 2- "$T"/state/airgap/journal-* | jq -r '"\(.step) \(.result)"' | sort -u | wc -l)
note "its journal has $records records"

# ---- behind each record
reset
rm -f "$T/kills"
status=0
while :; do
	killed_once record >"$T/said" 2>&1
	status=$?
	[ "$status" = 0 ] || break
	note "$(cat "$T/said")"
	cat "$T/said" >>"$T/kills"
	[ "$(wc -l <"$T/kills")" -lt $((records * 3)) ] || { status='no end'; break; }
done
[ "$status" = 3 ] || cat "$T/killed.log" >>"$T/said"
is 'killed behind each record, it comes to its end' "$status: $(tail -n 5 "$T/said")" '3: finished'
# Two steps at once may have written two records before the kill.
ok 'at least once for every two records' test "$(wc -l <"$T/kills")" -ge $((records / 2))
as_if_never_killed 'behind each record'

# ---- at random moments
reset
status=0
awk -v n="${MOMENTS:-10}" -v s="${SEED:-1}" 'BEGIN { srand(s); while (n--) printf "%.3f\n", 0.05 + 2.5 * rand() * rand() }' \
	>"$T/moments"
while read -r moment <&3; do
	killed_once "$moment" >"$T/said" 2>&1
	status=$?
	note "$(tail -n 1 "$T/said")"
	case $status in
	0 | 3) ;;
	*) cat "$T/killed.log" >>"$T/said"; fail "a run after a kill ended by itself" "$T/said" ;;
	esac
done 3<"$T/moments"
as_if_never_killed 'at random moments'
