"""S3, T10 to T12: every address of the corpus has its verdict; Node's `new URL`, as browsers do, sees the same host."""

import json
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from services.consultation.tests.unit.link_corpus import DRIVE, MEETING, RESULT, STREAM, ZW, G, J, M, Z

from consultation.links import InvalidLinkError, MeetingLinks, ResultLinks
from consultation.links.address import LONGEST, parse
from consultation.links.meeting import SHAPES
from consultation.links.result import DEFAULT_HOSTS

meetings = MeetingLinks(SHAPES)
results = ResultLinks(DEFAULT_HOSTS)
NODE = shutil.which("node")
EVERYTHING = [link for link, _ in MEETING + RESULT] + [canonical for _, canonical in MEETING + RESULT if canonical]


def verdict(rule: MeetingLinks | ResultLinks, link: str) -> str | None:
    try:
        return rule.canonical(link)
    except InvalidLinkError:
        return None


def host_of(link: str) -> str | None:
    try:
        return parse(link).host
    except InvalidLinkError:
        return None


@pytest.mark.parametrize(("link", "canonical"), MEETING)
def test_meeting_link(link: str, canonical: str | None):
    """S3, T10, T11: an allowed meeting in its canonical form, or refused."""
    assert verdict(meetings, link) == canonical


@pytest.mark.parametrize(("link", "canonical"), RESULT)
def test_result_link(link: str, canonical: str | None):
    """S3, T12: https on an allowed storage host with the query that its shares need, or refused."""
    assert verdict(results, link) == canonical


@pytest.mark.parametrize(
    ("rule", "canonical"), [(meetings, c) for _, c in MEETING if c] + [(results, c) for _, c in RESULT if c]
)
def test_canonical__is_a_fixed_point(rule: MeetingLinks | ResultLinks, canonical: str):
    """S3: what is stored is accepted again, unchanged."""
    assert verdict(rule, canonical) == canonical


@pytest.mark.parametrize(
    ("rule", "link", "paste"),
    [
        (results, STREAM, "Share → Copy link"),
        (results, DRIVE + "?key=1", "Share → Copy link"),
        (meetings, ZW.replace("/w/", "/s/") + "?zak=x", "the invitation link"),
        (meetings, J + "?jwt=x", "the room's name alone"),
        (meetings, M + "?key=1", "the link of the invitation"),
    ],
)
def test_refused__says_which_link_to_paste(rule: MeetingLinks | ResultLinks, link: str, paste: str):
    """S3: to the person who pasted a wrong one."""
    with pytest.raises(InvalidLinkError, match=paste):
        rule.canonical(link)


@pytest.mark.parametrize(("link", "canonical"), [(w, c) for w, c in MEETING + RESULT if c and "?" in c])
def test_kept_parameter__is_never_lost(link: str, canonical: str):
    """S3: with one more parameter, of which nothing is known, a link is refused and not shortened."""
    for rule in (meetings, results):
        extra = canonical + "&q7=1"
        assert verdict(rule, extra) is None, link


@pytest.mark.skipif(NODE is None, reason="no node on this machine to ask what browsers would see")
def test_corpus__node_sees_the_same_hosts():
    """T11: where we see a host, `new URL` sees that host; and a canonical form is what `new URL` writes."""
    script = """
        const links = JSON.parse(require('fs').readFileSync(0, 'utf8'));
        const read = link => { try { const u = new URL(link); return [u.host, u.href] } catch { return null } };
        const seen = links.map(read);
        process.stdout.write(JSON.stringify(seen));
    """
    asked = [link for link in EVERYTHING if link.isprintable() or "\x00" not in link]
    done = subprocess.run(
        [str(NODE), "-e", script], input=json.dumps(asked), capture_output=True, text=True, check=True, timeout=60
    )
    seen = dict(zip(asked, json.loads(done.stdout), strict=True))
    assert len(seen) > 60
    for link, node in seen.items():
        ours = host_of(link)
        assert ours is None or (node is not None and node[0] == ours), (link, ours, node)
    for canonical in (c for _, c in MEETING + RESULT if c):
        assert seen[canonical][1] == canonical


@given(st.text(max_size=80), st.sampled_from([G, Z, J, DRIVE]), st.integers(0, 60))
def test_any_text__inside_a_link_never_moves_its_host(text: str, link: str, at: int):
    """T11: whatever is put wherever into a good link, it is refused or stays at an allowed host, in ASCII and short."""
    for rule in (meetings, results):
        found = verdict(rule, link[:at] + text + link[at:])
        if found is not None:
            assert found.isascii()
            assert len(found) <= LONGEST
            assert verdict(rule, found) == found
            host = found.removeprefix("https://").split("/")[0]
            allowed = ("meet.google.com", "meet.jit.si", "zoom.us", "drive.google.com", "teams.microsoft.com")
            assert host in allowed or host.endswith((".zoom.us", ".sharepoint.com"))


def test_meeting_hosts__are_a_setting():
    """S3: a provider can be left out, a Jitsi of one's own added; a host without a shape stops the start."""
    own = MeetingLinks(["jitsi:jitsi.example.org", "zoom.us"])
    assert own.canonical("https://jitsi.example.org/Room1") == "https://jitsi.example.org/Room1"
    assert verdict(own, G) is None
    assert verdict(own, Z) == Z
    for wrong in ("evil.example", "meet:evil.example", "jitsi"):
        with pytest.raises(ValueError, match="MEETING_HOSTS"):
            MeetingLinks([wrong])


def test_result_hosts__are_a_setting():
    """S3: a wildcard stands for one label."""
    own = ResultLinks(["*.example.org", "files.example.net"])
    assert verdict(own, "https://a.example.org/x?utm_source=y") == "https://a.example.org/x"
    assert verdict(own, "https://a.example.org/x?y=1") is None
    assert verdict(own, "https://files.example.net/x") == "https://files.example.net/x"
    assert verdict(ResultLinks(["youtu.be"]), "https://youtu.be/a1?si=b") == "https://youtu.be/a1"
    videos = ResultLinks(["www.youtube.com"])
    assert verdict(videos, "https://www.youtube.com/watch?v=a1&t=9") == "https://www.youtube.com/watch?v=a1"
    assert verdict(videos, "https://www.youtube.com/watch") is None
    for wrong in ("https://example.org/x", "https://a.b.example.org/x", DRIVE):
        assert verdict(own, wrong) is None
