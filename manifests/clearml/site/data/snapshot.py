"""snapshot.py: a VolumeSnapshot of claim CLAIM with class CLASS; of those made here before, the newest KEEP stay."""
import datetime
import json
import os
import ssl
import urllib.request

ACCOUNT = os.environ.get("ACCOUNT", "/var/run/secrets/kubernetes.io/serviceaccount")


def account(name):
    with open(os.path.join(ACCOUNT, name), encoding="utf-8") as f:
        return f.read().strip()


API = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"
PATH = f"/apis/snapshot.storage.k8s.io/v1/namespaces/{account('namespace')}/volumesnapshots"
LABELS = {"app.kubernetes.io/managed-by": "clearml-backup"}
TLS = ssl.create_default_context(cafile=os.path.join(ACCOUNT, "ca.crt"))


def call(method, path, body=None):
    request = urllib.request.Request(API + path, method=method, data=json.dumps(body).encode() if body else None)
    request.add_header("Authorization", "Bearer " + account("token"))
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, context=TLS, timeout=60) as answer:
        return json.load(answer)


name = "fileserver-" + datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%d-%H%M%S")
call("POST", PATH, {
    "apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot", "metadata": {"name": name, "labels": LABELS},
    "spec": {"volumeSnapshotClassName": os.environ["CLASS"], "source": {"persistentVolumeClaimName": os.environ["CLAIM"]}}})
mine = call("GET", PATH + "?labelSelector=" + ",".join("%s%%3D%s" % pair for pair in LABELS.items()))["items"]
# the one just made is not ready yet; one that never was does not count as kept
ready = sorted(s["metadata"]["name"] for s in mine if s.get("status", {}).get("readyToUse"))
for old in ready[:-int(os.environ["KEEP"])]:
    call("DELETE", f"{PATH}/{old}")
    print(old, "deleted")
print(name, "made")
