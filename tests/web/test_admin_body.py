import pytest

from tests.rig import ADMIN_KEY, JSON, rig


@pytest.mark.parametrize(
    ("body", "said"),
    [(b"{", "not JSON"), (b"[]", "JSON object"), (b'{"mode": NaN}', "not JSON")],
)
async def test_a_body_that_is_no_json_object_is_named(body, said):
    async with rig() as it:
        headers = {**JSON, "x-maxpool-admin-key": ADMIN_KEY}
        got = await it.send("POST", "/admin/warmth", headers, body)
        assert got.error == (400, "invalid_request_error")
        assert said in got.json["error"]["message"]


async def test_an_empty_body_is_an_empty_object():
    async with rig() as it:
        assert (await it.admin("POST", "/pause")).status == 200
