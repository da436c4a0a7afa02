"""chaos_ways_auth: what registries ask for and token servers answer, pages of tags, addresses of uploads. Read by
chaos_matrix.py."""
import time
import urllib.parse

import chaos_ops
from chaos import BODY, PEAK, WHERE
from chaos_matrix import once, row, says
from chaos_ops import TOKEN, rest_of, send

REGISTRY = "m-tag m-head b-get b-head b-put b-mount m-put tags"
BASIC = "Basic cm9ib3Q6b3Blbi1zZXNhbWU="
BEARER = 'Bearer realm="{realm}",service="s",scope="repository:{case}:pull"'


# ---- challenges

def not_token(r):
    return rest_of(r) != "token"


def asks(lines, good=("Bearer " + TOKEN,), realm=None, body=b"", status=401):
    """Answers a challenge to whoever does not show what is good."""
    def way(r, n, ok):
        if r.headers.get("authorization") in good:
            send(r, ok())
            return
        at = realm or "http{s}://{me}/{case}/token"
        at = at.format(s="" if r.listener in ("main", "other") else "s", me=WHERE[r.listener], case=r.case.name, **WHERE)
        r.reply(status, body, ["WWW-Authenticate: " + line.format(realm=at, case=r.case.name, **WHERE) for line in lines])
    return way


def asked(name, lines, want=0, most=8, ops=REGISTRY, at="main", **how):
    row("asked-" + name, ops, asks(lines, **how), want, most, at=at, target=not_token)


asked("basic", ['Basic realm="x"'], good=[BASIC])
asked("basic-without-realm", ["Basic"], good=[BASIC])
asked("basic-refused", ['Basic realm="x"'], 21, good=[])
asked("bearer", [BEARER])
asked("bearer-refused", [BEARER], 21, good=[])
asked("bearer-bare", ["Bearer realm={realm}"])
asked("bearer-elsewhere", [BEARER], realm="http://{other}/{case}/token")
asked("two-lines", ["Negotiate", BEARER])
asked("twice", [BEARER, BEARER])
asked("two-realms", [BEARER, 'Bearer realm="http://{other}/nowhere/token"'])
asked("one-line", ['Basic realm="a, b", ' + BEARER])
asked("one-line-basic-last", [BEARER + ', Basic realm="x"'])
asked("negotiate-first", ["Negotiate abc==, " + BEARER])
asked("digest-first", ['Digest realm="d", nonce="n", qop="auth,auth-int", ' + BEARER])
asked("odd-spelling", ['bEaReR  Realm = "{realm}" ,, SERVICE="a\\"b"'])
asked("quoted-commas", ['Bearer realm="{realm}",x="a, Basic realm=b",scope="repository:{case}:pull,push"'])
asked("realm-with-query", ['Bearer realm="{realm}?a=b%20c&landed=0"'])
asked("realm-with-fragment", ['Bearer realm="{realm}#x"'])
asked("realm-twice", ['Bearer realm="{realm}",realm="http://{other}/nowhere"'])
asked("many-scopes", ['Bearer realm="{realm}",scope="' + " ".join(f"repository:r{i}:pull" for i in range(100)) + '"'])
asked("error-named", [BEARER + ',error="invalid_token",error_description="x"'])
asked("nothing", [], 21, 2)
asked("unknown", ["Negotiate", 'Digest realm="x", nonce="y"'], 21, 2)
asked("no-realm", ['Bearer service="s"'], 21, 2)
asked("empty-realm", ['Bearer realm=""'], 21, 2)
asked("quote-open", ['Bearer realm="{realm},service=s'], 21, 2)
asked("control", ['Bearer realm="http://{main}/\x01"'], 21, 2)
asked("realm-nonsense", ['Bearer realm="::://"'], 24, 2)
asked("realm-ftp", ['Bearer realm="ftp://{main}/x"'], 24, 2)
asked("realm-with-user", ['Bearer realm="http://a:b@{main}/x"'], 24, 2)
asked("realm-relative", ['Bearer realm="/{case}/token"'], 24, 2)
asked("realm-plain", [BEARER], 21, 2, at="tls", realm="http://{main}/{case}/token")
asked("realm-private", [BEARER], 21, 2, at="name", realm="https://127.0.0.1:{strangerport}/x")
asked("realm-localhost", [BEARER], 21, 2, at="name", realm="https://localhost:{strangerport}/x")
asked("realm-link-local", [BEARER], 21, 2, at="name", realm="https://169.254.169.254/x")
asked("realm-misnamed", [BEARER], 22, 2, at="tls", realm="https://{misnamed}/{case}/token")
asked("at-length", [BEARER], body=b"x" * 200000)
asked("by-403", [BEARER], 21, 2, status=403)
asked("of-60-kb", ['Bearer realm="{realm}",x="' + "y" * 8000 + '"'])
asked("of-too-much", ['Bearer realm="{realm}",x="' + "y" * 9000 + '"'], 21, 2)


def wants_more(r, n, ok):
    """The first token is not enough: the scope of the second challenge has to be asked for."""
    if rest_of(r) == "token":
        scopes = urllib.parse.parse_qs(r.query).get("scope", [])
        r.reply(200, {"token": TOKEN if "repository:more:pull" in scopes else "too-little"})
    else:
        asks(['Bearer realm="{realm}",scope="repository:more:pull",error="insufficient_scope"'])(r, n, ok)


row("asked-for-more", REGISTRY, wants_more, target=lambda r: True)
row("asked-a-file", "FILES", says(401, b"", ['WWW-Authenticate: Basic realm="x"']), 21, 1)

# ---- token servers

AUTHED = "m-tag b-get b-put m-put tags"


def is_token(r):
    return rest_of(r) == "token" and "landed" not in r.query


def token(name, way, want=0, most=2, ops=AUTHED, **how):
    """For operations behind a token, and for the POST that turns an identity token into one."""
    row("token-" + name, ops + " identity", way, want, most, auth=True, target=is_token, **how)


def grants(**answer):
    return says(200, answer)


token("plain", grants(token=TOKEN))
token("access", grants(access_token=TOKEN))
token("both", grants(token="wrong", access_token=TOKEN))
token("neither", grants(expires_in=300), 24)
token("empty", grants(token=""), 24)
token("null", grants(token=None), 24)
token("number", grants(token=5), 24)
token("list", grants(token=[TOKEN]), 24)
token("blank", grants(token="a b"), 24)
token("line-feed", grants(token="a\r\nX-Evil: 1"), 24)
token("not-ascii", grants(token="\u00e9"), 24)
token("of-70-kb", grants(token="a" * 70000), 16)
token("html", says(200, b"<html>hello</html>"), 24)
token("nothing", says(200), 24)
token("no-content", says(204), 24)
token("created", says(201, {"token": TOKEN}), 24)
token("other", grants(token="another"), 21)
token("life-0", grants(token=TOKEN, expires_in=0))
token("life-negative", grants(token=TOKEN, expires_in=-300))
token("life-1", grants(token=TOKEN, expires_in=1))
token("life-text", grants(token=TOKEN, expires_in="300"))
token("life-huge", grants(token=TOKEN, expires_in=1e300))
token("issued-never", grants(token=TOKEN, expires_in=300, issued_at="never"))
token("issued-long-ago", grants(token=TOKEN, expires_in=300, issued_at="1999-01-01T00:00:00Z"))
for code, want, most in ((400, 21, 1), (401, 21, 1), (403, 21, 1), (404, 20, 1), (405, 24, 1), (429, 23, 3), (500, 20, 3), (503, 20, 3)):
    token(str(code), says(code, {"details": "no"}), want, most)
token("503-once", once(says(503)), 0, 2)
token("429-once", once(says(429, b"", ["Retry-After: 0"])), 0, 2)
token("reset-once", once(lambda r, n, ok: r.reset()), 0, 2)
token("reset", lambda r, n, ok: r.reset(), 20, 3)
token("slow", lambda r, n, ok: (time.sleep(0.5), send(r, ok())))
token("mute", lambda r, n, ok: r.silence(), 26, 3, seconds=30)
token("endless", lambda r, n, ok: r.head(200) and all(iter(lambda: r.send(BODY), False)), 16)
token("gzip", lambda r, n, ok: send(r, ok(), ["Content-Encoding: gzip"]), 24)
token("moved", lambda r, n, ok: r.redirect(307, f"{r.path}?{r.query}&landed=1"), "0 identity:24", 2)
token("moved-away", lambda r, n, ok: r.redirect(307, f"http://{WHERE['other']}{r.path}?{r.query}&landed=1"), "0 identity:24", 2)
token("moved-to-ftp", lambda r, n, ok: r.redirect(307, "ftp://x/y"), "25 identity:24", 2)
token("asks-in-turn", says(401, b"", ['WWW-Authenticate: Basic realm="x"']), 21, 1)

# ---- pages of tags

def pages(name, page, want=0, most=4, check=None, seconds=10, peak=PEAK):
    def way(r, n, ok):
        body, *headers = page(r, n)
        r.reply(200, body, headers)
    row("tags-" + name, "tags", way, want, most, check=check, seconds=seconds, peak=peak)


def link(form):
    """A next page in two of three answers; {} is its path."""
    return lambda r, n: ({"tags": ["abc"[n % 3]]}, *([form.format(f"{r.path}?n=1&last={n}", **WHERE)] if n < 2 else []))


pages("link", link('Link: <{}>; rel="next"'), check="said:^a\nb\nc$", most=3)
pages("link-bare", link("Link: <{}>; rel=next"), check="said:^a\nb\nc$", most=3)
pages("link-absolute", link('Link: <http://{main}{}>; rel="next"'), check="said:^a\nb\nc$", most=3)
pages("link-scheme-less", link('Link: <//{main}{}>; rel="next"'), check="said:^a\nb\nc$", most=3)
pages("link-among-others", link('Link: <{}&x>; rel="prev", <{}>; title="a, b"; rel="first next"'.replace("<{}&x>", "</x>")), check="said:^a\nb\nc$", most=3)
pages("link-elsewhere", link('Link: <http://{other}{}>; rel="next"'), 25, 1)
pages("link-to-tls", link('Link: <https://{main}{}>; rel="next"'), 25, 1)
pages("link-to-user", link('Link: <http://robot@{main}{}>; rel="next"'), 25, 1)
pages("link-to-ftp", link('Link: <ftp://{main}{}>; rel="next"'), 25, 1)
pages("link-open", link("Link: <{}; rel=next"), check="said:^a$", most=1)
pages("link-empty", link('Link: <>; rel="next"'), 24, 2)
pages("loop", lambda r, n: ({"tags": [f"t{n}"]}, f'Link: <{r.path}?n=1>; rel="next"'), 24, 2)
pages("loop-of-two", lambda r, n: ({"tags": [f"t{n}"]}, f'Link: <{r.path}?n={n % 2}>; rel="next"'), 24, 3)
pages("repeat", lambda r, n: ({"tags": ["a"]}, f'Link: <{r.path}?n={n}>; rel="next"'), 0, 2, "said:^a$")
pages("endless", lambda r, n: ({"tags": [f"t{n}-{i}" for i in range(100000)]}, f"Link: <{r.path}?last={n}>; rel=next"), 16, 12, None, 60, 100)
pages("null", lambda r, n: ({"tags": None},), 0, 1, "quiet")
pages("missing", lambda r, n: ({},), 0, 1, "quiet")
pages("empty", lambda r, n: ({"tags": []},), 0, 1, "quiet")
pages("text", lambda r, n: ({"tags": "a"},), 24, 1)
pages("numbers", lambda r, n: ({"tags": [1]},), 24, 1)
pages("objects", lambda r, n: ({"tags": {"a": 1}},), 24, 1)
pages("full-page", lambda r, n: ({"tags": [f"t{i}" for i in range(1000)]},), 0, 2, "said:^t999$")

# ---- addresses of uploads

def is_open(r):
    return r.method == "POST"


def opens(name, location, want=0, most=3, at="main", ops="b-put b-chunks"):
    """The upload's address is written another way."""
    def way(r, n, ok):
        a = ok()
        path = [h for h in a.headers if h.startswith("Location: ")][0][10:]
        own = location.format(path, rest=path.rpartition("/")[2], me=WHERE[r.listener], **WHERE) if location is not None else None
        send(r, a, [h for h in a.headers if not h.startswith("Location: ")] + ([f"Location: {own}"] if own is not None else []))
    row("upload-" + name, ops, way, want, most, target=is_open, at=at)


opens("absolute", "http://{me}{}")
opens("scheme-less", "//{me}{}")
opens("relative", "{rest}")
opens("with-query", "{}&y=%20&z=a%2Fb%3D")
opens("with-fragment", "{}#x")
opens("elsewhere", "http://{other}{}&landed=1")
opens("no-address", None, 24, 1)
opens("empty-address", "", 24, 1)
opens("to-ftp", "ftp://{main}/x", 25, 1)
opens("to-user", "http://robot:x@{me}{}", 25, 1)
opens("to-plain", "http://{main}{}", 25, 1, "tls")
opens("to-private", "https://127.0.0.1:{strangerport}{}", 25, 1, "name")
opens("to-link-local", "https://169.254.169.254{}", 25, 1, "name")


def counts(name, span, want=0, most=12):
    """PATCH says how far it is in another way."""
    def way(r, n, ok):
        a = ok()
        headers = [h for h in a.headers if not h.startswith("Range: ")]
        send(r, a, headers + ([f"Range: {span(r, n)}"] if span(r, n) else []))
    row("chunk-" + name, "b-chunks", way, want, most)


counts("range-unsaid", lambda r, n: None, 0, 3)
counts("range-relative", lambda r, n: f"0-{len(r.body) - 1}", 0, 3)
counts("range-with-unit", lambda r, n: f"bytes=0-{len(r.state['got']) - 1}", 0, 3)
counts("range-nonsense", lambda r, n: "zero", 0, 3)
counts("range-beyond", lambda r, n: "0-999999999", 24)
counts("range-nothing", lambda r, n: "0-0", 24)


def forgets(r, n, ok):
    """The first chunk is taken by half."""
    if n == 0:
        r.body = r.body[:len(r.body) // 2]
    send(r, ok())


row("chunk-taken-by-half", "b-chunks", forgets, 0, 5)
