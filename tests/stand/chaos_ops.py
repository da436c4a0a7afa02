"""chaos_ops: an honest registry, file server, chart repository and token server in one, and the operations of the clients
on it. Read by chaos_matrix.py of the tests' own: a behaviour spoils one sort of answer of it, the target of the operation."""
import hashlib
import json
import re
import urllib.parse

from chaos import BODY, DIGEST, WHERE

TYPE = "application/vnd.oci.image.index.v1+json"
MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": TYPE, "manifests": []}).encode()
MANIFEST_DIGEST = "sha256:" + hashlib.sha256(MANIFEST).hexdigest()
INDEX = b"apiVersion: v1\nentries:\n  demo:\n  - name: demo\n    version: 1.0.0\n    urls: [demo-1.0.0.tgz]\n"
REFERRERS = {"schemaVersion": 2, "mediaType": TYPE, "manifests": [{
    "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": MANIFEST_DIGEST, "size": len(MANIFEST), "artifactType": "x/y"}]}
TAGS = {"tags": ["a", "b", "c"]}
CHUNK = 100000
TOKEN = "token-secret"


class Answer:
    def __init__(self, status, headers=(), body=b""):
        self.status, self.headers = status, list(headers)
        self.body = json.dumps(body).encode() if isinstance(body, (dict, list)) else body


def rest_of(r):
    """The path behind the name of the case."""
    parts = r.path.strip("/").split("/")
    return "/".join(parts[4:] if parts[0] == "v2" else parts[3:])


def ranged(r, body, headers):
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", r.headers.get("range", ""))
    if not asked:
        return Answer(200, headers, body)
    first, last = int(asked[1]), min(int(asked[2] or len(body) - 1), len(body) - 1)
    if first >= len(body):
        return Answer(416, [f"Content-Range: bytes */{len(body)}", *headers])
    return Answer(206, [f"Content-Range: bytes {first}-{last}/{len(body)}", *headers], body[first:last + 1])


def named(body):
    return f"Docker-Content-Digest: sha256:{hashlib.sha256(body).hexdigest()}"


def session(r):
    """Location and Range of an upload, the address new with each answer."""
    r.state["turn"] = r.state.get("turn", 0) + 1
    got = r.state.setdefault("got", b"")
    return [f"Location: /v2/{r.case.name}/blobs/uploads/{r.state['turn']}?_state=a%2Fb", f"Range: 0-{max(len(got) - 1, 0)}"]


def upload(r, op):
    if r.method == "POST":
        r.state["got"] = b""
        if "mount=" in r.query and op == "b-mount":
            return Answer(201, [f"Docker-Content-Digest: {DIGEST}"])
        return Answer(202, session(r))
    if r.method == "GET":
        return Answer(204, session(r))
    if r.method == "DELETE":
        return Answer(204)
    if len(r.body) > CHUNK and op == "b-chunks":
        return Answer(413, [], b"too much")
    r.state["got"] += r.body
    if r.method == "PATCH":
        return Answer(202, session(r))
    digest = "sha256:" + hashlib.sha256(r.state["got"]).hexdigest()
    if urllib.parse.parse_qs(r.query).get("digest") != [digest] or "_state=a%2Fb" not in r.query:
        return Answer(400, [], {"errors": [{"code": "DIGEST_INVALID"}]})
    return Answer(201, [f"Docker-Content-Digest: {digest}"])


def honest(r, op):
    """What the right answer is. Uploads count as taken from here on."""
    rest = rest_of(r)
    if rest == "file":
        return ranged(r, BODY, ['ETag: "a"'])
    if rest == "index.yaml":
        return Answer(200, ["Content-Type: text/yaml"], INDEX)
    if rest == "token":
        return Answer(200, ["Content-Type: application/json"], {"token": TOKEN, "expires_in": 300})
    if rest == "tags/list":
        return Answer(200, ["Content-Type: application/json"], TAGS)
    if rest.startswith("referrers/"):
        return Answer(200, [f"Content-Type: {TYPE}"], REFERRERS)
    if rest.startswith("manifests/"):
        if r.method == "PUT":
            r.state["pushed"] = r.body
            return Answer(201, [named(r.body)])
        manifest = r.state.get("pushed", MANIFEST)
        return Answer(200, [f"Content-Type: {TYPE}", named(manifest)], manifest)
    if rest.startswith("blobs/uploads"):
        return upload(r, op)
    if rest == f"blobs/{DIGEST}":
        return ranged(r, BODY, [f"Docker-Content-Digest: {DIGEST}", 'ETag: "b"'])
    return Answer(404, [], {"errors": [{"code": "NAME_UNKNOWN"}]})


def send(r, a, headers=None, length=None, cut=None):
    """headers and length replace those of the answer; cut ends it early."""
    return r.reply(a.status, a.body, a.headers if headers is None else headers, length, cut)


class Op:
    """One operation: its command and which requests it is about."""

    def __init__(self, name, method, rest, command, check="-", who="robot", auth=False):
        self.name, self.method, self.rest, self.command, self.check = name, method, re.compile(rest), command, check
        self.who, self.auth = who, auth

    def is_target(self, r):
        return r.method in self.method.split() and self.rest.match(rest_of(r)) is not None and "landed" not in r.query


URL = "{scheme}://{at}/{case}"
OPS = {op.name: op for op in (
    Op("get", "GET", "file", f"get {URL}/file --max 1000000", "body"),
    Op("get-sized", "GET", "file", f"get {URL}/file --sized --size {{S}}", "body"),
    Op("get-rest", "GET", "file", f"get {URL}/file --sized --size {{S}} --offset 100000", "tail:200000"),
    Op("index", "GET", "index.yaml", f"chart {URL} demo", "said:^1\\.0\\.0$"),
    Op("m-tag", "GET", "manifests/", "manifest {at} {case} latest", "said:^" + MANIFEST_DIGEST),
    Op("m-digest", "GET", "manifests/", "manifest {at} {case} " + MANIFEST_DIGEST, "said:^" + MANIFEST_DIGEST),
    Op("m-head", "HEAD GET", "manifests/", "head {at} {case} latest", "said:^" + MANIFEST_DIGEST),
    Op("b-get", "GET", "blobs/sha", "blob {at} {case} {D} {S}", "body"),
    Op("b-rest", "GET", "blobs/sha", "blob {at} {case} {D} {S} --offset 100000", "tail:200000"),
    Op("b-part", "GET", "blobs/sha", "blob {at} {case} {D} {S} --offset 100000 --end 200000", "part:100000-200000"),
    Op("b-head", "HEAD", "blobs/sha", "has {at} {case} {D}", "said:^there"),
    Op("b-put", "PUT", "blobs/up", "put {at} {case} {body} --push", "said:^uploaded"),
    Op("b-post", "POST", "blobs/up", "put {at} {case} {body} --push", "said:^uploaded"),
    Op("b-chunks", "PATCH", "blobs/up", f"put {{at}} {{case}} {{body}} --push --chunk {CHUNK}", "said:^uploaded"),
    Op("b-mount", "POST", "blobs/up", "put {at} {case} {body} --push --from other/place", "said:^(mounted|uploaded)"),
    Op("m-put", "PUT", "manifests/", "mput {at} {case} v1 {manifest} --push --type " + TYPE),
    Op("referrers", "GET", "referrers/", "referrers {at} {case} " + MANIFEST_DIGEST, "said:^listed 1$"),
    Op("tags", "GET", "tags/", "tags {at} {case}", "said:^a$"),
    Op("token", "GET", "token", "manifest {at} {case} latest", "said:^" + MANIFEST_DIGEST, auth=True),
    Op("identity", "POST", "token", "manifest {at} {case} latest", "said:^" + MANIFEST_DIGEST, "identity", True),
)}
GROUPS = {
    "FILES": "get get-sized get-rest index",
    "RANGES": "get-rest b-rest",
    "MANIFESTS": "m-tag m-digest",
    "BLOBS": "b-get b-rest",
    "HEADS": "m-head b-head",
    "UPLOADS": "b-put b-post b-chunks b-mount",
    "PUSHES": "b-put b-post b-chunks b-mount m-put",
    "TOKENS": "token identity",
    "BODIES": "get get-sized get-rest index m-tag m-digest b-get b-rest b-part referrers tags token identity",
    "GETS": "get get-sized get-rest index m-tag m-digest b-get b-rest b-part referrers tags token",
    "ALL": " ".join(OPS),
}


def members(text):
    """Names of operations and groups to names of operations, in the order of OPS."""
    found = set()
    for word in text.split():
        found.update(GROUPS.get(word, word).split())
    return [name for name in OPS if name in found]


def challenge(r):
    scheme = "http" if r.listener in ("main", "other") else "https"
    realm = f"{scheme}://{WHERE[r.listener]}/{r.case.name}/token"
    return f'WWW-Authenticate: Bearer realm="{realm}",service="s",scope="repository:{r.case.name}:pull"'


def is_known(r):
    return r.headers.get("authorization") == "Bearer " + TOKEN
