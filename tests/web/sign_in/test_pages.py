"""The entrance's pages against their structs, and where a sign-in leads. No gate."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from ecluse.errors import ConfigurationError
from ecluse.identity.people import MAY, Act, Role, Signed
from ecluse.settings import Settings, load
from ecluse.web.sign_in.entrance import AgainPage, EnrolPage, SignInPage
from ecluse.web.sign_in.ways import cookie_of, way_of
from tests.web.pages.contexts import assert_page

pytestmark = pytest.mark.unit

AT = datetime(2026, 11, 23, 9, tzinfo=UTC)


def signed(kind: str) -> Signed:
    """Somebody who is signed in."""
    return Signed(
        sign_in="sgn_" + "a" * 26, kind=kind, person="off_x", name="N", roles=frozenset(), processor=None, client=None, thumbprint=None,
        started_at=AT, ends_at=AT, stepped_up_at=AT, fresh_seconds=300,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("template", "context"),
    [("sign_in", SignInPage(next="/desk")), ("enrol", EnrolPage(most_label=80)), ("again", AgainPage(name="N", next="/console"))],
)
def test_page_when_rendered_then_with_its_context_and_no_more(template: str, context: msgspec.Struct) -> None:
    """Each template shows its struct's fields, all of them."""
    assert_page(f"sign_in/{template}.html", context)


@pytest.mark.parametrize(
    ("kind", "wanted", "way"),
    [
        ("officer", "/console/gates?open=1", "/console/gates?open=1"), ("officer", "/desk", "/console"), ("officer", "/desk/x", "/console"),
        ("officer", "/desktop", "/desktop"), ("officer", "/", "/console"), ("officer", None, "/console"), ("officer", "/sign-in/again", "/console"),
        ("agent", "/desk/sessions/x", "/desk/sessions/x"), ("agent", "/console?x=/desk", "/desk"), ("agent", "//evil.example", "/desk"),
        ("agent", "/my-data", "/my-data"), ("agent", "/x" * 300, "/desk"), ("agent", "/\\evil.example", "/desk"), ("agent", "https:/x", "/desk"),
    ],
)  # fmt: skip
def test_way_when_wanted_then_there_or_home(kind: str, wanted: str | None, way: str) -> None:
    """To a page of ours that may be theirs, or to their own first page; never in a circle."""
    assert way_of(signed(kind), wanted) == way


def test_cookie_when_taken_away_then_with_the_same_bounds() -> None:
    """What takes the cookie away bears the same attributes, or a browser would keep it."""
    given, taken = (cookie_of(text).to_header(header="") for text in ("secret", ""))
    assert "Max-Age=0" in taken
    assert [part in taken and part in given for part in ("HttpOnly", "Path=/", "SameSite=strict", "Secure")] == [True] * 4


def test_roles_when_there_is_an_act_then_somebody_may_and_readers_only_look() -> None:
    """Every act has its roles; overrides are approved by data-protection officers alone, accounts kept by administrators alone."""
    assert set(MAY) == set(Act)
    assert all(MAY.values())
    assert [act for act in Act if Role.READER in MAY[act]] == [Act.LOOK]
    assert (MAY[Act.OVERRIDE_APPROVE], MAY[Act.ACCOUNTS]) == ({Role.DPO}, {Role.ADMINISTRATOR})
    assert not signed("agent").may(Act.LOOK)


@pytest.mark.parametrize(
    ("said", "pages"),
    [
        ({}, "http://localhost:8080"),
        ({"public_url": "https://gate.example/ecluse"}, "https://gate.example"),
        ({"public_url": "https://gate.example", "pages_url": "https://people.example:8443"}, "https://people.example:8443"),
        ({"pages_url": "http://127.0.0.1:9"}, "http://127.0.0.1:9"),
    ],
)
def test_pages_address_when_read_then_an_origin(said: dict[str, str], pages: str) -> None:
    """Of ``public_url`` it is the origin, and this machine goes by its name."""
    assert Settings(**said).pages == pages


@pytest.mark.parametrize(
    "url",
    [
        *("http://people.example", "https://people.example/x", "https://", "ftp://x.example", "https://a b"),
        *("https://u@x.example", "https://x?y", "http://[", "x"),
    ],
)
def test_pages_address_when_no_passkey_would_be_kept_then_refused(url: str, tmp_path: Path) -> None:
    """Plain http, a path, a user: the installation is not loaded."""
    (tmp_path / "ecluse.toml").write_text(f'pages_url = "{url}"\n', encoding="utf-8")
    with pytest.raises(ConfigurationError, match="pages_url"):
        load(tmp_path, {}, {})
