#!/bin/sh
# chart-sources.sh: provenance files made by the real helm and gpg, good, bad, missing and by others; dependencies that a
# chart lacks, fetched and put in; the source that the credentials at hand fit.
# shellcheck disable=SC2317,SC2016 # functions are called through ok
set -u
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
need python3 gpg gpgv docker-registry zstd tar
bundler=$(realpath "$B/bin/bundler" 2>/dev/null) || skip_all "bundler is not built"
[ -x "$helm3" ] || skip_all "helm is not here: run scripts/deps test"
w=$T/w
mkdir -p "$w" "$T/gpg" "$T/repo" "$T/private" "$T/charts"
export HOME="$T" XDG_CACHE_HOME="$T/cache" SOURCE_DATE_EPOCH=1700000000 GNUPGHOME="$T/gpg"
chmod 700 "$T/gpg"
PATH=$(dirname "$helm3"):$PATH

# ---- keys and charts
for who in maker stranger; do
	gpg -q --batch --passphrase '' --quick-gen-key "$who@example" rsa2048 sign never 2>/dev/null
	gpg -q --batch --export "$who@example" >"$w/$who.gpg"
done
gpg -q --batch --export-secret-keys >"$T/secret.gpg"
gpg -q --batch --armor --export maker@example >"$w/maker.asc"

# chart DIR NAME VERSION [MORE OF CHART.YAML]
chart() {
	mkdir -p "$1/templates"
	printf 'apiVersion: v2\nname: %s\nversion: %s\n%s\n' "$2" "$3" "${4:-}" >"$1/Chart.yaml"
	printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "{{ .Chart.Name }}"}\ndata: {version: "{{ .Chart.Version }}"}\n' >"$1/templates/c.yaml"
}
# package DIR TO [KEY]
package() {
	if [ -n "${3:-}" ]; then
		"$helm3" package "$1" -d "$2" --sign --key "$3" --keyring "$T/secret.gpg" >/dev/null
	else
		"$helm3" package "$1" -d "$2" >/dev/null
	fi
}
for v in 1.0.0 1.1.0 1.2.0; do chart "$T/src" web $v && package "$T/src" "$T/repo" maker; done
chart "$T/src" bare 1.0.0 && package "$T/src" "$T/repo"
chart "$T/src" odd 1.0.0 && package "$T/src" "$T/repo" stranger
chart "$T/src" bent 1.0.0 && package "$T/src" "$T/repo" maker
sed -i 's/version: 1.0.0/version: 1.0.1/' "$T/repo/bent-1.0.0.tgz.prov"
chart "$T/src" other 1.0.0 && package "$T/src" "$T/repo" maker
cp "$T/repo/web-1.0.0.tgz.prov" "$T/repo/other-1.0.0.tgz.prov"
chart "$T/src" again 1.0.0 && package "$T/src" "$T/repo" maker
chart "$T/src" again 1.0.0 'description: another one' && package "$T/src" "$T/charts" && mv "$T/charts/again-1.0.0.tgz" "$T/repo"
for v in 1.0.0 1.3.0 2.0.0; do chart "$T/src" lib $v && package "$T/src" "$T/repo"; done
chart "$T/src" secret 1.0.0 && package "$T/src" "$T/private"
printf 'canary-charts-Hn4\n' >"$T/password"
stand_chartrepo open "$T/repo"
stand_chartrepo closed "$T/private" --auth basic --password-file "$T/password"
stand_registry main
open=$(stand_fact open url) closed=$(stand_fact closed url) registry=$(stand_fact main address)
for c in web-1.2.0 bare-1.0.0; do "$helm3" push "$T/repo/$c.tgz" "oci://$registry/charts" --plain-http >/dev/null 2>&1; done
chart "$T/src" dock 3.0.0 && package "$T/src" "$T/charts" && "$helm3" push "$T/charts/dock-3.0.0.tgz" "oci://$registry/charts" --plain-http >/dev/null 2>&1

# manifest CHART...
manifest() {
	cat >"$w/b.yaml" <<END
apiVersion: airgap/v1
kind: Manifest
metadata: {name: charts, version: 1.0.0}
kubernetes: {version: "1.32"}
hosts:
  "${open#http://}": {plainHTTP: true}
  "${closed#http://}": {plainHTTP: true, username: robot, password: env:CHART_PASSWORD}
  "$registry": {plainHTTP: true}
charts:
END
	for c; do echo "  - $c" >>"$w/b.yaml"; done
}
CHART_PASSWORD=$(cat "$T/password")
export CHART_PASSWORD
lock() { (cd "$w" && rm -f b.lock.yaml && "$bundler" lock --no-progress b.yaml "$@"); }
build() { (cd "$w" && "$bundler" build --no-progress b.lock.yaml -o "$1"); }
said() { grep '^error:' "$T/said"; }
warned() { python3 -c 'import json, sys; print(" ".join(json.load(open(sys.argv[1])).get("warnings", [])))' "$w/b.lock.yaml"; }
# chart_of KEY - of the first chart
chart_of() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["contents"]["charts"][0][sys.argv[2]])' "$w/b.lock.yaml" "$1"; }
refused() {
	fails "$1" "$2" lock
	like 'it says so' "$(said)" "$3"
}
sum() { sha256sum "$1" | cut -d ' ' -f 1; }

# ---- provenance
signed() { manifest "{name: $1, version: '${3:-}', repository: \"$2\", keyring: \"${4:-file:maker.gpg}\"}"; }
signed web "$open" '^1'
ok 'a chart with its provenance file' lock
is 'is the one that was signed' "$(chart_of archive)" "sha256:$(sum "$T/repo/web-1.2.0.tgz")"
signed web "$open" 1.1.0 maker.asc
ok 'a keyring may be armoured' lock
signed web "oci://$registry/charts" 1.2.0
ok 'out of a registry, where it is a layer' lock
is 'the same archive' "$(chart_of archive)" "sha256:$(sum "$T/repo/web-1.2.0.tgz")"
manifest '{name: web, path: ../repo/web-1.0.0.tgz, keyring: maker.gpg}'
ok 'an archive on disk, with the file beside it' lock
signed bare "$open" 1.0.0
refused 'no provenance file' 10 "chart 'bare': has no provenance file at '$open/bare-1.0.0.tgz.prov'"
signed bare "oci://$registry/charts" 1.0.0
refused 'none in a registry' 10 "chart 'bare': has no provenance file, and the manifest names a keyring for it"
manifest '{name: bare, path: ../repo/bare-1.0.0.tgz, keyring: maker.gpg}'
refused 'none on disk' 10 "chart 'bare': has no provenance file"
signed bent "$open" 1.0.0
refused 'a provenance file that was altered' 11 "chart 'bent': provenance: its signature does not fit"
signed other "$open" 1.0.0
refused 'that of another chart' 11 "chart 'other': provenance: vouches for web 1.0.0 in 'web-1.0.0.tgz', not for other 1.0.0"
signed odd "$open" 1.0.0
refused 'one by a key that is not in the keyring' 12 "chart 'odd': provenance: signed by key [0-9A-F]*, which is not in"
signed odd "$open" 1.0.0 stranger.gpg
ok 'unless it is' lock
signed again "$open" 1.0.0
refused 'one of another archive' 14 "chart 'again': provenance: vouches for an archive with sha256:[0-9a-f]*, this one has sha256:$(sum "$T/repo/again-1.0.0.tgz")"
manifest '{name: web, path: ../src, keyring: maker.gpg}'
refused 'a folder' 2 "keyring: '../src' is a folder, which has no provenance file"
signed web "$open" 1.0.0 lost.gpg
refused 'a keyring that is not there' 31 'lost.gpg'

# ---- dependencies
needs='dependencies: [{name: lib, version: 1.x, repository: "'$open'"}, {name: dock, version: ">=2", repository: "oci://'$registry'/charts", alias: quay}, {name: lib, version: 2.x, repository: "'$open'", alias: newer}]'
chart "$T/src" needy 1.0.0 "$needs"
tar -czf "$T/charts/needy-1.0.0.tgz" -C "$T" --transform 's,^src,needy,' src
manifest '{name: needy, path: ../charts/needy-1.0.0.tgz}'
ok 'a chart that lacks what it needs' lock
like 'gets it, which is told' "$(warned)" "chart 'needy': packed again with lib-1.3.0.tgz, dock-3.0.0.tgz, lib-2.0.0.tgz in its charts/ folder; upstream's archive is sha256:$(sum "$T/charts/needy-1.0.0.tgz")"
like 'the lock has both digests' "$(cat "$w/b.lock.yaml")" "\"archive\": \"sha256:$(sum "$T/charts/needy-1.0.0.tgz")\""
whole=$(chart_of archive)
ok 'it is built' build "$T/a.zst"
rm -rf "$T/cache"
ok 'and without the cache' build "$T/b.zst"
ok 'the same bytes' cmp "$T/a.zst" "$T/b.zst"
mkdir "$T/x" && zstd -dcq "$T/a.zst" | tar -xf - -C "$T/x"
cp "$T/x/blobs/sha256/${whole#sha256:}" "$T/whole.tgz"
like 'helm renders it' "$("$helm3" template "$T/whole.tgz" | tr '\n' ' ')" 'version: "3.0.0".*version: "1.3.0"|version: "1.3.0".*version: "3.0.0"'
mv "$T/repo/lib-1.3.0.tgz" "$T/lib.tgz" && chart "$T/lib2" lib 1.3.0 'description: changed' && package "$T/lib2" "$T/repo"
rm -rf "$T/cache"
fails 'a dependency that is another one at build' 14 build "$T/c.zst"
mv "$T/lib.tgz" "$T/repo/lib-1.3.0.tgz"
printf 'dependencies:\n- {name: lib, repository: "%s", version: 1.0.0}\n- {name: dock, repository: "oci://%s/charts", version: 3.0.0}\n- {name: lib, repository: "%s", version: 2.0.0}\ndigest: sha256:00\n' \
	"$open" "$registry" "$open" >"$T/src/Chart.lock"
manifest '{name: needy, path: ../src}'
ok 'a folder with a Chart.lock' lock
like 'gets what is locked' "$(warned)" "packed with lib-1.0.0.tgz, dock-3.0.0.tgz, lib-2.0.0.tgz in its charts/ folder"
ok 'it is built' build "$T/d.zst"
rm -rf "$T/cache"
ok 'and again without the cache' build "$T/e.zst"
ok 'the same bytes' cmp "$T/d.zst" "$T/e.zst"
sed -i 's/version: 1.0.0}$/version: 2.0.0}/' "$T/src/Chart.lock"
refused 'a Chart.lock that does not fit' 18 "its charts/ folder lacks lib 1.x: Chart.lock is out of step with Chart.yaml"
rm "$T/src/Chart.lock"
manifest "{name: needy, path: ../charts/needy-1.0.0.tgz, patch: {kubeVersion: '>=1.20.0-0'}}"
ok 'with another kubeVersion, too' lock
ok 'it is built' build "$T/f.zst"
rm -rf "$T/cache"
ok 'and without the cache' build "$T/g.zst"
ok 'the same bytes' cmp "$T/f.zst" "$T/g.zst"
cp "$T/charts/needy-1.0.0.tgz" "$T/repo" && "$helm3" push "$T/repo/needy-1.0.0.tgz" "oci://$registry/charts" --plain-http >/dev/null 2>&1
manifest "{name: needy, repository: \"oci://$registry/charts\"}"
ok 'out of a registry' lock
is 'it is the same archive' "$(chart_of archive)" "$whole"
ok 'it is built' build "$T/h.zst"
rm -rf "$T/cache"
ok 'and without the cache' build "$T/i.zst"
ok 'the same bytes' cmp "$T/h.zst" "$T/i.zst"
manifest "{name: needy, repository: \"$open\"}"
ok 'and out of a repository' lock
is 'still the same' "$(chart_of archive)" "$whole"
# lacks DEPENDENCY - a folder that needs it
lacks() { chart "$T/src" needy 1.0.0 "dependencies: [$1]" && manifest '{name: needy, path: ../src}'; }
lacks '{name: lib, version: 9.x, repository: "'"$open"'"}'
refused 'a version that is not there' 20 "chart 'needy': its charts/ folder lacks lib 9.x: '$open' has no version that satisfies '9.x': the newest is 2.0.0"
lacks '{name: lib, version: 1.x}'
refused 'nowhere to get it' 18 "its charts/ folder lacks lib 1.x: it names no repository to get it from"
lacks '{name: lib, version: 1.x, repository: "@stable"}'
refused 'a name of helm own' 19 "its charts/ folder lacks lib 1.x: '@stable' is a name of somebody's helm configuration"
chart "$T/src" deep 1.0.0 'dependencies: [{name: lib, version: 1.x, repository: "'"$open"'"}]' && tar -czf "$T/repo/deep-1.0.0.tgz" -C "$T" --transform 's,^src,deep,' src
lacks '{name: deep, version: 1.x, repository: "'"$open"'"}'
refused 'one that lacks something itself' 18 "its charts/ folder lacks deep 1.x: its charts/ folder lacks lib 1.x"
lacks '{name: secret, version: 1.x, repository: "'"$closed"'"}'
ok 'one from a repository with a password' lock
like 'is there' "$(warned)" 'packed with secret-1.0.0.tgz'
ok 'and the password nowhere' sh -c "! grep -rq canary- '$w' '$T/cache' '$T/a.zst'"

# ---- the source that fits
several() {
	manifest "{name: ${1:-web}, version: 1.x, sources: [{repository: \"https://no.example\", when: env:FIRST_TOKEN}, {repository: \"$closed\", when: env:SECOND_TOKEN}$2]}"
}
several secret ''
refused 'no variable is set' 21 "chart 'secret': none of its sources can be used: set one of FIRST_TOKEN, SECOND_TOKEN"
export SECOND_TOKEN='' FIRST_TOKEN=''
refused 'an empty one is none' 21 'set one of FIRST_TOKEN, SECOND_TOKEN'
SECOND_TOKEN=x
ok 'the second is' lock
is 'it came from there' "$(chart_of origin)" "$closed"
SECOND_TOKEN=
several web ", {repository: \"$open\"}"
ok 'the last is for everybody' lock
is 'it came from there' "$(chart_of origin)" "$open"
