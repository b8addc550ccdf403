import pytest, httpx, time, json
from tests.e2e.outsider import *
pytestmark = pytest.mark.e2e
async def test_a(agency):
    p = await agency.bind("lyon", sheet={"family_name":"full"})
    m = await agency.meeting(p, range(1,50)); h = await agency.schedule(m)
    async with Outsider(agency.public_url, p.machines[0].id, p.machines[0].key) as o:
        t=time.time()
        r = await o.disclose(h[10], p.agent, list("family_name given_name birth_date email phone file_number".split()), key="k1")
        print(time.time()-t, r.status_code, json.dumps(r.json(),indent=1)[:3000], r.headers)
        print(check_receipt(r.json()))
        doc=(await o.http.get("/schema/openapi.json")).json()
        print(list(doc["paths"]))
        print(json.dumps(doc["paths"]["/v1/disclosures"],indent=1)[:3000])
        print(misfits(doc, promised_by(doc,"post","/v1/disclosures"), r.json()))
        r = await o.call("GET","/v1/sessions"); print(r.text[:500]); print(misfits(doc, promised_by(doc,"get","/v1/sessions"), r.json()))
        for path in ["/v1/whoami","/v1/budget","/v1/changes"]:
            r = await o.call("GET",path); print(r.text[:500]); print(misfits(doc, promised_by(doc,"get",path), r.json()))
        r = await o.disclose("apt_"+"a"*26, p.agent); print(r.status_code, r.text, r.headers)
