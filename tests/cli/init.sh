#!/bin/sh
# `deployer init`: a site file to begin with, out of the site chart of a bundle, that helm and the schema take.
set -u
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
helm=$(sh -c '. scripts/versions && echo "$helm3"')
[ -x "$helm" ] || skip_all "helm is not in the cache: scripts/deps test"
deployer=$B/bin/deployer
export HOME="$T/home" XDG_CONFIG_HOME="$T/config" XDG_STATE_HOME="$T/state"
mkdir -p "$HOME" "$T/trust"
"$B/tests/bundle" "$T/b" "new:$T/k.key" site=manifests/demo/site >/dev/null
cp "$T/k.key.pub" "$T/trust/k.pub"
chmod 755 "$T/trust"
init() { "$deployer" init "$T/b" --trust "$T/trust" "$@" </dev/null; }

ok 'answers become a file' init -o "$T/site.yaml" --set registry.host=reg.site:5000 --set page.title='Hello: all' --set worker.intervalSeconds=9
like 'with its title' "$(cat "$T/site.yaml")" '^# Site file of the demo$'
like 'a key with what it means' "$(cat "$T/site.yaml")" '# Host, with port, under which the nodes pull.'
like 'what was not answered is open' "$(cat "$T/site.yaml")" 'username: "".*fill in'
like 'and every other key as a comment' "$(cat "$T/site.yaml")" '^# networkPolicy: true$'
cp -r manifests/demo/site "$T/chart"
mkdir -p "$T/chart/charts"
cp -r manifests/airgap "$T/chart/charts"
ok 'helm and the schema take it' "$helm" template x "$T/chart" -f "$T/site.yaml"
like 'and what was said is in what it makes' "$("$helm" template x "$T/chart" -f "$T/site.yaml")" 'Hello: all'
is 'it is for its owner alone' "$(stat -c %a "$T/site.yaml")" 600
cp "$T/site.yaml" "$T/before"
fails 'it overwrites nothing' 2 init -o "$T/site.yaml"
ok 'what was there is as it was' cmp "$T/site.yaml" "$T/before"
fails 'a misspelt key is refused' 2 init -o - --set registry.hots=x
like 'with the nearest one' "$(init -o - --set registry.hots=x 2>&1)" "did you mean host"
fails 'so is a value the schema does not know' 2 init -o - --set profile=root
fails 'a bundle nobody trusts gives nothing' 12 "$deployer" init tests/data/vectors/p256.tar.zst --trust "$T/trust" -o "$T/none"
ok 'and no file' test ! -e "$T/none"
ok "a stack's folder will do, before there is a bundle" "$deployer" init manifests/demo -o "$T/early.yaml" -y --set registry.host=reg.site:5000 --set page.title='Hello: all' --set worker.intervalSeconds=9
ok 'and makes the same' cmp "$T/early.yaml" "$T/site.yaml"
fails "a folder without a site chart is no bundle either" 17 "$deployer" init tests/data -o "$T/none"
