"""The exception tree: drawn in the module's docstring, each with an exit code and a hint."""

from __future__ import annotations

import inspect

from maxpool import errors
from maxpool.errors import ConfigError, ConfigProblem, MaxpoolError


def _classes():
    found = [c for _, c in inspect.getmembers(errors, inspect.isclass)]
    return [c for c in found if issubclass(c, Exception)]


def test_every_exception_is_drawn_in_the_tree():
    for cls in _classes():
        assert cls.__name__ in errors.__doc__, cls


def test_every_exception_is_a_maxpool_error_with_an_exit_code():
    for cls in _classes():
        assert issubclass(cls, MaxpoolError)
        assert cls.exit_code in (1, 2, 3)


def test_a_config_error_counts_its_problems():
    problem = ConfigProblem(path="c.toml", line=1, text="x", message="unknown key")
    assert ConfigError([problem]).message.startswith("1 problem in")
    assert ConfigError([problem] * 2).message.startswith("2 problems in")


def test_an_error_carries_what_to_do_next():
    assert MaxpoolError("broken", "mend it").hint == "mend it"
