from __future__ import annotations

import json

import pytest

from maxpool.adapters.sealed import ScryptCost, Sealer, SealingKey, new_key, read_key
from maxpool.errors import SecretError

QUICK = ScryptCost(n=1 << 10)
RANDOM = read_key("ab" * 32, "here")
PHRASE = read_key("a pass phrase of some length", "there")


@pytest.fixture
def sealer():
    return Sealer("vault", QUICK)


@pytest.mark.parametrize("key", [RANDOM, PHRASE])
def test_what_is_sealed_can_be_read_with_its_key_alone(sealer, key):
    sealed = sealer.seal(b"sk-secret", key)
    assert b"sk-secret" not in sealed
    assert Sealer("vault", QUICK).unseal(sealed, key) == b"sk-secret"
    for other in (read_key(new_key(), "x"), read_key("another pass phrase", "x")):
        assert not sealer.fits(sealed, other)
        with pytest.raises(SecretError, match="x does not hold the key that this was sealed with"):
            sealer.unseal(sealed, other)


def test_no_two_sealings_are_alike_and_the_salt_stays_while_the_key_does(sealer):
    first = sealer.seal(b"text", PHRASE)
    second = sealer.seal(b"text", PHRASE, first)
    headers = [json.loads(sealed.splitlines()[0]) for sealed in (first, second)]
    assert headers[0]["salt"] == headers[1]["salt"]
    assert headers[0]["nonce"] != headers[1]["nonce"]
    third = json.loads(sealer.seal(b"text", RANDOM, first).splitlines()[0])
    assert third["salt"] != headers[0]["salt"]


@pytest.mark.parametrize("change", ["purpose", "salt", "nonce", "check", "n", "version", "kdf"])
def test_the_readable_line_cannot_be_changed_unseen(sealer, change):  # X4
    line, body = sealer.seal(b"text", PHRASE).split(b"\n", 1)
    header = json.loads(line)
    old = header[change]
    header[change] = old + 1 if isinstance(old, int) else "0" * len(old)
    with pytest.raises(SecretError):
        sealer.unseal(json.dumps(header).encode() + b"\n" + body, PHRASE)


def test_an_addition_to_the_readable_line_is_seen_too(sealer):
    line, body = sealer.seal(b"text", RANDOM).split(b"\n", 1)
    changed = json.dumps({**json.loads(line), "note": 1}).encode() + b"\n" + body
    with pytest.raises(SecretError, match="it was changed after it was sealed"):
        sealer.unseal(changed, RANDOM)


def test_any_part_of_a_sealed_text_is_damaged_and_never_half_read(sealer):  # O2
    sealed = sealer.seal(b"text of some length", RANDOM)
    for length in range(0, len(sealed) - 2, 7):
        with pytest.raises(SecretError):
            sealer.unseal(sealed[:length], RANDOM)


def test_what_was_sealed_for_another_purpose_does_not_open(sealer):
    with pytest.raises(SecretError, match="for another purpose"):
        sealer.unseal(Sealer("export", QUICK).seal(b"text", RANDOM), RANDOM)


@pytest.mark.parametrize("n", [1 << 40, 0, -8, 3, 1.5, "8", None, True])
def test_a_file_cannot_ask_for_more_memory_than_there_is(sealer, n):
    line, body = sealer.seal(b"text", PHRASE).split(b"\n", 1)
    changed = json.dumps({**json.loads(line), "n": n}).encode() + b"\n" + body
    with pytest.raises(SecretError, match="damaged"):
        sealer.unseal(changed, PHRASE)


@pytest.mark.parametrize(
    ("text", "kdf"),
    [
        ("0f" * 32, "hkdf"),
        ("0F" * 32, "hkdf"),
        ("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "hkdf"),
        ("__79_Pv6-fj39vX08_Lx8O_u7ezr6uno5-bl5OPi4eA", "hkdf"),
        (" correct horse battery\n", "scrypt"),
    ],
)
def test_32_bytes_in_hex_or_base64_are_a_random_key_and_all_else_a_pass_phrase(text, kdf):
    key = read_key(text, "here")
    assert key.kdf == kdf
    assert len(key.material) == 32 or key.is_phrase


@pytest.mark.parametrize(("text", "told"), [("", "is empty"), ("short", "too short")])
def test_a_key_that_could_be_guessed_is_refused(text, told):
    with pytest.raises(SecretError, match=told):
        read_key(text, "here")


def test_a_key_does_not_print_itself():
    assert "abab" not in repr(RANDOM)
    assert repr(RANDOM) == "SealingKey(kdf='hkdf', origin='here')"
    assert isinstance(RANDOM, SealingKey)
