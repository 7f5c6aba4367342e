"""As much of the Hugging Face Hub, on this machine, as uploading a model and downloading a file take."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

TOKEN = "hf_secret"


class _Hub(http.server.BaseHTTPRequestHandler):
    """Large files go through git LFS."""

    repositories: dict[str, dict[str, bytes]]
    blobs: dict[str, bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Authorization") != f"Bearer {TOKEN}" and self.path != "/api/validate-yaml":
            return self._answer(401, {"error": "Invalid username or password."})
        if self.path == "/api/validate-yaml":
            return self._answer(200, {"errors": [], "warnings": []})
        if self.path == "/api/repos/create":
            wanted = json.loads(body)
            name = f"{wanted['organization']}/{wanted['name']}" if wanted.get("organization") else wanted["name"]
            self.repositories.setdefault(name, {})
            return self._answer(200, {"url": f"{self._address()}/{name}"})
        if match := re.fullmatch(r"/api/models/(.+)/preupload/main", self.path):
            files = json.loads(body)["files"]
            modes = {True: "lfs", False: "regular"}
            answer = [
                {"path": f["path"], "uploadMode": modes[f["path"].endswith(".safetensors")], "shouldIgnore": False}
                for f in files
            ]
            return self._answer(200, {"files": answer})
        if self.path.endswith(".git/info/lfs/objects/batch"):
            wanted = json.loads(body)["objects"]
            there = [
                {**o, "authenticated": True, "actions": {"upload": {"href": f"{self._address()}/lfs/{o['oid']}"}}}
                for o in wanted
            ]
            return self._answer(200, {"transfer": "basic", "objects": there})
        if match := re.fullmatch(r"/api/models/(.+)/commit/main", self.path):
            files = self.repositories[match[1]]
            for line in map(json.loads, body.splitlines()):
                value = line["value"]
                if line["key"] == "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                if line["key"] == "lfsFile":
                    files[value["path"]] = self.blobs[value["oid"]]
            commit = {"commitUrl": f"{self._address()}/{match[1]}/commit/{'0' * 40}", "commitOid": "0" * 40}
            return self._answer(200, {"success": True, **commit})
        return self._answer(404, {"error": self.path})

    def do_PUT(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self.blobs[self.path.removeprefix("/lfs/")] = data
        self._answer(200, {})

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        match = re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", self.path)
        data = self.repositories.get(match[1], {}).get(match[2]) if match else None
        if data is None:
            if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(/revision/main)?", self.path):
                return self._answer(200, {"id": match[1], "sha": "0" * 40, "siblings": []})
            return self._answer(404, {}, {"X-Error-Code": "EntryNotFound"})
        etag = hashlib.sha256(data).hexdigest()
        return self._answer(200, data, {"ETag": f'"{etag}"', "X-Repo-Commit": "0" * 40})

    def _address(self) -> str:
        return f"http://{self.headers['Host']}"

    def _answer(self, status: int, answer: object, headers: dict[str, str] | None = None) -> None:
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        for key, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def standing_in(repositories: dict[str, dict[str, bytes]] | None = None) -> Iterator[str]:
    """Its address; what it holds are files by name, by repository."""
    handler = type("Hub", (_Hub,), {"repositories": repositories or {}, "blobs": {}})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
