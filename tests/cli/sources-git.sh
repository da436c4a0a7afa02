#!/bin/sh
# sources-git.sh: charts and mirrors out of git repositories: local ones, and the real `git http-backend` over HTTP with
# a password and over HTTPS with a CA of its own.
# shellcheck disable=SC2317,SC2016 # functions are called through ok
set -u
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
need python3 git openssl zstd tar
bundler=$(realpath "$B/bin/bundler" 2>/dev/null) || skip_all "bundler is not built"
deployer=$(realpath "$B/bin/deployer" 2>/dev/null) || skip_all "deployer is not built"
[ -x "$helm3" ] || skip_all "helm is not here: run scripts/deps test"

# ---- repositories
export GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@a GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@a
export HOME="$T" GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000' SOURCE_DATE_EPOCH=1700000000
git config --global init.defaultBranch main
repos=$T/repos w=$T/w
mkdir -p "$repos" "$w"
g() { git -C "$T/src" "$@" >"$T/git.log" 2>&1 || { cat "$T/git.log"; exit 1; }; }

# chart DIR NAME VERSION [MORE OF CHART.YAML]
chart() {
	mkdir -p "$1/templates"
	printf 'apiVersion: v2\nname: %s\nversion: %s\n%s\n' "$2" "$3" "${4:-}" >"$1/Chart.yaml"
	printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n' >"$1/templates/c.yaml"
}
mkdir "$T/src" && g init
chart "$T/src/deploy/web" web 1.0.0 'dependencies: [{name: lib, version: 1.x, repository: "file://../lib"}]'
chart "$T/src/deploy/lib" lib 1.2.0 'type: library'
printf 'notes/\n*.tmp\n' >"$T/src/deploy/web/.helmignore"
mkdir "$T/src/deploy/web/notes" && echo n >"$T/src/deploy/web/notes/n" && echo t >"$T/src/deploy/web/t.tmp"
echo '#!/bin/sh' >"$T/src/deploy/web/run.sh" && chmod +x "$T/src/deploy/web/run.sh"
g add -A && g commit -m one
first=$(git -C "$T/src" rev-parse HEAD)
g tag -a v1.0.0 -m 'version one'
sed -i 's/version: 1.0.0/version: 1.1.0/' "$T/src/deploy/web/Chart.yaml"
g commit -am two && g branch moving
second=$(git -C "$T/src" rev-parse HEAD)
chart "$T/src/linked" linked 1.0.0 && ln -s /etc/passwd "$T/src/linked/values.yaml"
chart "$T/src/fat" fat 1.0.0 && head -c 6000000 /dev/zero >"$T/src/fat/blob"
chart "$T/src/out" out 1.0.0 'dependencies: [{name: lib, version: 1.x, repository: "file://../../../lib"}]'
chart "$T/src/whole" whole 1.0.0 'dependencies: [{name: part, version: 1.x, repository: "file://charts/part"}]'
chart "$T/src/whole/charts/part" part 1.0.0
g add -A && g commit -m three
g update-index --add --cacheinfo "160000,$first,deploy/web/module" && g commit -m four && g branch module
git clone -q --bare "$T/src" "$repos/app.git"
git -C "$repos/app.git" branch -q both "$first" && git -C "$repos/app.git" tag both "$second"
printf 'canary-git-Pw7\n' >"$T/password"

# stand_gitd NAME OPTION...
stand_gitd() {
	d=$T/stand/$1
	shift
	mkdir -p "$d"
	start_server "$d" gitd tests/stand/gitd.py "$repos" --facts "$d/facts" --log "$d/requests" "$@"
	wait_server "$d" gitd 20 test -s "$d/facts"
}
stand_gitd plain --password-file "$T/password"
tests/stand/cert "$T/ca" server /CN=server DNS:localhost >/dev/null
stand_gitd tls --tls-cert "$T/ca/server.pem" --tls-key "$T/ca/server.key"
plain=$(stand_fact plain url) tls=https://localhost:$(stand_fact tls port)
stand_gitd away --moved "http://localhost:$(stand_fact plain port)"
stand_gitd down --moved "http://localhost:$(stand_fact plain port)" --tls-cert "$T/ca/server.pem" --tls-key "$T/ca/server.key"
away=$(stand_fact away url) down=https://localhost:$(stand_fact down port)

# ---- manifests
export XDG_CACHE_HOME="$T/cache" GIT_PASSWORD='canary-git-Pw7'
PATH=$(dirname "$helm3"):$PATH
# manifest CHARTS [GIT] - $w/b.yaml
manifest() {
	cat >"$w/b.yaml" <<END
apiVersion: airgap/v1
kind: Manifest
metadata: {name: git, version: 1.0.0}
kubernetes: {version: "1.32"}
hosts:
  "${plain#http://}": {plainHTTP: true, username: robot, password: env:GIT_PASSWORD}
  "${tls#https://}": {ca: ../ca/ca.pem}
  "${away#http://}": {plainHTTP: true}
  "${down#https://}": {ca: ../ca/ca.pem}
charts: [$1]
git: [${2:-}]
END
}
web() { printf '{name: web, repository: "%s", ref: "%s", path: deploy/web}' "$1" "$2"; }
lock() { (cd "$w" && rm -f b.lock.yaml && "$bundler" lock --no-progress b.yaml "$@"); }
"$bundler" keygen --type ed25519 "$T/key" >/dev/null 2>&1
mkdir "$T/trust" && cp "$T/key.pub" "$T/trust"
build() { (cd "$w" && "$bundler" build --no-progress b.lock.yaml -o "$1" --key "$T/key.key"); }
extract() { "$deployer" extract "$1" --trust "$T/trust" -o "$T/out" git/app; }
said() { grep '^error:' "$T/said"; }
chart_digest() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["contents"]["charts"][0]["archive"])' "$w/b.lock.yaml"; }
source_of() {
	python3 -c 'import json, sys
for b in json.load(open(sys.argv[1]))["blobs"]:
    for s in b["sources"]:
        if s["kind"] == "git": print(s["location"], s["member"])' "$w/b.lock.yaml"
}

# ---- a chart
manifest "$(web "git+file://../repos/app.git" v1.0.0)"
ok 'a chart at a tag of a local repository' lock
is 'the lock has the commit behind the tag' "$(source_of)" "../repos/app.git $first:deploy/web"
local=$(chart_digest)
ok 'a bundle is built' build "$T/a.zst"
mv "$T/cache" "$T/cache.old"
ok 'and without the cache' build "$T/b.zst"
ok 'the same bytes' cmp "$T/a.zst" "$T/b.zst"
mkdir "$T/x" && zstd -dcq "$T/a.zst" | tar -xf - -C "$T/x"
tar -tzf "$T/x/blobs/sha256/${local#sha256:}" >"$T/names"
is '.helmignore is honoured, and the dependency beside it is put in' "$(tr '\n' ' ' <"$T/names")" \
	'web/.helmignore web/Chart.yaml web/charts/lib/Chart.yaml web/charts/lib/templates/c.yaml web/run.sh web/templates/c.yaml '
manifest "$(web "git+$plain/app.git" v1.0.0)"
ok 'the same over HTTP with a password' lock
is 'is the same archive' "$(chart_digest)" "$local"
posts=$(grep -c POST "$T/stand/plain/requests")
ok 'and once more' lock
is 'no object comes twice' "$(grep -c POST "$T/stand/plain/requests")" "$posts"
manifest "$(web "git+$tls/app.git" v1.0.0)"
ok 'over HTTPS with a CA of its own' lock
is 'is the same, too' "$(chart_digest)" "$local"
manifest "$(web "git+$tls/app.git" "$first")"
ok 'by its commit' lock
is 'still the same' "$(chart_digest)" "$local"
manifest "$(web "git+$tls/app.git" moving)"
ok 'a branch' lock
is 'is resolved to its commit' "$(source_of)" "$tls/app.git $second:deploy/web"
manifest '{name: web, sources: [{repository: "git+https://no.example/x.git", when: env:NOT_SET}, {repository: "git+file://../repos/app.git", ref: v1.0.0, path: deploy/web}]}'
ok 'as one of several sources' lock
is 'it is the same' "$(chart_digest)" "$local"

# ---- a branch that moves
manifest "$(web "git+$plain/app.git" moving)"
ok 'a lock of a branch' lock
moved=$(chart_digest)
git -C "$repos/app.git" branch -qf moving "$first"
rm -rf "$T/cache"
ok 'builds the locked commit after the branch moved, as long as it is in the history' build "$T/c.zst"
like 'it is in the bundle' "$("$bundler" inspect --json "$T/c.zst")" "$moved"
g checkout -q --orphan lonely && echo "a: 1" >"$T/src/deploy/web/values.yaml" && g add deploy && g commit -m lonely
lonely=$(git -C "$T/src" rev-parse HEAD)
git -C "$T/src" push -q "$repos/app.git" lonely:lonely
manifest "$(web "git+$plain/app.git" lonely)"
ok 'a lock of another' lock
git -C "$repos/app.git" branch -qD lonely
rm -rf "$T/cache"
fails 'whose commit is gone' 20 build "$T/d.zst"
like 'is named' "$(said)" "commit $lonely is gone: no branch and no tag of the remote leads to it any more"

# ---- refused
# refused NAME STATUS REGEX
refused() {
	fails "$1" "$2" lock
	like 'it says so' "$(said)" "$3"
}
local_chart() { manifest "{name: $1, repository: \"git+file://../repos/app.git\", path: $2, ref: \"${3:-main}\"}"; }
local_chart whole whole
ok 'a dependency that lies in the chart itself' lock
local_chart linked linked
refused 'a symbolic link' 17 "chart 'linked': .*'values.yaml' is a symbolic link"
local_chart web deploy/web module
refused 'a submodule' 17 "chart 'web': .*'module' is a submodule"
local_chart fat fat
refused 'a huge file' 16 "chart 'fat': .*'blob' has 6000000 bytes: a file of a chart has at most 5242880"
local_chart out out
refused 'a dependency out of the repository' 17 "dependency 'file://../../../lib' is outside of the repository"
local_chart web nowhere
refused 'a folder that is not there' 2 "has no folder 'nowhere' at commit"
local_chart web ../etc
refused 'a path that leads out' 17 "charts\[0\] 'web': path: '../etc' is no folder inside the repository"
local_chart web deploy/web both
refused 'a name that is a branch and a tag' 2 "'both' is a branch and a tag: write refs/heads/both or refs/tags/both"
local_chart web deploy/web v1.0.1
refused 'a tag that is not there' 2 "has no branch and no tag 'v1.0.1': did you mean 'v1.0.0'\?"
local_chart web deploy/web '0123456789012345678901234567890123456789'
refused 'a commit that is not there' 20 'commit 0123456789012345678901234567890123456789 is not there'
manifest '{name: web, repository: "git+ssh://git@host/app.git", path: x}'
refused 'ssh' 19 "repository: ssh is not supported: write https and give a token under hosts"
manifest '{name: web, repository: "https://host/app", ref: v1}'
refused 'a ref that nobody can use' 18 'ref and path belong to a git repository'
manifest "$(web "git+$plain/moved/app.git" v1.0.0)"
ok 'a redirect on its host' lock
is 'leads to the same' "$(chart_digest)" "$local"
manifest "$(web "git+$away/moved/app.git" v1.0.0)"
refused 'to another host it is refused' 25 'the server redirects to another host: write the address it leads to'
manifest "$(web "git+$down/moved/app.git" v1.0.0)"
refused 'as one from https to http' 25 'the server redirects to another host: write the address it leads to'
manifest "$(web "git+$plain/lost.git" main)"
refused 'a repository that is not there' 20 'is not there, or is hidden from this user'
manifest "$(web "git+$tls/app.git" main)" && sed -i '/{ca: .*}/d' "$w/b.yaml"
refused 'a certificate of nobody' 22 "$tls/app.git"
manifest "$(web "git+$plain/app.git" main)" && sed -i 's/plainHTTP: true, //' "$w/b.yaml"
refused 'plain http that nobody allowed' 2 'is plain http: write https, or plainHTTP: true under hosts'
GIT_PASSWORD=canary-wrong-Xy1
tried=$(grep -c '"authorization": true' "$T/stand/plain/requests")
manifest "$(web "git+$plain/app.git" main)"
refused 'a wrong password' 21 'the server refuses this user or password'
is 'is tried once' "$(grep -c '"authorization": true' "$T/stand/plain/requests")" $((tried + 1))
GIT_PASSWORD='canary-git-Pw7'
manifest "$(web "git+$plain/app.git" main)" && sed -i 's/, username.*}/}/' "$w/b.yaml"
refused 'no password' 21 'the server asks who we are: name username and password of its host under hosts'
manifest "$(web "git+$plain/hostile/app.git" "$first")"
refused 'a pack that is none' 18 "$plain/hostile/app.git"

# ---- nothing is left behind, nothing is told
ok 'no password in the lock, the bundles or the cache' sh -c "! grep -rq 'canary-' '$w' '$T/c.zst' '$T/cache'"
manifest "$(web "git+$plain/mute/app.git" main)"
(cd "$w" && exec "$bundler" lock --no-progress b.yaml) >/dev/null 2>&1 &
pid=$!
until pgrep -P "$pid" >/dev/null; do sleep 0.05; done
worker=$(pgrep -P "$pid")
like 'its argv tells nothing' "$(tr '\0' ' ' <"/proc/$worker/cmdline")" '^bundler git-worker $'
kill -9 "$pid"
wait "$pid" 2>/dev/null
sleep 0.3
ok 'a killed program leaves no worker' test -z "$(started_at "$worker")"

# ---- mirrors
manifest '' '{name: app, url: "git+file://../repos/app.git", refs: [main, v1.0.0]}'
ok 'a repository mirrored at two refs' lock
is 'the lock has them' "$(source_of | sed 's/=[0-9a-f]*//g')" '../repos/app.git HEAD refs/heads/main refs/tags/v1.0.0'
ok 'in a bundle' build "$T/m.zst"
ok 'out of which its file comes' extract "$T/m.zst"
ok 'git clones it' git clone -q "$T/out/app/app.bundle" "$T/clone"
is 'with its head' "$(git -C "$T/clone" rev-parse HEAD)" "$(git -C "$repos/app.git" rev-parse main)"
is 'with its tag, annotated' "$(git -C "$T/clone" cat-file -t v1.0.0)" tag
ok 'and git finds it whole' git -C "$T/clone" fsck --strict
git -C "$repos/app.git" repack -qad
rm -rf "$T/cache"
ok 'made again out of a repository that was packed anew' build "$T/n.zst"
ok 'it is the same' cmp "$T/m.zst" "$T/n.zst"
manifest '' "{name: app, url: \"$tls/app.git\"}"
ok 'without refs it is the default branch' lock
is 'which is told' "$(source_of | sed 's/=[0-9a-f]*//g')" "$tls/app.git HEAD refs/heads/main"
manifest '' "{name: app, url: \"$tls/app.git\", refs: [v1.0.0]}"
ok 'a tag alone' lock
ok 'is built' build "$T/t.zst"
rm -rf "$T/out"
ok 'taken out' extract "$T/t.zst"
ok 'and cloned' git clone -q "$T/out/app/app.bundle" "$T/clone2"
