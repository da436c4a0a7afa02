#!/bin/sh
# credentials.sh: where credentials come from, against a registry that asks for them.
set -u
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
need docker-registry python3 openssl jq curl
fetch=$B/tests/fetch
[ -x "$fetch" ] || skip_all "$fetch is not built: make stands"
HOME=$T/home
mkdir -p "$HOME"
export HOME
unset REGISTRY_AUTH_FILE DOCKER_CONFIG XDG_RUNTIME_DIR XDG_CONFIG_HOME HELM_REGISTRY_CONFIG
unset CLEARML_DOCKERHUB_TOKEN HELM_REPO_TOKEN NGC_API_KEY

stand_registry site --auth token --tls
stand_images "$T/images" --size 3
stand_push site "$T/images/app" web/app:1.0 public/app:1.0 >/dev/null
site=$(stand_fact site address) password=$(stand_fact site password) realm=$(stand_fact site token-realm)
reader=$(stand_fact site reader-password)
: >"$T/all-said"

at_site() {
	"$fetch" "$@" -v --ca "$site=$(stand_fact site ca)" --tries 1 >"$T/output" 2>&1
	status=$?
	tee -a "$T/all-said" <"$T/output"
	return $status
}
pull() { at_site manifest "$site" web/app 1.0 --env "$@"; }
auth() { printf '%s:%s' "$1" "$2" | base64 -w 0; }
file() { jq -n --arg host "$1" --arg auth "$2" '{auths: {($host): {auth: $auth}}}'; }

ok 'what is public needs nobody' at_site manifest "$site" public/app 1.0 --env
fails 'what is not is not there' 21 pull
like 'and the message says both' "$(cat "$T/output")" 'not found or no access'

# ---- references
printf '%s\n' "$password" >"$T/password"
chmod 644 "$T/password"
fails 'a password file for everybody is refused' 21 at_site manifest "$site" web/app 1.0 --user "$site=robot:file:$T/password"
chmod 600 "$T/password"
ok 'a password file' at_site manifest "$site" web/app 1.0 --user "$site=robot:file:$T/password"
ok 'a variable' env P="$password" "$fetch" manifest "$site" web/app 1.0 --ca "$site=$(stand_fact site ca)" --user "$site=robot:env:P"
fails 'a variable that is not set' 2 at_site manifest "$site" web/app 1.0 --user "$site=robot:env:NOT_SET"
fails 'a password in the open' 2 at_site manifest "$site" web/app 1.0 --user "$site=robot:$password"
ln -s /dev/zero "$T/zero"
fails 'a device is no password file' 21 at_site manifest "$site" web/app 1.0 --user "$site=robot:file:$T/zero"
setsid "$fetch" manifest "$site" web/app 1.0 --user "$site=robot:prompt" --ca "$site=$(stand_fact site ca)" </dev/null >"$T/output" 2>&1
is 'a prompt needs a terminal' $? 2

# ---- files
file "$site" "$(auth robot "$password")" >"$T/auth.json"
file "$site" "$(auth robot wrong)" >"$T/wrong.json"
file "$site" x | jq '.auths[].auth = "!!!"' >"$T/broken.json"
ok 'the file of REGISTRY_AUTH_FILE' env REGISTRY_AUTH_FILE="$T/auth.json" "$fetch" manifest "$site" web/app 1.0 --env --ca "$site=$(stand_fact site ca)"
export REGISTRY_AUTH_FILE="$T/wrong.json"
fails 'a wrong password' 21 pull
like 'names the file it came from' "$(cat "$T/output")" "credentials from file '$T/wrong.json'"
REGISTRY_AUTH_FILE=$T/none.json
fails 'a file that is named and not there' 2 pull
REGISTRY_AUTH_FILE=$T/broken.json
fails 'a broken entry' 18 pull
printf '{"auths":' >"$T/cut.json"
REGISTRY_AUTH_FILE=$T/cut.json
fails 'a cut file' 18 pull
unset REGISTRY_AUTH_FILE
mkdir -p "$T/docker" "$T/run/containers" "$HOME/.config/containers" "$HOME/.docker" "$HOME/.config/helm/registry"
for place in "DOCKER_CONFIG=$T/docker $T/docker/config.json" "XDG_RUNTIME_DIR=$T/run $T/run/containers/auth.json" \
	"X=1 $HOME/.config/containers/auth.json" "X=1 $HOME/.docker/config.json" "X=1 $HOME/.config/helm/registry/config.json" \
	"HELM_REGISTRY_CONFIG=$T/helm.json $T/helm.json"; do
	cp "$T/auth.json" "${place#* }"
	ok "${place#* }" env "${place%% *}" "$fetch" manifest "$site" web/app 1.0 --env --ca "$site=$(stand_fact site ca)"
	rm "${place#* }"
done
for key in "https://$site" "https://$site/v2/" "$site/web" "$site/web/app"; do
	file "$key" "$(auth robot "$password")" >"$HOME/.docker/config.json"
	ok "an entry for '$key'" pull
done
file "$site/other" "$(auth robot "$password")" >"$HOME/.docker/config.json"
fails 'an entry for another repository is not used' 21 pull
file "$site/web" "$(auth robot "$password")" | jq --arg h "$site" --arg a "$(auth robot wrong)" '.auths[$h].auth = $a' >"$HOME/.docker/config.json"
ok 'the longest entry wins' pull
printf '{"auths": {"%s": {"username": "robot", "password": "%s"}}}' "$site" "$password" >"$HOME/.docker/config.json"
ok 'username and password' pull
ok 'settings of the host come first' pull --user "$site=reader:file:$(umask 077; echo "$reader" >"$T/reader"; echo "$T/reader")"

# ---- identity tokens
refresh=$(curl -sSf --cacert "$(stand_fact site ca)" "$realm" -d grant_type=password -d service=stand -d client_id=t \
	-d scope=repository:web/app:pull -d username=robot -d access_type=offline --data-urlencode "password=$password" | jq -r .refresh_token)
printf '{"auths": {"%s": {"identitytoken": "%s"}}}' "$site" "$refresh" >"$HOME/.docker/config.json"
ok 'an identity token' pull
printf '{"auths": {"%s": {"identitytoken": "no"}}}' "$site" >"$HOME/.docker/config.json"
fails 'a wrong identity token' 21 pull

# ---- helpers
mkdir "$T/bin"
PATH=$T/bin:$PATH
cat >"$T/bin/docker-credential-good" <<END
#!/bin/sh
[ "\$1" = get ] || exit 3
read -r server
echo "\$server" >>"$T/asked"
[ "\$server" = "$site" ] || { echo 'credentials not found in native keychain'; exit 1; }
printf '{"ServerURL": "%s", "Username": "robot", "Secret": "%s"}' "\$server" "$password"
END
printf '#!/bin/sh\necho boom >&2\nexit 9\n' >"$T/bin/docker-credential-bad"
printf '#!/bin/sh\necho "credentials not found in native keychain"\nexit 1\n' >"$T/bin/docker-credential-none"
printf '#!/bin/sh\nyes\n' >"$T/bin/docker-credential-endless"
printf '#!/bin/sh\necho hello\n' >"$T/bin/docker-credential-text"
printf '#!/bin/sh\nprintf %s\n' "'{\"Username\": \"<token>\", \"Secret\": \"$refresh\"}'" >"$T/bin/docker-credential-token"
chmod +x "$T"/bin/*
store() { jq -n --arg s "$1" '{credsStore: $s}' >"$HOME/.docker/config.json"; }
store good
ok 'a store' pull
jq -n --arg h "$site" '{credHelpers: {($h): "good"}, credsStore: "bad"}' >"$HOME/.docker/config.json"
ok 'a helper of the host, before the store' pull
is 'it was asked for the host' "$(sort -u "$T/asked")" "$site"
store token
ok 'a store that keeps an identity token' pull
store bad
fails 'a store that fails' 21 pull
like 'is named with its words' "$(cat "$T/output")" 'docker-credential-bad exited with 9: boom'
store none
fails 'a store that knows nobody' 21 pull
store endless
fails 'a store without end' 16 pull
store text
fails 'a store that talks nonsense' 18 pull
store missing
fails 'a store that is not there' 21 pull
store '../evil'
fails 'a store with a path' 17 pull
file "$site" '' | jq '. + {credsStore: "good"}' >"$HOME/.docker/config.json"
ok 'an empty entry beside a store' pull

is 'no secret was ever printed' "$(grep -Fc -e "$password" -e "$refresh" -e "$(auth robot "$password")" "$T/all-said")" 0
is 'nor reached the registry but as a token' "$(stand_log site | grep -Fc -e "$password" -e "$refresh")" 0
