#!/usr/bin/env python3
"""A stand-in for convert_image_registry.py of the vendor's applications package, which is not public.

It copies the documented command line, the rewriting of the applications' archives in place, and the lines that it prints.
"""
import argparse
import os
import re
import zipfile

FLAVOUR = "new"  # or "old": packages before --artifactory
IMAGE = re.compile(r"(?:docker\.io/)?(allegroai/clearml-apps):([\w.-]+)")


def convert(path, target):
    with zipfile.ZipFile(path) as z:
        members = [(i, z.read(i)) for i in z.infolist()]
    with zipfile.ZipFile(path, "w") as z:
        for info, data in members:
            if info.filename.endswith(".app.conf"):
                text = data.decode()
                for repository, tag in IMAGE.findall(text):
                    print(f"make sure `{repository}:{tag}` was added to `{target}`")
                data = IMAGE.sub(lambda m: f"{target}:{m.group(2)}", text).encode()
            z.writestr(info, data)


def main():
    p = argparse.ArgumentParser(prog="convert_image_registry.py")
    p.add_argument("--apps-dir", required=True, help="folder of the applications' archives")
    p.add_argument("--artifactory" if FLAVOUR == "new" else "--repo", dest="target", required=True, help="where their images are")
    args = p.parse_args()
    for name in sorted(os.listdir(args.apps_dir)):
        if name.endswith(".zip"):
            convert(os.path.join(args.apps_dir, name), args.target)


main()
