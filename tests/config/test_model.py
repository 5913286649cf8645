import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from maxpool.config import schema
from maxpool.config.load import parse
from maxpool.config.model import Config, ServerConfig

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"


def uncommented(text: str) -> str:
    """The example with every optional key in force: they follow a # without a space."""
    return re.sub(r"(?m)^#(?=[\[a-z])", "", text)


def test_the_example_says_nothing_but_the_defaults():
    config = parse(EXAMPLE.read_text(), EXAMPLE)
    assert config == Config()
    for name in schema.sections():
        section = getattr(config, name)
        optional = {n for n, f in type(section).model_fields.items() if f.default is None}
        assert section.model_fields_set == set(type(section).model_fields) - optional


def test_the_example_is_valid_with_every_optional_key_in_force():
    config = parse(uncommented(EXAMPLE.read_text()), EXAMPLE)
    assert {account.kind for account in config.accounts} == {
        *("api_key", "subscription", "oauth", "home", "provider")
    }


def test_the_example_names_every_key_there_is():
    config = parse(uncommented(EXAMPLE.read_text()), EXAMPLE)
    for name, model in schema.sections().items():
        assert getattr(config, name).model_fields_set == set(model.model_fields), name
    for name, model in schema.lists().items():
        said = {field for entry in getattr(config, name) for field in entry.model_fields_set}
        assert said == set(model.model_fields), name
    for name, model in schema.named().items():
        said = {key for entry in getattr(config, name).values() for key in entry.model_fields_set}
        assert said == set(model.model_fields), name


def test_every_key_of_the_example_has_its_one_line_why():
    lines = EXAMPLE.read_text().splitlines()
    keys = [line for line in lines if re.match(r"#?[a-z_0-9]+ = ", line)]
    own = {"name", "kind", "secret", "key", "authorize_url", "token_url", "client_id", "scopes"}
    silent = [k for k in keys if "  # " not in k and re.split(r"\W+", k.lstrip("#"))[0] not in own]
    assert silent == []


def test_settings_cannot_be_changed_after_reading():
    with pytest.raises(ValidationError, match="frozen"):
        ServerConfig().port = 1


def test_a_key_in_the_file_never_carries_its_unit():
    for name in schema.tables():
        assert not [key for key in schema.known_keys((name,)) if key.endswith("_s")]
