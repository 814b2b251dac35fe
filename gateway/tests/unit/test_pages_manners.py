"""What every page keeps: nothing of elsewhere, nothing in line, no cache, no form of another site."""

import re
from pathlib import Path

import pytest
from gateway.tests.rig import ORIGIN, gateway

import booking_gateway

TEMPLATES = sorted((Path(booking_gateway.__file__).parent / "templates").glob("*.html"))


async def test_policy__lets_in_this_origin_alone():
    async with gateway() as client:
        for path in ("/", "/no-such-page", "/healthz", "/assets/none.css"):
            headers = (await client.get(path)).headers
            rules = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
            assert rules.pop("default-src") == "'none'"
            assert rules.pop("img-src") == "'self' data:"
            assert set(rules.values()) <= {"'self'", "'none'"}, path
            assert headers["cache-control"] == "no-store"
            assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda one: one.name)
def test_template__has_no_script_or_style_in_line_and_nothing_of_elsewhere(template: Path):
    text = template.read_text("utf-8")
    assert not re.findall(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=|javascript:", text)
    assert not re.findall(r"(?:src|href|action)=\"(?:https?:)?//", text)
    assert "| safe" not in text.replace("' aria-current=\"page\"' | safe", "")


async def test_https__has_cookies_of_this_host_alone_and_says_so_for_a_year():
    async with gateway(public_url="https://booking.example") as client:
        assert (await client.get("/")).headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": ORIGIN}, 303),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 303),
        ({}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": ORIGIN + ".evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
    ],
)
async def test_form__is_taken_from_our_own_pages_alone(headers, status):
    async with gateway() as client:
        answer = await client.post("/language", data={"locale": "en"}, headers=headers)
        assert answer.status_code == status


@pytest.mark.parametrize("elsewhere", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "/\n/evil"])
async def test_back__leads_nowhere_else(elsewhere):
    async with gateway() as client:
        sent = {"locale": "en", "back": elsewhere}
        answer = await client.post("/language", data=sent, headers={"Origin": ORIGIN})
        assert answer.headers["location"] == "/"


async def test_language__is_asked_for_by_the_browser_and_chosen_by_the_person():
    async with gateway() as client:
        assert '<html lang="id"' in (await client.get("/")).text
        english = {"Accept-Language": "fr, en-GB;q=0.8, id;q=0.2"}
        assert '<html lang="en"' in (await client.get("/", headers=english)).text
        await client.post("/language", data={"locale": "id"}, headers={"Origin": ORIGIN})
        assert '<html lang="id"' in (await client.get("/", headers=english)).text


async def test_provider_away__the_page_says_so():
    async with gateway() as client:
        answer = await client.get("/sign-in", headers={"Accept-Language": "en"})
        assert (answer.status_code, "does not answer now" in answer.text) == (503, True)


async def test_page__that_only_takes_forms_leads_to_the_one_above():
    async with gateway() as client:
        answer = await client.get("/sessions/0198d2a0-1111-7000-8000-000000000001/schedule")
        assert answer.headers["location"] == "/sessions/0198d2a0-1111-7000-8000-000000000001"
