#!/usr/bin/env python3
"""chaos: an HTTP and registry server of the tests' own that misbehaves, one way per case; a table of what clients must do.

  chaos.py --certs DIR --dir DIR [--matrix]

It listens on loopback: main, other (a foreign origin that only records, unless a case says so), tls (a certificate of
DIR/ca.pem for 127.0.0.1 and this machine's name) and one for each way TLS fails. The path /CASE/... or the repository CASE
chooses the behaviour. Its cases are those written one by one (chaos_http, chaos_registry) or, with --matrix, each
behaviour times each operation of the clients (chaos_matrix). DIR/facts holds the addresses, DIR/requests a JSON line per
request with all its headers (the secrets in them are worth nothing), DIR/body the right content, DIR/cases a JSON line
per case for chaos_drive.py, which runs them:

  name, command    words for build/tests/fetch
  who              the credentials it has: robot (a password), identity (a refresh token), nobody
  wanted           its exit status
  seconds          the time it may take
  most             the number of requests of the operation the case is about (0: any)
  peak             the memory it may take, in MiB
  check            what is compared: body (the output is the content), tail:N (its last N bytes), part:A-B, said:REGEX (what was
                   printed), quiet (nothing was), or -
"""
import argparse
import hashlib
import json
import os
import re
import socket
import ssl
import struct
import sys
import threading
import time
import warnings

sys.dont_write_bytecode = True

BODY = b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(9375))  # 300,000 bytes that do not repeat
DIGEST = "sha256:" + hashlib.sha256(BODY).hexdigest()
WHERE = {}  # main, other, tls, name, stranger: HOST:PORT, filled once they listen
CASES = {}
PEAK = 24                       # MiB: twice what an honest exchange takes
REASONS = {200: "OK", 206: "Partial Content"}


class Case:
    def __init__(self, name, answer, wanted, command, seconds, most, check, who="robot", peak=PEAK, is_target=None):
        self.name, self.answer, self.wanted, self.command = name, answer, wanted, command
        self.seconds, self.most, self.check, self.who, self.peak = seconds, most, check, who, peak
        self.is_target = is_target or (lambda request: True)
        self.count = 0
        self.state = {}
        self.lock = threading.Lock()


def case(name, wanted=0, command="get {url}", seconds=5, most=0, check="-", peak=PEAK):
    """Registers answer(request, n): n counts the requests of this case from 0."""
    def register(answer):
        CASES[name] = Case(name, answer, wanted, command, seconds, most, check, peak=peak)
        return answer
    return register


class Request:
    """One request on one connection, and the ways to answer it."""

    def __init__(self, sock, listener, head):
        self.sock, self.listener = sock, listener
        lines = head.decode("latin-1").split("\r\n")
        self.method, target, _ = (lines[0] + "  ").split(" ", 2)
        self.path, _, self.query = target.partition("?")
        pairs = [line.partition(":") for line in lines[1:] if line]
        self.headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        self.body = b""

    def read_body(self, most=None):
        left = int(self.headers.get("content-length", "0")) - len(self.body)
        if most is not None:
            left = min(left, most - len(self.body))
        while left > 0:
            piece = self.sock.recv(min(left, 1 << 20))
            if not piece:
                break
            self.body += piece
            left -= len(piece)
        return self.body

    @property
    def start(self):
        """First byte of the Range asked for, or None."""
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("range", ""))
        return int(match.group(1)) if match else None

    def send(self, data):
        try:
            self.sock.sendall(data)
            return True
        except (OSError, ssl.SSLError):
            return False

    def head(self, status, headers=(), length=None):
        text = f"HTTP/1.1 {status} {REASONS.get(status, 'Whatever')}\r\nConnection: close\r\n"
        if length is not None:
            text += f"Content-Length: {length}\r\n"
        for header in headers:
            text += header + "\r\n"
        return self.send(text.encode("latin-1") + b"\r\n")

    def reply(self, status, body=b"", headers=(), length=None, cut=None):
        """A whole answer; length lies, cut ends it early."""
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
        self.head(status, headers, len(body) if length is None else length)
        if self.method != "HEAD":
            self.send(body[:cut])

    def content(self, headers=(), body=BODY, cut=None):
        """The content as an honest server gives it, Range included, cut after `cut` bytes."""
        start = self.start
        if start is None:
            return self.reply(200, body, headers, cut=cut)
        if start >= len(body):
            return self.reply(416, b"", [f"Content-Range: bytes */{len(body)}", *headers])
        span = f"Content-Range: bytes {start}-{len(body) - 1}/{len(body)}"
        return self.reply(206, body[start:], [span, *headers], cut=cut)

    def redirect(self, status, location, headers=()):
        self.reply(status, b"elsewhere", [f"Location: {location}", *headers])

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def silence(self, seconds=30):
        """Until the client hangs up."""
        self.sock.settimeout(seconds)
        try:
            while self.sock.recv(65536):
                pass
        except OSError:
            pass


class Recorder:
    def __init__(self, path):
        self.file = open(path, "a", encoding="utf-8")
        self.lock = threading.Lock()

    def write(self, **fields):
        with self.lock:
            self.file.write(json.dumps(fields) + "\n")
            self.file.flush()


def name_of(path):
    """/CASE/... or /v2/CASE/... or the plain /v2/ of a registry (whose Host tells nothing: no case). Cases of the
    matrix have names of three parts."""
    parts = path.strip("/").split("/")
    if parts[0] == "v2":
        parts = parts[1:] or [""]
    return "/".join(parts[:3]) if parts[0] == "mx" else parts[0]


def read_head(sock):
    head = b""
    while b"\r\n\r\n" not in head:
        if len(head) > 65536:
            return None, b""
        piece = sock.recv(65536)
        if not piece:
            return None, b""
        head += piece
        if head[0] == 0x16:  # a TLS greeting: what real servers say to it
            sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            return None, b""
    head, _, rest = head.partition(b"\r\n\r\n")
    return head, rest


def serve(sock, listener, recorder):
    sock.settimeout(30)
    head, rest = read_head(sock)
    if head is None:
        return
    request = Request(sock, listener, head)
    request.body = rest
    found = CASES.get(name_of(request.path))
    recorder.write(listener=listener, case=name_of(request.path), method=request.method, path=request.path,
                   query=request.query, headers=request.headers, target=found is not None and found.is_target(request))
    if found is None:
        request.reply(404, b"no such case")
        return
    with found.lock:
        n = found.count
        found.count += 1
    request.case, request.state = found, found.state
    found.answer(request, n)


def hang_up(sock):
    """Instead of a TLS handshake."""
    sock.recv(65536)


def reset(sock):
    sock.recv(65536)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def babble(sock):
    sock.recv(65536)
    sock.sendall(b"220 mail.example ESMTP\r\n")


def mute(sock):
    while sock.recv(65536):
        pass


# Name, certificate, newest version, and what is done instead of answering.
LISTENERS = (
    ("main", None, None, None), ("other", None, None, None), ("tls", "server", None, None),
    ("stranger", "stranger", None, None), ("old", "server", ssl.TLSVersion.TLSv1_1, None), ("expired", "expired", None, None),
    ("misnamed", "misnamed", None, None), ("alone", "alone", None, None), ("closing", None, None, hang_up),
    ("resetting", None, None, reset), ("babbling", None, None, babble), ("mute", None, None, mute), ("plain", None, None, None),
)


def connection(sock, listener, recorder, context, greeting):
    """One request per connection; what the client still sends is read, so that the answer is not lost to a reset."""
    try:
        sock.settimeout(30)
        if greeting:
            greeting(sock)
            return
        if context:
            sock = context.wrap_socket(sock, server_side=True)
        serve(sock, listener, recorder)
        if not struct.unpack("ii", sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8))[0]:
            if context is None:
                sock.shutdown(socket.SHUT_WR)
            sock.settimeout(0.3)
            while sock.recv(65536):
                pass
    except (OSError, ssl.SSLError):
        pass
    finally:
        sock.close()


def listen(listener, address, recorder, context, greeting):
    server = socket.create_server((address, 0), backlog=64)

    def accept():
        while True:
            sock, _ = server.accept()
            threading.Thread(target=connection, args=(sock, listener, recorder, context, greeting), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    return server.getsockname()[1]


def tls_context(certs, name, version=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(certs, name + ".pem"), os.path.join(certs, name + ".key"))
    if version:
        context.set_ciphers("ALL:@SECLEVEL=0")
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, version
    return context


def expand(command, name):
    words = dict(WHERE, body="{body}", manifest="{manifest}", case=name, D=DIGEST, S=len(BODY), url=f"http://{WHERE['main']}/{name}/file",
                 tlsurl=f"https://{WHERE['tls']}/{name}/file", nameurl=f"https://{WHERE['name']}/{name}/file")
    return command.format(**words)


def write_files(folder):
    def save(name, text):
        with open(os.path.join(folder, name + ".new"), "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        os.rename(os.path.join(folder, name + ".new"), os.path.join(folder, name))
    save("body", BODY)
    keys = ("name", "who", "wanted", "seconds", "most", "peak", "check")
    save("cases", "".join(json.dumps({**{key: getattr(c, key) for key in keys}, "command": expand(c.command, c.name).split()})
                          + "\n" for c in CASES.values() if c.command))
    save("facts", "".join(f"{key}={value}\n" for key, value in WHERE.items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--certs", required=True, metavar="DIR", help="made by tests/stand/cert: server, stranger")
    parser.add_argument("--dir", required=True, metavar="DIR", help="facts, requests, body, cases")
    parser.add_argument("--matrix", action="store_true", help="each behaviour times each operation")
    args = parser.parse_args()
    recorder = Recorder(os.path.join(args.dir, "requests"))
    host = socket.gethostname()
    for listener, certificate, version, greeting in LISTENERS:
        known = certificate and os.path.exists(os.path.join(args.certs, certificate + ".pem"))
        context = tls_context(args.certs, certificate, version) if known else None
        port = listen(listener, "127.0.0.1", recorder, context, greeting)
        WHERE[listener] = f"127.0.0.1:{port}"
        WHERE[listener + "port"] = port
    WHERE["ca"] = os.path.join(args.certs, "ca.pem")
    WHERE["name"] = f"{host}:{WHERE['tlsport']}"
    if args.matrix:
        import chaos_matrix  # noqa: F401
    else:
        import chaos_http  # noqa: F401
        import chaos_registry  # noqa: F401
    write_files(args.dir)
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    sys.modules["chaos"] = sys.modules["__main__"]
    main()
