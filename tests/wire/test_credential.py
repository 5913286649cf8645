"""What the vault's entries say, and what they never show."""

import pytest

from maxpool.wire.credential import StoredCredential, decode, encode, fingerprint

WHOLE = StoredCredential(
    secret="sk-ant-oat01-access",
    origin="https://api.example.com",
    refresh_token="sk-ant-ort01-refresh",
    expires_at=1_800_000_000.5,
    granted_at=1_799_000_000.0,
    scopes=("inference", "profile"),
    profile="example",
    account_uuid="a-1",
    organization_uuid="o-1",
)


def test_an_entry_comes_back_as_it_was_kept():
    assert decode(encode(WHOLE)) == WHOLE
    plain = StoredCredential(secret="key", origin="https://api.example.com")
    assert decode(encode(plain)) == plain


def test_a_credential_never_prints_a_token():
    assert "access" not in repr(WHOLE)
    assert "ort01" not in repr(WHOLE)


def test_the_fingerprint_changes_with_the_refresh_token():
    assert WHOLE.fingerprint == fingerprint("sk-ant-ort01-refresh")
    assert len(WHOLE.fingerprint) == 8
    plain = StoredCredential(secret="key", origin="")
    assert plain.fingerprint == fingerprint("key")


@pytest.mark.parametrize(
    "text",
    [
        "sk-ant-secret",
        "[]",
        "{}",
        '{"version": 2, "secret": "sk-ant-secret"}',
        '{"version": 1}',
        '{"version": 1, "secret": ""}',
        '{"version": 1, "secret": 5}',
        '{"version": 1, "secret": "sk-ant-secret", "expires_at": "sk-ant-secret"}',
        '{"version": 1, "secret": "sk-ant-secret", "expires_at": true}',
        '{"version": 1, "secret": "sk-ant-secret", "expires_at": NaN}',
        '{"version": 1, "secret": "sk-ant-secret", "expires_at": 1%s}' % ("0" * 400),
        '{"version": 1, "secret": "sk-ant-secret", "scopes": 5}',
        "[" * 100_000,
    ],
)
def test_what_is_no_entry_is_refused_without_quoting_it(text):
    with pytest.raises(ValueError, match=r"entry|secret|expires_at|scopes") as caught:
        decode(text)
    assert "sk-ant" not in str(caught.value)
