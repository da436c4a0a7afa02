#!/bin/sh
# lock-hosts.sh: `bundler lock` and `build` where hosts are mute, gone, closed to us or other than the manifest says; and
# the words for it: one line for a host, one subject in a line, and what to do.
# shellcheck disable=SC2317 # functions are called through ok
set -u
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
need python3 skopeo docker-registry openssl
bundler=$(realpath "$B/bin/bundler" 2>/dev/null) || skip_all "bundler is not built"
w=$T/w
mkdir -p "$w/web/templates" "$T/stand/hosts" "$w/www" "$T/bin"
export XDG_CACHE_HOME="$T/cache" SOURCE_DATE_EPOCH=1700000000 HOME="$T/home"
unset REGISTRY_AUTH_FILE DOCKER_CONFIG XDG_RUNTIME_DIR XDG_CONFIG_HOME HELM_REGISTRY_CONFIG

# manifest NAME HOSTS LINES - a manifest $w/NAME.yaml
manifest() {
	printf 'apiVersion: airgap/v1\nkind: Manifest\nmetadata: {name: w, version: 1.0.0}\nkubernetes: {version: "1.32"}\nhosts: {%s}\n%s\n' \
		"$2" "$3" >"$w/$1.yaml"
}
# refs HOST N - N images of a host
refs() { echo 'images:' && seq "$2" | sed "s,.*,  - {ref: \"$1/demo/a:&\"},"; }
lock() { (cd "$w" && "$bundler" lock "$@"); }
errors() { grep -c '^error:' "$T/said"; }
said() { grep '^error:' "$T/said" | head -n 1; }

# ---- a mute server, asked while the rest goes on
mute=$(free_port)
start_server "$T/stand/hosts" mute python3 -c "
import socket, time
s = socket.create_server(('127.0.0.1', $mute), backlog=64)
lines = []
while True:
    lines.append(s.accept())"
wait_server "$T/stand/hosts" mute 10 python3 -c "import socket; socket.create_connection(('127.0.0.1', $mute))" 2>/dev/null
manifest mute "\"127.0.0.1:$mute\": {plainHTTP: true}" "$(refs "127.0.0.1:$mute" 11)"
began=$(date +%s)
{ lock --no-progress mute.yaml >"$T/mute.said" 2>&1; echo $? >"$T/mute.status"; date +%s >"$T/mute.end"; } &
waiting=$!

# ---- nobody there
gone=$(free_port)
manifest gone "\"127.0.0.1:$gone\": {plainHTTP: true}" "$(refs "127.0.0.1:$gone" 11)"
fails 'a port where nobody listens' 20 lock gone.yaml
is 'is one line, and one that counts' "$(errors)" 2
like 'with port, number and names' "$(said)" \
	"^error: host '127.0.0.1:$gone': no connection \(.*\): 11 images are to come from there: 127.0.0.1:$gone/demo/a:1, 127.0.0.1:$gone/demo/a:10, 127.0.0.1:$gone/demo/a:11, …$"
like 'which is right' "$(tail -n 1 "$T/said")" '^error: 11 images cannot be resolved'

manifest gone1 "\"127.0.0.1:$gone\": {plainHTTP: true}" "$(refs "127.0.0.1:$gone" 1)"
fails 'for one image' 20 lock gone1.yaml
like 'each thing is named once' "$(said)" "^error: image '127.0.0.1:$gone/demo/a:1' \(the manifest\): '127.0.0.1:$gone': no connection \("

# ---- a wrong password, one that is not set
stand_registry main --auth token
stand_images "$T/images" app
main=$(stand_fact main address)
stand_push main "$T/images/app" demo/a:1 demo/b:1 >/dev/null
app=$(stand_push main "$T/images/app" demo/pin:1 | sed 's/.* //')
other=sha256:$(printf %064d 7)
printf 'wrong' >"$w/password" && chmod 600 "$w/password"
manifest wrong "\"$main\": {plainHTTP: true, username: robot, password: \"file:password\"}" "$(refs "$main" 35)"
fails 'a wrong password' 21 lock wrong.yaml
is 'is one line, and one that counts' "$(errors)" 2
like 'with the origin of the password' "$(said)" \
	"^error: host '$main': credentials from settings of '$main': token server '127.0.0.1:[0-9]*': .*: 35 images are to come from there: "
is 'it was shown once' "$(grep -c '"status": 401' "$(stand_fact main token-log)")" 1
printf '#!/bin/sh\necho ran >>"%s/helm-ran"\nexit 1\n' "$T" >"$T/bin/helm" && chmod +x "$T/bin/helm"
printf 'apiVersion: v2\nname: web\nversion: 1.0.0\n' >"$w/web/Chart.yaml"
printf 'apiVersion: v1\nkind: X\nmetadata: {name: x}\n' >"$w/web/templates/x.yaml"
manifest unset "\"$main\": {plainHTTP: true, username: robot, password: \"env:NOT_SET\"}" "charts: [{name: web, path: web}]
$(refs "$main" 35)"
PATH=$T/bin:$PATH fails 'a variable that is not set' 2 lock unset.yaml
is 'is one line' "$(grep -c . "$T/said")" 1
like 'which names it' "$(said)" "^error: .*NOT_SET"
ok 'before helm was run' test ! -e "$T/helm-ran"

# ---- a digest that is gone
cp "$(stand_fact main password-file)" "$w/password" && chmod 600 "$w/password"
manifest pin "\"$main\": {plainHTTP: true, username: robot, password: \"file:password\"}" "images: [{ref: \"$main/demo/pin:1@$other\"}]"
fails 'a digest that is not there' 20 lock pin.yaml
like 'its tag is, with another' "$(said)" "^error: image '$main/demo/pin:1@$other' \(the manifest\): is not in '$main/demo/pin': its tag '1' is there and has another digest, $app$"

# ---- plain http and TLS
manifest plain '' "files: [{name: f, url: \"http://127.0.0.1:$gone/f\", sha256: \"$(printf %064d 0)\"}]"
fails 'plain http that is not allowed' 2 lock plain.yaml
like 'with what to write' "$(said)" "plain http to '127.0.0.1:$gone' is not allowed: use https, or write hosts: \{\"127.0.0.1:$gone\": \{plainHTTP: true\}\}"
manifest tls "\"$main\": {username: robot, password: \"file:password\"}" "$(refs "$main" 3)"
fails 'TLS with a server that speaks plain http' 22 lock tls.yaml
like 'with what to write' "$(said)" "^error: host '$main': no TLS connection \(.*\): it seems to speak plain http: write plainHTTP: true for that host"
stand_registry secure --auth none --tls
secure=$(stand_fact secure address)
manifest ca '' "$(refs "$secure" 3)"
fails 'a certificate nobody knows' 22 lock ca.yaml
like 'with what to write' "$(said)" "^error: host '$secure': its certificate is not trusted \(.*\): give the certificate of its authority as ca for that host"

# ---- files whose sha256 is wrong
port=$(free_port)
printf 'one\n' >"$w/www/one" && printf 'and two\n' >"$w/www/two"
start_server "$T/stand/hosts" www python3 -m http.server --bind 127.0.0.1 --directory "$w/www" "$port"
at=http://127.0.0.1:$port
plain="\"127.0.0.1:$port\": {plainHTTP: true}"
sum() { sha256sum "$w/www/$1" | cut -d ' ' -f 1; }
manifest sha "$plain" "files: [{name: one, url: \"$at/one\", sha256: \"$(printf %064d 0)\"}, {name: two, url: \"$at/two\", sha256: \"$(sum two)\"}]"
ok 'a wrong sha256 is not seen by lock' lock sha.yaml
like 'which counts right' "$(cat "$T/said")" '^0 images, 0 charts, 2 files: '
fails 'but by build' 14 sh -c "cd '$w' && '$bundler' build sha.lock.yaml -o '$T/b.zst'"
like 'which names the file' "$(said)" "^error: file 'one': url '$at/one': wanted sha256:0{64}, got sha256:$(sum one)$"
is 'and promises nothing' "$(grep -c 'goes on from there' "$T/said")" 0
manifest same "$plain" "files: [{name: one, url: \"$at/one\", sha256: \"$(sum two)\"}, {name: two, url: \"$at/two\", sha256: \"$(sum two)\"}]"
fails 'the sha256 of another file' 14 lock same.yaml
like 'is the fault of the first' "$(said)" "^error: file 'one': '$at/one': its sha256 is $(sum one), the manifest says $(sum two)$"
manifest same "$plain" "files: [{name: two, url: \"$at/two\", sha256: \"$(sum two)\"}, {name: one, url: \"$at/one\", sha256: \"$(sum two)\"}]"
fails 'and in the other order' 14 lock same.yaml
like 'too' "$(said)" "^error: file 'one': '$at/one': its sha256 is $(sum one)"
manifest lost "$plain" "files: [{name: m, url: \"$at/lost.tgz\", sha256: \"$(printf %064d 1)\", member: x}]"
fails 'a file that is not there' 20 lock lost.yaml
is 'is named once' "$(said | sed 's/ (.*//')" "error: file 'm': '$at/lost.tgz': not there"
manifest one "$plain" "files: [{name: one, url: \"$at/one\", sha256: \"$(sum one)\"}]"
ok 'one file' lock one.yaml
like 'is one file' "$(cat "$T/said")" '1 file: '
manifest repo "$plain" "charts: [{name: x, version: 1.x, repository: \"$at/none\"}]"
fails 'a repository that is none' 20 lock repo.yaml
is 'is named once' "$(said)" "error: chart 'x': '$at/none/index.yaml': not there"

# ---- names
sed 's/name: w,/name: My Trial,/' "$w/one.yaml" >"$w/name.yaml"
fails 'a name with a blank' 18 lock name.yaml
like 'is refused with its line' "$(said)" "^error: name.yaml:3: metadata.name: 'My Trial': takes letters"

# ---- no room
head -c 3000000 /dev/urandom >"$w/www/big.gz"
manifest big '' 'files: [{name: big, path: www/big.gz}]'
ok 'a larger file' lock big.yaml
mkdir "$T/small"
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
	# shellcheck disable=SC2016 # for the inner shell
	fails 'nothing is left on a disk that is too small' 7 unshare -m sh -c 'mount -t tmpfs -o size=1M tmpfs "$1" || exit
		"$2" build --no-progress "$3" -o "$1/b.zst"; [ $? = 30 ] || exit 1; ls "$1"; [ -z "$(ls -A "$1")" ] && exit 7' \
		sh "$T/small" "$bundler" "$w/big.lock.yaml"
else
	skip 'nothing is left on a disk that is too small' 'mounts need root'
fi

# ---- values that nobody reads, and a site file with a typing error
if [ -x "$helm3" ]; then
	mkdir -p "$w/site/templates"
	printf 'apiVersion: v2\nname: the-site\nversion: 1.0.0\n' >"$w/site/Chart.yaml"
	printf 'apiVersion: airgap/v1\nkind: Release\nmetadata: {name: web}\nrelease: {chart: web, name: web, namespace: web}\n' >"$w/site/templates/steps.yaml"
	printf 'a: 1\n' >"$w/v.yaml"
	PATH=$(dirname "$helm3"):$PATH
	manifest values '' 'site: site
charts: [{name: web, path: web, values: [v.yaml]}]'
	ok 'values for a chart that a Release renders' lock values.yaml
	like 'are told' "$(cat "$T/said")" "^warning: chart 'web': its values in the manifest are not used"
	printf 'apiVersion: airgap/v1\nkind: Site\nregistry: {prefx: m}\n' >"$w/site.yaml"
	fails 'a site file with a key that the deployer would refuse' 18 lock values.yaml --site site.yaml
	is 'is refused here, with its line' "$(cat "$T/said")" "error: site.yaml:3: registry: unknown key 'prefx': did you mean 'prefix'?"
	printf 'apiVersion: airgap/v1\nkind: Site\nregistry: {password: "env:X"}\n' >"$w/site.yaml"
	ok 'a reference as the deployer takes it' lock values.yaml --site site.yaml
else
	skip 'values and sites' 'helm is not here'
fi

# ---- and the mute one
wait "$waiting"
is 'a mute server ends a lock' "$(cat "$T/mute.status")" 26
ok 'within 90 s' test "$(($(cat "$T/mute.end") - began))" -le 90
is 'it is said once that it is slow' "$(grep -c "^'127.0.0.1:$mute' has said nothing for 10 s: waiting$" "$T/mute.said")" 1
is 'and once that it is silent' "$(grep -c "^error: host '127.0.0.1:$mute': is silent for too long: 11 images are to come from there" "$T/mute.said")" 1
is 'in two lines of error' "$(grep -c '^error:' "$T/mute.said")" 2
(cd "$w" && exec "$bundler" lock --no-progress mute.yaml) >"$T/said" 2>&1 &
waiting=$!
sleep 2
kill "$waiting"
wait "$waiting"
is 'a signal is told once' "$(grep -c interrupted "$T/said")" 1
is 'and nothing else' "$(errors)" 1
