"""Metrics have an address of their own: never the gate's, where a competitor would read how often what was refused."""

from __future__ import annotations

import httpx
import pytest

from ecluse.errors import ConfigurationError
from ecluse.settings import load
from tests.agency import Agency
from tests.e2e.desk import at_work, code_of

pytestmark = pytest.mark.web


@pytest.mark.parametrize(
    "address", ["9464", ":9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:09464", "127.0.0.1:65536", "http://127.0.0.1:9464", "a b:1", "::1:9464"]
)  # fmt: skip
def test_metrics_when_the_address_is_none_then_refused(agency: Agency, address: str) -> None:
    """What is no host and port refuses to start, with the mend."""
    with pytest.raises(ConfigurationError, match="metrics") as refused:
        load(agency.folder, {"metrics": address}, {})
    assert "127.0.0.1:9464" in str(refused.value)


def test_metrics_when_the_address_is_taken_then_the_gate_does_not_start(agency: Agency) -> None:
    """A gate whose metrics can't be served says so, and ends."""
    with pytest.raises(AssertionError, match="can't listen at"):
        agency.start_gate(metrics=agency.public_url.removeprefix("http://"))
    agency.stop_gate(agency.gates[-1])


async def test_metrics_when_asked_then_at_their_own_address_only(agency: Agency) -> None:
    """The gate has no such page; the address of the inside counts answers by code, and names nobody."""
    async with at_work(agency, [10]) as desk, httpx.AsyncClient() as http:
        assert code_of(await desk.disclose(10)) == "ok"
        assert (await http.get(f"{agency.public_url}/metrics")).status_code == 404
        told = (await http.get(agency.gates[0].metrics)).text
        assert 'ecluse_disclosure_answers_total{outcome="' in told
        assert not {name for name in (desk.party.name, desk.party.agent, desk.handles[10]) if name in told}


async def test_metrics_when_no_address_is_set_then_nowhere(agency: Agency) -> None:
    """Without the setting nothing listens but the gate."""
    gate = agency.start_gate(metrics="")
    try:
        async with httpx.AsyncClient() as http:
            assert (await http.get(f"{gate.url}/metrics")).status_code == 404
            with pytest.raises(httpx.ConnectError):
                await http.get(gate.metrics)
    finally:
        agency.stop_gate(gate)
