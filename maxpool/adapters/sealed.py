"""Sealing: text that only a key opens and that nobody can change unseen. The one door to cryptography.

A sealed text is one line of JSON that anybody may read (format, key derivation, salt, nonce) and one
line of base64: AES-256-GCM (NIST SP 800-38D) under a fresh nonce, with the first line authenticated.
It knows no files and no environment, and never opens anything but what it is asked to.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import secrets
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from maxpool.errors import SecretError

FORMAT, VERSION = "maxpool-sealed", 1
KEY_BYTES = 32
SALT_BYTES = 16
NONCE_BYTES = 12
CHECK_BYTES = 8

MIN_PHRASE = 12
"""Characters of a pass phrase; a shorter one is found by trying, whatever scrypt costs."""

MAX_SCRYPT_BLOCKS = 1 << 22
"""n * r that a file may ask for: half a gigabyte of memory, so that no file can ask for all of it."""

KEPT_KEYS = 4
"""Derived keys that are remembered: deriving one from a pass phrase takes a third of a second."""

Kdf = Literal["scrypt", "hkdf"]


@dataclass(frozen=True, slots=True)
class ScryptCost:
    """What trying one pass phrase costs (RFC 7914); 128 MB and a third of a second."""

    n: int = 1 << 17
    r: int = 8
    p: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SealingKey:
    """A key as a person or a key file gives it; `origin` says where it came from."""

    material: bytes = field(repr=False)
    kdf: Kdf
    origin: str

    @property
    def is_phrase(self) -> bool:
        """Whether it is a pass phrase, which somebody chose, and no random key."""
        return self.kdf == "scrypt"


@dataclass(frozen=True, slots=True)
class _Derived:
    key: bytes = field(repr=False)
    check: str


@dataclass(frozen=True, slots=True)
class _Parts:
    """A sealed text taken apart; `line` is the header as it is authenticated."""

    line: bytes
    header: dict[str, Any]
    body: bytes


def read_key(text: str, origin: str) -> SealingKey:
    """The key in `text`: 32 bytes in hex or base64 are a random key, all else is a pass phrase.

    `origin` is told with what is wrong; empty where somebody has just typed it.
    """
    text = text.strip()
    random = _random_key(text)
    if random is not None:
        return SealingKey(material=random, kdf="hkdf", origin=origin)
    if len(text) < MIN_PHRASE:
        inside = f" in {origin}" if origin else ""
        raise SecretError(
            f"the pass phrase{inside} is too short ({len(text)} characters)"
            if text
            else f"the key{inside} is empty",
            f"Use at least {MIN_PHRASE} characters, or 32 random bytes in hex",
        )
    return SealingKey(material=text.encode(), kdf="scrypt", origin=origin)


def new_key() -> str:
    """A random key, in hex."""
    return secrets.token_hex(KEY_BYTES)


class Sealer:
    """Seals and opens texts of one purpose: what was sealed for another does not open."""

    def __init__(self, purpose: str, cost: ScryptCost | None = None) -> None:
        self._purpose = purpose
        self._cost = cost or ScryptCost()
        self._derived = lru_cache(maxsize=KEPT_KEYS)(_derived)

    def seal(self, plain: bytes, key: SealingKey, earlier: bytes | None = None) -> bytes:
        """The sealed text. With `earlier`, its salt is kept, so that the key is derived but once."""
        header: dict[str, Any] = {
            "format": FORMAT,
            "version": VERSION,
            "purpose": self._purpose,
            **self._derivation(key, earlier),
        }
        derived = self._derive(header, key)
        header["check"] = derived.check
        header["nonce"] = secrets.token_hex(NONCE_BYTES)
        line = json.dumps(header).encode("ascii")
        body = AESGCM(derived.key).encrypt(bytes.fromhex(header["nonce"]), plain, line)
        return line + b"\n" + base64.b64encode(body) + b"\n"

    def unseal(self, data: bytes, key: SealingKey) -> bytes:
        """What was sealed; raises SecretError for a wrong key and for a damaged text."""
        parts = self._parts(data)
        if not self._fits(parts, key):
            raise SecretError(
                f"{key.origin} does not hold the key that this was sealed with",
                "Give the right key: a sealed text without its key is lost",
            )
        try:
            nonce = bytes.fromhex(parts.header["nonce"])
            return AESGCM(self._derive(parts.header, key).key).decrypt(
                nonce, parts.body, parts.line
            )
        except InvalidTag:
            raise _damaged("it was changed after it was sealed") from None

    def fits(self, data: bytes, key: SealingKey) -> bool:
        """Whether this is the key that `data` was sealed with; raises SecretError when damaged."""
        return self._fits(self._parts(data), key)

    def needs(self, data: bytes) -> Kdf:
        """Which kind of key opens `data`: of a pass phrase, or a random one."""
        kdf: Kdf = self._parts(data).header["kdf"]
        return kdf

    def _fits(self, parts: _Parts, key: SealingKey) -> bool:
        if parts.header["kdf"] != key.kdf:
            return False
        found = self._derive(parts.header, key).check
        return secrets.compare_digest(found, parts.header["check"])

    def _derivation(self, key: SealingKey, earlier: bytes | None) -> dict[str, Any]:
        if earlier is not None and self.fits(earlier, key):
            header = self._parts(earlier).header
            names = ("kdf", "salt", "n", "r", "p")
            return {name: header[name] for name in names if name in header}
        found: dict[str, Any] = {"kdf": key.kdf, "salt": secrets.token_hex(SALT_BYTES)}
        cost = {"n": self._cost.n, "r": self._cost.r, "p": self._cost.p}
        return found | cost if key.is_phrase else found

    def _derive(self, header: dict[str, Any], key: SealingKey) -> _Derived:
        cost = tuple(header[name] for name in ("n", "r", "p")) if key.is_phrase else None
        return self._derived(key.material, header["salt"], cost, self._purpose)

    def _parts(self, data: bytes) -> _Parts:
        line, _, rest = data.partition(b"\n")
        try:
            header = json.loads(line)
            body = base64.b64decode(rest.removesuffix(b"\n"), validate=True)
        except (ValueError, RecursionError, binascii.Error):
            raise _damaged("it is no sealed text, or only a part of one") from None
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise _damaged("it is no sealed text of maxpool's")
        if header.get("version") != VERSION:
            raise SecretError(
                f"it was sealed by another version of maxpool (format {header.get('version')!r:.20})",
                "Use the version that wrote it, or a newer one",
            )
        if header.get("purpose") != self._purpose:
            raise _damaged(f"it was sealed for another purpose ({header.get('purpose')!r:.20})")
        if not _sound(header) or len(body) < NONCE_BYTES:
            raise _damaged("its first line was changed")
        return _Parts(line, header, body)


def _derived(
    material: bytes, salt_hex: str, cost: tuple[int, int, int] | None, purpose: str
) -> _Derived:
    """The key for one text, and the check that tells a wrong key from a damaged text.

    `cost` is scrypt's n, r and p for a pass phrase (RFC 7914); a random key needs none (RFC 5869).
    """
    salt = bytes.fromhex(salt_hex)
    if cost is not None:
        n, r, p = cost
        material = Scrypt(salt=salt, length=KEY_BYTES, n=n, r=r, p=p).derive(material)
    info = f"{FORMAT} {VERSION} {purpose}".encode()
    length = KEY_BYTES + CHECK_BYTES
    text = HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(material)
    return _Derived(text[:KEY_BYTES], text[KEY_BYTES:].hex())


def _sound(header: dict[str, Any]) -> bool:
    """Whether the header can be used as it stands: nothing in it is authentic before it is opened."""
    lengths = {"salt": SALT_BYTES, "nonce": NONCE_BYTES, "check": CHECK_BYTES}
    for name, length in lengths.items():
        if not re.fullmatch(rf"[0-9a-f]{{{2 * length}}}", str(header.get(name))):
            return False
    if header.get("kdf") == "hkdf":
        return True
    return header.get("kdf") == "scrypt" and _payable(
        *(header.get(name) for name in ("n", "r", "p"))
    )


def _payable(n: object, r: object, p: object) -> bool:
    if not (isinstance(n, int) and isinstance(r, int) and isinstance(p, int)):
        return False
    return n > 1 and n & (n - 1) == 0 and r >= 1 and n * r <= MAX_SCRYPT_BLOCKS and 1 <= p <= 16


def _random_key(text: str) -> bytes | None:
    if re.fullmatch(r"[0-9A-Fa-f]{64}", text):
        return bytes.fromhex(text)
    if re.fullmatch(r"[A-Za-z0-9+/_-]{43}=?", text):
        return base64.urlsafe_b64decode(text.translate(str.maketrans("+/", "-_")).rstrip("=") + "=")
    return None


def _damaged(why: str) -> SecretError:
    return SecretError(
        f"the sealed text is damaged: {why}", "Take it from a back-up, or move it away and log in"
    )
