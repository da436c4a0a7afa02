#!/bin/sh
# clearml-sites.sh: what manifests/clearml makes of site files: every example and mode rendered, against texts that were
# read by people (tests/data/clearml/*.yaml), and what is said about site files that are wrong (broken.txt). The scripts
# of the backups are run out of these texts.
#
#   UPDATE=1 sh tests/cli/clearml-sites.sh      writes these texts anew, for review with git diff
set -u
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
helm=$(sh -c '. scripts/versions && echo "$helm3"')
[ -x "$helm" ] || skip_all "helm is not in the cache: scripts/deps test"
need python3 openssl
bundler=$PWD/$B/bin/bundler
case $B in /*) bundler=$B/bin/bundler ;; esac
export XDG_CACHE_HOME="$T/cache" PATH="${helm%/*}:$PATH"
data=$PWD/tests/data/clearml
S=$T/stack/clearml
mkdir -p "$S"
cp -r manifests/clearml/site "$S/site"
cp -r manifests/airgap "$T/stack/airgap"
mkdir -p "$S/site/charts"
printf 'apiVersion: airgap/v1\nkind: Manifest\nmetadata: {name: clearml, version: 1.0.0}\nkubernetes: {version: "1.33"}\nsite: site\n' >"$S/bundle.yaml"

# site FILE YAML - YAML (\n for more lines) below those of the four lines that it does not give itself.
site() {
	printf 'apiVersion: airgap/v1\nkind: Site\n' >"$1"
	for above in 'registry: {host: "r:5000"}' 'domain: ml.example' 'loadBalancer: {pools: [10.0.0.1-10.0.0.9]}' 'tls: {mode: generate}'; do
		case "$2" in "${above%%:*}:"*) ;; *) printf '%s\n' "$above" >>"$1" ;; esac
	done
	printf '%b\n' "$2" >>"$1"
}

# ---- wrong ones: what the program says of each
said() { (cd "$S" && "$bundler" lock bundle.yaml --site site.yaml -o "$T/lock" 2>&1 | sed -n 's/^error: //p' | tail -n 1); }
grep -v '^#' "$data/broken.txt" | while IFS= read -r line; do
	case $line in "	"*) continue ;; esac
	site "$S/site.yaml" "$line"
	printf '%s\n\t%s\n' "$line" "$(said)"
done >"$T/broken"
if [ -n "${UPDATE:-}" ]; then
	{ grep '^#' "$data/broken.txt"; cat "$T/broken"; } >"$T/new"
	cp "$T/new" "$data/broken.txt"
fi
grep -v '^#' "$data/broken.txt" >"$T/wanted"
n=0
while IFS= read -r line && IFS= read -r want; do
	n=$((n + 1))
	is "refused: $line" "$(sed -n "$((2 * n))p" "$T/broken")" "$want"
done <"$T/wanted"
is 'there are at least sixty of them' "$([ "$n" -ge 60 ] && echo yes)" yes

# ---- no key that nothing reads: each name stands in a template
python3 - >"$T/unread" <<-END
	import glob, json, re
	schema = json.load(open("manifests/clearml/site/values.schema.json"))
	text = "".join(open(f).read() for f in glob.glob("manifests/clearml/site/templates/*"))
	ours = {"apiVersion", "kind", "airgap", "global", "registry", "kubernetes"}
	def leaves(o, path):
	    for key, sub in (o.get("properties") or {}).items():
	        if not path and key in ours: continue
	        yield from leaves(sub, path + [key]) if sub.get("properties") else [path + [key]]
	for path in leaves(schema, []):
	    if not re.search(r"\b" + re.escape(path[-1]) + r"\b", text): print(".".join(path))
END
is 'every key of a site file stands in a template' "$(cat "$T/unread")" ''

# ---- right ones: the steps of each example, and of each mode the release that it is about
cp -r "$T/stack/airgap" "$S/site/charts/airgap"
sed -i '/^dependencies/,$d' "$S/site/Chart.yaml"
render() { "$helm" template site "$S/site" -f "$1" --kube-version 1.33; }
compare() {
	[ -z "${UPDATE:-}" ] || cp "$T/out" "$data/$1.yaml"
	is "as it was read: $1" "$(diff "$data/$1.yaml" "$T/out" 2>&1 | head -n 20)" ''
}
for example in manifests/clearml/examples/*.yaml; do
	render "$example" 2>&1 | python3 tests/data/clearml/steps.py list >"$T/out"
	compare "steps-$(basename "$example" .yaml)"
done
while IFS='	' read -r name step yaml; do
	case $name in '' | '#'*) continue ;; esac
	site "$S/site.yaml" "$yaml"
	render "$S/site.yaml" 2>&1 | python3 tests/data/clearml/steps.py "$step" >"$T/out"
	compare "$name"
done <"$data/modes.txt"

# ---- the scripts of the backups, out of these texts, with a database that may fail
mkdir -p "$T/run/backup" "$T/run/tmp" "$T/run/secrets/s" "$T/run/certificate" "$T/run/bin"
# shellcheck disable=SC2016
printf '#!/bin/sh\nfor a; do case $a in --archive=*) echo dump >"${a#--archive=}" ;; esac; done\n[ -z "${BAD:-}" ] || kill -9 $$ $PPID\n' >"$T/run/bin/mongodump"
chmod +x "$T/run/bin/mongodump"
echo k >"$T/run/secrets/s/key"
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=b -keyout "$T/run/b.key" -out "$T/run/certificate/backup.pem" 2>/dev/null
# The text of a block, as the container has it, with its folders below $T/run.
# shellcheck disable=SC2016
script() { sed -n '/^ *- |$/,/^ *[a-zA-Z]*:/p' "$data/$1.yaml" | sed -e '1d;$d' -e 's/\$\$(/$(/' -e "s,/\(backup\|tmp\|secrets\|certificate\)\([/ ]\),$T/run/\1\2,g"; }
run() { (PATH="$T/run/bin:$PATH" URI=x exec sh -ec "$(script "$1")") >/dev/null 2>&1; }
kept() { (cd "$T/run/backup" && echo *); }
for day in 01 02 03 04 05 06 07 08 09 10 11 12 13 14; do : >"$T/run/backup/mongodb-202001$day-020000.gz"; done
: >"$T/run/backup/mongodb-mine.gz"
BAD=1 run backup
is 'a dump that is killed has no name, and removes nothing' "$? $(kept | tr ' ' '\n' | grep -c '\.gz$') $(kept | tr ' ' '\n' | grep -c '\.part$')" '137 15 1'
run backup
is 'a good one takes its place, what was left goes, and the oldest; not what is not its own' \
	"$? $(kept | tr ' ' '\n' | grep -vc '^mongodb-2020') $(kept | grep -c '20200101\|part') $(kept | grep -c '20200102.*mongodb-mine')" '0 2 0 1'
rm -f "$T/run/backup"/*
run backup-secrets
is 'secrets can be read with the key' "$? $(openssl cms -decrypt -inform DER -binary -in "$T/run/backup"/secrets-*.cms -inkey "$T/run/b.key" | tar -xOf - ./s/key)" '0 k'
rm -f "$T/run/backup"/* "$T/run/tmp"/*
ln -s nowhere "$T/run/secrets/s/gone"
run backup-secrets
is 'secrets that were not read whole are no backup' "$? $(kept | grep -c 'cms$')" '1 0'
