"""steps.py: reads rendered steps on standard input. `list` prints each with its needs; a list of KIND/NAME prints these.

SSO prints the apiserver's variables of the server's release. Text alone, no YAML library: the documents are separated,
named and printed as they stand.
"""
import re
import sys

text = sys.stdin.read()
docs = []
for doc in re.split(r"^---\n", text, flags=re.M):
    lines = [l for l in doc.splitlines() if not l.startswith("# Source:") and not l.lstrip().startswith("# ")]
    kind = next((l[6:] for l in lines if l.startswith("kind: ")), None)
    name = next((re.search(r"name: ([^},]+)", l).group(1) for l in lines if l.startswith("metadata: ")), None)
    if kind and name:
        docs.append((kind + "/" + name, lines))
if not docs:
    sys.stdout.write(re.sub(r"execution error at \([^)]*\): ", "", text))
elif sys.argv[1] == "list":
    for ident, lines in sorted(docs):
        needs = next((l[7:] for l in lines if l.startswith("needs: ")), "")
        print(ident + (" needs " + needs.replace('"', "") if needs else ""))
else:
    wanted = sys.argv[1].split(" ")
    if "SSO" in wanted:
        lines = dict(docs)["Release/server"]
        start = next(i for i, l in enumerate(lines) if l == "      extraEnvs:")
        for line in lines[start + 1:]:
            if not line.startswith("      ") or re.match(r"      \w", line):
                break
            print(line[6:])
        print("\n".join(l for l in lines if "metadata.xml" in l))
    for ident, lines in sorted(docs):
        if ident in wanted:
            print("---")
            print("\n".join(l for l in lines if l.strip()))
