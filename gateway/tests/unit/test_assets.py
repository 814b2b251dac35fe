"""The browser's files: fetched as the lock says or not at all, served by names of their content."""

import base64
import gzip
import hashlib
import io
import json
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.resources import files

import pytest
from gateway.tests.rig import gateway

from booking_gateway.assets import fetch

LOCK = json.loads((files("booking_gateway.assets") / "package-lock.json").read_text())


def archive(contents):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as opened:
        for path, content in contents.items():
            member = tarfile.TarInfo(f"package/{path}")
            member.size = len(content)
            opened.addfile(member, io.BytesIO(content))
    return made.getvalue()


@pytest.fixture
def mirror(monkeypatch):
    """A registry with archives of our own, and a lock of their hashes."""
    archives, packages = {}, {}
    for package in {package for package, _path in fetch.SERVED.values()}:
        served = {path: f"/* {name} */".encode() for name, (of, path) in fetch.SERVED.items() if of == package}
        version = LOCK["packages"][f"node_modules/{package}"]["version"]
        body = archive(served)
        archives[f"/{package}/-/{package.rpartition('/')[2]}-{version}.tgz"] = body
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(body).digest()).decode()
        packages[f"node_modules/{package}"] = {"version": version, "integrity": integrity}

    class Registry(BaseHTTPRequestHandler):
        def do_GET(self):
            body = archives.get(self.path)
            self.send_response(200 if body else 404)
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format, *args):  # noqa: A002 - the library's word
            pass

    server = HTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setenv("npm_config_registry", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setattr(fetch, "_lock", lambda: json.dumps({"packages": packages}).encode())
    yield archives
    server.shutdown()
    server.server_close()


def test_fetch__takes_the_files_that_are_served(mirror, tmp_path):
    assert not fetch.are_here(tmp_path)
    fetch.fetch(tmp_path)
    assert fetch.are_here(tmp_path)
    assert {one.name for one in tmp_path.iterdir()} == {*fetch.SERVED, "lock.sha256"}
    (tmp_path / "htmx.min.js").unlink()
    assert not fetch.are_here(tmp_path), "a file that was lost is fetched again"


def test_fetch__refuses_what_is_not_the_files_of_the_lock(mirror, tmp_path):
    for path in mirror:
        mirror[path] += b"\0"
    with pytest.raises(fetch.NotFetchedError, match="isn't the file that the lock file names"):
        fetch.fetch(tmp_path)
    assert not list(tmp_path.iterdir())


def test_fetch__says_what_to_do_where_there_is_no_registry(mirror, tmp_path, monkeypatch):
    mirror.clear()
    with pytest.raises(fetch.NotFetchedError, match="npm_config_registry"):
        fetch.fetch(tmp_path)
    monkeypatch.setenv("npm_config_registry", "file:///etc")
    with pytest.raises(fetch.NotFetchedError, match="no http"):
        fetch.fetch(tmp_path)


async def test_assets__are_served_by_their_content_for_ever(mirror, tmp_path):
    fetch.fetch(tmp_path)
    async with gateway(assets_folder=tmp_path) as client:
        text = (await client.get("/")).text
        names = [part.split('"')[0] for part in text.split('"/assets/')[1:]]
        assert [one.split(".")[0] for one in names] == ["pico", "gateway", "htmx", "live"]
        for name in names:
            plain = await client.get(f"/assets/{name}", headers={"Accept-Encoding": "identity"})
            assert hashlib.sha256(plain.content).hexdigest()[:16] in name
            assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
            packed = await client.get(f"/assets/{name}", headers={"Accept-Encoding": "gzip"})
            assert (packed.headers["content-encoding"], packed.content) == ("gzip", plain.content)
            assert gzip.compress(plain.content, 9, mtime=0) != plain.content
        assert (await client.get("/assets/pico.min.css")).status_code == 404


async def test_pages__do_without_what_was_not_fetched_and_say_so(tmp_path):
    async with gateway(assets_folder=tmp_path / "none") as client:
        answer = await client.get("/", headers={"Accept-Language": "en"})
        assert answer.status_code == 200
        assert "run ./booking setup" in answer.text
