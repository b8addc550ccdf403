"""What is looked at: the record, page by page; the proof of a line; everything as a file; and the way in, for whoever has no visit.

Each shows the visitor's own record and nothing else: whose it is comes from the cookie alone, never from an address or a form. A line of somebody else, and one
that is not there, are one answer.
"""

from __future__ import annotations

from typing import Annotated, Final

from litestar import MediaType, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import PathParameter

from ecluse.usage import Language, Visit, VisitOver
from ecluse.usage.model import Record
from ecluse.usage.say import NOTES
from ecluse.usage.visit import FILE_LINES, IDLE, keys_of, read_line, read_page
from ecluse.web.gateway import Gateway, HttpRequest, Served
from ecluse.web.my_data.authority import contacts_of
from ecluse.web.my_data.model import EntryPage, Pages, RecordPage
from ecluse.web.my_data.show import Place, group, read_place, write_place
from ecluse.web.my_data.take_away import File, write_csv, write_json
from ecluse.web.my_data.visitor import cookie_brought, cookie_of, visitor
from ecluse.web.pages import frame
from ecluse.web.pages.frame import Room, tongue_of

HOME: Final = "/my-data"
ENTRY: Final = "my_data/entry.html"
RECORD: Final = "my_data/record.html"
Named = Annotated[str, PathParameter(description="Log and entry.")]


@get(HOME, include_in_schema=False, media_type=MediaType.HTML)
async def record(request: HttpRequest, gateway: Served) -> Response[str]:
    """Show a page of the visitor's own record; the way in to whoever has no visit."""
    try:
        visit = await visitor(request, gateway)
        return await _record(request, gateway, visit)
    except VisitOver:
        state = request.query_params.get("state", "")
        return way_in(request, gateway, "over" if cookie_brought(request) else state if state == "closed" else "new")


async def _record(request: HttpRequest, gateway: Gateway, visit: Visit) -> Response[str]:
    before = _before(request)
    tongue = tongue_of(request)
    found = await read_page(gateway.reading, visit, Language(tongue.language), before=before)
    context = RecordPage(
        register=gateway.reading.office.register,
        days=group(found.lines, found.places, gateway.settings.zone, tongue),
        total=found.total,
        until=visit.until_at,
        ends_at=visit.ends_at,
        idle_seconds=int(IDLE.total_seconds()),
        vkeys=await keys_of(gateway.reading, found.places),
        pages=Pages(
            newer=None if before is None else HOME,
            older=None if found.before is None else f"{HOME}?before={write_place(found.before)}",
            said="",
        ),
        contacts=contacts_of(gateway.settings.controller, tongue),
    )
    # the page goes when the visit does, so that nobody finds it open on a shared computer
    leaving = {"refresh": f"{context.idle_seconds + 5};url={HOME}"}
    return frame.page(request, gateway, RECORD, context, signed=None, room=Room.MY_DATA, here="record", headers=leaving)


def way_in(request: HttpRequest, gateway: Gateway, state: str, *, status: int = 200) -> Response[str]:
    """Show how to come in, and why one is not; a cookie that opens nothing is taken away."""
    context = EntryPage(state=state, contacts=contacts_of(gateway.settings.controller, tongue_of(request)))
    answer = frame.page(request, gateway, ENTRY, context, signed=None, room=Room.MY_DATA, status=status)
    if cookie_brought(request):
        answer.set_cookie(cookie_of(""))
    return answer


def _before(request: HttpRequest) -> Place | None:
    """Read where a page begins. Raises ``not-found`` for what no page of ours links to."""
    text = request.query_params.get("before")
    place = read_place(text)
    if text is not None and place is None:
        raise NotFoundException
    return place


@get("/my-data/proof/{place:str}", include_in_schema=False)
async def proof(request: HttpRequest, gateway: Served, place: Named) -> Response[str]:
    """Give the proof of one of the visitor's own lines as a file (C2SP tlog-proof)."""
    try:
        visit = await visitor(request, gateway)
        known = read_place(place)
        line = None if known is None else await read_line(gateway.reading, visit, Language(tongue_of(request).language), known)
    except VisitOver:
        return way_in(request, gateway, "over", status=401)
    if line is None or line.proof is None:
        raise NotFoundException
    return Response(
        content=line.proof,
        media_type="text/plain; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="ecluse-{place}.tlog-proof"'},
    )


@get("/my-data/record.json", include_in_schema=False)
async def as_json(request: HttpRequest, gateway: Served) -> Response[bytes] | Response[str]:
    """Give everything, with its proofs, as JSON."""
    try:
        visit, part = await _part(request, gateway, prove=True)
    except VisitOver:
        return way_in(request, gateway, "over", status=401)
    language = Language(tongue_of(request).language)
    office = gateway.reading.office
    file = File(
        controller=office.controller, register=office.register, log=gateway.origin, until=visit.until_at, usages=part.lines,
        next=None if part.before is None else write_place(part.before), notes=NOTES[language],
    )  # fmt: skip
    return _file(write_json(file), "application/json", f"ecluse-{visit.until_at:%Y-%m-%d}.json", part)


@get("/my-data/record.csv", include_in_schema=False)
async def as_csv(request: HttpRequest, gateway: Served) -> Response[bytes] | Response[str]:
    """Give everything as a table."""
    try:
        visit, part = await _part(request, gateway, prove=False)
    except VisitOver:
        return way_in(request, gateway, "over", status=401)
    content = write_csv(part.lines, [write_place(each) for each in part.places], tongue_of(request))
    return _file(content, "text/csv; charset=utf-8", f"ecluse-{visit.until_at:%Y-%m-%d}.csv", part)


async def _part(request: HttpRequest, gateway: Gateway, *, prove: bool) -> tuple[Visit, Record]:
    """Read a file's worth, sealed as one look."""
    visit = await visitor(request, gateway)
    language = Language(tongue_of(request).language)
    return visit, await read_page(gateway.reading, visit, language, before=_before(request), most=FILE_LINES, prove=prove)


def _file(content: bytes, media_type: str, name: str, part: Record) -> Response[bytes]:
    """Answer with a file; where one does not hold everything, the answer says where the next begins."""
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    if part.before is not None:
        headers["link"] = f'<?before={write_place(part.before)}>; rel="next"'
    return Response(content=content, media_type=media_type, headers=headers)


HANDLERS: Final = [record, proof, as_json, as_csv]
