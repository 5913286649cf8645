"""What holds for every test: none reaches the keyring, or the key, of whoever runs them, none logs on."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True, scope="session")
def _no_keyring_of_the_user() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
        for name in ("MAXPOOL_SECRET_KEY", "MAXPOOL_SECRET_KEY_FILE", "CREDENTIALS_DIRECTORY"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(autouse=True)
def _logging_ends_with_the_test() -> Iterator[None]:
    """A server or demo that was run here has set the root logger's level."""
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)
