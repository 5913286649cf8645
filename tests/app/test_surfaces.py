from __future__ import annotations

from maxpool.app.surfaces import surfaces_of
from tests.rig import rig


async def test_every_endpoint_of_a_proxy_works_on_its_own_parts():
    async with rig(server={"max_body": "1MB", "allowed_paths": ["/v1/pictures"]}) as it:
        found = surfaces_of(it.proxy)
        flows = (found.messages, found.count_tokens, found.resources, found.passthrough)
        for flow in flows:
            assert flow is not None
            assert flow.forwarder is it.proxy.forwarder
            assert flow.bodies.sent == 1 << 20
        assert found.count_tokens.counts_tokens
        assert not found.messages.counts_tokens
        assert found.open_paths == ("/v1/pictures",)
        assert found.own_questions.questions.logins is it.proxy.logins
