from __future__ import annotations

from typing import get_args

import pytest

from maxpool.adapters.clients import client_named
from maxpool.config.fields import HttpClient
from maxpool.errors import MaxpoolError
from tests.adapters.contract import IMPLEMENTATIONS


@pytest.mark.parametrize("name", get_args(HttpClient))
async def test_every_name_makes_its_client(name):
    client = client_named(name, keepalive_expiry_s=1.0, ca_file=None)
    assert type(client) in [one.make for one in IMPLEMENTATIONS if one.name == name]
    await client.aclose()
    with pytest.raises(MaxpoolError):
        client_named(name, keepalive_expiry_s=1.0, ca_file="/none.pem")
