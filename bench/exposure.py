"""What exposure costs: one processor and all of a thousand, right now, over a month and over the whole schedule, as the schedule grows.

A thousand processors with a contract, ten agents and three machines each; courses of thirty people who come four times, a week between two sessions, spread
over half a year on either side of now. The rows are written past the door by the superuser, as an agency of that size would hold them. The rival is the least
that any answer has to do: counting the distinct persons of each processor's places in PostgreSQL, without windows, budgets, holds or gates.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Final

import asyncpg

from bench.agency import ensure_agency, load_installation, read_agency
from bench.ledger import Line
from bench.run import opened
from ecluse import install
from ecluse.contracts import contract_hash
from ecluse.exposure import Holder, Scope, Span
from ecluse.exposure.service import Engine
from ecluse.register import parse_register

PROCESSORS: Final = 1_000
SEATS: Final = 30
TIMES: Final = 4
_REPEATS: Final = 5
_LEAST: Final = 3  # of a question that takes long: no more once a minute is over
_CONTRACT: Final = """\
[processor]
id = "{name}"
name = "Bench {name}"
country = "FR"
security_contact = "security@{name}.example"
[contract]
reference = "BENCH-{name}"
starts_on = 2020-01-01
ends_on = 2099-12-31
breach_notice_hours = 24
clauses = ["28.3.a", "28.3.b", "28.3.c", "28.3.d", "28.3.e", "28.3.f", "28.3.g", "28.3.h", "audit", "no-copy"]
[[site]]
id = "one"
timezone = "Europe/Paris"
rooms = 4
max_sessions_per_day = 8
[limits]
persons_per_day = 400
persons_per_month = 6000
persons_per_client_per_hour = 120
agent_assurance = "asserted"
[[purpose]]
id = "civic-training"
label = "Civics day"
legal_basis = "6.1.e"
opens_before = "PT24H"
closes_after = "PT2H"
max_capacity = 30
reads_per_appointment = 4
persons_per_agent_per_hour = 40
[purpose.attributes]
family_name = "full"
given_name = "full"
birth_date = "year"
preferred_language = "full"
phone = "full"
"""
_PARTIES: Final = """
insert into ecluse.processor select 'proc-' || n, 'Bench ' || n, 1, now() - interval '1 year' from generate_series(1, {count}) n;
insert into ecluse.agent select 'agt_' || n || '_' || k, 'proc-' || n, 'bench', now() from generate_series(1, {count}) n, generate_series(1, 10) k;
insert into ecluse.client select 'cli_' || n || '_' || k, 'processor', 'proc-' || n, 'bench', now() from generate_series(1, {count}) n, generate_series(1, 3) k;
insert into ecluse.client_key select 'cli_' || n || '_' || k, 't' || n || k, 'ES256', '{{}}', now(), null
from generate_series(1, {count}) n, generate_series(1, 3) k;
"""
_IMPORT: Final = """
insert into ecluse.schedule_import (id, source, sha256, row_count, actor, started_at, applied_at)
values ('imp_bench', 'bench', '', 0, 'cli:bench', now(), now())
"""
# a course c of a processor: its four sessions a week apart, the first somewhere in the year around now; at eight, ten or thirteen hours
_SESSIONS: Final = """
insert into ecluse.session (id, source, session_ref, processor_id, purpose, site_id, room, starts_at, ends_at, import_id)
select 'ses_' || c || '_' || k, 'bench', c || '-' || k, 'proc-' || (c % $2::int + 1), 'civic-training', 'one', 'r', s.at, s.at + interval '6 hours',
       'imp_bench'
from generate_series(0, $1::int - 1) c, generate_series(0, $3::int - 1) k,
lateral (select date_trunc('day', now(), 'UTC') - interval '180 days' + make_interval(days => (c * 7919 % 337)::int + 7 * k, hours => 6 + c % 4) as at) s
"""
_ENROLMENTS: Final = """
insert into ecluse.enrolment (id, processor_id, purpose, course_ref, subject_ref)
select 'enr_' || c || '_' || p, 'proc-' || (c % $2::int + 1), 'civic-training', c::text, 'ofii:' || (c::bigint * $3::int + p)
from generate_series(0, $1::int - 1) c, generate_series(0, $3::int - 1) p
"""
_PLACES: Final = """
insert into ecluse.appointment (processor_id, id, session_id, place_ref, enrolment_id, subject_ref, import_id)
select 'proc-' || (c % $2::int + 1), 'apt_' || md5(c || '_' || k || '_' || p), 'ses_' || c || '_' || k, p::text, 'enr_' || c || '_' || p,
       'ofii:' || (c::bigint * $3::int + p), 'imp_bench'
from generate_series(0, $1::int - 1) c, generate_series(0, $4::int - 1) k, generate_series(0, $3::int - 1) p
"""
_RIVAL: Final = "select a.processor_id, count(distinct a.subject_ref) from ecluse.appointment a group by a.processor_id"


def exposed(folder: Path, port: int, appointments: int) -> list[Line]:
    """Make an agency of ``appointments`` places and a thousand processors, and ask it."""
    place = (folder / "exposure").absolute()
    if read_agency(place) is not None:  # any other folder is left alone, and refused if it is not empty
        shutil.rmtree(place)
    agency = ensure_agency(place, 20_000, port, 3_000)
    with opened(place, agency, port, seconds=1.0, warm=0.0) as bench:
        if bench.reached.embedded is None:
            raise AssertionError("impossible: an agency has its own database")
        asyncio.run(_fill(bench.reached.embedded.superuser_dsn("ecluse"), appointments))
        return asyncio.run(_measure(place, port, bench.reached, appointments))


async def _fill(dsn: str, appointments: int) -> None:
    """Write the rows past the door."""
    admin = await asyncpg.connect(dsn)
    try:
        courses = appointments // (SEATS * TIMES)
        await admin.execute("set session_replication_role = replica")
        await admin.execute(_PARTIES.format(count=PROCESSORS))
        texts = [(f"proc-{number}", _CONTRACT.format(name=f"proc-{number}")) for number in range(1, PROCESSORS + 1)]
        await admin.executemany(
            "insert into ecluse.contract values ($1, 1, $1, $2, $3, 1, now() - interval '1 year', 'cli:bench')",
            [(name, text, contract_hash(text)) for name, text in texts],
        )
        await admin.execute(_IMPORT)
        await admin.execute(_SESSIONS, courses, PROCESSORS, TIMES)
        await admin.execute(_ENROLMENTS, courses, PROCESSORS, SEATS)
        await admin.execute(_PLACES, courses, PROCESSORS, SEATS, TIMES)
        await admin.execute("vacuum analyze")
        count = await admin.fetchval("select count(*) from ecluse.appointment")
        print(f"{count:,} appointments", flush=True)
    finally:
        await admin.close()


async def _measure(place: Path, port: int, reached: install.Databases, appointments: int) -> list[Line]:
    """Ask each question several times; the first asking of all, which parses the contracts, apart."""
    installation = load_installation(place, port)
    register = parse_register((place / "register.toml").read_text(encoding="utf-8"))
    connection = await install.connect(installation, reached, "ecluse_reader")
    try:
        now = await connection.fetchval("select ecluse.clock()")
        one = [Holder(scope=Scope.PROCESSOR, processor="proc-1")]
        month, all_of_it = now + timedelta(days=30), now + timedelta(days=400)
        since = Span(begins=now - timedelta(days=400), ends=now + timedelta(days=400))
        begun = time.perf_counter()
        engine = Engine(register, installation.settings.zone)
        told = await engine.reach(connection)
        cold = time.perf_counter() - begun
        print(f"{told.together.most:,} persons in reach right now", flush=True)
        said = f"{PROCESSORS:,} processors, {appointments:,} appointments"
        lines = [Line(what="all, right now, contracts not parsed yet", figure=cold * 1000, unit="ms", said=said)]
        questions: list[tuple[str, Callable[[], Awaitable[object]]]] = [
            ("all, right now", lambda: engine.reach(connection)),
            ("all, the next 30 days", lambda: engine.reach(connection, window=month)),
            ("all, all that is to come", lambda: engine.reach(connection, window=all_of_it)),
            ("all, the whole schedule", lambda: engine.reach(connection, window=since)),
            ("one, right now", lambda: engine.reach(connection, holders=one)),
            ("one, the next 30 days", lambda: engine.reach(connection, holders=one, window=month)),
            ("one, the whole schedule", lambda: engine.reach(connection, holders=one, window=since)),
            ("the rival: distinct persons by processor", lambda: connection.fetch(_RIVAL)),
        ]
        for what, question in questions:
            lines.append(Line(what=what, figure=await _timed(question) * 1000, unit="ms", said=said))
            print(lines[-1], flush=True)
    finally:
        await connection.close()
    return lines


async def _timed(question: Callable[[], Awaitable[object]]) -> float:
    """Return the median time of a question, in seconds."""
    times: list[float] = []
    while len(times) < _REPEATS and (len(times) < _LEAST or sum(times) < 60):
        begun = time.perf_counter()
        await question()
        times.append(time.perf_counter() - begun)
    return median(times)
