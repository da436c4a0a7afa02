#!/bin/sh
# memory.sh: a bundle that is larger than any memory they are given: built in 256 MiB, verified and pushed in 64 MiB, the
# push without a byte of disk. SIZE (4608; or 20G) is the bundle's size in MiB; it takes that much disk.
# shellcheck disable=SC2317 # functions are called through ok
set -u
[ "$(id -u)" = 0 ] || ! sudo -n true 2>/dev/null || exec sudo -nE env "PATH=$PATH" "HOME=$HOME" sh "$0"
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
# shellcheck source=tests/demolib.sh
. tests/demolib.sh
need root
need_programs
[ -x "$B/tests/discard" ] || skip_all "$B/tests/discard is not built"
[ -z "${SANITIZE:-}" ] || skip_all 'a sanitizer takes memory of its own'
size=${SIZE:-4608}
case $size in
*G) size=$((${size%G} * 1024)) ;;
esac
room=$(df -m --output=avail "$T" | tail -n 1)
[ "$room" -gt $((size + 4096)) ] || skip_all "$T: $room MB free, $((size + 4096)) needed: set TMPDIR or SIZE"

# ---- a control group
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
	group=/sys/fs/cgroup/airgap-memory-$$
	echo +memory >/sys/fs/cgroup/cgroup.subtree_control 2>/dev/null
	mkdir "$group" 2>/dev/null
	limit=$group/memory.max swap=$group/memory.swap.max swap_off=0
else
	group=/sys/fs/cgroup/memory/airgap-memory-$$
	mkdir "$group" 2>/dev/null
	limit=$group/memory.limit_in_bytes swap=$group/memory.swappiness swap_off=0
fi
if ! [ -w "$limit" ]; then
	rmdir "$group" 2>/dev/null
	skip_all 'this machine lets nobody limit memory by control group'
fi
[ ! -w "$swap" ] || echo "$swap_off" >"$swap"

cat >"$T/measure.py" <<'END'
"""measure.py GROUP COMMAND...: COMMAND in that control group; then says in KEY=VALUE what it took, and ends as it did."""
import os, sys, time

begun = time.monotonic()
pid = os.fork()
if pid == 0:
    with open(os.path.join(sys.argv[1], "cgroup.procs"), "w") as f:
        f.write(str(os.getpid()))
    os.execvp(sys.argv[2], sys.argv[2:])
os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
seconds = time.monotonic() - begun
with open(f"/proc/{pid}/io") as f:
    io = dict(line.split(": ") for line in f.read().splitlines())
_, status, usage = os.wait4(pid, 0)
print(f"rss={usage.ru_maxrss // 1024}", f"read={int(io['rchar']) >> 20}", f"wrote={int(io['write_bytes'])}", f"seconds={seconds:.1f}",
      f"cpu={usage.ru_utime + usage.ru_stime:.1f}")
code = os.waitstatus_to_exitcode(status)
sys.exit(code if code >= 0 else 128 - code)
END

# within MIB COMMAND...
within() {
	echo $(($1 << 20)) >"$limit" || return 1
	shift
	python3 "$T/measure.py" "$group" "$@" --no-progress
}
took() { tail -n 1 "$T/took" | tr ' ' '\n' | sed -n "s/^$1=//p"; }
tell() {
	cp "$T/said" "$T/took"
	note "$1: peak $(took rss) MiB, $(took read) MiB read, $(($(took wrote) >> 20)) MiB written, $(took seconds) s ($(took cpu) s of a core)"
}

# ---- content: an image from a registry, and one huge file (zeros: only its size matters, it is stored as it is)
mkdir -p "$T/stack"
tests/stand/images "$T/images" big --size 512 --layers 4 >/dev/null
stand_registry upstream || exit 1
stand_push upstream "$T/images/big" demo/big:1.0 >/dev/null || exit 1
rm -rf "$T/images"
truncate -s "$((size - 512))M" "$T/stack/huge.run"
cat >"$T/stack/bundle.yaml" <<END
apiVersion: airgap/v1
kind: Manifest
metadata: {name: huge, version: 1.0.0, stream: example/huge}
platforms: [linux/amd64]
kubernetes: {version: "1.36"}
aliases: {registry.example.com: "$(stand_fact upstream address)"}
hosts: {"$(stand_fact upstream address)": {plainHTTP: true}}
images: [{ref: "registry.example.com/demo/big:1.0"}]
files: [{name: huge, path: huge.run, mode: 644}]
END
demo_key >/dev/null 2>&1
export XDG_CACHE_HOME="$T/cache" XDG_STATE_HOME="$T/state"

ok "a bundle of $size MiB is built in 256 MiB" within 256 "$bundler" build "$T/stack/bundle.yaml" --key "$T/demo.key" -o "$T/huge.tar.zst"
tell build
[ -f "$T/huge.tar.zst" ] || exit 1
bytes=$(stat -c %s "$T/huge.tar.zst")
ok 'it writes each byte once' test "$(took wrote)" -le $((bytes + bytes / 50 + (16 << 20)))
is 'and keeps no copy' "$(du -sm "$T/cache" | awk '{ print ($1 < 16) ? "small" : $1 " MB" }')" small
stand_stop upstream
rm -rf "$T/stand/upstream"
# What was written lies in memory as dirty pages and is not what is measured now.
sync "$T/huge.tar.zst"

ok 'it is verified in 64 MiB' within 64 "$bundler" verify "$T/huge.tar.zst" --trust "$T/trust"
tell verify
stand_discard site || exit 1
address=$(stand_fact site address)
ok 'it is pushed in 64 MiB' within 64 "$deployer" push "$T/huge.tar.zst" "$address/demo" --plain-http --trust "$T/trust"
tell push
ok 'without writing to a disk' test "$(took wrote)" -le $((1 << 20))
ok 'and reading each byte once' test "$(took read)" -le $(((bytes + bytes / 50 >> 20) + 16))
ok 'the registry got all of it' test "$(curl -sS "$address/stats" | jq .bytes)" -ge $((size << 20))
ok 'it is pushed again' within 64 "$deployer" push "$T/huge.tar.zst" "$address/demo" --plain-http --trust "$T/trust"
tell 'push again'
ok 'inspected in an instant' within 64 "$bundler" inspect "$T/huge.tar.zst" --trust "$T/trust"
tell inspect
rmdir "$group"
