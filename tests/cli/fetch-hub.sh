#!/bin/sh
# fetch-hub.sh: Docker Hub's quota, seen before and waited for; proxies only where they are asked for; and what a build says
# before its first byte. Docker Hub is played by a proxy of the test's own, which counts pulls: no name outside is asked.
# shellcheck disable=SC2317 # functions are called through ok
set -u
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
need python3 jq
bundler=$(realpath "$B/bin/bundler" 2>/dev/null) || skip_all "bundler is not built"
export XDG_CACHE_HOME="$T/cache" HOME="$T/home"
unset REGISTRY_AUTH_FILE DOCKER_CONFIG XDG_RUNTIME_DIR XDG_CONFIG_HOME
for name in http_proxy HTTPS_PROXY https_proxy ALL_PROXY all_proxy no_proxy; do unset $name; done
mkdir -p "$T/stand/hub" "$T/w"

# ---- a registry behind a proxy: N images, a pull is a GET of a manifest
cat >"$T/hub.py" <<'PY'
import hashlib, http.server, json, sys, threading, time
limit, folder = int(sys.argv[1]), sys.argv[2]
lock, state = threading.Lock(), {"left": int(sys.argv[3]), "since": time.time()}
blobs, tags = {}, {}
def blob(data, kind):
    d = "sha256:" + hashlib.sha256(data).hexdigest()
    blobs[d] = (data, kind)
    return {"mediaType": kind, "digest": d, "size": len(data)}
for i in range(12):
    layer = blob(b"layer %d" % i, "application/vnd.oci.image.layer.v1.tar+gzip")
    config = blob(json.dumps({"architecture": "amd64", "os": "linux", "i": i, "rootfs": {"type": "layers", "diff_ids": []}}).encode(),
                  "application/vnd.oci.image.config.v1+json")
    kind = "application/vnd.oci.image.manifest.v1+json"
    m = blob(json.dumps({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": [layer]}).encode(), kind)
    tags[f"/v2/demo/a{i}/manifests/1"] = m["digest"]
class Hub(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *a): pass
    def quota(self):
        with lock:
            if time.time() - state["since"] > 1.5 and state["left"] <= 0:
                state.update(left=limit, since=time.time())
            left = state["left"]
        return {"ratelimit-limit": f"{limit};w=21600", "ratelimit-remaining": f"{max(left, 0)};w=21600", "ratelimit-reset": "1"}
    def send(self, status, headers, body=b""):
        self.send_response(status)
        for k, v in headers.items(): self.send_header(k, v)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD": self.wfile.write(body)
    def do_GET(self):
        path = self.path.split("docker.io", 1)[-1]
        with lock:
            with open(folder + "/requests", "a") as f: f.write(f"{self.command} {self.path} {self.headers.get('User-Agent')}\n")
        head, ref = path.rsplit("/", 1)
        digest = tags.get(path) or ref
        if digest not in blobs or not head.endswith(("/manifests", "/blobs")): return self.send(404, {})
        data, kind = blobs[digest]
        extra = {"Content-Type": kind, "Docker-Content-Digest": digest}
        if head.endswith("/manifests"):
            extra.update(self.quota())
            if self.command == "GET":
                with lock:
                    if state["left"] <= 0: data = None
                    state["left"] -= 1; state["since"] = time.time()
                if data is None: return self.send(429, dict(extra, **{"ratelimit-remaining": "0;w=21600"}), b"toomanyrequests")
        self.send(200, extra, data)
    do_HEAD = do_GET
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
s.daemon_threads = True
with open(folder + "/facts", "w") as f: f.write(f"address=127.0.0.1:{s.server_port}\n")
s.serve_forever()
PY
hub() { # LIMIT LEFT
	stand_stop hub
	rm -f "$T/stand/hub/facts" "$T/stand/hub/requests"
	start_server "$T/stand/hub" hub python3 "$T/hub.py" "$1" "$T/stand/hub" "$2"
	wait_server "$T/stand/hub" hub 10 test -s "$T/stand/hub/facts"
	proxy=$(stand_fact hub address)
}
asked() { grep -c -- "$1" "$T/stand/hub/requests"; }
# manifest PROXY N
manifest() {
	printf 'apiVersion: airgap/v1\nkind: Manifest\nmetadata: {name: w, version: 1.0.0}\nkubernetes: {version: "1.32"}\n'
	printf 'hosts: {docker.io: {plainHTTP: true%s, userAgent: "test/1 (site a)"}}\nimages:\n' "$1"
	seq 0 $(($2 - 1)) | sed 's,.*,  - {ref: "docker.io/demo/a&:1"},'
}
lock() { "$bundler" lock "$T/w/w.yaml" --no-progress --no-referrers "$@"; }

# ---- enough is left
hub 100 76
manifest ", proxy: \"http://$proxy\"" 12 >"$T/w/w.yaml"
ok 'a lock with enough pulls left' lock
like 'says so before' "$(cat "$T/said")" '^Docker Hub: 76 of 100 pulls left in 6 h, 12 needed$'
is 'every manifest was got once' "$(asked '^GET .*/manifests/')" 12
is 'by the whole address, as from a proxy' "$(asked '^GET http://registry-1.docker.io/v2/demo/a0/')" 2
is 'as the agent that was set' "$(grep -c 'test/1 (site a)' "$T/stand/hub/requests")" "$(wc -l <"$T/stand/hub/requests")"
before=$(asked '^GET .*/manifests/')
ok 'a second lock' lock
is 'pulls none' "$(($(asked '^GET .*/manifests/') - before))" 0

# ---- too few are left
rm -rf "$T/cache"
hub 5 5
manifest ", proxy: \"http://$proxy\"" 12 >"$T/w/w.yaml"
fails 'told to stop, it stops' 23 lock --quota stop
like 'after it had said how many are needed' "$(cat "$T/said")" \
	'^warning: Docker Hub: 5 of 5 pulls left in 6 h, 12 needed: will wait about 12 h; log in for more$'
like 'with a hint' "$(cat "$T/said")" 'all 5 pulls of 6 h are used: the same command goes on from here'
got=$(asked '^GET .*/manifests/')
ok 'else it waits for more' lock --quota wait
like 'and says until when' "$(cat "$T/said")" 'all 5 pulls of 6 h are used: waiting for more, until [0-9-]* [0-9:]* at the latest'
ok 'no manifest that was there was pulled again' test $(($(asked '^GET .*/manifests/.* ') - got)) -le 12
fails 'another word is none' 2 lock --quota later

# ---- what a build says first
ok 'a dry run' "$bundler" build "$T/w/w.lock.yaml" -o "$T/w/out" --dry-run --no-progress
like 'says what comes from where' "$(cat "$T/said")" '^docker.io +12 +[0-9.]+ K?i?B$'
like 'and what is here' "$(cat "$T/said")" '^content cache +24 '
like 'how long it takes nobody knows yet' "$(cat "$T/said")" '^time: not known before the first build from here$'
ok 'and makes nothing' test ! -e "$T/w/out.partial"
echo 1 >"$T/cache/airgap/rate"
ok 'once a build told its rate' "$bundler" build "$T/w/w.lock.yaml" -o "$T/w/out" --dry-run --no-progress
like 'the next one says how long' "$(cat "$T/said")" '^time: about [0-9]+ (h [0-9]+ min|s) at 1 B/s, the rate of the last build$'
ok 'as JSON' sh -c "'$bundler' build '$T/w/w.lock.yaml' -o '$T/w/out' --dry-run --json >'$T/json'"
is 'with the same numbers' "$(jq -r '.sources[] | select(.from == "docker.io") | .blobs' "$T/json")" 12
ok 'the build' "$bundler" build "$T/w/w.lock.yaml" -o "$T/w/out" --no-progress
like 'says it too' "$(cat "$T/said")" '^from docker.io: 12 blobs, '

# ---- proxies of the environment
http_proxy=http://$proxy
export http_proxy
rm -rf "$T/cache"
manifest '' 1 | sed 's,docker.io,nowhere.invalid,' >"$T/w/w.yaml"
before=$(asked .)
fails 'a proxy of the environment is not used' 20 lock
is 'indeed' "$(($(asked .) - before))" 0
lock --env-proxy >"$T/said" 2>&1
ok 'unless it is asked for' test "$(asked nowhere.invalid)" -gt 0
before=$(asked nowhere.invalid)
sed -i 's,plainHTTP: true,plainHTTP: true\, proxy: environment,' "$T/w/w.yaml"
lock >"$T/said" 2>&1
ok 'or by the settings of the host' test "$(asked nowhere.invalid)" -gt "$before"
stand_stop hub
