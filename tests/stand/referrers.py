#!/usr/bin/env python3
"""referrers.py: a stand-in for a registry that has the referrers API, which Debian's docker-registry has not.

It keeps everything in memory and follows distribution-spec 1.1: blobs, manifests, tags with pages, OCI-Subject, referrers with
pages of --page entries. --closed refuses lists of tags and what it has not, --forget lists no referrer though it says so.
"""
import argparse
import hashlib
import json
import re
import threading
import urllib.parse

import standlib

INDEX = "application/vnd.oci.image.index.v1+json"
NAME = r"/v2/(.+)/"


def sha(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Handler(standlib.Handler):
    wbufsize = 1 << 16          # an answer is one packet

    def reply(self, status, body=b"", content_type="application/json", headers=()):
        self.server.log.write(method=self.command, path=self.path, status=status)
        self.answer(status, body, content_type, headers)

    def refuse(self, status, code):
        self.reply(status, {"errors": [{"code": code, "message": code.lower().replace("_", " ")}]})

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def route(self):
        url = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(url.query))
        if url.path == "/v2/":
            return self.reply(200, {})
        for pattern, act in ((r"blobs/uploads/(\w*)", self.upload), (r"blobs/(sha256:\w+)", self.blob), (r"manifests/([\w.:-]+)", self.manifest),
                             (r"tags/list", self.tags), (r"referrers/(sha256:\w+)", self.referrers)):
            m = re.fullmatch(NAME + pattern, url.path)
            if m:
                self.repository = self.server.repositories.setdefault(m[1], {"blobs": {}, "manifests": {}, "tags": {}})
                with self.server.lock:
                    return act(*m.groups())
        return self.refuse(404, "NAME_UNKNOWN")

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = route

    def upload(self, name, session):
        data = self.server.uploads.get(session, b"") + self.body()
        if self.command == "DELETE":
            return self.reply(204)
        if self.command == "PUT":
            if sha(data) != self.query.get("digest"):
                return self.refuse(400, "DIGEST_INVALID")
            self.repository["blobs"][sha(data)] = data
            return self.reply(201, headers=[("Location", f"/v2/{name}/blobs/{sha(data)}"), ("Docker-Content-Digest", sha(data))])
        session = session or str(len(self.server.uploads) + 1)
        self.server.uploads[session] = data
        return self.reply(202, headers=[("Location", f"/v2/{name}/blobs/uploads/{session}"), ("Range", f"0-{max(len(data), 1) - 1}")])

    def blob(self, _, digest):
        data = self.repository["blobs"].get(digest)
        if data is None:
            return self.refuse(404, "BLOB_UNKNOWN")
        return self.reply(200, data, "application/octet-stream", [("Docker-Content-Digest", digest)])

    def manifest(self, name, ref):
        r = self.repository
        if self.command != "PUT":
            digest = r["tags"].get(ref, ref)
            if digest not in r["manifests"]:
                return self.refuse(403, "DENIED") if self.server.args.closed else self.refuse(404, "MANIFEST_UNKNOWN")
            kind, data = r["manifests"][digest]
            return self.reply(200, data, kind, [("Docker-Content-Digest", digest)])
        data = self.body()
        document, digest = json.loads(data), sha(data)
        parts = [document["config"]] + document["layers"] if "layers" in document else []
        if any(p["digest"] not in r["blobs"] for p in parts) or any(m["digest"] not in r["manifests"] for m in document.get("manifests", [])):
            return self.refuse(400, "MANIFEST_BLOB_UNKNOWN")
        r["manifests"][digest] = (self.headers["Content-Type"], data)
        if not ref.startswith("sha256:"):
            r["tags"][ref] = digest
        headers = [("Location", f"/v2/{name}/manifests/{digest}"), ("Docker-Content-Digest", digest)]
        if "subject" in document:
            headers.append(("OCI-Subject", document["subject"]["digest"]))
        return self.reply(201, headers=headers)

    def page(self, items, size, link):
        """The items of this page, and the header that names the next."""
        start = int(self.query.get("from", 0))
        more = start + size < len(items)
        return items[start:start + size], [("Link", f'<{link}?from={start + size}>; rel="next"')] if more else []

    def tags(self, name):
        if self.server.args.closed:
            return self.refuse(403, "DENIED")
        items, headers = self.page(sorted(self.repository["tags"]), 3, f"/v2/{name}/tags/list")
        return self.reply(200, {"name": name, "tags": items}, headers=headers)

    def referrers(self, name, subject):
        found = []
        for digest, (kind, data) in sorted(self.repository["manifests"].items()):
            document = json.loads(data)
            if document.get("subject", {}).get("digest") == subject and not self.server.args.forget:
                found.append({"mediaType": kind, "digest": digest, "size": len(data), "annotations": document.get("annotations", {}),
                              "artifactType": document.get("artifactType") or document["config"]["mediaType"]})
        items, headers = self.page(found, self.server.args.page, f"/v2/{name}/referrers/{subject}")
        body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": items}).encode()
        return self.reply(200, body, INDEX, headers)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    standlib.add_options(p)
    p.add_argument("--page", type=int, default=2, metavar="N")
    p.add_argument("--closed", action="store_true")
    p.add_argument("--forget", action="store_true")
    args = p.parse_args()
    server, url = standlib.bind(args, Handler)
    server.args, server.log, server.lock = args, standlib.Log(args.log), threading.Lock()
    server.repositories, server.uploads = {}, {}
    standlib.run(args, {"url": url, "address": url.split("//")[1]}, server)


main()
