#!/usr/bin/env python3
"""gitd: git repositories over HTTP or HTTPS: the real `git http-backend`, run as a CGI program for each request.

Repositories are the folders of DIR. With --password-file it wants Basic authentication. Three first parts of a path are
its own misbehaviour: /moved/R answers with a redirect to R of --moved, another server (default: to itself), /mute/R takes
the request and says nothing more, /hostile/R answers a fetch with a pack that is none. Each request is a line of the log;
it prints KEY=VALUE lines: url, port.
"""
import argparse
import os
import secrets
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import standlib  # noqa: E402


class Handler(standlib.Handler):
    def allowed(self):
        args = self.server.args
        user, password = self.basic() or ("", "")
        return not args.password_file or (user == args.username and secrets.compare_digest(password, self.server.secret))

    def body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def reply(self, status, body=b"", content_type="text/plain", headers=()):
        self.server.log.write(method=self.command, path=self.path, status=status,
                              authorization="Authorization" in self.headers)
        self.answer(status, body, content_type, headers)

    def hostile(self):
        """A pack that says it has a million objects, the first of them a blob of terabytes, and then noise."""
        head = b"PACK" + (2).to_bytes(4, "big") + (1000000).to_bytes(4, "big")
        data = head + b"\xbf\xff\xff\xff\xff\x7f" + os.urandom(60000)
        packet = b"%04x\x01" % (len(data) + 5) + data
        self.reply(200, b"0008NAK\n" + packet * 50 + b"0000", "application/x-git-upload-pack-result")

    def backend(self, path, query):
        body = self.body()
        env = {"PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": self.server.args.dir, "GIT_HTTP_EXPORT_ALL": "1",
               "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command, "GIT_CONFIG_NOSYSTEM": "1",
               "CONTENT_TYPE": self.headers.get("Content-Type", ""), "REMOTE_ADDR": "127.0.0.1", "HOME": "/nonexistent",
               "CONTENT_LENGTH": str(len(body)), "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
               "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
        done = subprocess.run(["git", "http-backend"], input=body, env=env, stdout=subprocess.PIPE, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = [line.partition(": ")[::2] for line in head.decode().split("\r\n") if line]
        status = next((int(v.split()[0]) for k, v in headers if k.lower() == "status"), 200)
        kind = next((v for k, v in headers if k.lower() == "content-type"), "text/plain")
        self.reply(status, content, kind)

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if not self.allowed():
            self.body()
            self.reply(401, b"unauthorized\n", headers=[("WWW-Authenticate", 'Basic realm="git"')])
        elif path.startswith("/moved/"):
            self.reply(302, headers=[("Location", (self.server.args.moved or self.server.url) + self.path[len("/moved"):])])
        elif path.startswith("/mute/"):
            time.sleep(120)
        elif path.startswith("/hostile/") and self.command == "POST":
            self.body()
            self.hostile()
        else:
            self.backend(path.removeprefix("/hostile"), query)

    do_POST = do_GET


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("dir", metavar="DIR")
    standlib.add_options(p)
    p.add_argument("--username", default="robot", metavar="NAME", help="(default: robot)")
    p.add_argument("--moved", metavar="URL")
    p.add_argument("--password-file", metavar="FILE")
    args = p.parse_args()
    server, url = standlib.bind(args, Handler)
    server.args, server.log, server.secret, server.url = args, standlib.Log(args.log), "", url
    if args.password_file:
        with open(args.password_file, encoding="utf-8") as f:
            server.secret = f.read().strip()
    standlib.run(args, {"url": url, "port": server.server_address[1]}, server)


main()
