"""`/docs`: a page of one's own origin, the only one on which a script may run; seen in a browser where there is one."""

import re
import shutil
import subprocess
import threading
from urllib.parse import urljoin

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from shared.web.tests.conftest import settings_for
from shared.web.tests.sample.app import build

from booking_web.application import create_app
from booking_web.reference import reference

STRICT = "default-src 'none'; frame-ancestors 'none'"


async def test_reference__loads_all_it_needs_from_its_own_origin(offline):
    async with offline() as (client, _):
        page = await client.get("/docs")
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        scripts = [urljoin("/docs", address) for address in loaded if address != "data:,"]
        assert scripts == ["/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js", "/docs/start.js"]
        for address, kind in zip(scripts, ("text/css", "text/javascript", "text/javascript"), strict=True):
            asset = await client.get(address)
            assert (asset.status_code, asset.headers["content-type"]) == (200, f"{kind}; charset=utf-8")
        started = (await client.get("/docs/start.js")).text
        assert '"url": "openapi.json"' in started
        assert "//" not in page.text + started, "an address of elsewhere"
        assert (await client.get("/openapi.json")).json()["info"]["title"] in page.text


async def test_reference__alone_lets_scripts_run_and_those_of_its_origin_only(offline):
    async with offline() as (client, issuer):
        policy = (await client.get("/docs")).headers["content-security-policy"]
        rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
        assert rules.pop("default-src") == "'none'"
        assert rules["script-src"] == rules["connect-src"] == "'self'"
        assert not any(word in policy for word in ("unsafe", "http", "*"))
        for path in ("/openapi.json", "/healthz", "/v1/context", "/docs/swagger-ui-bundle.js", "/docs/none", "/none"):
            answer = await client.get(path, headers=issuer.bearer("member"))
            assert answer.headers["content-security-policy"] == STRICT, path


async def test_reference__is_kept_by_browsers_and_not_in_the_document(offline):
    async with offline() as (client, _):
        asset = await client.get("/docs/swagger-ui-bundle.js")
        assert asset.headers["cache-control"] == "public, max-age=86400"
        assert not [path for path in (await client.get("/openapi.json")).json()["paths"] if path.startswith("/docs")]


def test_worker__has_no_reference():
    app = create_app(build(settings_for("postgresql://nobody@127.0.0.1:1/none")), mode="worker")
    assert not any(path.startswith("/docs") for path in _paths(app))


async def test_title__is_text_and_no_markup():
    app = FastAPI(docs_url=None)
    app.include_router(reference("<script>&"))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://docs") as client:
        assert "<title>&lt;script&gt;&amp;</title>" in (await client.get("/docs")).text


def _paths(app: FastAPI) -> list[str]:
    return [str(one.path_format) for one in iter_route_contexts(app.routes)]


def test_browser__shows_every_operation_and_refuses_nothing(tmp_path):
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("there is no Chromium on PATH; what the page is made of was tested without one")
    app = create_app(build(settings_for("postgresql://nobody@127.0.0.1:1/none")))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
    port = server.servers[0].sockets[0].getsockname()[1]
    command = [
        chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", f"--user-data-dir={tmp_path}",
        "--enable-logging=stderr", "--virtual-time-budget=20000", "--dump-dom", f"http://127.0.0.1:{port}/docs",
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    finally:
        server.should_exit = True
        thread.join(20)
    assert "Content Security Policy" not in done.stderr
    shown = set(re.findall(r'id="operations-(?!tag-)[^"]*?-([a-z_]+)"', done.stdout))
    wanted = {one["operationId"] for path in app.openapi()["paths"].values() for one in path.values()}
    assert shown == wanted, done.stderr[-2000:]
