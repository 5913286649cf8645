import tomllib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxpool.config.locate import Path, headers, line_numbers, line_of

TEXT = '''
top = 1  # a "comment" = with [brackets]
"quoted key" = """
several = lines
[not.a.table]
"""
a.b.c = 2
[table]
list = [
  "x,]", # comment, ]
  { k = 'v}', l = [1, 2] },
  1979-05-27 07:32:00,
]
raw = \'\'\'
[[nor.this]]
\'\'\'
[[items]]
name = "one"
[items.sub]
deep = 1
[[items]]
name = 'two'
[[items.inner]]
x = true
[[items.inner]]
x = false
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 2),
        (("quoted key",), 3),
        (("a", "b", "c"), 7),
        (("table",), 8),
        (("table", "list"), 9),
        (("table", "list", 0), 10),
        (("table", "list", 1, "l"), 11),
        (("table", "list", 2), 12),
        (("table", "raw"), 14),
        (("items", 0), 17),
        (("items", 0, "name"), 18),
        (("items", 0, "sub", "deep"), 20),
        (("items", 1, "name"), 22),
        (("items", 1, "inner", 0, "x"), 24),
        (("items", 1, "inner", 1, "x"), 26),
    ],
)
def test_every_key_is_found_on_its_line(path, line):
    tomllib.loads(TEXT)
    assert line_numbers(TEXT)[path] == line


def test_a_missing_key_is_blamed_on_its_nearest_parent():
    lines = line_numbers(TEXT)
    assert line_of(lines, ("items", 1, "nothing")) == 21
    assert line_of(lines, ("nothing", "here")) == 0
    assert line_of(lines, ()) == 0


def paths(value: object, path: Path = ()) -> Iterator[Path]:
    pairs = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else []
    )
    for key, inner in pairs:
        yield (*path, key)
        yield from paths(inner, (*path, key))


scalars = st.sampled_from(
    ["1", "-2.5", "true", '"a # [x] = \\" "', "'it = [\"'", '"""a\n= [b]\n"""', "inf", "07:32:00"]
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: "[\n" + ",\n".join(items) + "\n]"),
        st.lists(inner.filter(lambda v: "\n" not in v), max_size=2).map(
            lambda items: "{" + ", ".join(f'"k {i}" = {v}' for i, v in enumerate(items)) + "}"
        ),
    ),
    max_leaves=6,
)


@given(
    st.lists(st.tuples(st.sampled_from(["", "[t{}]", "[[l]]", '[t{}."x.y"]']), values), max_size=8)
)
def test_every_path_of_any_valid_text_has_a_line(entries):
    parts = []
    for index, (header, value) in enumerate(entries):
        parts += [header.format(index), f"# key{index} = 0\nkey{index} = {value}"]
    text = "\n".join(parts)
    data = tomllib.loads(text)
    assert set(paths(data)) <= set(line_numbers(text))


def test_headers_are_told_in_file_order_with_their_entry():
    text = '[a]\n[[accounts]]\nx = """\n[no]"""\n[accounts.caps]\n[b.c]\n[[accounts]]\n'
    assert headers(text) == [
        (("a",), 1),
        (("accounts", 0), 2),
        (("accounts", 0, "caps"), 5),
        (("b", "c"), 6),
        (("accounts", 1), 7),
    ]
