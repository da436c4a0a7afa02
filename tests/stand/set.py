#!/usr/bin/env python3
"""set.py: the files of a set (packages, python, git), out of an unpacked bundle by digests alone.

    set.py LAYOUT KIND/NAME DIR     writes them below DIR, each digest compared
"""
import hashlib
import json
import os
import sys

layout, name, out = sys.argv[1:]


def blob(digest):
    with open(os.path.join(layout, "blobs/sha256", digest.removeprefix("sha256:")), "rb") as f:
        content = f.read()
    assert "sha256:" + hashlib.sha256(content).hexdigest() == digest, digest
    return content


with open(os.path.join(layout, "index.json"), "rb") as f:
    entries = json.load(f)["manifests"]
found = [e for e in entries if e["annotations"]["org.opencontainers.image.ref.name"].startswith(name + ":")]
for layer in json.loads(blob(found[0]["digest"]))["layers"]:
    path = os.path.join(out, layer["annotations"]["org.opencontainers.image.title"])
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(blob(layer["digest"]))
