#!/usr/bin/env python3
"""A stand-in for upload_apps.py of the vendor's applications package, which is not public.

It copies the documented command lines of both generations. What it sends is made up: the real paths are not published.
The tests' cluster has no DNS: a Service of the same namespace is found by the variables that its pods are given.
"""
import argparse
import base64
import json
import os
import re
import sys
import urllib.parse
import urllib.request
import zipfile

FLAVOUR = "new"  # or "old": packages before --command


def call(args, path, body):
    url = urllib.parse.urlsplit(args.host)
    service = url.hostname.split(".")[0].upper().replace("-", "_")
    host = os.environ.get(f"{service}_SERVICE_HOST", url.hostname)
    pair = base64.b64encode(f"{args.key}:{args.secret}".encode()).decode()
    request = urllib.request.Request(f"{url.scheme}://{host}:{url.port or 80}/{path}", json.dumps(body).encode(),
                                     {"Authorization": f"Basic {pair}", "Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]
    except urllib.error.HTTPError as e:
        sys.exit(f"{path}: {e.read().decode()}")


def value(text, key):
    found = re.search(rf'^\s*{key}\s*[:=]\s*"?([^"\n]*)"?', text, re.M)
    return found.group(1) if found else ""


def upload(args, path):
    with zipfile.ZipFile(path) as z:
        for name in z.namelist():
            if not name.endswith(".app.conf"):
                continue
            text = z.read(name).decode()
            images = re.findall(r'^\s*image\s*[:=]\s*"?([^"\s]+)', text, re.M)
            body = {key: value(text, key) for key in ("id", "name", "version")}
            call(args, "applications.upload", dict(body, images=images, package=FLAVOUR))
            print(f"uploaded {body['id']} {body['version']}")


def main():
    p = argparse.ArgumentParser(prog="upload_apps.py")
    p.add_argument("--host", required=True, help="address of the API")
    if FLAVOUR == "new":
        p.add_argument("--key", required=True)
        p.add_argument("--secret", required=True)
        p.add_argument("--command", required=True, choices=["upload", "delete"])
        p.add_argument("--app", help="of delete: the application's id")
    else:
        p.add_argument("--user", dest="key", required=True)
        p.add_argument("--password", dest="secret", required=True)
    p.add_argument("--files", nargs="*", default=[])
    p.add_argument("--dir")
    p.add_argument("-ml", action="store_true")
    args = p.parse_args()
    if args.dir:
        args.files += [os.path.join(args.dir, n) for n in sorted(os.listdir(args.dir)) if n.endswith(".zip")]
    if not args.files:
        sys.exit("nothing to upload")
    for path in args.files:
        upload(args, path)


main()
