"""chaos_ways_answer: answers that are wrong: statuses, lengths, ranges, digests, encodings, content. Read by chaos_matrix.py."""
import time
from email.utils import formatdate

from chaos import BODY, DIGEST
from chaos_matrix import once, every_second, row, says, spoils
from chaos_ops import send

FEW = "get index m-tag m-head b-get b-rest b-head b-put b-mount m-put tags token"
ZERO = "sha256:" + "0" * 64


# ---- nothing wrong

def chunked(r, a, extension=b"", trailers=b"", end=b"0\r\n", headers=()):
    r.head(a.status, [*a.headers, "Transfer-Encoding: chunked", *headers])
    if r.method != "HEAD":
        for at in range(0, len(a.body), 70000):
            piece = a.body[at:at + 70000]
            r.send(b"%x%s\r\n%s\r\n" % (len(piece), extension, piece))
        r.send(end + trailers + (b"\r\n" if end else b""))


row("honest", "ALL", spoils())
row("in-chunks", "BODIES", lambda r, n, ok: chunked(r, ok()))
row("chunk-extensions", "BODIES", lambda r, n, ok: chunked(r, ok(), b";name=value;x=\"y\""))
row("trailers", "BODIES", lambda r, n, ok: chunked(r, ok(), trailers=b"X-A: 1\r\nContent-Length: 5\r\nLocation: /x\r\n"))
row("until-closed", "BODIES", lambda r, n, ok: (lambda a: r.head(a.status, a.headers) and r.send(a.body))(ok()))
row("headers-of-60-kb", "ALL", lambda r, n, ok: (lambda a: send(r, a, [*a.headers, *(f"X-{i}: {'x' * 300}" for i in range(190))]))(ok()))
row("warning", FEW, lambda r, n, ok: (lambda a: send(r, a, [*a.headers, 'Warning: 299 - "old"']))(ok()))
row("cookies", FEW, lambda r, n, ok: (lambda a: send(r, a, [*a.headers, "Set-Cookie: id=signed-secret; Path=/"]))(ok()))


# ---- statuses

TWICE = "2 b-chunks:4"          # three chunks, and one of them again
# A HEAD is asked again as GET, which has words; a mount that is refused is asked again as an upload.
ONCE = "1 m-head,b-mount:2"
THRICE = "3 b-mount:6"
CLIENT = "24 PUSHES:43 referrers:0"
SERVER = "20 PUSHES:43"
STATUS = (
    # status, exit, requests
    (204, "24 b-put:0 m-put,b-post,b-chunks,b-mount:43", ONCE + " b-chunks:9"),
    (300, "24 PUSHES:43", ONCE), (304, "24 PUSHES:43", ONCE), (400, CLIENT + " TOKENS:21", ONCE + " b-chunks:3"), (401, 21, "1 m-head,b-mount:2"),
    (403, "21 referrers:0", ONCE), (404, "20 MANIFESTS,HEADS,referrers,tags:0 PUSHES:43", "1 b-put,b-chunks:3 b-mount:2"), (405, CLIENT, ONCE),
    (408, SERVER, "3 m-head,b-mount:6"), (410, SERVER + " referrers:0", ONCE), (413, CLIENT, ONCE + " b-chunks:3"),
    (416, CLIENT, ONCE + " b-put,b-chunks:3"), (429, 23, 3), (500, SERVER, THRICE), (501, SERVER + " referrers:0", "1 b-mount:2"), (502, SERVER, THRICE),
    (503, SERVER, THRICE), (504, SERVER, THRICE), (507, SERVER, "1 b-mount:2"),
)
for code, want, most in STATUS:
    row(f"status-{code}", "ALL", says(code, b"no"), want, most, check="-")
for code, want, most in (
        (305, CLIENT, ONCE), (402, CLIENT, ONCE), (406, CLIENT, ONCE), (409, CLIENT, ONCE), (414, CLIENT, ONCE), (418, CLIENT, ONCE),
        (421, CLIENT, ONCE), (425, CLIENT, ONCE), (426, CLIENT, ONCE), (431, CLIENT, ONCE), (451, CLIENT, ONCE), (505, SERVER, 1),
        (599, SERVER, 1), (999, SERVER, 1)):
    row(f"status-{code}", "get m-tag m-head b-get b-put m-put tags token", says(code, b"no"), want, most)
for code in (408, 500, 502, 503, 504):
    row(f"status-{code}-once", "ALL", once(says(code, b"no")), 0, TWICE)

# ---- limits

LIMIT = {"errors": [{"code": "TOOMANYREQUESTS", "message": "slow down"}]}


def after(text):
    return says(429, LIMIT, [f"Retry-After: {text}"])


row("limit-seconds", "ALL", once(after("1")), 0, TWICE)
row("limit-date", "ALL", once(lambda r, n, ok: after(formatdate(time.time() + 1, usegmt=True))(r, n, ok)), 0, TWICE)
row("limit-past", FEW, once(after("Sun, 06 Nov 1994 08:49:37 GMT")), 0, TWICE)
row("limit-zero", FEW, once(after("0")), 0, TWICE)
row("limit-nonsense", FEW, once(after("-1 fortnight")), 0, TWICE)
row("limit-every-second", "ALL", every_second(after("0")), 0, 8)
row("limit-absurd", "get m-tag b-get b-put m-put tags token", after("99999999999"), 23, 3, seconds=15)
row("limit-with-quota", FEW, once(says(429, LIMIT, ["RateLimit-Limit: 100;w=21600", "RateLimit-Remaining: 0;w=21600", "RateLimit-Reset: 1"])), 0,
    TWICE + " m-tag:3")              # a HEAD in between asks whether there is more
row("quota-nonsense", FEW, lambda r, n, ok: (lambda a: send(r, a, [*a.headers, "RateLimit-Limit: many", "RateLimit-Remaining: -1;w=x"]))(ok()))
row("busy-until", "ALL", once(says(503, b"", ["Retry-After: 1"])), 0, TWICE)

# ---- lengths

# What a server says is the end is the end, where nothing says better.
row("length-short", "BODIES", lambda r, n, ok: send(r, *(lambda a: (a, a.headers, len(a.body) - 1))(ok())),
    "24 get,index:0 get-sized,b-get,MANIFESTS:14 tags,referrers:18", "1 MANIFESTS:2", check="-")
row("length-long", "BODIES", lambda r, n, ok: send(r, *(lambda a: (a, a.headers, len(a.body) + 1))(ok())), "20 get-sized,b-get:14 RANGES,b-part:24", "3 get:4")
row("length-long-once", "BODIES", once(lambda r, n, ok: send(r, *(lambda a: (a, a.headers, len(a.body) + 1))(ok()))), "0 get,RANGES,b-part:24 index,get-sized,b-get:14", 2)
row("length-twice", "ALL", lambda r, n, ok: (lambda a: send(r, a, [*a.headers, f"Content-Length: {len(a.body)}"]))(ok()))
row("lengths-differ", "ALL", lambda r, n, ok: (lambda a: send(r, a, [*a.headers, "Content-Length: 5"]))(ok()), 24)


def raw_length(text):
    def way(r, n, ok):
        a = ok()
        r.send(f"HTTP/1.1 {a.status} X\r\nContent-Length: {text}\r\n".encode() + "".join(h + "\r\n" for h in a.headers).encode() + b"\r\n")
        if r.method != "HEAD":
            r.send(a.body)
    return way


row("length-negative", FEW, raw_length("-5"), 24)
row("length-words", FEW, raw_length("12abc"), 24)
row("length-hex", FEW, raw_length("0x10"), 24)
row("length-list", FEW, raw_length("5, 5"), 24)
row("length-over-64-bits", FEW, raw_length("99999999999999999999999"), 24)
row("length-of-9-eb", "BODIES", raw_length("9000000000000000000"), "16 get-sized,b-get:14 RANGES,b-part:24")
row("length-beside-chunks", "BODIES", lambda r, n, ok: chunked(r, ok(), headers=["Content-Length: 7"]),
    "0 get,get-sized,b-get,index:14 RANGES,b-part:24")
row("nothing", "BODIES", spoils(length=0, cut=0), "24 get:0 get-sized,b-get,MANIFESTS:14 index,tags,referrers:18", "1 MANIFESTS:2", check="-")
row("no-length-cut-once", "BODIES", once(lambda r, n, ok: (lambda a: r.head(a.status, a.headers) and r.send(a.body[:len(a.body) // 2]))(ok())),
    "0 tags,referrers:18 TOKENS:24", 2, check="-")
row("cut-once", "BODIES", once(lambda r, n, ok: (lambda a: send(r, a, cut=len(a.body) // 2))(ok())), 0, 2)
row("cut-always", "BODIES", lambda r, n, ok: send(r, ok(), cut=0), 20, 3)
row("chunks-cut-once", "BODIES", once(lambda r, n, ok: chunked(r, ok(), end=b"")), 0, 2)
row("junk-behind", "ALL", lambda r, n, ok: (lambda a: r.head(a.status, a.headers, len(a.body)) and r.send(
    (a.body if r.method != "HEAD" else b"") + b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad"))(ok()))

# ---- ranges

REST = f"Content-Range: bytes 100000-{len(BODY) - 1}/{len(BODY)}"


def part(body, *headers):
    return says(206, body, headers)


row("range-ignored", "RANGES", says(200, BODY))
row("range-ignored-unsaid", "RANGES", lambda r, n, ok: r.head(200) and r.send(BODY))
row("range-elsewhere", "RANGES", part(BODY[99999:], f"Content-Range: bytes 99999-{len(BODY) - 1}/{len(BODY)}"), 24, 1)
row("range-from-0", "RANGES", part(BODY, f"Content-Range: bytes 0-{len(BODY) - 1}/{len(BODY)}"), 24, 1)
row("range-unnamed", "RANGES", part(BODY[100000:]), 24, 1)
row("range-total-larger", "RANGES", part(BODY[100000:] + b"x", f"Content-Range: bytes 100000-{len(BODY)}/{len(BODY) + 1}"), 14, 1)
row("range-total-smaller", "RANGES", part(BODY[100000:-1], f"Content-Range: bytes 100000-{len(BODY) - 2}/{len(BODY) - 1}"), 14, 1)
row("range-total-unsaid", "RANGES", part(BODY[100000:], f"Content-Range: bytes 100000-{len(BODY) - 1}/*"))
row("range-length-differs", "RANGES", part(BODY[100000:], f"Content-Range: bytes 100000-{len(BODY) - 2}/{len(BODY)}"), 24, 1)
row("range-backwards", "RANGES", part(BODY[100000:], f"Content-Range: bytes {len(BODY) - 1}-100000/{len(BODY)}"), 24, 1)
row("range-nonsense", "RANGES", part(BODY[100000:], "Content-Range: bytes 99999999999999999999-x/0"), 24, 1)
row("range-of-items", "RANGES", part(BODY[100000:], "Content-Range: items 100000-299999/300000"), 24, 1)
row("range-multipart", "RANGES", part(b"--x\r\n" + REST.encode() + b"\r\n\r\n" + BODY[100000:] + b"\r\n--x--\r\n",
                                      "Content-Type: multipart/byteranges; boundary=x"), 24, 1)
row("range-in-pieces", "RANGES", lambda r, n, ok: r.reply(206, BODY[r.start:r.start + 150000], [
    f"Content-Range: bytes {r.start}-{min(r.start + 150000, len(BODY)) - 1}/{len(BODY)}"]), 0, 3)
PART = "Content-Range: bytes 100000-199999/300000"
row("part-ignored", "b-part", says(200, BODY), 24, 1)
row("part-longer", "b-part", part(BODY[100000:], "Content-Range: bytes 100000-299999/300000"), 24, 1)
row("part-beyond-its-name", "b-part", part(BODY[100000:], PART), 24, 1)
row("part-elsewhere", "b-part", part(BODY[99999:199999], "Content-Range: bytes 99999-199998/300000"), 24, 1)
row("part-unnamed", "b-part", part(BODY[100000:200000]), 24, 1)
row("part-of-other-total", "b-part", part(BODY[100000:200000], "Content-Range: bytes 100000-199999/300001"), 14, 1)
row("part-in-pieces", "b-part", lambda r, n, ok: r.reply(206, BODY[100000 + 40000 * n:140000 + 40000 * n][:100000 - 40000 * n], [
    f"Content-Range: bytes {100000 + 40000 * n}-{min(139999 + 40000 * n, 199999)}/300000"]), 0, 3)
row("range-changed", "RANGES", lambda r, n, ok: r.reply(206, BODY[r.start:], [
    f"Content-Range: bytes {r.start}-{len(BODY) - 1}/{len(BODY)}", f'ETag: "{n}"'], cut=100000 if n == 0 else None), 24, 2)
row("range-416", "RANGES", says(416), 24, 1)
row("range-416-other-total", "RANGES", says(416, b"", ["Content-Range: bytes */123"]), 24, 1)
row("range-416-right-total", "RANGES", says(416, b"", [f"Content-Range: bytes */{len(BODY)}"]), 24, 1)
row("range-416-nonsense", "RANGES", says(416, b"", ["Content-Range: bytes */*"]), 24, 1)
row("part-unasked", "get get-sized index MANIFESTS b-get tags TOKENS", lambda r, n, ok: (lambda a: r.reply(206, a.body, [*a.headers, f"Content-Range: bytes 0-{len(a.body) - 1}/{len(a.body)}"]))(ok()), 24)
row("range-named-on-200", "FILES b-get", lambda r, n, ok: (lambda a: send(r, a, [*a.headers, "Content-Range: bytes 5-9/10"]))(ok()))

# ---- digests

def flip(r, n, ok):
    a = ok()
    a.body = a.body[:-1] + bytes([a.body[-1] ^ 1])
    send(r, a)


def digest(text):
    """Another Docker-Content-Digest."""
    return lambda r, n, ok: (lambda a: send(r, a, [*(h for h in a.headers if not h.startswith("Docker-")),
                                                   *([f"Docker-Content-Digest: {text}"] if text else [])]))(ok())


NAMED = "m-tag m-digest m-head b-get b-rest b-head b-put b-mount m-put"
row("damaged", "MANIFESTS b-get", flip, 14)
row("damaged-once", "MANIFESTS", once(flip), 0, 2)
row("digest-unsaid", NAMED, digest(None))
row("digest-other", NAMED, digest(ZERO), "14 BLOBS,m-head:0", check="-")
row("digest-sha512", NAMED, digest("sha512:" + "0" * 128))
row("digest-md5", NAMED, digest("md5:123"))
row("digest-upper", NAMED, digest(DIGEST.upper()))
row("digest-empty", NAMED, digest(" "))

# ---- encodings

for encoding, want in (("gzip", 24), ("br", 24), ("deflate", 24), ("zstd", 24), ("identity, gzip", 24), ("identity", 0), ("GZIP", 24),
                       ("aws-chunked", 24)):
    row("encoded-" + "-".join(encoding.lower().split(", ")) + ("-upper" if encoding.isupper() else ""), "BODIES",
        (lambda e: lambda r, n, ok: (lambda a: send(r, a, [*a.headers, f"Content-Encoding: {e}"]))(ok()))(encoding), want)
row("transfer-gzip", "BODIES", lambda r, n, ok: (lambda a: r.head(a.status, [*a.headers, "Transfer-Encoding: gzip, chunked"]) and r.send(
    b"5\r\nhello\r\n0\r\n\r\n"))(ok()), 24)

# ---- content that is none

HTML = b"<html><head><title>Sign in</title></head></html>"
JSONS = "m-tag tags TOKENS"
row("html", JSONS + " index", says(200, HTML, ["Content-Type: text/html"]), "18 TOKENS:24 tags:18")
row("not-json", JSONS, says(200, b"hello"), "18 TOKENS:24")
row("json-list", JSONS, says(200, b"[]"), "18 TOKENS,tags:24")
row("json-null", JSONS, says(200, b"null"), "18 TOKENS,tags:24")
row("json-deep", JSONS, says(200, b"[" * 5000 + b"]" * 5000), "16 TOKENS:24")
row("json-twice", JSONS, says(200, b'{"tags":[],"tags":[],"token":"a","token":"b","mediaType":"a","mediaType":"b"}'), "18 TOKENS:24")
row("json-cut", JSONS, says(200, b'{"tags":["a'), "18 TOKENS:24")
row("json-behind", JSONS, says(200, b'{"tags":["a"],"token":"token-secret","manifests":[]} x'), "18 TOKENS:24")
row("json-nul", JSONS, says(200, b'{"tags":["a\\u0000"],"token":"a\\u0000b","mediaType":"a\\u0000"}'), "18 TOKENS:24")
row("not-utf8", JSONS, says(200, b'{"tags":["\xff\xfe"],"token":"\xff","mediaType":"\xff"}'), "18 TOKENS:24")
