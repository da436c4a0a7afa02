#!/usr/bin/env python3
"""tokend: a stand-in for a registry's token server (Docker's token authentication, both its forms).

  GET  /token?service=S&scope=A&scope=B    with Basic authentication, or none for anonymous
  POST /token  grant_type=password|refresh_token, scope separated by spaces, access_type=offline for a refresh token

--users FILE is JSON: {"NAME": {"password": "...", "grants": {"PATTERN": "pull,push"}}}; the name "" is anonymous.
What is not granted is left out of the token without an error, as real servers do. It prints KEY=VALUE lines.
"""
import argparse
import base64
import fnmatch
import json
import secrets
import subprocess
import sys
import time
import urllib.parse

sys.dont_write_bytecode = True
import standlib  # noqa: E402

LEEWAY = 60  # the registry accepts a token this long after it expired; expiry is set that much earlier


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    """Signs tokens as the registry wants them: RS256, the certificate in the header."""

    def __init__(self, args):
        self.args = args
        with open(args.cert, encoding="ascii") as f:
            self.cert = "".join(line.strip() for line in f if not line.startswith("-"))

    def token(self, user, access):
        now = int(time.time())
        until = now + self.args.expires - LEEWAY
        head = {"typ": "JWT", "alg": "RS256", "x5c": [self.cert]}
        claims = {"iss": self.args.issuer, "sub": user, "aud": self.args.service, "exp": until, "nbf": now - 2 * LEEWAY,
                  "iat": now - 2 * LEEWAY, "jti": secrets.token_hex(8), "access": access}
        text = ".".join(b64(json.dumps(part, separators=(",", ":")).encode()) for part in (head, claims))
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.args.key], input=text.encode(),
                                   stdout=subprocess.PIPE, check=True).stdout
        return text + "." + b64(signature)


class Handler(standlib.Handler):
    def granted(self, user, scopes):
        access = []
        for scope in scopes:
            kind, _, rest = scope.partition(":")
            name, _, wanted = rest.rpartition(":")
            allowed = set()
            for pattern, actions in self.server.users.get(user, {}).get("grants", {}).items():
                if fnmatch.fnmatchcase(name, pattern):
                    allowed.update(actions.split(","))
            actions = [a for a in wanted.split(",") if a in allowed or (wanted == "*" and "push" in allowed)]
            if actions:
                access.append({"type": kind, "name": name, "actions": actions})
        return access

    def known(self, user, password):
        entry = self.server.users.get(user)
        return entry is not None and secrets.compare_digest(entry.get("password", ""), password)

    def finish(self, form, user, scopes, service, offline):
        args = self.server.args
        note = {"form": form, "service": service, "scope": scopes, "credentials": user is not None}
        if user is None and not args.no_anonymous:
            user = ""
        if user is None or (args.service != service and not args.any_service):
            self.server.log.write(status=401, user=user, **note)
            self.answer(401, {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]})
            return
        access = self.granted(user, scopes)
        token = self.server.issuer.token(user, access)
        self.server.log.write(status=200, user=user, granted=access, **note)
        body = {"access_token": token, "expires_in": args.expires,
                "issued_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        if form == "GET":
            body["token"] = token
        else:
            body["scope"] = " ".join(scopes)
        if offline and user:
            refresh = secrets.token_hex(16)
            self.server.refresh[refresh] = user
            body["refresh_token"] = refresh
        self.answer(200, body)

    def deny(self, form, user):
        self.server.log.write(status=401, form=form, user=user, credentials=True)
        self.answer(401, {"errors": [{"code": "UNAUTHORIZED", "message": "incorrect username or password"}]})

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if url.path != "/token":
            self.answer(404, b"not here\n", "text/plain")
            return
        query = urllib.parse.parse_qs(url.query)
        scopes = [s for value in query.get("scope", []) for s in value.split()]
        user = None
        if self.headers.get("Authorization"):
            user, password = self.basic() or ("?", "")
            if not self.known(user, password):
                self.deny("GET", user)
                return
        self.finish("GET", user, scopes, query.get("service", [""])[0], "offline_token" in query)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.server.args.no_post:
            self.server.log.write(status=404, form="POST")
            self.answer(404, b"not here\n", "text/plain")
            return
        form = {k: v[0] for k, v in urllib.parse.parse_qs(body.decode()).items()}
        if form.get("grant_type") == "refresh_token":
            user = self.server.refresh.get(form.get("refresh_token", ""))
        else:
            user = form.get("username", "")
            user = user if self.known(user, form.get("password", "")) else None
        if user is None:
            self.deny("POST", form.get("username"))
            return
        self.finish("POST", user, form.get("scope", "").split(), form.get("service", ""), form.get("access_type") == "offline")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    standlib.add_options(p)
    p.add_argument("--users", required=True, metavar="FILE")
    p.add_argument("--key", required=True, metavar="FILE", help="RSA key that signs")
    p.add_argument("--cert", required=True, metavar="FILE", help="its certificate, known to the registry")
    p.add_argument("--issuer", default="stand-tokens")
    p.add_argument("--service", default="stand")
    p.add_argument("--any-service", action="store_true", help="do not check the service asked for")
    p.add_argument("--expires", type=int, default=300, metavar="SECONDS")
    p.add_argument("--no-post", action="store_true", help="answer 404 to the POST form")
    p.add_argument("--no-anonymous", action="store_true", help="no token without credentials")
    args = p.parse_args()
    server, url = standlib.bind(args, Handler)
    with open(args.users, encoding="utf-8") as f:
        server.users = json.load(f)
    server.args, server.issuer, server.log, server.refresh = args, Issuer(args), standlib.Log(args.log), {}
    standlib.run(args, {"realm": url + "/token", "port": server.server_address[1]}, server)


main()
