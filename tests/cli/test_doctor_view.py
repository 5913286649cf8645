from maxpool.cli.doctor_view import as_json, brief, table
from maxpool.cli.tables import Table, laid_out, plain
from maxpool.service.gates import failed, passed, warned

GATES = [
    passed("config", "readable", "/c.toml"),
    warned("pool", "warmth", "one failed", "look"),
    failed("account a", "auth", "x" * 200, "maxpool login a"),
]


def test_the_table_fits_the_terminal_and_says_below_what_to_do():
    parts = table(GATES, "3 gates.")
    shown = next(part for part in parts if isinstance(part, Table))
    assert max(len(line) for line, _ in laid_out(shown, 80)) <= 80
    assert "  account a, auth: maxpool login a" in parts


def test_without_a_terminal_nothing_is_cut():
    shown = next(part for part in table(GATES, "s") if isinstance(part, Table))
    assert any("x" * 200 in line for line in plain(shown))


def test_the_brief_leaves_out_what_passes():
    assert brief(GATES, "3 gates.") == [
        "WARN pool: warmth: one failed -> look",
        f"FAIL account a: auth: {'x' * 200} -> maxpool login a",
        "3 gates.",
    ]


def test_json_has_the_verdict_on_all():
    assert as_json(GATES, "s")["verdict"] == "FAIL"
    assert as_json(GATES[:2], "s")["verdict"] == "WARN"
    assert as_json(GATES[:1], "s")["gates"][0]["todo"] is None
