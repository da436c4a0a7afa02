#!/bin/sh
# flips.sh: one bit of a finished bundle is turned over and the programs have to notice, each time with the code of the
# part that was hit, and at once. FLIPS=N changes how many (500); the same ones come each time unless SEED says otherwise.
# shellcheck disable=SC2317 # functions are called through ok
set -u
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
# shellcheck source=tests/demolib.sh
. tests/demolib.sh
need_programs
flips=${FLIPS:-500}
[ -n "${FLIPS:-}" ] || [ -z "${SANITIZE:-}" ] || flips=32

cat >"$T/flip.py" <<'END'
"""flip.py BUNDLE COUNT SEED SECONDS LAYERS... -- COMMAND...: COMMAND on the bundle with one bit turned, COUNT times.

Half of the places are drawn from the bytes of the file, half from its regions, so that small ones have their turn.
LAYERS are the kinds of regions to draw from. A line per wrong answer; at the end how many flips hit what.
"""
import collections, os, random, subprocess, sys, time

def wanted(name, kind):
    """The exit codes the format allows for this region."""
    if kind in ("P1", "P2", "P3", "end"):
        return {14}
    if kind == "seek":
        return {18}
    if name.startswith("bundle.") and name.endswith(".content") and kind == "head":
        return {14}
    codes = {
        "record.version": {19},
        "record.body": {11},
        "record.body-length": {11, 16, 18},     # another body, or none
        "record.count": {10, 16, 18},           # none, too many, or more than there are
        "signature0.keyid": {12},
        "signature0.algorithm": {11, 18},
        "signature0.length": {11, 16, 18},
        "signature0.bytes": {11},
    }
    return codes.get(name, {18})                # every other byte follows from the record

def main():
    split = sys.argv.index("--")
    bundle, count, seed, seconds, *kinds = sys.argv[1:split]
    command = sys.argv[split + 1:]
    listing = subprocess.run([sys.executable, "tests/format1.py", "list", bundle], check=True, capture_output=True, text=True)
    regions = []
    for line in listing.stdout.splitlines():
        name, at, size, kind = line.split("\t")
        if kind in kinds:
            regions.append((name, int(at), int(size), kind))
    draw = random.Random(f"{seed} {os.path.getsize(bundle)}")
    seen, places, bad, slowest = collections.Counter(), set(), 0, 0.0
    fd = os.open(bundle, os.O_RDWR)
    for i in range(int(count)):
        if i % 2:
            name, at, size, kind = draw.choices(regions, [r[2] for r in regions])[0]
        else:
            name, at, size, kind = regions[(i // 2) % len(regions)] if i // 2 < len(regions) else draw.choice(regions)
        place, bit = at + draw.randrange(size), draw.randrange(8)
        was = os.pread(fd, 1, place)
        os.pwrite(fd, bytes([was[0] ^ 1 << bit]), place)
        begun = time.monotonic()
        try:
            run = subprocess.run(command, capture_output=True, text=True, timeout=float(seconds))
            got, said = run.returncode, run.stderr.strip()[-300:]
        except subprocess.TimeoutExpired:
            got, said = "no end", f"after {seconds} seconds"
        slowest = max(slowest, time.monotonic() - begun)
        os.pwrite(fd, was, place)
        seen[kind] += 1
        places.add(name)
        if got not in wanted(name, kind):
            bad += 1
            print(f"{name} ({kind}): byte {place} bit {bit}: ended with {got}, not {sorted(wanted(name, kind))}: {said}")
    os.close(fd)
    print(f"{count} flips, {bad} wrong, slowest {slowest:.3f} s, in {len(places)} regions:", ", ".join(f"{k} {n}" for k, n in sorted(seen.items())))
    sys.exit(bad > 0)

main()
END

# refused NAME SECONDS COUNT BUNDLE KINDS -- COMMAND...
refused() {
	name=$1 seconds=$2 count=$3 file=$4 kinds=$5
	shift 6
	cp "$file" "$T/before"
	# shellcheck disable=SC2086 # a list of words
	ok "$name" python3 "$T/flip.py" "$file" "$count" "${SEED:-0}" "$seconds" $kinds -- "$@"
	note "$(tail -n 1 "$T/said")"
	cmp -s "$T/before" "$file" || { note "the bundle was not put back"; exit 1; }
}

demo_upstream --replicas 1 --size 24 >"$T/said" 2>&1 || { cat "$T/said"; exit 1; }
demo_key >/dev/null 2>&1
demo_build "$T/demo.tar.zst" >"$T/said" 2>&1 || { cat "$T/said"; exit 1; }
demo_gone
note "the big bundle has $(stat -c %s "$T/demo.tar.zst") bytes"
cp tests/data/vectors/ed25519.tar.zst "$T/small.tar.zst"
mkdir -p "$T/trust-small"
cp tests/data/vectors/ed25519.pub "$T/trust-small/"
chmod -R go-w "$T/trust" "$T/trust-small"

ok 'the big bundle is good' "$bundler" verify "$T/demo.tar.zst" --trust "$T/trust"
ok 'the small bundle is good' "$bundler" verify "$T/small.tar.zst" --trust "$T/trust-small"
head='frame0 head'
all="$head P1 P2 P3 end seek"
refused 'bundler verify refuses each flip of a small bundle' 5 $((flips * 2 / 5)) "$T/small.tar.zst" "$all" -- \
	"$bundler" verify "$T/small.tar.zst" --trust "$T/trust-small"
refused 'deployer verify refuses each flip of a big bundle' 5 $((flips * 2 / 5)) "$T/demo.tar.zst" "$all" -- \
	"$deployer" verify "$T/demo.tar.zst" --trust "$T/trust"
refused 'bundler inspect refuses each flip of the head, quickly' 1 $((flips / 10)) "$T/demo.tar.zst" "$head" -- \
	"$bundler" inspect "$T/demo.tar.zst" --trust "$T/trust"

export XDG_STATE_HOME="$T/state"
if stand_discard site; then
	refused 'deployer push refuses each flip of the head, quickly' 1 $((flips / 10)) "$T/demo.tar.zst" "$head" -- \
		"$deployer" push "$T/demo.tar.zst" "$(stand_fact site address)" --plain-http --trust "$T/trust"
	is 'without a request to the registry' "$(curl -sS "$(stand_fact site address)/stats" | jq -r '.requests - 1')" 0
	stand_stop site
else
	skip 'deployer push refuses each flip of the head, quickly' "$B/tests/discard is not built"
fi
