from __future__ import annotations

import json

from click.testing import CliRunner

from maxpool.cli.metrics import command


def test_the_dashboard_is_printed_for_a_file():
    result = CliRunner().invoke(command, ["grafana"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["title"] == "maxpool"
