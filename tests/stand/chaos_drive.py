#!/usr/bin/env python3
"""chaos_drive: runs the cases of chaos.py, many at once, and judges each.

  chaos_drive.py --fetch PROGRAM --dir DIR --work DIR [--only NAME...] [--show] > RESULTS

A line NAME <tab> WHY per case, WHY empty when it went as the table says, and last "= N cases of M behaviours". WORK/said has
everything that was printed. --show prints what came of each case instead, to write a table by.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

AT_ONCE, WAITING = 6, 40          # clients that work, clients that wait for a server that is silent
LONG = 20                         # a case of so many seconds waits
TIMES = "--connect 3000 --backoff 10 --retry-max 3000 --tries 3 -v".split()
SILENCE = 1200                    # milliseconds that are borne where silence is what the case is about


class Drive:
    def __init__(self, args):
        self.args = args
        with open(os.path.join(args.dir, "facts"), encoding="utf-8") as f:
            self.facts = dict(line.rstrip("\n").split("=", 1) for line in f)
        with open(os.path.join(args.dir, "body"), "rb") as f:
            self.body = f.read()
        with open(os.path.join(args.dir, "cases"), encoding="utf-8") as f:
            self.cases = [json.loads(line) for line in f]
        self.lock = threading.Lock()
        self.trust = []
        for name in ("main", "other"):
            self.trust += ["--plain", self.facts[name]]
        for name in ("tls", "name", "expired", "misnamed"):
            self.trust += ["--ca", f"{self.facts[name]}={self.facts['ca']}"]
        self.write_credentials()

    def write_credentials(self):
        work = self.args.work
        os.umask(0o077)
        with open(os.path.join(work, "password"), "w", encoding="ascii") as f:
            f.write("open-sesame\n")
        with open(os.path.join(work, "identity.json"), "w", encoding="ascii") as f:
            json.dump({"auths": {self.facts[name]: {"identitytoken": "refresh-secret"} for name in ("main", "tls", "name")}}, f)
        with open(os.path.join(work, "manifest"), "w", encoding="ascii") as f:
            f.write('{"schemaVersion":2,"manifests":[]}')
        self.users = [word for name in ("main", "tls", "name")
                      for word in ("--user", f"{self.facts[name]}=robot:file:{work}/password")]

    def run(self, case):
        folder = os.path.join(self.args.work, case["name"].replace("/", "_"))
        os.makedirs(folder)
        paths = {"{body}": os.path.join(self.args.dir, "body"), "{manifest}": os.path.join(self.args.work, "manifest")}
        words = [paths.get(word, word) for word in case["command"]]
        env = {**os.environ, "AIRGAP_FETCH_PEAK": os.path.join(folder, "peak"), "HOME": folder}
        who = {"robot": self.users, "identity": ["--env"], "nobody": []}[case["who"]]
        if case["who"] == "identity":
            env["REGISTRY_AUTH_FILE"] = os.path.join(self.args.work, "identity.json")
        silence = str(SILENCE if case["seconds"] >= LONG else SILENCE * 5)
        command = [self.args.fetch, words[0], *self.trust, *TIMES, "--stall", silence, "--answer", silence, *who, "-o", os.path.join(folder, "out"), *words[1:]]
        began = time.monotonic()
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env,
                                  timeout=case["seconds"] * (4 if self.args.slow else 1), check=False)
            case["status"], said = done.returncode, done.stdout
        except subprocess.TimeoutExpired as late:
            case["status"], said = None, late.stdout or b""
        case["took"], case["said"] = time.monotonic() - began, said.decode("utf-8", "replace")
        case["why"] = " and ".join(self.judge(case, folder))
        with self.lock, open(os.path.join(self.args.work, "said"), "a", encoding="utf-8") as f:
            f.write(case["said"])
        if not case["why"] and not self.args.keep:
            for name in os.listdir(folder):
                os.unlink(os.path.join(folder, name))
            os.rmdir(folder)

    def judge(self, case, folder):
        if case["status"] is None:
            yield f"did not end in {case['seconds']} s"
            return
        if case["status"] != case["wanted"]:
            yield f"ended with {case['status']}, not {case['wanted']}"
        lines = [line for line in case["said"].splitlines() if not line.startswith("debug: ")]
        errors = [line for line in lines if line.startswith("error: ")]
        if len(errors) != (case["status"] != 0):
            yield f"said {len(errors)} errors"
        yield from self.compare(case, folder, lines)
        with open(os.path.join(folder, "peak"), encoding="ascii") as f:
            case["peaked"] = int(f.read().split()[0]) / 1024
        if case["peaked"] > case["peak"] and not self.args.slow:
            yield f"took {case['peaked']:.0f} MiB, not {case['peak']}"

    def compare(self, case, folder, lines):
        kind, _, rest = case["check"].partition(":")
        if kind == "part":
            first, last = map(int, rest.split("-"))
            with open(os.path.join(folder, "out"), "rb") as f:
                if f.read() != self.body[first:last]:
                    yield "wrote other bytes"
        elif kind in ("body", "tail"):
            with open(os.path.join(folder, "out"), "rb") as f:
                got = f.read()
            if got != (self.body if kind == "body" else self.body[-int(rest):]):
                yield "wrote other bytes"
        elif kind == "said" and not re.search(rest, "\n".join(lines), re.M):
            yield f"does not say '{rest}'"
        elif kind == "quiet" and lines:
            yield "is not quiet"

    def count(self):
        """Requests by case, once all are done."""
        made = {}
        with open(os.path.join(self.args.dir, "requests"), encoding="utf-8") as f:
            for line in f:
                record = json.loads(line)
                if record["target"]:
                    made[record["case"]] = made.get(record["case"], 0) + 1
        for case in self.cases:
            case["made"] = made.get(case["name"], 0)
            if case["most"] and case["made"] > case["most"]:
                case["why"] += f"{' and ' if case['why'] else ''}asked {case['made']} times, not {case['most']}"

    def go(self):
        if self.args.only:
            self.cases = [case for case in self.cases if any(re.search(only, case["name"]) for only in self.args.only)]
        began = time.monotonic()
        with ThreadPoolExecutor(AT_ONCE) as working, ThreadPoolExecutor(WAITING) as waiting:
            done = [(waiting if case["seconds"] >= LONG else working).submit(self.run, case) for case in self.cases]
            for one in done:
                one.result()
        self.count()
        for case in self.cases:
            if self.args.show:
                peak = case.get("peaked", 0)
                print(f"{case['name']} {case['status']} made={case['made']} took={case['took']:.1f} peak={peak:.0f} "
                      f"{case['why']}")
            else:
                print(case["name"], case["why"], sep="\t")
            if case["why"]:
                with open(os.path.join(self.args.work, "failed"), "a", encoding="utf-8") as f:
                    f.write(f"--- {case['name']}: {case['why']}\n{' '.join(case['command'])}\n{case['said'][-4000:]}")
        behaviours = {case["name"].split("/")[1] if "/" in case["name"] else case["name"] for case in self.cases}
        print(f"= {len(self.cases)} cases of {len(behaviours)} behaviours in {time.monotonic() - began:.1f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fetch", required=True, metavar="PROGRAM")
    parser.add_argument("--dir", required=True, metavar="DIR", help="of chaos.py")
    parser.add_argument("--work", required=True, metavar="DIR")
    parser.add_argument("--only", nargs="*", metavar="REGEX")
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--slow", action="store_true", help="for programs with sanitizers: more time, any memory")
    parser.add_argument("--keep", action="store_true", help="what the cases wrote")
    Drive(parser.parse_args()).go()
    sys.stdout.flush()


main()
