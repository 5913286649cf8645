from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import TypeAdapter, ValidationError

from maxpool.config import fields
from maxpool.config.account import AccountConfig
from maxpool.config.fields import Strategy
from maxpool.core.strategy import STRATEGIES


def accepts(kind: Any, value: object, **context: Path) -> Any:
    return TypeAdapter(kind).validate_python(value, context=context)


def refuses(kind: Any, value: object) -> str:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    return caught.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (fields.Name, ""),
        (fields.Name, " x"),
        (fields.Name, "x\ny"),
        (fields.Name, "x" * 65),
        (fields.Plan, "max 20x"),
        (fields.HeaderName, "a b"),
        (fields.Window, "5x"),
        (fields.Window, "7d:"),
        (fields.Sha256, "abc"),
        (fields.Network, "10.0.0.300"),
        (fields.Origin, "https://x.example/path"),
        (fields.Origin, "*"),
        (fields.Origin, "https://x.example:443"),
        (fields.Origin, "http://x.example:80"),
        (fields.Origin, "https://x.example:"),
        (fields.Origin, "https://me@x.example"),
        (fields.Origin, "https://*.example"),
        (fields.Host, "http://x"),
        (fields.Host, "*.example"),
        (fields.UrlPath, "v1/x"),
        (fields.UrlPath, "/v1/x?y"),
        (fields.KeyPrice, "after"),
        (fields.KeyPrice, "after:soon"),
        (fields.KeyPrice, "sometimes"),
        (fields.Duration, "0s"),
        (fields.Size, 0),
        (fields.AuthHeader, "Content-Length"),
        (fields.AuthHeader, "cookie"),
        (fields.AuthHeader, "x y"),
        (fields.ModelName, "claude-*"),
        (fields.ModelName, "two words"),
        (fields.ModelName, ""),
        (fields.EventName, "a\nb"),
        (fields.EventName, "message_stop"),
        (fields.EventName, "content_block_delta"),
        (fields.HeaderText, "Authorization"),
        (fields.HeaderText, "Host"),
        (fields.HeaderValue, "a\r\nb: c"),
        (fields.HeaderValue, "\u2603"),
    ],
)
def test_a_value_that_means_nothing_is_refused(kind, value):
    assert refuses(kind, value)


@pytest.mark.parametrize(
    ("kind", "value", "kept"),
    [
        (fields.Name, "work @ home-2", "work @ home-2"),
        (fields.Window, "7d:opus", "7d:opus"),
        (fields.AuthHeader, "Bearer", "bearer"),
        (fields.AuthHeader, "X-API-Key", "x-api-key"),
        (fields.AuthHeader, "Api-Key", "Api-Key"),
        (fields.AuthHeader, "Authorization", "Authorization"),
        (fields.ModelName, "vendor/model:free@2", "vendor/model:free@2"),
        (fields.EventName, "x.settlement", "x.settlement"),
        (fields.Network, "10.0.0.7", "10.0.0.7/32"),
        (fields.Origin, "https://Tool.example:8443", "https://tool.example:8443"),
        (fields.Sha256, "AB" * 32, "ab" * 32),
        (fields.KeyPrice, "after:1min", "after:1min"),
        (fields.BaseUrl, "https://api.example.com/anthropic/", "https://api.example.com/anthropic"),
        (fields.BaseUrl, "http://[::1]:9000", "http://[::1]:9000"),
    ],
)
def test_a_value_that_means_something_is_kept(kind, value, kept):
    assert accepts(kind, value) == kept


@pytest.mark.parametrize(
    "value",
    [
        "api.example.com",
        "ftp://x",
        "https://",
        "https://x?y",
        "https://x#y",
        "https://u:p@x",
        "http://x:port",
        "http://x y",
    ],
)
def test_a_base_url_is_an_origin_and_a_path_and_nothing_else(value):
    assert refuses(fields.BaseUrl, value)


@pytest.mark.parametrize("value", ["env:KEY", "command:pass show 'my key'"])
def test_a_reference_says_where_the_secret_is(value):
    assert accepts(fields.SecretReference, value) == value


@pytest.mark.parametrize(
    "value",
    [
        "sk-ant-api03-abcdefgh",
        "evn:KEY",
        "env:",
        "env:A B",
        "file:",
        "command:",
        "command:it's",
        "",
    ],
)
def test_a_literal_secret_is_refused_and_never_repeated(value):
    message = refuses(fields.SecretReference, value)
    assert "sk-ant" not in message


def test_a_secret_file_is_looked_for_beside_the_config():
    assert (
        accepts(fields.SecretReference, "file:k.txt", folder=Path("/etc/mp"))
        == "file:/etc/mp/k.txt"
    )
    assert accepts(fields.SecretReference, "file:/k.txt", folder=Path("/etc/mp")) == "file:/k.txt"
    assert accepts(fields.SecretReference, "file:~/k.txt") == f"file:{Path.home()}/k.txt"


def test_a_client_key_is_never_a_command():
    assert refuses(fields.KeyReference, "command:pass show x")
    assert accepts(fields.KeyReference, "env:K") == "env:K"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost", "x.localhost"]
)
def test_loopback_is_known_in_every_spelling(host):
    assert fields.is_loopback(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "10.0.0.1", "example.com", "localhost.example.com", "::"]
)
def test_nothing_else_is_loopback(host):
    assert not fields.is_loopback(host)


@pytest.mark.parametrize("value", ["$MY_KEY", "${MY_KEY}", "$env:MY_KEY", "MY_KEY", "KEY2"])
def test_a_variable_without_env_is_told_how_to_write_it_and_never_repeated(value):
    with pytest.raises(ValidationError) as caught:
        AccountConfig.model_validate({"name": "a", "secret": value})
    (error,) = caught.value.errors()
    assert "looks like an environment variable" in error["msg"]
    assert error["ctx"]["hint"].startswith('secret = "env:NAME"')
    assert value not in error["msg"] + error["ctx"]["hint"]


def test_every_strategy_of_the_pool_can_be_configured():
    assert get_args(Strategy) == tuple(STRATEGIES)
