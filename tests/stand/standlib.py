"""standlib: what the tests' small HTTP servers share. A module, not a program."""
import base64
import http.server
import json
import os
import ssl
import sys
import threading
import time


def add_options(parser):
    parser.add_argument("--listen", default="127.0.0.1", metavar="ADDRESS")
    parser.add_argument("--port", type=int, default=0, metavar="P", help="(default: a free one)")
    parser.add_argument("--tls-cert", metavar="FILE", help="serve HTTPS with this certificate")
    parser.add_argument("--tls-key", metavar="FILE", help="and this key")
    parser.add_argument("--log", metavar="FILE", help="a JSON line per request; never holds a secret")
    parser.add_argument("--facts", metavar="FILE", help="write the KEY=VALUE lines there too, once it answers")


class Log:
    """A file of JSON lines."""

    def __init__(self, path):
        self.file = open(path, "a", encoding="utf-8") if path else None
        self.lock = threading.Lock()

    def write(self, **fields):
        if self.file:
            with self.lock:
                self.file.write(json.dumps({"time": round(time.time(), 3), **fields}) + "\n")
                self.file.flush()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "stand"

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", content_type="application/octet-stream", headers=()):
        if not isinstance(body, bytes):
            body, content_type = json.dumps(body).encode(), "application/json"
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def basic(self):
        """The user and password of Basic authentication, or None."""
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            user, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
        except ValueError:
            return None
        return (user, password) if colon else None


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """A client that hangs up is none of our business; anything else is a fault of ours and shown."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, ssl.SSLError, TimeoutError)):
            super().handle_error(request, client_address)


def bind(args, handler, port=None):
    """A server bound to its port but not yet answering, and its base URL."""
    server = Server((args.listen, args.port if port is None else port), handler)
    scheme = "http"
    if args.tls_cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(args.tls_cert, args.tls_key)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        scheme = "https"
    return server, f"{scheme}://{args.listen}:{server.server_address[1]}"


def run(args, facts, *servers):
    """Tells the facts, then serves until killed."""
    text = "".join(f"{key}={value}\n" for key, value in facts.items())
    print(text, end="", flush=True)
    if args.facts:
        with open(args.facts + ".new", "w", encoding="utf-8") as f:
            f.write(text)
        os.rename(args.facts + ".new", args.facts)
    for server in servers[1:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        servers[0].serve_forever()
    except KeyboardInterrupt:
        pass
