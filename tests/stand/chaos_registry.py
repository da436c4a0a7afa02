"""chaos_registry: what registries and token servers do wrong. Read by chaos.py of the tests' own."""
import hashlib
import json
import re
import urllib.parse

from chaos import BODY, DIGEST, PEAK, WHERE, case

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}).encode()
MANIFEST_DIGEST = "sha256:" + hashlib.sha256(MANIFEST).hexdigest()
HALF = len(BODY) // 2
TYPED = f"Content-Type: {INDEX}"
GET = "manifest {main} {case} latest"
BLOB = "blob {main} {case} {D} {S}"
PUT = "put {main} {case} {body} --push"


def manifest(r, headers=(TYPED,), body=MANIFEST):
    r.reply(200, body, headers)


def token(r, text="token-secret", **more):
    r.reply(200, {"token": text, **more})


# ---- who are you?

def challenge(name, lines, wanted=0, command=GET, realm_at="main", good="Bearer token-secret", most=3, answer_token=None):
    """A manifest behind a challenge. lines may name the realm; the token server is /CASE/token on realm_at."""
    @case(name, wanted, command, most=most)
    def answer(r, n):
        if r.path.endswith("/token"):
            (answer_token or token)(r)
        elif r.headers.get("authorization") == good:
            manifest(r)
        else:
            scheme = "https" if realm_at in ("tls", "name") else "http"
            realm = f"{scheme}://{WHERE[realm_at]}/{name}/token"
            r.reply(401, {"errors": [{"code": "UNAUTHORIZED", "message": "who are you"}]},
                    ["WWW-Authenticate: " + line.format(realm=realm, **WHERE) for line in lines])
    return answer


BASIC = "Basic cm9ib3Q6b3Blbi1zZXNhbWU="
BEARER = 'Bearer realm="{realm}",service="s",scope="repository:x:pull"'
challenge("basic", ['Basic realm="x"'], good=BASIC, most=2)
challenge("basic-refused", ['Basic realm="x"'], 21, good="nothing", most=2)
challenge("bearer", [BEARER])
challenge("bearer-elsewhere", [BEARER], realm_at="other")
challenge("two-lines", ["Negotiate", BEARER])
challenge("one-line", ['Basic realm="a, b", ' + BEARER])
challenge("negotiate-first", ["Negotiate abc==, " + BEARER])
challenge("odd-spelling", ['bEaReR  Realm = "{realm}" ,, SERVICE="a\\"b"'])
challenge("realm-with-query", ['Bearer realm="{realm}?a=b%20c"'])
challenge("no-challenge", [], 21, most=1)
challenge("unknown-scheme", ["Negotiate", "Digest realm=\"x\", nonce=\"y\""], 21, most=1)
challenge("realm-missing", ['Bearer service="s"'], 21, most=1)
challenge("quote-open", ['Bearer realm="{realm},service=s'], 21, most=1)
challenge("realm-nonsense", ['Bearer realm="::://"'], 24, most=1)
challenge("realm-with-user", ['Bearer realm="http://a:b@{main}/x"'], 24, most=1)
challenge("realm-plain", [BEARER], 21, "manifest {tls} {case} latest", most=1)
challenge("realm-private", ['Bearer realm="https://127.0.0.1:{strangerport}/x"'], 21, "manifest {name} {case} latest", most=1)
challenge("refused-always", [BEARER], 21, good="nothing", most=4)
challenge("token-access", [BEARER], answer_token=lambda r: r.reply(200, {"token": "x", "access_token": "token-secret"}))
challenge("token-html", [BEARER], 24, answer_token=lambda r: r.reply(200, b"<html>hello</html>"))
challenge("token-list", [BEARER], 24, answer_token=lambda r: r.reply(200, []))
challenge("token-empty", [BEARER], 24, answer_token=lambda r: token(r, ""))
challenge("token-number", [BEARER], 24, answer_token=lambda r: r.reply(200, {"token": 5}))
challenge("token-with-lines", [BEARER], 24, answer_token=lambda r: token(r, "a\r\nX-Evil: 1"))
challenge("token-huge", [BEARER], 16, answer_token=lambda r: token(r, "a" * 70000))
challenge("token-refused", [BEARER], 21, answer_token=lambda r: r.reply(401, {"details": "incorrect username or password"}))
challenge("token-broken", [BEARER], 20, answer_token=lambda r: r.reply(500), most=5)
challenge("token-limited", [BEARER], 23, answer_token=lambda r: r.reply(429), most=5)
challenge("token-odd-life", [BEARER], answer_token=lambda r: token(r, expires_in=-1e99, issued_at="never"))


def token_moved(r):
    if r.listener == "main":
        r.redirect(307, f"http://{WHERE['other']}/token-moved/token")
    else:
        token(r)


challenge("token-moved", [BEARER], answer_token=token_moved, most=4)


@case("wants-more", command=GET, most=5)
def wants_more(r, n):
    """The first token is not enough: the scope of the second challenge has to be asked for."""
    if r.path.endswith("/token"):
        scopes = urllib.parse.parse_qs(r.query).get("scope", [])
        token(r, "token-secret" if "repository:more:pull" in scopes else "token-secret-little")
    elif r.headers.get("authorization") == "Bearer token-secret":
        manifest(r)
    else:
        r.reply(401, b"", [f'WWW-Authenticate: Bearer realm="http://{WHERE["main"]}/wants-more/token",'
                           'scope="repository:more:pull",error="insufficient_scope"'])


# ---- manifests

def manifests(name, wanted=0, command=GET, check="-", most=2):
    def register(answer):
        @case(name, wanted, command, check=check, most=most)
        def whole(r, n):
            answer(r)
        return whole
    return register


manifests("m-ok", check="said:" + MANIFEST_DIGEST, most=1)(manifest)
manifests("m-absent", check="said:absent", most=1)(lambda r: r.reply(404))
manifests("m-by-digest", 14, f"manifest {{main}} {{case}} sha256:{'0' * 64}")(manifest)
manifests("m-other-digest", 14)(lambda r: manifest(r, [TYPED, f"Docker-Content-Digest: sha256:{'0' * 64}"]))
manifests("m-odd-digest")(lambda r: manifest(r, [TYPED, "Docker-Content-Digest: md5:123"]))
manifests("m-untyped")(lambda r: manifest(r, []))
manifests("m-plain-type")(lambda r: manifest(r, ["Content-Type: application/json; charset=utf-8"]))
manifests("m-type-differs", 24)(lambda r: manifest(r, ["Content-Type: application/vnd.oci.image.manifest.v1+json"]))
manifests("m-unknown", 19)(lambda r: manifest(r, ["Content-Type: text/x"], b'{"mediaType": "text/x", "schemaVersion": 2}'))
manifests("m-schema1", 19)(lambda r: manifest(
    r, ["Content-Type: application/vnd.docker.distribution.manifest.v1+prettyjws"], b'{"schemaVersion": 1}'))
manifests("m-html", 18)(lambda r: manifest(r, ["Content-Type: text/html"], b"<html>login</html>"))
manifests("m-list", 18)(lambda r: manifest(r, [TYPED], b"[]"))
manifests("m-twice", 18)(lambda r: manifest(r, [TYPED], b'{"mediaType": "a", "mediaType": "b"}'))
manifests("m-large", 16)(lambda r: manifest(r, [TYPED], b" " * (4 << 20) + b"{}"))
manifests("m-large-unsaid", 16)(lambda r: r.head(200, [TYPED]) and r.send(b" " * (5 << 20)))
manifests("m-gzip", 24)(lambda r: manifest(r, [TYPED, "Content-Encoding: gzip"]))
manifests("m-denied", 21, check="said:not found or no access.*DENIED: go away")(
    lambda r: r.reply(403, {"errors": [{"code": "DENIED", "message": "go away"}]}))
manifests("m-empty", 18)(lambda r: manifest(r, [TYPED], b""))
manifests("h-no-digest", command="head {main} {case} latest", check="said:" + MANIFEST_DIGEST, most=2)(manifest)
manifests("h-refused", command="head {main} {case} latest", check="said:" + MANIFEST_DIGEST, most=2)(
    lambda r: r.reply(405) if r.method == "HEAD" else manifest(r))
manifests("h-denied", 21, "head {main} {case} latest", "said:DENIED", most=2)(
    lambda r: r.reply(403, {"errors": [{"code": "DENIED"}]}))
manifests("h-other-digest", 14, f"head {{main}} {{case}} {MANIFEST_DIGEST}", most=1)(
    lambda r: manifest(r, [TYPED, f"Docker-Content-Digest: sha256:{'0' * 64}"]))


@case("m-damaged-once", command=f"manifest {{main}} {{case}} {MANIFEST_DIGEST}", most=2)
def damaged_once(r, n):
    manifest(r, body=MANIFEST if n else MANIFEST[:-1] + b" }")


# ---- blobs

@case("b-elsewhere", command=BLOB, check="body", most=4)
def b_elsewhere(r, n):
    if r.listener == "other":
        r.content()
    elif r.path.endswith("/token"):
        token(r)
    elif "authorization" not in r.headers:
        r.reply(401, b"", [f'WWW-Authenticate: Bearer realm="http://{WHERE["main"]}/b-elsewhere/token"'])
    else:
        r.redirect(307, f"http://{WHERE['other']}/b-elsewhere/x?sig=signed-secret")


@case("b-token-dies", command=BLOB, check="body", most=8)
def b_token_dies(r, n):
    """Cut, and the token is no longer good when the rest is asked for."""
    if r.path.endswith("/token"):
        r.state["token"] = f"token-secret-{n}"
        token(r, r.state["token"])
    elif r.headers.get("authorization") != "Bearer " + r.state.get("token", ""):
        r.reply(401, b"", [f'WWW-Authenticate: Bearer realm="http://{WHERE["main"]}/b-token-dies/token"'])
    elif not r.state.get("cut"):
        r.state["cut"] = True
        r.state["token"] = "dead"
        r.content(cut=HALF)
    else:
        r.content()


manifests("b-damaged", 14, BLOB, most=1)(lambda r: r.content(body=BODY[:-1] + b"x"))
manifests("b-short", 14, BLOB, most=1)(lambda r: r.content(body=BODY[:-1]))
manifests("b-absent", 20, BLOB, "said:BLOB_UNKNOWN", most=1)(
    lambda r: r.reply(404, {"errors": [{"code": "BLOB_UNKNOWN", "message": "blob unknown to registry"}]}))
manifests("b-gzip", 24, BLOB, most=1)(lambda r: r.content(["Content-Encoding: gzip"]))
manifests("b-has", command="has {main} {case} {D}", check="said:there 300000", most=1)(lambda r: r.content())
manifests("b-has-not", command="has {main} {case} {D}", check="said:absent", most=1)(lambda r: r.reply(404))
manifests("b-has-elsewhere", command="has {main} {case} {D}", check="said:there -1", most=2)(
    lambda r: r.reply(403) if r.listener == "other" else r.redirect(307, f"http://{WHERE['other']}/b-has-elsewhere/x"))
manifests("b-has-other", 14, "has {main} {case} {D}", most=1)(
    lambda r: r.content([f"Docker-Content-Digest: sha256:{'0' * 64}"]))


# ---- tags

def tags(name, wanted=0, check="-", most=2, seconds=5, peak=PEAK):
    def register(pages):
        @case(name, wanted, "tags {main} {case}", seconds, most, check, peak)
        def answer(r, n):
            page = pages(n)
            r.reply(200, page[0], page[1:])
        return answer
    return register


tags("t-pages", check="said:^a\nb\nc$", most=3)(lambda n: (
    {"tags": ["abc"[n]]}, *([f'Link: </v2/t-pages/tags/list?n=1&last={n}>; rel="next"'] if n < 2 else [])))
tags("t-null", check="quiet", most=1)(lambda n: ({"tags": None},))
tags("t-missing", check="quiet", most=1)(lambda n: ({},))
tags("t-loop", 24, most=2)(lambda n: ({"tags": [f"t{n}"]}, 'Link: </v2/t-loop/tags/list?n=1>; rel="next"'))
tags("t-endless", 16, most=1200, seconds=60, peak=100)(lambda n: (
    {"tags": [f"t{n}-{i}" for i in range(100000)]}, f'Link: </v2/t-endless/tags/list?last={n}>; rel=next'))
tags("t-elsewhere", 25, most=1)(lambda n: (
    {"tags": ["a"]}, f"Link: <http://{WHERE['other']}/v2/t-elsewhere/tags/list>; rel=next"))
tags("t-nonsense", 24, most=1)(lambda n: ({"tags": "a"},))
tags("t-numbers", 24, most=1)(lambda n: ({"tags": [1]},))
tags("t-full-page", check="said:t999$", most=2)(lambda n: ({"tags": [f"t{i}" for i in range(1000)]},))
tags("t-link-broken", check="said:^a$", most=1)(lambda n: ({"tags": ["a"]}, "Link: </v2/x; rel=next"))


# ---- uploads

class Upload:
    """A registry that takes uploads, and its ways to go wrong."""

    def __init__(self, location="/v2/{case}/up/{n}?_state=a%2Fb", **ways):
        self.location, self.ways = location, ways

    def at(self, r):
        return "Location: " + self.location.format(case=r.case.name, n=r.case.count, **WHERE)

    def span(self, r):
        return f"Range: 0-{max(len(r.state['got']) - 1, 0)}"

    def finish(self, r):
        digest = "sha256:" + hashlib.sha256(r.state["got"]).hexdigest()
        asked = urllib.parse.parse_qs(r.query).get("digest")
        if asked != [digest] or "_state=a%2Fb" not in r.query + "_state=a%2Fb" * ("_state" not in self.location):
            return r.reply(400, {"errors": [{"code": "DIGEST_INVALID", "message": f"{asked} is not {digest}"}]})
        return r.reply(201, b"", [f"Docker-Content-Digest: {digest}"])

    def __call__(self, r, n):
        way = self.ways.get(r.method.lower())
        if r.method == "POST":
            r.read_body()
            r.state["got"] = b""
            return way(self, r) if way else r.reply(202, b"", [self.at(r), "Range: 0-0"])
        if way and r.method != "GET":
            return way(self, r)
        if r.method == "PUT":
            r.state["got"] += r.read_body()
            return self.finish(r)
        if r.method == "PATCH":
            r.state["got"] += r.read_body()
            return r.reply(202, b"", [self.at(r), self.span(r)])
        if r.method == "GET":
            return way(self, r) if way else r.reply(204, b"", [self.at(r), self.span(r)])
        return r.reply(204)


def upload(name, wanted=0, command=PUT, check="said:uploaded", most=3, seconds=5, location=None, **ways):
    how = Upload(location, **ways) if location else Upload(**ways)
    case(name, wanted, command, seconds, most, check if wanted == 0 else "-")(how)


def once(way):
    """The way the first time, the honest one afterwards."""
    def answer(up, r):
        key = "once" + r.method
        if r.state.get(key):
            r.state["got"] += r.read_body()
            return up.finish(r) if r.method == "PUT" else r.reply(202, b"", [up.at(r), up.span(r)])
        r.state[key] = True
        return way(up, r)
    return answer


def take_and_drop(n):
    def way(up, r):
        r.state["got"] += r.read_body(n)[:n]
        r.reset()
    return way


def too_large(limit):
    """A proxy in front that takes `limit` bytes a request."""
    def way(up, r):
        body = r.read_body()
        if len(body) > limit:
            return r.reply(413, b"<html>413</html>")
        r.state["got"] += body
        return up.finish(r) if r.method == "PUT" else r.reply(202, b"", [up.at(r), up.span(r)])
    return way


def relative_range(up, r):
    body = r.read_body()
    r.state["got"] += body
    r.reply(202, b"", [up.at(r), f"Range: 0-{len(body) - 1}"])


def half_taken(up, r):
    """The registry kept half of the first chunk only, and says so."""
    body = r.read_body()
    r.state["got"] += body[:len(body) // 2]
    r.reply(202, b"", [up.at(r), up.span(r)])


def other_digest(up, r):
    r.read_body()
    r.reply(201, b"", [f"Docker-Content-Digest: sha256:{'0' * 64}"])


def answer_with(status, body=b"", headers=()):
    def way(up, r):
        r.read_body()
        r.reply(status, body, headers)
    return way


CHUNKS = PUT + " --chunk 100000"
LARGE = dict(put=too_large(100000), patch=too_large(100000))
upload("u-ok", most=2)
upload("u-query", location="/v2/{case}/up/{n}?x=a%2Fb&y=%20&_state=a%2Fb", most=2)
upload("u-no-query", location="/v2/{case}/up/{n}", most=2)
upload("u-absolute", location="http://{main}/v2/{case}/up/{n}?_state=a%2Fb", most=2)
upload("u-scheme-less", location="//{main}/v2/{case}/up/{n}?_state=a%2Fb", most=2)
upload("u-relative", location="../../up/{n}?_state=a%2Fb", most=2)
upload("u-other", location="http://{other}/v2/{case}/up/{n}?_state=a%2Fb", most=2)
upload("u-unnamed", 24, post=answer_with(202), most=1)
upload("u-ftp", 25, location="ftp://{main}/x", most=1)
upload("u-to-plain", 25, "put {tls} {case} {body} --push", location="http://{tls}/v2/x?_state=a%2Fb", most=1)
upload("u-private", 25, "put {name} {case} {body} --push", location="https://127.0.0.1:{strangerport}/x?_state=a%2Fb", most=1)
upload("u-cut", put=once(take_and_drop(HALF)), most=6)
upload("u-cut-at-0", put=once(take_and_drop(0)), most=6)
upload("u-cut-forgotten", put=once(take_and_drop(HALF)), get=answer_with(404), most=8)
upload("u-cut-no-seek", 20, PUT + " --type no-seek", put=take_and_drop(HALF), get=answer_with(404), most=8)
upload("u-cut-always", 20, put=take_and_drop(0), most=12)
upload("u-busy-once", put=once(answer_with(503)), most=6)
upload("u-busy", 43, put=answer_with(503), most=12)
upload("u-412", 43, put=answer_with(412, {"errors": [{"code": "X", "message": "no"}]}), most=4)
upload("u-large", 0, CHUNKS, most=9, **LARGE)
upload("u-larger", 0, CHUNKS, most=14, put=too_large(100000), patch=once(too_large(0)))
upload("u-too-large", 43, CHUNKS, most=20, put=too_large(0), patch=too_large(10))
upload("u-relative-range", 0, CHUNKS, most=9, put=too_large(100000), patch=relative_range)
upload("u-half-taken", 0, CHUNKS, most=12, put=too_large(100000), patch=once(half_taken))
upload("u-416-once", 0, CHUNKS, most=12, put=too_large(100000), patch=once(answer_with(416)))
upload("u-416", 43, CHUNKS, most=12, put=too_large(100000), patch=answer_with(416))
upload("u-chunk-cut", 0, CHUNKS, most=14, put=too_large(100000), patch=once(take_and_drop(50000)))
upload("u-range-nonsense", 24, CHUNKS, most=30, put=too_large(100000),
       patch=answer_with(202, b"", ["Range: 0-999999999"]))
upload("u-wrong-digest", 43, put=answer_with(400, {"errors": [{"code": "DIGEST_INVALID"}]}), most=4)
upload("u-other-digest", 14, put=other_digest, most=4)
upload("u-denied", 21, post=answer_with(403, {"errors": [{"code": "DENIED"}]}), most=1)
upload("u-full", 43, put=answer_with(507), most=4)
upload("u-silent", 26, PUT + " --answer 1000 --tries 1", put=lambda up, r: (r.read_body(), r.silence()), most=4)
upload("u-late-401", 21, put=answer_with(401), most=4)
upload("u-moved", put=lambda up, r: (r.read_body(), r.redirect(307, f"http://{WHERE['other']}/u-moved-to/x?{r.query}")))


@case("u-moved-to", command=None)
def moved_to(r, n):
    r.read_body()
    good = hashlib.sha256(r.body).hexdigest() == DIGEST[7:] and "authorization" not in r.headers
    r.reply(201 if good else 400)


def mount(status, body=b"", headers=()):
    def way(up, r):
        if "mount=" in r.query:
            return r.reply(status, body, headers)
        return r.reply(202, b"", [up.at(r)])
    return way


MOUNT = PUT + " --from other/place"
upload("x-mounted", 0, MOUNT, "said:mounted", most=1, post=mount(201))
upload("x-opened", 0, MOUNT, most=2)
upload("x-refused", 0, MOUNT, most=3, post=mount(400))
upload("x-denied", 0, MOUNT, most=4, post=mount(403))
upload("x-unknown", 0, MOUNT, most=3, post=mount(404))
upload("x-other-digest", 14, MOUNT, most=1, post=mount(201, headers=[f"Docker-Content-Digest: sha256:{'0' * 64}"]))
upload("x-only", 0, "mount {main} {case} {D} --from other/place --push", "said:not mounted", most=2)


# ---- manifests on their way out

def put_manifest(name, wanted=0, check="-", most=2):
    def register(answer):
        @case(name, wanted, "mput {main} {case} v1 {manifest} --push --type " + INDEX, check=check, most=most)
        def whole(r, n):
            r.read_body()
            if r.method == "PUT":
                r.state["got"] = r.body
            answer(r)
        return whole
    return register


def show(r, body):
    if r.method == "PUT":
        r.reply(201)
    else:
        manifest(r, [TYPED, f"Docker-Content-Digest: sha256:{hashlib.sha256(body).hexdigest()}"], body)


put_manifest("p-ok", most=1)(lambda r: r.reply(201, b"", [
    f"Docker-Content-Digest: sha256:{hashlib.sha256(r.body).hexdigest()}"]))
put_manifest("p-silent-ok")(lambda r: show(r, r.state["got"]))
put_manifest("p-silent-other", 14)(lambda r: show(r, b"other"))
put_manifest("p-other", 14)(lambda r: r.reply(201, b"", [f"Docker-Content-Digest: sha256:{'0' * 64}"]))
put_manifest("p-unknown-blob", 43, "said:MANIFEST_BLOB_UNKNOWN: blob unknown sha256:1{3}")(lambda r: r.reply(400, {
    "errors": [{"code": "MANIFEST_BLOB_UNKNOWN", "message": "blob unknown", "detail": {"digest": "sha256:111"}}]}))
put_manifest("p-denied", 21)(lambda r: r.reply(401))
put_manifest("p-too-large", 43)(lambda r: r.reply(413))
put_manifest("p-limited", 23, most=3)(lambda r: r.reply(429))


def no_registry(name, wanted, command, answer):
    case(name, wanted, command, most=1)(lambda r, n: answer(r))


for bad in ("Upper", "a//b", "..", "a:b"):
    no_registry("n-" + re.sub(r"\W", "x", bad), 17, f"manifest {{main}} {bad} latest", manifest)
