"""chaos_ways_line: what goes wrong below the content: the line, the protocol, TLS, redirects. Read by chaos_matrix.py."""
import time

from chaos import BODY, WHERE
from chaos_matrix import early, once, row, says
from chaos_ops import send

TWICE = "2 b-chunks:4"          # three chunks, and one of them again
FEW = "get index m-tag m-head b-get b-rest b-head b-put b-mount m-put tags token"


def sends(data):
    return lambda r, n, ok: r.send(data)


# ---- broken lines

def reset(r, n, ok):
    r.reset()


def closed(r, n, ok):
    """Nothing is said."""


def half(r, n, ok):
    r.send(b"HTTP/1.1 200 OK\r\nContent-Le")


def half_closed(r, n, ok):
    r.send(b"HTTP/1.1 ")
    r.silence(3)


row("reset", "ALL", reset, 20, 3)
row("reset-once", "ALL", once(reset), 0, TWICE)
row("reset-early", "PUSHES", early(reset), 20, 3)
row("reset-early-once", "PUSHES", early(once(reset)), 0, TWICE)
row("closed", "ALL", closed, 20, 3)
row("closed-once", "ALL", once(closed), 0, TWICE)
row("cut-in-headers", "ALL", half, 20, 3)
row("cut-in-headers-once", "ALL", once(half), 0, TWICE)
row("cut-in-status", "ALL", sends(b"HTT"), 20, 3)
row("denied-early", "b-put b-chunks m-put", early(says(403, {"errors": [{"code": "DENIED"}]})), 21, 1)
row("busy-early-once", "b-put b-chunks m-put", early(once(says(503))), 0, TWICE)

# ---- silence

def mute(r, n, ok):
    r.silence()


def mute_in_body(r, n, ok):
    a = ok()
    send(r, a, cut=len(a.body) // 2)
    r.silence()


def drip_headers(r, n, ok):
    r.send(b"HTTP/1.1 200 OK\r\n")
    while r.send(b"X: y\r\n"):
        time.sleep(0.1)


def drip_body(r, n, ok):
    r.head(200, length=len(BODY))
    while r.send(b"x"):
        time.sleep(0.1)


def drip_status(r, n, ok):
    for byte in b"HTTP/1.1 200 OK\r\n\r\n" * 10:
        if not r.send(bytes([byte])):
            return
        time.sleep(0.2)


row("mute", "ALL", mute, 26, 3, seconds=30)
row("mute-once", "ALL", once(mute), 0, TWICE, seconds=20)
row("mute-in-headers", FEW, half_closed, 26, 3, seconds=30)
# What brings 16 KiB forward is no failed try: 300 KB, half of the rest each time.
row("mute-in-body", "BODIES", mute_in_body, 26, "7 index,m-tag,m-digest,tags,TOKENS:3", seconds=40)
row("mute-in-body-once", "BODIES", once(mute_in_body), 0, 2, seconds=20)
row("drip-status", FEW, drip_status, 26, 3, seconds=30)
row("drip-headers", FEW, drip_headers, 26, 3, seconds=30)
row("drip-body", "get-sized m-tag b-get tags token", drip_body, "26 token:16", 3, seconds=30)

# ---- without end

def endless(head, piece):
    def way(r, n, ok):
        r.send(head)
        while r.send(piece):
            pass
    return way


OK = b"HTTP/1.1 200 OK\r\n"
row("endless-body", "BODIES", endless(OK + b"\r\n", BODY), "16 get-sized,get-rest,BLOBS:14 b-part:24", 1, peak="24 tags:64")
row("endless-chunks", "BODIES", endless(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65536 + b"\r\n"), "16 get-sized,get-rest,BLOBS:14 b-part:24", 1, peak="24 tags:64")
row("endless-chunk-extension", "BODIES", endless(OK + b"Transfer-Encoding: chunked\r\n\r\n5", b";more=more" * 1000), "26 b-part:24", 3, seconds=30)
row("endless-chunk-size", "BODIES", endless(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 65536), 24)
row("endless-trailers", "BODIES", lambda r, n, ok: endless(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-More: and more\r\n" * 100)(r, n, ok), 24)
row("endless-headers", "ALL", endless(OK, b"X-More: and more\r\n" * 100), 24)
row("endless-header", "ALL", endless(OK + b"X-More: ", b"more" * 1000), 24)
row("endless-status-line", FEW, endless(b"HTTP/1.1 200 ", b"more" * 1000), 24)
row("endless-continue", "ALL", endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100), 24)
row("endless-hints", FEW, endless(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 100), 24)
row("endless-error", "BODIES PUSHES", endless(b"HTTP/1.1 400 Bad Request\r\n\r\n", BODY), "24 PUSHES:43 TOKENS:21 referrers:0", check="-")
row("endless-blank-lines", FEW, endless(b"", b"\r\n" * 1000), 24)
row("ten-continues", "ALL", lambda r, n, ok: r.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 10) and send(r, ok()))
row("hints-first", FEW, lambda r, n, ok: r.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nContent-Length: 3\r\n\r\n") and send(r, ok()))
row("switches", FEW, sends(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"), 20, 3)

# ---- protocol

def speaks(first_line, end=b"\r\n"):
    def way(r, n, ok):
        a = ok()
        lines = [first_line % a.status, *(h.encode() for h in a.headers), b"Content-Length: %d" % len(a.body), b"Connection: close", b""]
        r.send(end.join(lines) + end + (a.body if r.method != "HEAD" else b""))
    return way


row("http-1.0", "ALL", speaks(b"HTTP/1.0 %d OK"))
row("no-reason", FEW, speaks(b"HTTP/1.1 %d"))
row("odd-reason", FEW, speaks(b"HTTP/1.1 %d \xff\xfe\x1b[31m"))
row("bare-line-feeds", "ALL", speaks(b"HTTP/1.1 %d OK", b"\n"))
row("lower-case", "ALL", speaks(b"http/1.1 %d ok"), 24)
row("http-3.0", FEW, speaks(b"HTTP/3.0 %d OK"), 24)
row("http-1.1.1", FEW, speaks(b"HTTP/1.1.1 %d OK"), 24)
row("blank-before", FEW, speaks(b" HTTP/1.1 %d OK"), 24)
row("no-digits", FEW, sends(b"HTTP/1.1 banana\r\n\r\n"), 24)
row("two-digits", FEW, sends(b"HTTP/1.1 20 OK\r\n\r\n"), 24)
row("four-digits", FEW, sends(b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n"), 24)
row("status-000", FEW, sends(b"HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n"), 24)
row("http-0.9", "ALL", sends(BODY), 24)
row("http-2-frames", FEW, sends(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + b"\x00" * 18), 24)
row("preface-of-http-2", FEW, sends(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 24)
row("ssh", FEW, sends(b"SSH-2.0-OpenSSH_9.2\r\n"), 24)
row("nul-in-header", FEW, lambda r, n, ok: (lambda a: send(r, a, [*a.headers, "X-A: a\0b"]))(ok()), 24)
row("control-in-header", FEW, lambda r, n, ok: (lambda a: send(r, a, [*a.headers, "X-A: a\x1b[31mb"]))(ok()))
row("header-without-colon", FEW, lambda r, n, ok: (lambda a: send(r, a, [*a.headers, "no colon"]))(ok()), 24)
row("header-folded", FEW, lambda r, n, ok: (lambda a: send(r, a, [*a.headers, "X-A: a", " Content-Length: 5"]))(ok()))
row("header-without-name", FEW, lambda r, n, ok: (lambda a: send(r, a, [*a.headers, ": 5"]))(ok()))
row("chunks-of-nonsense", "BODIES", lambda r, n, ok: r.head(200, ["Transfer-Encoding: chunked"]) and r.send(b"zz\r\nhello\r\n0\r\n\r\n"), 24)
row("chunk-of-16-eb", "BODIES", lambda r, n, ok: r.head(200, ["Transfer-Encoding: chunked"]) and r.send(b"fffffffffffffffff\r\nhello"), 24)

# ---- redirects

def moved(code, location, headers=()):
    """{} of the location is the path with the query of the request and a mark, by which it is honest there."""
    def way(r, n, ok):
        query = "?" + (r.query + "&" if r.query else "") + "landed=1"
        r.redirect(code, location.format(r.path + query, **WHERE, path=r.path), headers)
    return way


def hops(least):
    return lambda r, n, ok: send(r, ok()) if n == least else r.redirect(307, f"{r.path}?{r.query}&hop={n}")


COMMA = "b-put,b-post,b-chunks,b-mount,m-put"
OTHER = "http://{other}{}"
for code, want, most in (
        (301, f"0 {COMMA}:25", 1), (302, f"0 {COMMA}:25", 1), (303, "0 b-put,b-chunks,m-put:25 b-post,b-mount:43", "1 b-mount:2"),
        (307, 0, "1 b-chunks:3"), (308, 0, "1 b-chunks:3")):
    want = f"{want} identity:24"
    row(f"to-path-{code}", "ALL", moved(code, "{}"), want, most)
    row(f"to-other-{code}", "ALL", moved(code, OTHER), want, most)
for name, location in (
        ("scheme-less", "//{main}{}"), ("dots", "/a/../.{}"), ("fragment", "{}#token=signed-secret"), ("upper", "HTTP://{main}{}"),
        ("default", "http://{main}{}")):
    row("to-" + name, "GETS HEADS", moved(307, location), 0, 1)
for name, location in (
        ("ftp", "ftp://{other}{}"), ("file", "file:///etc/passwd"), ("script", "javascript:alert(1)"), ("data", "data:,hello"),
        ("gopher", "gopher://{other}{}"), ("user", "http://user:pass@{other}{}"), ("user-only", "http://robot@{other}{}"),
        ("hex-address", "http://0x7f.1:{otherport}{}"), ("short-address", "http://127.1:{otherport}{}"),
        ("number-address", "http://2130706433:{otherport}{}"), ("octal-address", "http://0177.0.0.1:{otherport}{}"),
        ("unlisted-host", "http://localhost:{otherport}{}"), ("port-99999", "http://127.0.0.1:99999{}"), ("port-0", "http://127.0.0.1:0{}"),
        ("no-host", "http:///x"), ("backslashes", "http:\\\\{other}{}"), ("control", "http://{other}/\x01{}"),
        ("long", "/" + "a" * 17000)):
    row("to-" + name, "get index m-tag m-head b-get b-put m-put tags", moved(307, location), 25, 1)
row("to-nowhere", "GETS HEADS b-put m-put", says(302), 24, 1)
row("to-empty", "GETS HEADS b-put m-put", says(307, b"", ["Location: "]), 24, 1)
row("to-self", "GETS HEADS b-put m-put", lambda r, n, ok: r.redirect(307, f"{r.path}?{r.query}"), 25, 6)
row("to-ever-new", "GETS HEADS b-put m-put", hops(-1), 25, 6)
row("hops-5", "GETS HEADS b-put m-put", hops(5), 0, 6)
row("hops-6", "GETS HEADS b-put m-put", hops(6), 25, 6)
row("to-expired-once", "BLOBS FILES", lambda r, n, ok: r.redirect(307, f"http://{WHERE['other']}{r.path}?{'landed=1' if n else 'sig=signed-secret'}")
    if r.listener == "main" else r.reply(403, b"<Error>expired</Error>"), 0, 4)
row("to-401", "GETS", lambda r, n, ok: r.redirect(307, f"http://{WHERE['other']}{r.path}?sig=signed-secret") if r.listener == "main" else
    r.reply(401, b"", ['WWW-Authenticate: Basic realm="x"']), "21 referrers:0", 8, check="-")
row("to-404", "GETS", lambda r, n, ok: r.redirect(307, f"http://{WHERE['other']}{r.path}?sig=signed-secret") if r.listener == "main" else
    r.reply(404), "20 MANIFESTS,referrers,tags:0", 2, check="-")

# ---- TLS

TLS = "get m-tag m-head b-rest b-put m-put tags"
row("tls", TLS, lambda r, n, ok: send(r, ok()), at="tls")
row("tls-by-name", TLS, lambda r, n, ok: send(r, ok()), at="name")
for at in ("stranger", "old", "expired", "misnamed", "alone", "closing", "resetting", "babbling", "plain"):
    row("tls-" + at, TLS, lambda r, n, ok: send(r, ok()), 22, at=at)
row("tls-mute", TLS, lambda r, n, ok: send(r, ok()), 26, at="mute", seconds=30)
row("tls-reset-in-body-once", "get b-get m-tag tags", once(lambda r, n, ok: (send(r, ok(), cut=10), r.reset())), 0, 2, at="tls")
row("tls-to-plain", TLS, moved(307, "http://{main}{}"), 25, 1, at="tls")
row("tls-to-tls", TLS, moved(307, "https://{tls}{}"), 0, 1, at="tls")
row("tls-to-loopback", TLS, moved(307, "https://127.0.0.1:{strangerport}{}"), 25, 1, at="name")
row("tls-to-localhost", TLS, moved(307, "https://localhost:{strangerport}{}"), 25, 1, at="name")
row("tls-to-mapped", TLS, moved(307, "https://[::ffff:127.0.0.1]:{strangerport}{}"), 25, 1, at="name")
row("tls-to-link-local", TLS, moved(307, "https://169.254.169.254/latest/meta-data{path}"), 25, 1, at="name")
row("tls-to-private-10", TLS, moved(307, "https://10.0.0.1/{path}"), 25, 1, at="name")
row("tls-to-nat64", TLS, moved(307, "https://[64:ff9b::7f00:1]:{strangerport}{}"), 25, 1, at="name")
