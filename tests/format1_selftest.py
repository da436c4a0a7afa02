#!/usr/bin/env python3
"""Does format1.py refuse what it should? Corruptions of signed bundles, and wrong bundles with right hashes (unsigned).

    format1_selftest.py BUNDLE KEY.pub [BUNDLE KEY.pub]...     exit 0 if every case came out as expected
"""
import base64, hashlib, importlib.util, io, json, os, pathlib, random, struct, subprocess, sys, tarfile, tempfile, time

spec = importlib.util.spec_from_file_location("format1", pathlib.Path(__file__).with_name("format1.py"))
sys.dont_write_bytecode = True
F = importlib.util.module_from_spec(spec)
spec.loader.exec_module(F)
TMP = tempfile.TemporaryDirectory()
FILE = os.path.join(TMP.name, "b")
cases = failures = 0

def expect(name, data, rule, keys=None, at=None):
    """`rule` None: clean. Else a violation of that rule must be there, and `at` is its offset where given."""
    global cases, failures
    cases += 1
    pathlib.Path(FILE).write_bytes(data)
    rep = F.Report()
    try:
        F.run("check", FILE, keys or {}, rep)
        got = rep.violations
    except Exception as e:                                                              # a checker that dies has not refused
        got = [("died", 0, repr(e))]
    rules = {r for r, _, _ in got}
    ok = not got if rule is None else "died" not in rules and any(r in rule.split("|") and at in (None, o) for r, o, _ in got)
    if not ok:
        failures += 1
        print(f"FAIL {name}: expected {rule or 'clean'}{'' if at is None else f' at {at}'}, got {got[:3]}")

def zstd(data, *options):
    path = os.path.join(TMP.name, "z")
    pathlib.Path(path).write_bytes(data)
    return subprocess.run(["zstd", "-qc", *(options or ["-3", "--no-check"]), path], capture_output=True, check=True).stdout

def unzstd(frame):
    return subprocess.run(["zstd", "-dcq"], input=frame, capture_output=True, check=True).stdout

# ---- a small writer ----
class Model:
    """Frames after the head as [raw, decoded length], blob records as lists; `pack` makes a bundle of them."""
    def __init__(self, frames, records, info=b'{"name": "t"}'):
        self.frames, self.records, self.info = frames, records, info

    def copy(self):
        return Model([list(f) for f in self.frames], [list(r) for r in self.records], self.info)

    def pack(self, signers=(), edit=lambda body: body, rest=b"", flags=0):
        members = [self.info, b"".join(struct.pack("<32sQQIBBH", *r) for r in self.records),
                   b"".join(struct.pack("<II", len(raw), n) + hashlib.sha256(raw).digest() for raw, n in self.frames)]
        st = {"stream": "s", "version": "1", "sequence": 1, "created": "2026-01-02T03:04:05Z", "expires": "", "audience": '"a","b"'}
        for i, m in enumerate(members):
            st[f"size{i}"], st[f"sha{i}"] = len(m), hashlib.sha256(m).hexdigest()
        body = edit((F.STATEMENT % {**st, "subject": st["sha0"]}).encode())
        entries = [{"keyid": k, "algorithm": a, "signature": s(F.pae(body))} for k, a, s in signers]
        rec = struct.pack("<8sHHI", b"AIRGAPS1", 1, flags, len(body)) + body + struct.pack("<H", len(entries))
        for e in entries:
            rec += struct.pack("<32sHH", e["keyid"], e["algorithm"], len(e["signature"])) + e["signature"]
        rec = (rec + rest).ljust(F.RECORD, b"\0")
        frame0 = F.stored_frame(F.ustar("bundle.sig", F.RECORD) + rec + F.ustar("bundle.sigstore.json", F.SIGSTORE) + F.sigstore_file(body, entries))
        head = [f for name, m in zip(F.MEMBERS, members) for f in F.member_frames(name, m)]
        sizes = [(len(f), int.from_bytes(f[5:9], "little")) for f in [frame0] + head] + [(len(raw), n) for raw, n in self.frames]
        return frame0 + b"".join(head) + b"".join(raw for raw, _ in self.frames) + F.seek_table(sizes)

def write(blobs, index, first=4, p2_limit=4 << 20, piece=4 << 20, order=sorted):
    """A model from {content: encoding}; the knobs make wrong ones."""
    blobs = {hashlib.sha256(c).digest(): (c, e) for c, e in blobs.items()}
    frames, records = [], {}
    def entry(name, c):
        return F.tar_header(name, len(c)) + c + bytes(-len(c) % 512)
    def large(encoding):
        for d in order(blobs):
            c, e = blobs[d]
            if len(c) > 65536 and e == encoding:
                records[d] = [d, len(c), first + len(frames), 512, e, 0, 0]
                for at in range(0, len(c), piece):
                    part = (F.tar_header("blobs/sha256/" + d.hex(), len(c)) if at == 0 else b"") + c[at:at + piece]
                    part += bytes(-len(c) % 512) if at + piece >= len(c) else b""
                    frames.append([zstd(part) if e else F.stored_frame(part), len(part)])
    large(0)
    small = [(None, entry("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')), (None, entry("index.json", json.dumps(index).encode()))]
    small += [(d, entry("blobs/sha256/" + d.hex(), blobs[d][0])) for d in order(blobs) if len(blobs[d][0]) <= 65536]
    group = b""
    for i, (d, data) in enumerate(small):
        if group and len(group) + len(data) > p2_limit:
            frames.append([zstd(group), len(group)])
            group = b""
        if d:
            records[d] = [d, len(blobs[d][0]), first + len(frames), len(group) + 512, 1, 0, 0]
        group += data
    frames.append([zstd(group), len(group)])
    large(1)
    frames.append([F.stored_frame(bytes(1024)), 1024])
    return Model(frames, [records[d] for d in sorted(records)])

def descriptor(c, media, **more):
    return {"mediaType": media, "digest": "sha256:" + hashlib.sha256(c).hexdigest(), "size": len(c), **more}

def image(layers, ref="r/x:1", config=b'{"os":"linux"}'):
    """(manifest bytes, config bytes, index entry)."""
    m = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": layers,
                    "config": descriptor(config, "application/vnd.oci.image.config.v1+json")}).encode()
    return m, config, descriptor(m, "application/vnd.oci.image.manifest.v1+json", annotations={"org.opencontainers.image.ref.name": ref, "io.containerd.image.name": ref})

# ---- corruptions of a signed bundle ----
def corruptions(path, pub, rnd):
    data, keys = pathlib.Path(path).read_bytes(), dict([F.load_key(pub)])
    name = os.path.basename(path)
    expect(f"{name}: as it is", data, None, keys)
    regions = F.run("list", path, {}, F.Report())[1]
    at = 0
    for _, off, n, _ in regions:
        at = at + n if off == at else -1
    expect(f"{name}: regions tile the file", data if at == len(data) else b"", None, keys)
    rules = {"frame0": "frame0|record|signature|statement|size", "head": "head", "seek": "seek"}
    for region, off, n, kind in regions:                                                # one bit in each region: its last and another byte
        for where in sorted({off + rnd.randrange(n), off + n - 1} if kind in ("frame0", "head", "seek") else {off + rnd.randrange(n)}):
            bad = bytearray(data)
            bad[where] ^= 1 << rnd.randrange(8)
            expect(f"{name}: bit in {region} at {where}", bytes(bad), rules.get(kind, "frame-hash"), keys)
    span = {r: data[o:o + n] for r, o, n, _ in regions}
    frames = [r for r, _, _, k in regions if k in ("P1", "P2", "P3", "end")]
    start, table = next(o for r, o, _, _ in regions if r == frames[0]), next(o for r, o, _, _ in regions if r == "seek.magic")
    for i in range(len(frames) - 1):
        order = frames[:i] + [frames[i + 1], frames[i]] + frames[i + 2:]
        expect(f"{name}: {order[i]} and {order[i + 1]} swapped", data[:start] + b"".join(span[f] for f in order) + data[table:], "frame-hash", keys)
        expect(f"{name}: {frames[i]} dropped", data[:start] + b"".join(span[f] for f in frames if f != frames[i]) + data[table:], "size", keys)
    for n in [0, 1, 523, 524, 9000, F.FRAME0 - 1, F.FRAME0, F.FRAME0 + 600, start - 1, start, table - 1, table, table + 8, len(data) - 9, len(data) - 1]:
        expect(f"{name}: cut to {n}", data[:n], "size", keys)
    for tail in (b"\0", b"x" * 100, struct.pack("<II", 0x184D2A50, 0), F.stored_frame(b""), data[table:], data):
        expect(f"{name}: {len(tail)} bytes appended", data + tail, "size", keys, at=len(data))
    expect(f"{name}: byte in front", b"\0" + data, "record", keys)
    entries = [struct.unpack("<II", span[r]) for r, _, _, _ in regions if r.startswith("seek.entry")]
    for what, e in (("one entry less", entries[:-1]), ("first entry less", entries[1:]), ("no entries", []), ("an entry more", entries + [(9, 0)]),
                    ("two entries swapped", entries[:1] + entries[2:0:-1] + entries[3:]), ("other sizes", entries[:-1] + [(1036, 1023)])):
        if e != entries:                                                                # equal frames may have equal entries
            expect(f"{name}: seek table with {what}", data[:table] + F.seek_table(e), "seek", keys)
    expect(f"{name}: no seek table", data[:table], "size", keys, at=table)
    wide = b"".join(struct.pack("<III", c, d, 0) for c, d in entries)
    expect(f"{name}: seek table with checksums", data[:table] + struct.pack("<II", 0x184D2A5E, len(wide) + 9) + wide + struct.pack("<IBI", len(entries), 0x80, 0x8F92EAB1), "seek", keys)
    expect(f"{name}: no key given", data, "signature")
    expect(f"{name}: volume mark between frames", data[:start] + struct.pack("<II", 0x184D2A5D, 56) + bytes(56) + data[start:], "size", keys)
    return data, regions, keys

# ---- wrong bundles whose hashes are right ----
def model_of(path):
    b = F.Bundle(path, F.Report())
    b.head()
    frames = [[b.at(f["offset"], f["compressed"]), f["decoded"]] for f in b.frames]
    records = [list(r) for r in struct.iter_unpack("<32sQQIBBH", b.members["bundle.blobs"])]
    os.close(b.fd)
    return Model(frames, records, b.members["bundle.json"])

def forms(path):
    """The vector's content unsigned, one rule broken at a time. Frames: P1, P2, P3, P3, end."""
    base = model_of(path)
    expect("unsigned", base.pack(), None)
    def case(name, rule, change, **more):
        m = base.copy()
        change(m)
        expect("form: " + name, m.pack(**more), rule)
    def frame(i, raw):
        def f(m): m.frames[i] = [raw, m.frames[i][1]]
        return f
    def field(r, k, v):
        def f(m): m.records[r][k] = v if not callable(v) else v(m.records[r][k])
        return f
    p1, p2, p3 = (unzstd(base.frames[i][0]) for i in range(3))
    def content(i, data, *options):
        raw = F.stored_frame(data) if i in (0, 4) else zstd(data, *options)
        def f(m): m.frames[i] = [raw, len(data)]
        return f
    case("checksum", "frame", content(1, p2, "-3", "--check"))
    case("no content size", "frame", content(1, p2, "-3", "--no-check", "--no-content-size"))
    wide = bytearray(base.frames[2][0])
    wide[5] = 0x6a                                                                       # window of 10 MiB; 8 MiB is 0x68
    case("window over 8 MiB", "frame", frame(2, bytes(wide)))
    wide[5] = 0x68
    case("window of 8 MiB", None, frame(2, bytes(wide)))
    wide[4] |= 8
    case("reserved bit", "frame", frame(2, bytes(wide)))
    case("another level", None, content(2, p3, "-1", "--no-check"))
    case("two zstd frames in one", "frame", frame(1, zstd(p2[:1024]) + zstd(p2[1024:])))
    case("skippable frame before", "frame", frame(1, struct.pack("<II", 0x184D2A50, 0) + base.frames[1][0]))
    case("P1 frame compressed", "frame", frame(0, zstd(bytes(len(p1)))))
    if zstd(p1) == base.frames[0][0]:                                                    # what does not compress in one block has one spelling
        case("P1 frame by zstd, raw block", None, frame(0, zstd(p1)))
    case("P2 frame stored", None, frame(1, F.stored_frame(p2)))                          # a zstd frame all the same
    half = [p1[:70000], p1[70000:]]
    raw = base.frames[0][0][:9] + b"".join(struct.pack("<I", len(h) << 3 | i)[:3] + h for i, h in enumerate(half))
    case("other raw blocks", "frame", frame(0, raw))
    case("end compressed", "frame", frame(4, zstd(bytes(1024))))
    case("end of 512", "cut", content(4, bytes(512)))
    case("end not zero", "tar", content(4, b"\1" + bytes(1023)))
    case("no end", "cut|frame", lambda m: m.frames.pop())
    case("end twice", "cut|frame|tar", lambda m: m.frames.append(m.frames[4]))
    case("decoded length", "frame", lambda m: m.frames[1].__setitem__(1, len(p2) + 1))
    for i, data in ((0, p1), (1, p2), (2, p3)):
        for off, what in ((100, "mode"), (136, "mtime"), (265, "user"), (148, "checksum"), (345, "prefix"), (500, "rest")):
            case(f"tar header of frame {i}: {what}", "tar", content(i, data[:off] + bytes([data[off] ^ 1]) + data[off + 1:]))
    case("tar padding", "tar", content(0, p1[:-1] + b"\1"))
    case("P1 content", "blob-hash", content(0, p1[:600] + bytes([p1[600] ^ 1]) + p1[601:]))
    case("P2 content", "blob-hash", content(1, p2[:0xc05] + b"!" + p2[0xc06:]))
    case("P3 content", "blob-hash", content(2, p3[:600] + bytes([p3[600] ^ 1]) + p3[601:]))
    case("P2 entry order", "tar", content(1, p2[:2560] + p2[3584:4608] + p2[2560:3584] + p2[4608:]))
    case("index.json first", "tar", content(1, p2[1024:2560] + p2[:1024] + p2[2560:]))
    p3b = unzstd(base.frames[3][0])
    def moved(m):
        content(2, p3[:-512])(m)
        content(3, p3[-512:] + p3b)(m)
    case("cut elsewhere", "cut", moved)
    case("P3 before P2", "cut|frame|tar", lambda m: m.frames.__setitem__(slice(1, 4), m.frames[2:4] + m.frames[1:2]))
    def split(m): m.frames[1:2] = [[zstd(p2[:2560]), 2560], [zstd(p2[2560:]), len(p2) - 2560]]
    case("P2 closed too early", "cut", split)
    for k, what, v in ((1, "size", lambda x: x + 1), (2, "first frame", lambda x: x + 1), (3, "offset", lambda x: x + 512), (5, "flags", 2), (6, "last bytes", 1)):
        for r in (0, 1, 7):
            case(f"record {r}: {what}", "blobs|cut|tar", field(r, k, v))
    case("encoding of P2 blob", "blobs", field(0, 4, 0))
    case("unknown encoding", "blobs", field(7, 4, 2))
    case("encoding of P1 blob", "cut|frame|tar", field(7, 4, 1))
    case("external but here", "cut|tar|blobs", field(7, 5, 1))
    case("size 2^64-1", "blobs", field(1, 1, (1 << 64) - 1))
    case("records unsorted", "blobs", lambda m: m.records.__setitem__(slice(2, 4), m.records[3:1:-1]))
    case("record twice", "blobs", lambda m: m.records.insert(2, m.records[2]))
    case("record missing", "tar|cut|blobs", lambda m: m.records.pop(3))
    case("no records", "cut|layout|tar", lambda m: m.records.clear())
    case("no frames", "cut|blobs", lambda m: m.frames.clear())
    for what, old, new in (("space", b",", b", "), ("leading zero", b'"sequence":1', b'"sequence":01'), ("time", b"T03:04:05Z", b"T03:04:05+00:00"), ("month", b"2026-01", b"2026-13"),
                           ("escape", b'"stream":"s"', b'"stream":"s\\n"'), ("byte", b'"stream":"s"', b'"stream":"\xe9"'), ("format", b'"format":1', b'"format":2'), ("newline", b"}]}}", b"}]}}\n"),
                           ("key order", b'"stream":"s","version":"1"', b'"version":"1","stream":"s"'), ("20 digits", b'"sequence":1', b'"sequence":18446744073709551616'),
                           ("audience", b'"a","b"', b'"a",'), ("subject", b'"digest":{"sha256":"', b'"digest":{"sha256":"0'), ("HEX", b'"members"', b'"Members"')):
        expect("statement: " + what, base.pack(edit=lambda body: body.replace(old, new, 1)), "statement")
    expect("statement: newest", base.pack(edit=lambda b: b.replace(b'"expires":""', b'"expires":"2027-01-01T00:00:00Z"').replace(b'"a","b"', b"").replace(b":1,\"created", b":18446744073709551615,\"created")), None)
    expect("record: body over 4,096", base.pack(edit=lambda b: b.replace(b'"stream":"s"', b'"stream":"' + b"s" * 4000 + b'"')), "record")
    expect("record: rest", base.pack(rest=b"\0\0\1"), "record")
    expect("record: zero", base.pack(flags=1), "record")
    big = base.copy()
    big.info = b" " * ((1 << 20) + 1)
    expect("bundle.json over 1 MiB", big.pack(), "statement")

# ---- larger layouts, written here ----
def layouts(rnd):
    gz, tar, small = rnd.randbytes((9 << 20) + 700), b"text " * 900000, [b"%d " % i + rnd.randbytes(60000) for i in range(145)]
    full = rnd.randbytes(4 << 20)                                                        # exactly one frame; no tail
    edge = rnd.randbytes(65536)
    layers = [descriptor(gz, "application/vnd.oci.image.layer.v1.tar+gzip"), descriptor(tar, "application/vnd.oci.image.layer.v1.tar"),
              descriptor(full, "application/octet-stream", annotations={"org.opencontainers.image.title": "x.deb"})] + [descriptor(s, "text/plain") for s in small + [b"", edge]]
    m, config, entry = image(layers)
    blobs = {gz: 0, tar: 1, full: 0, m: 1, config: 1, b"": 1, edge: 1, **{s: 1 for s in small}}
    index = {"schemaVersion": 2, "manifests": [entry]}
    good = write(blobs, index)
    expect("layout: several frames everywhere", good.pack(), None)
    p = subprocess.run(["zstd", "-dcq"], input=good.pack(), capture_output=True)
    names = tarfile.open(fileobj=io.BytesIO(p.stdout)).getnames()
    expect("layout: is a tar", b"" if p.returncode or len(names) != 7 + len(blobs) else good.pack(), None)
    expect("layout: pieces of 2 MiB", write(blobs, index, piece=2 << 20).pack(), "blobs|cut|frame|tar")
    expect("layout: P2 closed at 2 MiB", write(blobs, index, p2_limit=2 << 20).pack(), "cut")
    expect("layout: P2 closed late", write(blobs, index, p2_limit=(4 << 20) + 66000).pack(), "cut|frame|blobs")
    expect("layout: not by digest", write(blobs, index, order=lambda x: sorted(x, reverse=True)).pack(), "blobs")
    expect("layout: gzip layer as zstd", write({**blobs, gz: 1}, index).pack(), "encoding")
    expect("layout: plain layer stored", write({**blobs, tar: 0}, index).pack(), "encoding")
    expect("layout: .deb by title as zstd", write({**blobs, full: 1}, index).pack(), "encoding")
    some = {b"abc": 1}
    def indexed(name, rule, e, more=some):
        m, c, entry = image([descriptor(b"abc", "text/plain")])
        expect("index: " + name, write({m: 1, c: 1, **more}, {"schemaVersion": 2, "manifests": [{**entry, **e}]}).pack(), rule)
    indexed("as it is", None, {})
    for name, e in (("wrong size", {"size": 1}), ("absent digest", {"digest": "sha256:" + "0" * 64}), ("another media type", {"mediaType": "application/vnd.docker.distribution.manifest.v2+json"}),
                    ("no annotations", {"annotations": {}}), ("annotations of another kind", {"annotations": [1]}), ("one name", {"annotations": {"org.opencontainers.image.ref.name": "a"}}), ("digest of another kind", {"digest": 5})):
        indexed(name, "layout", e)
    indexed("layer missing", "layout", {}, more={})
    for name, text in (("no object", [1]), ("no version", {"manifests": []}), ("no list", {"schemaVersion": 2, "manifests": {}}), ("entries no objects", {"schemaVersion": 2, "manifests": [1, "a", None]})):
        expect("index: " + name, write(some, text).pack(), "layout")
    child, c, _ = image([descriptor(b"abc", "text/plain")])
    sparse = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [
        descriptor(child, "application/vnd.oci.image.manifest.v1+json"), descriptor(b"absent", "application/vnd.oci.image.manifest.v1+json")]}).encode()
    top = descriptor(sparse, "application/vnd.oci.image.index.v1+json", annotations={"org.opencontainers.image.ref.name": "r", "io.containerd.image.name": "r"})
    expect("index: sparse", write({sparse: 1, child: 1, c: 1, **some}, {"schemaVersion": 2, "manifests": [top]}).pack(), None)
    external = write({}, {"schemaVersion": 2, "manifests": []})
    external.records = [[hashlib.sha256(b"elsewhere").digest(), 1 << 33, 0, 0, 0, 1, 0]]
    expect("delta: an external blob", external.pack(), None)

# ---- signatures with a fixed key ----
def signatures(path):
    base, keys, signers = model_of(path), {}, []
    for i in range(2):
        der = bytes.fromhex("302e020100300506032b657004220420") + hashlib.sha256(b"test key %d" % i).digest()
        key, pub = os.path.join(TMP.name, f"k{i}"), os.path.join(TMP.name, f"k{i}.pub")
        pathlib.Path(key).write_text("-----BEGIN PRIVATE KEY-----\n" + base64.b64encode(der).decode() + "\n-----END PRIVATE KEY-----\n")
        subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", pub], check=True)
        keyid, value = F.load_key(pub)
        keys[keyid] = value
        def sign(message, key=key):
            pathlib.Path(TMP.name, "m").write_bytes(message)
            return subprocess.run(["openssl", "pkeyutl", "-sign", "-inkey", key, "-rawin", "-in", os.path.join(TMP.name, "m")], capture_output=True, check=True).stdout
        signers.append((keyid, 3, sign))
    (k0, _, s0), (k1, _, s1) = signers
    one = {k0: keys[k0]}
    def flipped(message): return s1(message)[:-1] + bytes([s1(message)[-1] ^ 1])
    for name, s, k, rule in (("two", signers, keys, None), ("second unknown", signers, one, None), ("first unknown", signers[::-1], one, "signature"), ("none", [], keys, "signature"),
                             ("the same key twice", [signers[0], signers[0]], keys, "signature"), ("algorithm 1", [(k0, 1, s0)], keys, "signature"), ("algorithm 9", [(k0, 9, s0)], keys, "signature"),
                             ("second does not verify", [signers[0], (k1, 3, flipped)], keys, "signature"), ("second unknown does not verify", [signers[0], (k1, 3, flipped)], one, None),
                             ("signature of the other", [(k0, 3, s1)], keys, "signature"), ("empty", [(k0, 3, lambda m: b"")], keys, "signature"),
                             ("16 of 17", signers + [(bytes([i] * 32), 3, lambda m: b"x" * 64) for i in range(15)], keys, "record"),
                             ("16", signers + [(bytes([i] * 32), 3, lambda m: b"x" * 64) for i in range(14)], keys, None)):
        expect("signatures: " + name, base.pack(signers=s), rule, k)

def units():
    """Spelling against python's tarfile: pax from 2^33 on, and plain below."""
    for size in (0, 1, (1 << 33) - 1, 1 << 33, 10 ** 12):
        h = F.tar_header("blobs/sha256/" + "a" * 64, size)
        info = tarfile.open(fileobj=io.BytesIO(h + bytes(1024)), mode="r|").next()
        if (info.size, info.name, len(h)) != (size, "blobs/sha256/" + "a" * 64, F.header_len(size)):
            print(f"FAIL tar header of size {size}: {info}")
            return 1
    return 0

def main(args):
    global failures
    if not args or len(args) % 2:
        print(__doc__, file=sys.stderr)
        return 2
    start, rnd = time.monotonic(), random.Random(1)
    failures += units()
    for path, pub in zip(args[::2], args[1::2]):
        corruptions(path, pub, rnd)
    forms(args[0])
    layouts(rnd)
    signatures(args[0])
    print(f"{cases} cases, {failures} failures", file=sys.stderr)
    print(f"{time.monotonic() - start:.1f} s", file=sys.stderr)
    return 1 if failures else 0

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
