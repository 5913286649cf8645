"""The dashboard's files: whole, small, cached for good, the same for everybody, and free of the pool."""

from __future__ import annotations

import gzip
import re
from importlib.resources import files

import pytest

from maxpool.web.dashboard import Dashboard
from tests.rig import key, rig

PAGE = {"accept": "text/html,application/xhtml+xml"}
MOST_BYTES = 100_000
UI = files("maxpool.web") / "ui"


async def assets(it):
    """Every address that the page names, and every module that a module imports."""
    page = (await it.get("/", PAGE)).body.decode()
    found = set(re.findall(r'(?:src|href)="(/ui/[^"]+)"', page))
    base = next(iter(found)).rsplit("/", 1)[0].split("/vendor")[0]
    for path in [p for p in found if p.endswith(".js") and "vendor" not in p]:
        text = (await it.get(path)).body.decode()
        found |= {f"{base}/{name}" for name in re.findall(r"from '\./([^']+)'", text)}
    return page, sorted(found)


async def test_every_file_that_the_page_needs_is_there():
    async with rig(key("a")) as it:
        _, paths = await assets(it)
        assert len(paths) > 12
        for path in paths:
            got = await it.get(path)
            assert got.status == 200, path
            assert got.fields["cache-control"].endswith("immutable")
            assert got.fields["x-content-type-options"] == "nosniff"


def test_everything_together_is_small():
    packed = {name: len(file.packed) for name, file in Dashboard().files.items()}
    assert sum(packed.values()) < MOST_BYTES, packed


async def test_what_is_asked_packed_comes_packed():
    async with rig(key("a")) as it:
        got = await it.get("/", {**PAGE, "accept-encoding": "gzip, br"})
        assert got.fields["content-encoding"] == "gzip"
        assert b"<!doctype html>" in gzip.decompress(got.body)


async def test_the_page_runs_its_own_scripts_only():  # X1
    async with rig(key("a")) as it:
        got = await it.get("/", PAGE)
        policy = got.fields["content-security-policy"]
        assert "default-src 'none'; script-src 'self';" in policy
        assert "unsafe" not in policy
        assert "require-trusted-types-for 'script'" in policy
        page, _ = await assets(it)
        assert not re.search(r"<script(?![^>]* src=)|style=|\son\w+=|javascript:|https?://", page)


@pytest.mark.parametrize("name", [n for n in Dashboard().files if n.endswith(".js")])
def test_no_script_makes_markup_out_of_text(name):
    text = Dashboard().files[name].body.decode()
    assert not re.search(r"\.(inner|outer)HTML|insertAdjacentHTML|document\.write|\beval\(", text)
    if "vendor" not in name:
        assert not re.search(r"https?://(?!www\.w3\.org)", text), "it works offline"


async def test_an_old_address_is_answered_with_the_present_file_and_not_kept():
    async with rig(key("a")) as it:
        got = await it.get("/ui/0123456789abcdef/main.js")
        assert (got.status, got.fields["cache-control"]) == (200, "no-cache")


@pytest.mark.parametrize(
    "path", ["/ui/", "/ui/x/nothing.js", "/ui/x/../page.py", "/ui/x/index.html"]
)
async def test_nothing_but_its_files_is_served(path):
    async with rig(key("a")) as it:
        assert (await it.get(path)).status == 404


async def test_where_keys_are_required_the_page_opens_and_holds_nothing():  # X2
    keys = [{"name": "laptop", "key": "env:a"}]
    async with rig(key("a"), server={"require_key": True}, client_keys=keys) as it:
        async with rig(key("other")) as free:
            assert (await it.get("/", PAGE)).body == (await free.get("/", PAGE)).body
        for path, headers in (("/", {}), ("/?format=html", PAGE), ("/events", PAGE)):
            assert (await it.get(path, headers)).status == 401


def test_the_chart_librarys_licence_is_kept():
    assert "MIT License" in (UI / "vendor" / "uplot-LICENSE.txt").read_text()
    assert "(v1.6.32)" in (UI / "vendor" / "uplot.min.js").read_text()[:200]


# -- colours ---------------------------------------------------------------------------------------

STYLE = (UI / "app.css").read_text()
TEXT = ("ink", "dim", "accent", "ok", "warn", "bad", "off")
MARKS = ("bar", "bar-warn", "bar-bad", *(f"c{i}" for i in range(1, 11)))


def palette(theme):
    """The colours of a theme, by variable."""
    start = STYLE.index(":root {" if theme == "light" else ':root[data-theme="dark"] {')
    block = STYLE[start : STYLE.index("}", start)]
    return dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", block))


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, two):
    """WCAG 2.2, 1.4.3."""
    high, low = sorted((luminance(one), luminance(two)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", TEXT)
def test_every_text_is_legible(theme, name):
    colours = palette(theme)
    for ground in ("bg", "card", "raise"):
        assert contrast(colours[name], colours[ground]) >= 4.5, ground


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_mark_stands_out_and_so_does_text_on_the_accent(theme):
    colours = palette(theme)
    for name in MARKS:
        assert contrast(colours[name], colours["card"]) >= 3.0, name
    assert contrast(colours["on-accent"], colours["accent"]) >= 4.5


def test_the_systems_dark_and_the_chosen_dark_are_the_same():
    start = STYLE.index(':root:not([data-theme="light"]) {')
    block = STYLE[start : STYLE.index("}", start)]
    assert dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", block)) == palette("dark")
