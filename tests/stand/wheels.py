#!/usr/bin/env python3
"""wheels.py: tiny wheels of the tests' own, and the simple index they are served by.

    wheels.py make DIR NAME VERSION [--tag TAG] [--needs REQUIREMENT]... [--extra NAME]... [--python SPEC]    DIR/NAME-VERSION-TAG.whl; prints its name
    wheels.py sdist DIR NAME VERSION                                                        DIR/NAME-VERSION.tar.gz, with a setup.py that must not run
    wheels.py index DIR                                                                     DIR/simple/, over all of them
"""
import argparse
import base64
import hashlib
import io
import os
import re
import tarfile
import zipfile


def make(a):
    stem, info = f"{a.name}-{a.version}", f"{a.name}-{a.version}.dist-info"
    meta = f"Metadata-Version: 2.1\nName: {a.name}\nVersion: {a.version}\n"
    meta += "".join(f"Provides-Extra: {n}\n" for n in a.extra) + "".join(f"Requires-Dist: {n}\n" for n in a.needs)
    meta += f"Requires-Python: {a.python}\n" if a.python else ""
    files = {f"{a.name}.py": f"version = '{a.version}'\n", f"{info}/METADATA": meta,
             f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {a.tag}\n"}
    record = ""
    for name, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
        record += f"{name},sha256={digest},{len(text)}\n"
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    with zipfile.ZipFile(os.path.join(a.dir, f"{stem}-{a.tag}.whl"), "w") as z:
        for name, text in files.items():
            z.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), text)
    print(f"{stem}-{a.tag}.whl")


def sdist(a):
    with tarfile.open(os.path.join(a.dir, f"{a.name}-{a.version}.tar.gz"), "w:gz") as t:
        for name, text in {"setup.py": "open('/tmp/airgap-setup-ran', 'w')\n", "PKG-INFO": f"Name: {a.name}\n"}.items():
            member = tarfile.TarInfo(f"{a.name}-{a.version}/{name}")
            member.size = len(text)
            t.addfile(member, io.BytesIO(text.encode()))


def index(a):
    projects = {}
    for file in sorted(f for f in os.listdir(a.dir) if f.endswith((".whl", ".tar.gz"))):
        projects.setdefault(re.sub("[-_.]+", "-", file.split("-")[0]).lower(), []).append(file)
    for project, files in projects.items():
        os.makedirs(os.path.join(a.dir, "simple", project), exist_ok=True)
        with open(os.path.join(a.dir, "simple", project, "index.html"), "w", encoding="utf-8") as out:
            for file in files:
                with open(os.path.join(a.dir, file), "rb") as f:
                    digest = hashlib.sha256(f.read()).hexdigest()
                out.write(f'<a href="../../{file}#sha256={digest}">{file}</a><br>\n')


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("what", choices=["make", "sdist", "index"])
    p.add_argument("dir")
    p.add_argument("name", nargs="?")
    p.add_argument("version", nargs="?")
    p.add_argument("--tag", default="py3-none-any")
    p.add_argument("--needs", action="append", default=[])
    p.add_argument("--extra", action="append", default=[])
    p.add_argument("--python")
    a = p.parse_args()
    {"make": make, "sdist": sdist, "index": index}[a.what](a)


main()
