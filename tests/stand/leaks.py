#!/usr/bin/env python3
"""leaks: where secrets go when servers send a client elsewhere.

  leaks.py --fetch PROGRAM --bundler PROGRAM --certs DIR --work DIR [--only REGEX]

Ten ways to be sent elsewhere, times nine sources of credentials, times six relations of the place to the origin: each is one
run of the client, with a secret of its own, against a net in which every name answers and every request is kept
(leaks_net.py). A case says how the run ends and which origins have to see the secret and the token it was exchanged for:
these, no other, and in the Authorization header (or the form of a token request) only. Some are run once more as
`bundler lock`, and charts out of git besides, which are fetched by other means. DIR has net.pem and net.key for all
NAMES, and ca.pem. Prints NAME <tab> WHY per case, WHY empty when it is right, and "= N cases".
"""
import argparse
import base64
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

sys.dont_write_bytecode = True
import leaks_net  # noqa: E402
from leaks_net import BLOB, DIGEST, MANIFEST, TYPE  # noqa: E402

HOSTS = ("registry.test", "nvcr.io", "helm.ngc.nvidia.com", "registry-1.docker.io", "raw.githubusercontent.com", "auth.test")
NAMES = [name for host in HOSTS for name in (host, "sub." + host)] + ["other.test"]
SECRET = re.compile(rb"canary-(secret|issued|url)-(\d+)-x")

# Name, command, whether it is the token server that is asked for with a challenge (else Basic).
KINDS = {
    "moved-301": ("manifest", False), "moved-302": ("manifest", False), "moved-303": ("manifest", True),
    "moved-307-signed": ("blob", True), "moved-308": ("blob", False), "realm": ("manifest", True),
    "realm-moved": ("manifest", True), "upload": ("put", False), "page": ("tags", False), "chart": ("chart", False),
    "git": ("git", False),
}
LOCKED = ("moved-301", "moved-303", "realm", "chart", "git")
RELATIONS = ("same", "port", "scheme", "host", "subdomain", "user")
SOURCES = ("password-file", "password-env", "token-env", "ngc", "clearml", "auth-file", "docker-config", "helper", "identity")


def place(relation, origin, number):
    """The origin that a relation leads to, as an address."""
    host = origin.partition("://")[2]
    return {"same": f"https://{host}", "port": f"https://{host}:8443", "scheme": f"http://{host}", "host": "https://other.test",
            "subdomain": f"https://sub.{host}", "user": f"https://robot:canary-url-{number}-x@{host}"}[relation]


class Case:
    def __init__(self, number, kind, source, relation):
        self.number, self.kind, self.source, self.relation = number, kind, source, relation
        self.name = f"{kind}/{source}/{relation}"
        self.program = "fetch"
        self.command, self.bearer = KINDS[kind]
        chart = kind in ("chart", "git")
        self.bearer |= source == "identity" and not chart
        self.host = {"ngc": "helm.ngc.nvidia.com" if chart else "nvcr.io",
                     "clearml": "raw.githubusercontent.com" if chart else "docker.io"}.get(source, "registry.test")
        self.origin = "https://" + ("registry-1.docker.io" if self.host == "docker.io" else self.host)
        self.secret, self.issued = f"canary-secret-{number}-x", f"canary-issued-{number}-x"
        self.away = place(relation, "https://auth.test" if kind == "realm-moved" else self.origin, number)
        self.token_server = self.away if kind == "realm" else "https://auth.test"
        # Every second source finds a place that asks for credentials of its own.
        self.bites = SOURCES.index(source) % 2 == 1 and relation != "same"

    # ---- what has to come of it

    @property
    def static(self):
        return self.source == "token-env"

    def wanted(self):
        """Exit code of the client."""
        if self.kind == "chart" and self.source == "identity":
            return 21
        if self.kind == "realm":
            return 0 if self.static else {"scheme": 21, "user": 24}.get(self.relation, 0)
        if self.kind == "realm-moved" and self.static:
            return 0
        if self.kind == "realm-moved" and self.source == "identity":
            return 24
        if self.kind == "page":
            return 0 if self.relation == "same" else 25
        if self.relation in ("scheme", "user"):
            return {"scheme": 2, "user": 18}[self.relation] if self.kind == "chart" else 25
        return 21 if self.bites else 0

    def secret_at(self):
        """Origins that see the secret."""
        if self.kind == "chart" and self.source == "identity":
            return set()
        if not self.bearer or self.static:
            return {self.origin}
        if self.kind == "realm" and self.relation in ("scheme", "user"):
            return set()
        return {self.token_server}

    def issued_at(self):
        """Origins that see the token it was exchanged for."""
        if not self.bearer or self.static or not self.secret_at():
            return set()
        if self.kind == "realm-moved" and self.wanted() != 0:
            return set()
        return {self.origin}

    # ---- the client's side

    def words(self):
        path = f"clearml/c{self.number}"
        return {
            "manifest": ["manifest", self.host, path, "latest"], "blob": ["blob", self.host, path, DIGEST, str(len(BLOB))],
            "put": ["put", self.host, path, "{blob}", "--push"], "tags": ["tags", self.host, path],
            "chart": ["chart", f"{self.origin}/{path}", "demo", "--archive"],
        }[self.command]

    def credentials(self, folder):
        """Options and variables."""
        auth = base64.b64encode(f"robot:{self.secret}".encode()).decode()
        if self.source == "password-file":
            save(folder, "password", self.secret + "\n")
            return ["--user", f"{self.host}=robot:file:{folder}/password"], {}
        if self.source == "password-env":
            return ["--user", f"{self.host}=robot:env:P"], {"P": self.secret}
        if self.source == "token-env":
            return ["--token", f"{self.host}=env:P"], {"P": self.secret}
        if self.source in ("ngc", "clearml"):
            variable = "NGC_API_KEY" if self.source == "ngc" else \
                "HELM_REPO_TOKEN" if self.kind == "chart" else "CLEARML_DOCKERHUB_TOKEN"
            return ["--env"], {variable: self.secret}
        if self.source == "helper":
            answer = json.dumps({"Username": "robot", "Secret": self.secret})
            save(folder, "docker-credential-here", f"#!/bin/sh\ncat <<'END'\n{answer}\nEND\n", 0o700)
            save(folder, "config.json", json.dumps({"credHelpers": {self.host: "here"}}))
            return ["--env"], {"DOCKER_CONFIG": folder, "PATH": f"{folder}:{os.environ['PATH']}"}
        entry = {"auth-file": {"auth": auth}, "docker-config": {"username": "robot", "password": self.secret},
                 "identity": {"identitytoken": self.secret}}[self.source]
        save(folder, "config.json", json.dumps({"auths": {self.host: entry}}))
        return ["--env"], {"DOCKER_CONFIG": folder} if self.source == "docker-config" else \
            {"REGISTRY_AUTH_FILE": os.path.join(folder, "config.json")}

    # ---- the servers' side

    def answer(self, r):
        rest = r.path.partition(f"c{self.number}/")[2]
        if rest.startswith("landed"):
            return self.landed(r)
        if rest == "token":
            if self.kind == "realm-moved":
                return 307, [f"Location: {self.away}/c{self.number}/landed/token"], b""
            return 200, [], json.dumps({"token": self.issued}).encode()
        if not r.authorization:
            realm = f"{self.token_server}/c{self.number}/token"
            return 401, [f'WWW-Authenticate: Bearer realm="{realm}",service="s"' if self.bearer else 'WWW-Authenticate: Basic realm="x"'], b""
        return self.opened(r, rest)

    def opened(self, r, rest):
        """To whom has shown something."""
        there = f"{self.away}/c{self.number}/landed/{rest}"
        if self.kind.startswith("moved-"):
            return int(self.kind[6:9]), [f"Location: {there}" + ("?sig=abc" if self.kind.endswith("signed") else "")], b""
        if rest == "manifests/latest":
            return 200, [f"Content-Type: {TYPE}"], MANIFEST
        if rest.startswith("blobs/uploads"):
            return 202, [f"Location: {there}?_state=a", "Range: 0-0"], b""
        if rest == "tags/list":
            return 200, [f'Link: <{there}>; rel="next"'], b'{"tags":["a"]}'
        if rest == "index.yaml":
            return 200, [], (f"apiVersion: v1\nentries:\n  demo:\n  - name: demo\n    version: 1.0.0\n"
                             f"    urls: ['{self.away}/clearml/c{self.number}/landed/demo.tgz']\n").encode()
        return 404, [], b""

    def landed(self, r):
        """At the other place. It would rather have our credentials, or it gives what is asked for."""
        if self.bites or (self.relation == "same" and not r.authorization and "token" not in r.path):
            return 401, ['WWW-Authenticate: Basic realm="give me"'], b""
        if r.path.endswith("/token"):
            return 200, [], json.dumps({"token": self.issued}).encode()
        if "/manifests/" in r.path:
            return 200, [f"Content-Type: {TYPE}"], MANIFEST
        if "/tags/" in r.path:
            return 200, [], b'{"tags":["b"]}'
        if r.method in ("PUT", "DELETE"):
            return 201, [], b""
        return 200, [], BLOB


class Locked(Case):
    """The same, by `bundler lock` on a manifest. Whether a lock comes of it is not asked, as what is served is no image."""

    def __init__(self, *row):
        super().__init__(*row)
        self.name, self.program = "lock/" + self.name, "bundler"

    def wanted(self):
        return self.status if 0 <= self.status < 64 else "less than 64"

    def secret_at(self):
        if self.kind == "git":
            return set() if self.source == "identity" else {self.origin}
        return super().secret_at()

    def issued_at(self):
        return set() if self.kind in ("git", "chart") or not self.bearer or self.static or not self.secret_at() else {self.origin}

    def words(self):
        return ["lock", "--no-progress", "m.yaml"]

    def credentials(self, folder):
        hosts = {host: {"ca": "../ca.pem", "proxy": self.proxy} for name in NAMES for host in (name, name + ":8443")}
        options, variables = super().credentials(folder)
        if self.source == "password-env":
            hosts[self.host].update(username="robot", password="env:P")
        elif self.source == "token-env":
            hosts[self.host].update(token="env:P")
        at = f"{self.origin}/clearml/c{self.number}"
        wanted = {"chart": {"charts": [{"name": "demo", "version": "1.0.0", "repository": at}]},
                  "git": {"git": [{"name": "demo", "url": at + "/x.git", "refs": ["main"]}]}}.get(
                      self.kind, {"images": [{"ref": f"{self.host}/clearml/c{self.number}:latest"}]})
        save(folder, "m.yaml", json.dumps({
            "apiVersion": "airgap/v1", "kind": "Manifest", "metadata": {"name": "w", "version": "1.0.0"},
            "kubernetes": {"version": "1.32"}, "hosts": hosts, **wanted}))
        return [], variables

    def opened(self, r, rest):
        if self.kind == "git":
            return 301, [f"Location: {self.away}/clearml/c{self.number}/landed/x.git/{rest.partition('/')[2]}?{r.query}"], b""
        return super().opened(r, rest)


def save(folder, name, text, mode=0o600):
    fd = os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CREAT, mode)
    with open(fd, "w", encoding="utf-8") as f:
        f.write(text)


def secrets_in(data):
    """What canaries some bytes hold, plain or in base64."""
    found = set(SECRET.findall(data))
    for run in re.findall(rb"[A-Za-z0-9+/_-]{16,}={0,2}", data):
        for start in range(4):
            text = run[start:].rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
            found.update(SECRET.findall(base64.b64decode(text[:len(text) // 4 * 4])))
            found.update(SECRET.findall(base64.b64decode(text + b"=" * (-len(text) % 4)) if len(text) % 4 != 1 else b""))
    return {(sort.decode(), int(number)) for sort, number in found}


class Drive:
    def __init__(self, args):
        self.args = args
        rows = [(k, s, r) for k in KINDS if k != "git" for s in SOURCES for r in RELATIONS]
        self.cases = [Case(n, *row) for n, row in enumerate(rows)]
        for row in [(k, s, r) for k in LOCKED for s in ("password-env", "token-env", "ngc", "identity") for r in RELATIONS]:
            self.cases.append(Locked(len(self.cases), *row))
        self.net = leaks_net.Net(os.path.join(args.certs, "net.pem"), os.path.join(args.certs, "net.key"), self.answer)
        Locked.proxy = "http://" + self.net.address
        self.trust = [word for name in NAMES for host in (name, name + ":8443")
                      for word in ("--ca", f"{host}={args.certs}/ca.pem")]
        # Plain http is allowed, so that only the rule against going down to it can stop it.
        self.plain = [word for name in NAMES for word in ("--plain", name + ":80")]
        self.environment = {"PATH": os.environ["PATH"], "https_proxy": "http://" + self.net.address,
                            "http_proxy": "http://" + self.net.address}
        save(args.work, "blob", BLOB.decode())
        with open(os.path.join(args.certs, "ca.pem"), encoding="ascii") as f:
            save(args.work, "ca.pem", f.read())

    def answer(self, r):
        if r.path == "/v2/":
            return 200, [], b"{}"
        match = re.search(r"/c(\d+)/", r.path)
        return self.cases[int(match.group(1))].answer(r) if match else (404, [], b"")

    def run(self, case):
        folder = os.path.join(self.args.work, str(case.number))
        os.mkdir(folder)
        options, variables = case.credentials(folder)
        words = [word.replace("{blob}", os.path.join(self.args.work, "blob")) for word in case.words()]
        command = [self.args.fetch, words[0], "--proxies", "--tries", "2", "--backoff", "10", "-v", *self.trust, *options,
                   *(self.plain if case.kind != "chart" else []),
                   "-o", os.path.join(folder, "out"), *words[1:]]
        if case.program == "bundler":
            command = [self.args.bundler, *words, "-v"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                              cwd=folder, env={**self.environment, "HOME": folder, **variables}, check=False)
        case.status, case.said = done.returncode, done.stdout

    def seen(self):
        """(sort, number) to the origins that saw it; and where a secret stood that has no business there."""
        origins, astray = {}, {}
        for r in self.net.requests:
            allowed = (r.authorization or "").encode() + (r.body if r.method == "POST" and r.path.endswith("/token") else b"")
            whole = r.head + b"\r\n" + r.body
            for what in secrets_in(whole):
                origins.setdefault(what, set()).add(r.origin)
                if what not in secrets_in(allowed):
                    astray.setdefault(what[1], []).append(f"a secret stands in '{r.method} {r.path}' to {r.origin}")
        return origins, astray

    @staticmethod
    def judge(case, origins, astray):
        if case.status != case.wanted():
            yield f"ended with {case.status}, not {case.wanted()}: {case.said.decode()[-300:]!r}"
        for sort, wanted in (("secret", case.secret_at()), ("issued", case.issued_at()), ("url", set())):
            got = origins.get((sort, case.number), set())
            if sort == "url" and case.kind == "git":
                got = got - {case.origin}       # libgit2 may show a server the user that the server named
            if got != wanted:
                yield f"the {sort} was seen at {sorted(got) or 'no place'}, not at {sorted(wanted) or 'none'}"
        yield from astray.get(case.number, [])
        if secrets_in(case.said):
            yield "a secret was printed"

    def control(self):
        """A client that does send it everywhere is caught."""
        case = self.cases[[c.name for c in self.cases].index("moved-301/password-file/host")]
        subprocess.run(["curl", "-s", "-L", "--location-trusted", "-u", f"robot:canary-secret-{len(self.cases)}-x",
                        "--cacert", os.path.join(self.args.certs, "ca.pem"), "-o", "/dev/null",
                        f"{case.origin}/v2/clearml/c{case.number}/manifests/latest"], env=self.environment, check=False)
        got = self.seen()[0].get(("secret", len(self.cases)), set())
        self.net.requests.clear()
        return "" if got == {case.origin, "https://other.test"} else f"it was seen at {sorted(got)}"

    def go(self):
        print("a client that sends its password everywhere is caught", self.control(), sep="\t")
        chosen = [case for case in self.cases if re.search(self.args.only, case.name)]
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(self.run, chosen))
        origins, astray = self.seen()
        for case in chosen:
            print(case.name, "; ".join(self.judge(case, origins, astray)), sep="\t")
        print("the net made no mistake of its own", "; ".join(self.net.faults[:3]), sep="\t")
        print(f"= {len(chosen)} cases, {len(self.net.requests)} requests to {len({r.origin for r in self.net.requests})} origins")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fetch", metavar="PROGRAM")
    parser.add_argument("--bundler", metavar="PROGRAM")
    parser.add_argument("--certs", metavar="DIR")
    parser.add_argument("--work", metavar="DIR")
    parser.add_argument("--only", default="", metavar="REGEX")
    parser.add_argument("--names", action="store_true", help="print the names that the certificate is for")
    args = parser.parse_args()
    if args.names:
        print(",".join("DNS:" + name for name in NAMES))
    else:
        Drive(args).go()


main()
