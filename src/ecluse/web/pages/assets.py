"""What pages load besides themselves: style, script and pictures of ours, each asked for by what it holds, and so kept by browsers for ever.

``/assets/<name>.<16 hex digits of its SHA-256>.<ext>``. Nothing comes from elsewhere; what others wrote is in ``static/vendor`` with its licence and hash.
The file is read and hashed once, at its first use; what is not in `KINDS` is not served.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Annotated, Final

import msgspec
from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import PathParameter

PATH: Final = "/assets"
KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "png": "image/png"}
)
_IMPORT: Final = re.compile(rb'from "\./([a-z0-9-]+\.js)"')
_HEADERS: Final = {
    "cache-control": "public, max-age=31536000, immutable",
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
    # an asset opened as a page of its own may load nothing and do nothing
    "content-security-policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
}


class Asset(msgspec.Struct, frozen=True):
    """A file, where it is asked for, and its type."""

    address: str
    media_type: str
    content: bytes


@cache
def assets() -> Mapping[str, Asset]:
    """Return every asset by its name: ``ecluse.css``, ``vendor/htmx-4.0.1.min.js``."""
    root = files("ecluse.web") / "static"
    read = {name: file.read_bytes() for name, file in sorted(_walk(root, "")) if name.rpartition(".")[2] in KINDS}
    found: dict[str, Asset] = {}
    for name in read:
        _add(name, read, found)
    return MappingProxyType(found)


def _add(name: str, read: Mapping[str, bytes], found: dict[str, Asset]) -> Asset:
    """Add an asset, and before it what it imports: ``from "./desk-key.js"`` becomes the address of that asset, with its hash."""
    if name not in found:
        stem, _, extension = name.rpartition("/")[2].rpartition(".")
        content = read[name]
        if extension == "js":
            content = _IMPORT.sub(lambda match: b'from "%s"' % _add(match[1].decode(), read, found).address.encode(), content)
        found[name] = Asset(f"{PATH}/{stem}.{sha256(content).hexdigest()[:16]}.{extension}", KINDS[extension], content)
    return found[name]


def _walk(folder: Traversable, within: str) -> list[tuple[str, Traversable]]:
    found = []
    for each in folder.iterdir():
        if each.is_dir():
            found += _walk(each, f"{within}{each.name}/")
        else:
            found.append((within + each.name, each))
    return found


def asset(name: str) -> str:
    """Return where an asset is asked for. Raises `KeyError`: a template that names one that is not there must not get by its test."""
    return assets()[name].address


@cache
def _by_address() -> Mapping[str, Asset]:
    return MappingProxyType({each.address: each for each in assets().values()})


@get(f"{PATH}/{{name:str}}", include_in_schema=False)
async def give(name: Annotated[str, PathParameter(description="A name with its hash.")]) -> Response[bytes]:
    """Give an asset. An address of an older one is not found: pages are never kept, so none asks for it."""
    found = _by_address().get(f"{PATH}/{name}")
    if found is None:
        raise NotFoundException
    return Response(content=found.content, media_type=found.media_type, headers=_HEADERS)


@get("/favicon.ico", include_in_schema=False)
async def favicon() -> Response[bytes]:
    """Give the mark to browsers that ask for it by its old name."""
    found = assets()["mark.svg"]
    return Response(
        content=found.content, media_type=found.media_type, headers=_HEADERS | {"cache-control": "public, max-age=86400"}
    )


HANDLERS: Final = [give, favicon]
