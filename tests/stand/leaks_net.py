"""leaks_net: a small internet for leaks.py: one proxy behind which every name answers, over TLS and in the open, and which
keeps every request with the origin it went to. What it serves depends on the case named in the path."""
import hashlib
import json
import re
import socket
import ssl
import threading

BLOB = b"blob" * 2500
DIGEST = "sha256:" + hashlib.sha256(BLOB).hexdigest()
TYPE = "application/vnd.oci.image.index.v1+json"
MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": TYPE, "manifests": []}).encode()


class Request:
    def __init__(self, origin, head, body):
        self.origin, self.head, self.body = origin, head, body
        lines = head.decode("latin-1").split("\r\n")
        self.method, target, _ = (lines[0] + "  ").split(" ", 2)
        if target.startswith("http://"):
            target = "/" + target.split("/", 3)[3]
        self.path, _, self.query = target.partition("?")
        pairs = [line.partition(":") for line in lines[1:]]
        self.headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        self.authorization = self.headers.get("authorization")


class Net:
    """answer(request) gives (status, headers, body)."""

    def __init__(self, certificate, key, answer):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.answer, self.requests, self.faults, self.lock = answer, [], [], threading.Lock()
        self.server = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.address = "127.0.0.1:%d" % self.server.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            sock, _ = self.server.accept()
            threading.Thread(target=self.connection, args=(sock,), daemon=True).start()

    def connection(self, sock):
        try:
            sock.settimeout(30)
            self.talk(sock)
        except OSError:
            pass
        except Exception as fault:  # noqa: BLE001 - a mistake of the test's must not pass for an answer
            self.faults.append(repr(fault))
        finally:
            sock.close()

    def talk(self, sock):
        head, rest = self.read_head(sock, b"")
        if head is None:
            return
        if not head.startswith(b"CONNECT "):
            self.exchange(sock, head, rest, None)
            return
        host, _, port = head.split(b" ")[1].decode().rpartition(":")
        sock.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        with self.context.wrap_socket(sock, server_side=True) as inner:
            rest = b""
            while True:
                head, rest = self.read_head(inner, rest)
                if head is None:
                    return
                rest = self.exchange(inner, head, rest, f"https://{host}" + ("" if port == "443" else ":" + port))

    @staticmethod
    def read_head(sock, data):
        while b"\r\n\r\n" not in data:
            piece = sock.recv(65536)
            if not piece:
                return None, b""
            data += piece
        head, _, rest = data.partition(b"\r\n\r\n")
        return head, rest

    def exchange(self, sock, head, rest, origin):
        length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.I)
        length = int(length.group(1)) if length else 0
        while len(rest) < length:
            piece = sock.recv(65536)
            if not piece:
                break
            rest += piece
        if origin is None:
            origin = "http://" + re.match(rb"\S+ http://([^/]*)", head).group(1).decode().removesuffix(":80")
        request = Request(origin, head, rest[:length])
        with self.lock:
            self.requests.append(request)
        status, headers, body = self.answer(request)
        text = "".join(f"{header}\r\n" for header in headers)
        sock.sendall(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{text}\r\n".encode() +
                     (body if request.method != "HEAD" else b""))
        return rest[length:]
