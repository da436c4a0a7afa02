#!/usr/bin/env python3
"""chartrepo: a stand-in for a Helm chart repository: serves a folder of .tgz over HTTP or HTTPS.

The index is made by the real `helm repo index` when it starts and, when the archives change, again. With --redirect
the archives are answered by a redirect to a second port, which is another origin: a client must not send its
credentials there. Each request is a line of the log: origin (1 or 2), method, path, status, and whether it had an
Authorization header. It prints KEY=VALUE lines: url, port, and origin2 with --redirect or --absolute.
"""
import argparse
import os
import secrets
import subprocess
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
import standlib  # noqa: E402


class Index:
    """The folder's index.yaml, kept in memory."""

    def __init__(self, args):
        self.args, self.seen, self.text, self.lock = args, None, b"", threading.Lock()

    def get(self, archive_url):
        with self.lock:
            names = sorted(n for n in os.listdir(self.args.dir) if n.endswith(".tgz"))
            seen = [(n, os.stat(os.path.join(self.args.dir, n)).st_mtime_ns) for n in names]
            if seen != self.seen:
                self.text, self.seen = self.make(names, archive_url), seen
            return self.text

    def make(self, names, archive_url):
        with tempfile.TemporaryDirectory() as tmp:
            for name in names:
                os.symlink(os.path.realpath(os.path.join(self.args.dir, name)), os.path.join(tmp, name))
            command = [self.args.helm, "repo", "index", tmp] + (["--url", archive_url] if archive_url else [])
            subprocess.run(command, check=True, env={"HOME": tmp, "PATH": os.environ["PATH"]})
            with open(os.path.join(tmp, "index.yaml"), "rb") as f:
                return f.read()


class Handler(standlib.Handler):
    origin = 1

    def allowed(self):
        args = self.server.args
        if args.auth == "none" or self.origin == 2:
            return True
        if args.auth == "basic":
            user, password = self.basic() or ("", "")
            return user == args.username and secrets.compare_digest(password, self.server.secret)
        return secrets.compare_digest(self.headers.get("Authorization", ""), "Bearer " + self.server.secret)

    def reply(self, status, body=b"", content_type="text/plain", headers=()):
        self.server.log.write(origin=self.origin, method=self.command, path=self.path, status=status,
                              authorization="Authorization" in self.headers)
        self.answer(status, body, content_type, headers)

    def do_GET(self):
        args, path = self.server.args, self.path.split("?")[0]
        if not self.allowed():
            realm = "Basic" if args.auth == "basic" else "Bearer"
            self.reply(401, b"unauthorized\n", headers=[("WWW-Authenticate", f'{realm} realm="charts"')])
            return
        name = path[len(args.prefix):].lstrip("/") if path.startswith(args.prefix) else "?"
        file = os.path.join(args.dir, name)
        if name == "index.yaml" and self.origin == 1:
            self.reply(200, self.server.index.get(self.server.archive_url), "application/yaml")
        elif "/" in name or not name.endswith((".tgz", ".prov")) or not os.path.isfile(file):
            self.reply(404, b"not found\n")
        elif args.redirect and self.origin == 1:
            self.reply(302, headers=[("Location", self.server.origin2 + args.prefix + "/" + name)])
        else:
            with open(file, "rb") as f:
                self.reply(200, f.read(), "application/gzip")

    do_HEAD = do_GET


class SecondHandler(Handler):
    origin = 2


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("dir", metavar="DIR")
    standlib.add_options(p)
    p.add_argument("--auth", choices=["none", "basic", "bearer"], default="none")
    p.add_argument("--username", default="robot", metavar="NAME", help="for --auth basic (default: robot)")
    p.add_argument("--password-file", metavar="FILE", help="the password or bearer token")
    p.add_argument("--prefix", default="", metavar="/PATH", help="the repository's path below the server")
    p.add_argument("--redirect", action="store_true", help="answer archives by a redirect to another port")
    p.add_argument("--absolute", action="store_true", help="let the index name the archives by URLs of another port")
    p.add_argument("--helm", default=os.environ.get("HELM", "helm"), metavar="PROGRAM", help="(default: $HELM, helm)")
    args = p.parse_args()
    if args.auth != "none" and not args.password_file:
        p.error("--auth needs --password-file")
    server, url = standlib.bind(args, Handler)
    server.args, server.log, server.index = args, standlib.Log(args.log), Index(args)
    server.secret, server.archive_url = "", ""
    if args.password_file:
        with open(args.password_file, encoding="utf-8") as f:
            server.secret = f.read().strip()
    servers, facts = [server], {"url": url + args.prefix, "port": server.server_address[1]}
    if args.redirect or args.absolute:
        second, server.origin2 = standlib.bind(args, SecondHandler, port=0)
        second.args, second.log = args, server.log
        servers.append(second)
        facts["origin2"] = server.origin2
        server.archive_url = server.origin2 + args.prefix if args.absolute else ""
    server.index.get(server.archive_url)
    standlib.run(args, facts, *servers)


main()
