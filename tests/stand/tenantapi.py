#!/usr/bin/env python3
"""tenantapi: a stand-in for the tenant API of a server such as ClearML's: companies, users, credentials, in one JSON file.

Answers are {"meta": {"result_code", "result_msg"}, "data": …}, logins are HTTP Basic with a key pair, and the header
X-Clearml-Impersonate-As makes the request that user's. What is asked is a line of the log: method, path, who, status; no
body. DIR/state.json is what it knows, written after each change. DIR/next.json, if it is there, holds what is to go
wrong, by path: {"/auth.create_credentials": {"delay": 3}}: answered 3 s after it was done; {"status": 503, "times": 2}: not
done.
"""
import argparse
import base64
import hashlib
import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Refused(Exception):
    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


class Api:
    def __init__(self, args):
        self.dir, self.lock, self.n = args.dir, threading.Lock(), 0
        self.state = {"companies": [], "users": [{"id": "root", "name": "root", "company": ""}],
                      "credentials": [{"access_key": args.key, "secret_key": args.secret, "user": "root", "label": ""}]}
        self.save()

    def save(self):
        with open(os.path.join(self.dir, "state.new"), "w", encoding="utf-8") as f:
            json.dump(self.state, f, indent=1)
        os.rename(os.path.join(self.dir, "state.new"), os.path.join(self.dir, "state.json"))

    def new_id(self, what):
        self.n += 1
        return hashlib.sha256(f"{what}{self.n}".encode()).hexdigest()[:32]

    def find(self, kind, key, value):
        for one in self.state[kind]:
            if one[key] == value:
                return one
        raise Refused(400, f"no such {key}: {value}")

    def login(self, header):
        try:
            key, secret = base64.b64decode(header.split(" ", 1)[1]).decode().split(":", 1)
        except (AttributeError, IndexError, ValueError) as err:
            raise Refused(401, "Unauthorized (missing credentials)") from err
        for c in self.state["credentials"]:
            if (c["access_key"], c["secret_key"]) == (key, secret):
                return c["user"]
        raise Refused(401, "Unauthorized (invalid credentials)")

    def act(self, action, user, body):
        s = self.state
        if action == "system.get_companies":
            return {"companies": s["companies"]}
        if action == "system.create_company":
            if any(c["name"] == body["name"] for c in s["companies"]):
                raise Refused(400, "company name exists")
            company = {"id": self.new_id("company"), "name": body["name"],
                       "features": body.get("defaults", {}).get("features", [])}
            s["companies"].append(company)
            return {"id": company["id"]}
        if action == "system.update_company_settings":
            self.find("companies", "id", body["company"])["features"] = body["features"]
            return {"updated": 1}
        if action == "system.delete_company":
            s["companies"].remove(self.find("companies", "id", body["company"]))
            return {"deleted": 1}
        if action == "auth.create_user":
            self.find("companies", "id", body["company"])
            one = {"id": self.new_id("user"), "name": body["name"], "company": body["company"], "role": body.get("role", "")}
            s["users"].append(one)
            return {"id": one["id"]}
        if action == "users.get_all":
            return {"users": s["users"]}
        if action == "users.get_me":
            return {"user": self.find("users", "id", user)}
        if action == "auth.create_credentials":
            one = {"access_key": self.new_id("access").upper()[:20], "secret_key": self.new_id("secret"), "user": user,
                   "label": body.get("label", "")}
            s["credentials"].append(one)
            return {"credentials": {"access_key": one["access_key"], "secret_key": one["secret_key"]}}
        if action == "auth.get_credentials":
            return {"credentials": [{"access_key": c["access_key"], "label": c["label"]} for c in s["credentials"]
                                    if c["user"] == user]}
        if action == "auth.revoke_credentials":
            s["credentials"].remove(self.find("credentials", "access_key", body["access_key"]))
            return {"revoked": 1}
        if action == "login.set_domains":
            s["domains"] = body["domains"]
            return {"updated": 1}
        raise Refused(404, "unknown action")

    def trouble(self, path):
        """What is to go wrong this time."""
        name = os.path.join(self.dir, "next.json")
        try:
            with open(name, encoding="utf-8") as f:
                wanted = json.load(f)
        except FileNotFoundError:
            return {}
        one = wanted.get(path, {})
        if "times" in one:
            one["times"] -= 1
            if one["times"] <= 0:
                wanted.pop(path)
            with open(name, "w", encoding="utf-8") as f:
                json.dump(wanted, f)
        return one


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api = None

    def log_message(self, *args):
        pass

    def send(self, status, data, headers=()):
        text = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
        who = self.headers.get("X-Clearml-Impersonate-As", "")
        print(self.command, self.path, who or "-", status, flush=True)

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.api.lock:
            odd = self.api.trouble(self.path)
            if "status" in odd:
                return self.send(odd["status"], {"meta": {"result_code": odd["status"], "result_msg": "out of order"}})
            try:
                user = self.api.login(self.headers.get("Authorization"))
                user = self.headers.get("X-Clearml-Impersonate-As", user)
                data = self.api.act(self.path.lstrip("/"), user, json.loads(body or b"{}"))
                self.api.save()
            except Refused as err:
                return self.send(err.code, {"meta": {"result_code": err.code, "result_msg": str(err)}, "data": {}})
        time.sleep(odd.get("delay", 0))
        return self.send(200, {"meta": {"result_code": 200, "result_msg": "OK"}, "data": data})

    do_GET = do_POST = answer


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dir", help="for state.json and next.json")
    parser.add_argument("--listen", default="127.0.0.1:0")
    parser.add_argument("--key", required=True, help="of the first user, root")
    parser.add_argument("--secret", required=True)
    args = parser.parse_args()
    host, port = args.listen.rsplit(":", 1)
    Handler.api = Api(args)
    server = ThreadingHTTPServer((host, int(port)), Handler)
    server.daemon_threads = True
    print(f"url=http://{host}:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
