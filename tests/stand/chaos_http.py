"""chaos_http: what plain servers do wrong. Read by chaos.py of the tests' own."""
import time
from email.utils import formatdate

from chaos import BODY, WHERE, case

HALF = len(BODY) // 2
GET_S = "get {url} --sized --size {S}"


# ---- nothing wrong

@case("ok", check="body")
def ok(r, n):
    r.content()


@case("chunked", check="body", most=1)
def chunked(r, n):
    r.head(200, ["Transfer-Encoding: chunked"])
    for at in range(0, len(BODY), 70000):
        piece = BODY[at:at + 70000]
        r.send(b"%x\r\n%s\r\n" % (len(piece), piece))
    r.send(b"0\r\nX-Trailer: 1\r\nContent-Length: 5\r\n\r\n")


@case("junk-behind", check="body", most=1)
def junk_behind(r, n):
    r.reply(200, BODY + b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad", length=len(BODY))


@case("offset", command="get {url} --sized --size {S} --offset 299990", check="tail:10", most=1)
def offset(r, n):
    r.content()


@case("offset-ignored", command="get {url} --sized --size {S} --offset 299990", check="tail:10", most=1)
def offset_ignored(r, n):
    r.reply(200, BODY)


# ---- broken lines

@case("cut-once", check="body", most=2)
def cut_once(r, n):
    r.content(['ETag: "a"'], cut=100000 if n == 0 else None)


@case("cut-often", command="get {url} --tries 12", check="body", most=8, seconds=20)
def cut_often(r, n):
    r.content(cut=70000 if n < 5 else None)


@case("cut-head", command=GET_S, check="body", most=2)
def cut_head(r, n):
    if n == 0:
        r.send(b"HTTP/1.1 200 OK\r\nContent-Le")
    else:
        r.content()


@case("cut-always", wanted=20, most=3)
def cut_always(r, n):
    r.reply(200, BODY, cut=0)


@case("reset", wanted=20, most=3)
def reset(r, n):
    r.reset()


@case("reset-once", check="body", most=2)
def reset_once(r, n):
    if n == 0:
        r.reset()
    else:
        r.content()


@case("range-ignored", check="body", most=2)
def range_ignored(r, n):
    r.reply(200, BODY, cut=100000 if n == 0 else None)


@case("no-length-cut", command=GET_S, check="body", most=2)
def no_length_cut(r, n):
    if n == 0:
        r.head(200)
        r.send(BODY[:HALF])
    else:
        r.content()


@case("complete-at-416", check="body", most=2)
def complete_at_416(r, n):
    if n == 0:
        r.head(200, ["Transfer-Encoding: chunked"])
        r.send(b"%x\r\n%s\r\n" % (len(BODY), BODY))
    else:
        r.content()


def broken_range(name, wanted=24, **how):
    """The first answer breaks; the second is the case's."""
    def register(second):
        @case(name, wanted, most=2, **how)
        def answer(r, n):
            if n == 0:
                r.reply(200, BODY, ['ETag: "a"'], cut=HALF)
            else:
                second(r)
        return answer
    return register


@broken_range("range-elsewhere")
def range_elsewhere(r):
    r.reply(206, BODY[HALF - 5:], [f"Content-Range: bytes {HALF - 5}-{len(BODY) - 1}/{len(BODY)}"])


@broken_range("range-unnamed")
def range_unnamed(r):
    r.reply(206, BODY[HALF:])


@broken_range("range-length-differs")
def range_length_differs(r):
    r.reply(206, BODY[HALF:], [f"Content-Range: bytes {HALF}-{len(BODY) - 2}/{len(BODY)}"])


@broken_range("range-total-differs", wanted=14)
def range_total_differs(r):
    r.reply(206, BODY[HALF:] + b"x", [f"Content-Range: bytes {HALF}-{len(BODY)}/{len(BODY) + 1}"])


@broken_range("range-nonsense")
def range_nonsense(r):
    r.reply(206, BODY[HALF:], ["Content-Range: bytes 99999999999999999999-x/0"])


@broken_range("range-multipart")
def range_multipart(r):
    r.reply(206, b"--x\r\n\r\n" + BODY[HALF:], ["Content-Type: multipart/byteranges; boundary=x"])


@broken_range("changed-meanwhile")
def changed_meanwhile(r):
    r.reply(200, BODY, ['ETag: "b"'])


@broken_range("wrong-416")
def wrong_416(r):
    r.reply(416, b"", ["Content-Range: bytes */123"])


# ---- lengths

@case("smaller", wanted=14, command=GET_S, most=1)
def smaller(r, n):
    r.reply(200, BODY[:-1])


@case("larger", wanted=14, command=GET_S, most=1)
def larger(r, n):
    r.reply(200, BODY + b"x")


@case("larger-unsaid", wanted=14, command=GET_S, most=1)
def larger_unsaid(r, n):
    r.head(200)
    r.send(BODY + b"x")


@case("length-lies", wanted=24, most=2)
def length_lies(r, n):
    if n == 0:
        r.reply(200, BODY, length=len(BODY) + 10)
    else:
        r.content()


@case("length-twice", wanted=24)
def length_twice(r, n):
    r.reply(200, BODY, ["Content-Length: 5"])


@case("length-nonsense", wanted=24)
def length_nonsense(r, n):
    r.send(b"HTTP/1.1 200 OK\r\nContent-Length: 12abc\r\n\r\n" + BODY)


@case("length-negative", wanted=24)
def length_negative(r, n):
    r.send(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n" + BODY)


@case("length-huge", wanted=16)
def length_huge(r, n):
    r.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000000000000000\r\n\r\n" + BODY)


@case("endless-body", wanted=16, command="get {url} --max 1000000")
def endless_body(r, n):
    r.head(200)
    while r.send(BODY):
        pass


@case("endless-error", wanted=24)
def endless_error(r, n):
    r.head(400)
    while r.send(BODY):
        pass


# ---- nonsense

@case("endless-headers", wanted=24)
def endless_headers(r, n):
    r.send(b"HTTP/1.1 200 OK\r\n")
    while r.send(b"X-More: and more\r\n" * 100):
        pass


@case("endless-header", wanted=24)
def endless_header(r, n):
    r.send(b"HTTP/1.1 200 OK\r\nX-More: ")
    while r.send(b"more" * 1000):
        pass


@case("endless-continue", wanted=24)
def endless_continue(r, n):
    while r.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 100):
        pass


@case("gzip", wanted=24, most=1)
def gzip(r, n):
    r.reply(200, BODY, ["Content-Encoding: gzip"])


@case("identity", check="body", most=1)
def identity(r, n):
    r.reply(200, BODY, ["Content-Encoding: identity"])


@case("banana", wanted=24)
def banana(r, n):
    r.send(b"HTTP/1.1 banana\r\n\r\n")


@case("http09", wanted=24)
def http09(r, n):
    r.send(BODY)


@case("chunk-nonsense", wanted=24)
def chunk_nonsense(r, n):
    r.head(200, ["Transfer-Encoding: chunked"])
    r.send(b"zz\r\nhello\r\n0\r\n\r\n")


@case("part-unasked", wanted=24, most=1)
def part_unasked(r, n):
    r.reply(206, BODY[:10], [f"Content-Range: bytes 0-9/{len(BODY)}"])


@case("no-content", wanted=24, most=1)
def no_content(r, n):
    r.send(b"HTTP/1.1 204 No Content\r\n\r\n")


@case("evil-words", wanted=20, check="said:not there: A .31mred B$")
def evil_words(r, n):
    r.reply(404, b"A \x1b[31mred\x07 \r\nB")


# ---- time

@case("silence", wanted=26, command="get {url} --tries 2", seconds=20, most=2)
def silence(r, n):
    r.silence()


@case("silence-amid", check="body", seconds=20, most=2)
def silence_amid(r, n):
    if n == 0:
        r.reply(200, BODY, cut=HALF)
        r.silence()
    else:
        r.content()


@case("drip", wanted=26, command="get {url} --tries 1", seconds=20, most=1)
def drip(r, n):
    r.head(200, length=len(BODY))
    while r.send(b"x"):
        time.sleep(0.1)


@case("too-slow", wanted=26, command="get {url} --deadline 1500", seconds=5, most=1)
def too_slow(r, n):
    r.head(200, length=len(BODY))
    while r.send(b"x" * 2000):
        time.sleep(0.1)


# ---- statuses

@case("limited-once", check="body", most=2)
def limited_once(r, n):
    if n == 0:
        r.reply(429, {"errors": [{"code": "TOOMANYREQUESTS"}]}, ["Retry-After: 1"])
    else:
        r.content()


@case("limited-until", check="body", most=2)
def limited_until(r, n):
    if n == 0:
        r.reply(429, b"", ["Retry-After: " + formatdate(time.time() + 1, usegmt=True)])
    else:
        r.content()


@case("limited", wanted=23, most=3, check="said:TOOMANYREQUESTS: slow down")
def limited(r, n):
    r.reply(429, {"errors": [{"code": "TOOMANYREQUESTS", "message": "slow down"}]})


@case("limited-forever", wanted=23, command="get {url} --retry-max 200", most=3)
def limited_forever(r, n):
    r.reply(429, b"", ["Retry-After: 86400"])


@case("limited-nonsense", wanted=23, most=3)
def limited_nonsense(r, n):
    r.reply(429, b"", ["Retry-After: -1 fortnight"])


@case("unavailable-once", check="body", most=2)
def unavailable_once(r, n):
    if n == 0:
        r.reply(503, b"", ["Retry-After: 0"])
    else:
        r.content()


def status(code, wanted, most):
    @case(f"status-{code}", wanted, most=most)
    def answer(r, n):
        r.reply(code, b"no")
    return answer


for row in ((400, 24, 1), (401, 21, 1), (403, 21, 1), (404, 20, 1), (405, 24, 1), (408, 20, 3), (410, 20, 1), (418, 24, 1),
            (500, 20, 3), (501, 20, 1), (502, 20, 3), (503, 20, 3), (504, 20, 3), (304, 24, 1), (300, 24, 1)):
    status(*row)


# ---- redirects

def redirect(name, code, location, wanted=0, command="get {url}", check="body", most=2):
    """location may name listeners; /ok/... is honest on all of them."""
    @case(name, wanted, command=command, check=check if wanted == 0 else "-", most=most)
    def answer(r, n):
        r.redirect(code, location.format(**WHERE))
    return answer


for row in (
        ("to-path", 302, "/ok/file"),
        ("to-relative", 307, "../ok/./x/../file"),
        ("to-query", 308, "/ok/file?sig=signed-secret"),
        ("to-scheme-less", 301, "//{main}/ok/file"),
        ("to-other", 307, "http://{other}/ok/file?sig=signed-secret"),
        ("to-other-see", 303, "http://{other}/ok/file"),
        ("to-ftp", 302, "ftp://{other}/ok/file", 25),
        ("to-file", 302, "file:///etc/passwd", 25),
        ("to-user", 302, "http://user:pass@{other}/ok/file", 25),
        ("to-odd-address", 302, "http://0x7f.1:{otherport}/ok/file", 25),
        ("to-control", 302, "http://{other}/ok/\x01file", 25),
        ("to-unknown-host", 302, "http://localhost:{otherport}/ok/file", 25),
        ("to-bad-port", 302, "http://127.0.0.1:99999/ok/file", 25),
        ("to-self", 302, "/to-self/file", 25, "get {url}", "-", 6),
):
    redirect(*row)

redirect("tls-to-plain", 302, "http://{main}/ok/file", 25, "get {tlsurl}")
redirect("tls-to-tls", 302, "https://{tls}/ok/file", 0, "get {tlsurl}")
redirect("tls-to-private", 302, "https://127.0.0.1:{strangerport}/ok/file", 25, "get {nameurl}")
redirect("tls-to-localhost", 302, "https://localhost:{strangerport}/ok/file", 25, "get {nameurl}")
redirect("tls-to-mapped", 302, "https://[::ffff:127.0.0.1]:{strangerport}/ok/file", 25, "get {nameurl}")


@case("to-nowhere", wanted=24, most=1)
def to_nowhere(r, n):
    r.reply(302, b"")


def hops(name, least, wanted, check):
    @case(name, wanted, check=check, most=6)
    def answer(r, n):
        if n < least:
            r.redirect(302, f"/{name}/{n}")
        else:
            r.content()
    return answer


hops("hops-5", 5, 0, "body")
hops("hops-6", 6, 25, "-")


@case("to-other-and-back", check="body", most=3)
def to_other_and_back(r, n):
    if n == 0:
        r.redirect(302, f"http://{WHERE['other']}/to-other-and-back/1")
    elif n == 1:
        r.redirect(302, f"http://{WHERE['main']}/to-other-and-back/2")
    else:
        r.content(body=BODY if "authorization" not in r.headers else b"authorization came back")


@case("to-expired", check="body", most=4)
def to_expired(r, n):
    if r.listener == "other":
        r.reply(403, b"<Error>expired</Error>") if n < 2 else r.content()
    else:
        r.redirect(307, f"http://{WHERE['other']}/to-expired/x?sig=signed-secret-{n}")


@case("to-expired-amid", check="body", most=6)
def to_expired_amid(r, n):
    """Cut, then the old address is no good, then a new one is."""
    if r.listener != "other":
        r.redirect(307, f"http://{WHERE['other']}/to-expired-amid/x?sig=signed-secret-{n}")
    elif n == 1:
        r.content(cut=HALF)
    elif n == 3:
        r.reply(400, b"<Error>AuthorizationQueryParametersError</Error>")
    else:
        r.content()


@case("to-other-401", wanted=21)
def to_other_401(r, n):
    if r.listener == "other":
        r.reply(401, b"", ['WWW-Authenticate: Basic realm="give me"'])
    else:
        r.redirect(302, f"http://{WHERE['other']}/to-other-401/x")


@case("post-302", wanted=25, command="do POST {url} hello", most=1)
def post_302(r, n):
    r.read_body()
    r.redirect(302, "/ok/file")


@case("post-303", command="do POST {url} hello --max 1000000", check="said:^200 .*/ok/file 300000$", most=1)
def post_303(r, n):
    r.read_body()
    r.redirect(303, "/ok/file")


@case("post-307", command="do POST {url} hello", check="said:^200 .*/x 5$", most=2)
def post_307(r, n):
    r.read_body()
    if n == 0:
        r.redirect(307, "/post-307/x")
    else:
        r.reply(200, r.body)


# ---- TLS

@case("tls-ok", command="get {tlsurl}", check="body")
def tls_ok(r, n):
    r.content()


@case("tls-by-name", command="get {nameurl}", check="body")
def tls_by_name(r, n):
    r.content()


@case("tls-stranger", wanted=22, command="get https://{stranger}/tls-stranger/x", check="said:not trusted")
def tls_stranger(r, n):
    r.content()


@case("tls-wrong-name", wanted=22, command="get https://localhost:{tlsport}/tls-wrong-name/x --ca localhost:{tlsport}={ca}")
def tls_wrong_name(r, n):
    r.content()


@case("tls-old", wanted=22, command="get https://{old}/tls-old/x")
def tls_old(r, n):
    r.content()


@case("tls-to-plain-port", wanted=22, command="get https://{main}/tls-to-plain-port/x")
def tls_to_plain_port(r, n):
    r.content()


@case("plain-to-tls-port", wanted=20, command="get http://{stranger}/plain-to-tls-port/x --plain {stranger}")
def plain_to_tls_port(r, n):
    r.content()


@case("tls-reset", wanted=20, command="get {tlsurl}", most=3)
def tls_reset(r, n):
    r.head(200, length=len(BODY))
    r.send(BODY[:1000] if n == 0 else b"")
    r.reset()


@case("plain-refused", wanted=2, command="get http://localhost:{mainport}/plain-refused/x", check="said:not allowed")
def plain_refused(r, n):
    r.content()


@case("nobody-there", wanted=20, command="get http://127.0.0.1:1/x --plain 127.0.0.1:1")
def nobody_there(r, n):
    r.content()


@case("no-such-name", wanted=20, command="get https://no-such-host.invalid/x", seconds=15)
def no_such_name(r, n):
    r.content()
