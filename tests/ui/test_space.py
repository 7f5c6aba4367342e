"""A Space whose owner signs in with an account of the Hub; the Hub is a stand-in on this computer."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlparse

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from ..conftest import serve_app

pytest.importorskip("authlib", reason="left out: needs authlib (pip install authlib itsdangerous)")
signing = pytest.importorskip("itsdangerous", reason="left out: needs itsdangerous")
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]  # gradio_client's and authlib's own
ID, SECRET = "the-space", "a secret of the Space's"


class _Hub(BaseHTTPRequestHandler):
    """What OpenID Connect asks of a provider, for one account."""

    name, nonce = "someone", ""

    def _answer(self, body: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def do_GET(self) -> None:
        host = f"http://{self.headers['Host']}"
        if self.path == "/jwks":
            return self._answer({"keys": [{"kty": "oct", "k": _base64(SECRET.encode()), "alg": "HS256"}]})
        return self._answer({
            "issuer": host, "authorization_endpoint": f"{host}/authorize", "token_endpoint": f"{host}/token",
            "jwks_uri": f"{host}/jwks", "id_token_signing_alg_values_supported": ["HS256"],
        })  # fmt: skip

    def do_POST(self) -> None:
        asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        assert asked["code"] == ["right"]
        claims = {
            "iss": f"http://{self.headers['Host']}", "sub": "1", "aud": ID, "exp": int(time.time()) + 600,
            "iat": int(time.time()), "nonce": _Hub.nonce, "preferred_username": _Hub.name, "name": _Hub.name,
        }  # fmt: skip
        self._answer({"access_token": "t", "token_type": "bearer", "expires_in": 600, "id_token": _signed(claims)})

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _signed(claims: dict[str, Any]) -> str:
    text = ".".join(_base64(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return f"{text}.{_base64(hmac.digest(SECRET.encode(), text.encode(), hashlib.sha256))}"


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    hub = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    Thread(target=hub.serve_forever, daemon=True).start()
    variables = {
        "SYSTEM": "spaces", "SPACE_ID": "someone/colorizer", "SPACE_AUTHOR_NAME": "someone", "OAUTH_CLIENT_ID": ID,
        "OAUTH_CLIENT_SECRET": SECRET, "OAUTH_SCOPES": "openid profile",
        "OPENID_PROVIDER_URL": f"http://127.0.0.1:{hub.server_port}",
    }  # fmt: skip
    with serve_app(tmp_path_factory.mktemp("space"), **variables) as (address, _):
        yield address
    hub.shutdown()


def _cookies(answer: httpx.Response) -> str:
    """They are for HTTPS alone, which a Space has and this computer has not."""
    return "; ".join(f"{name}={value}" for name, value in answer.cookies.items())


def _sign_in(space: str, name: str) -> str:
    """As a browser does: to the Hub, where it is asked, and back with a code."""
    to_hub = httpx.get(f"{space}/login/huggingface")
    asked = dict(parse_qsl(urlparse(to_hub.headers["location"]).query))
    assert asked["client_id"] == ID
    assert asked["redirect_uri"].startswith(f"{space}/login/callback")
    _Hub.nonce, _Hub.name = asked["nonce"], name
    back = {**dict(parse_qsl(urlparse(asked["redirect_uri"]).query)), "code": "right", "state": asked["state"]}
    returned = httpx.get(f"{space}/login/callback", params=back, headers={"Cookie": _cookies(to_hub)})
    assert returned.status_code == 307, returned.text
    return _cookies(returned)


def _may_train(space: str, cookie: str, folder: Path) -> bool:
    client = Client(space, verbose=False, download_files=str(folder), headers={"Cookie": cookie} if cookie else None)
    with pytest.raises(AppError, match=r"Only whoever runs this page|Choose a run first") as said:
        client.predict("no such run", api_name="/training_status")
    return "Choose a run" in str(said.value)


def test_the_owner_of_the_space_signs_in_on_the_hub_and_nobody_else(space: str, tmp_path: Path) -> None:
    assert any(c["props"].get("elem_id") == "hub" for c in httpx.get(f"{space}/config").json()["components"])
    assert not _may_train(space, "", tmp_path)
    assert _may_train(space, _sign_in(space, "someone"), tmp_path)
    assert not _may_train(space, _sign_in(space, "someone-else"), tmp_path)
    assert not _may_train(space, "", tmp_path), "the owner's session is no one else's"


@pytest.mark.parametrize(("secret", "seconds", "right"), [(SECRET, 600, True), ("", 600, False), (SECRET, -1, False)])
def test_a_cookie_that_was_made_up_or_is_old(
    space: str, tmp_path: Path, secret: str, seconds: int, right: bool
) -> None:
    account = {"oauth_info": {"expires_at": time.time() + seconds, "userinfo": {"preferred_username": "someone"}}}
    key = hashlib.sha256(f"{secret}-v4".encode()).hexdigest()
    signed = signing.TimestampSigner(key).sign(base64.b64encode(json.dumps(account).encode())).decode()
    assert _may_train(space, f"session={signed}", tmp_path) == right
