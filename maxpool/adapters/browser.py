"""Opening an address in the person's web browser, where there is one that does not take the terminal.

Text browsers would run in the terminal that waits for the answer, so without a graphical session
nothing is opened (unless $BROWSER names a program) and the caller shows the address.
"""

from __future__ import annotations

import sys
import webbrowser
from typing import TYPE_CHECKING

from maxpool.adapters import process

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_BROWSER = frozenset({"true", "false", "none", ":", "/bin/true", "/bin/false"})
"""Values of $BROWSER with which people say that they want none."""


def open_browser(url: str, environment: Mapping[str, str] | None = None) -> bool:
    """Whether a browser was started; it may take a moment, so call it from a thread."""
    if not has_browser(process.environment() if environment is None else environment):
        return False
    try:
        return webbrowser.open(url)
    except (webbrowser.Error, OSError):
        return False


def has_browser(environment: Mapping[str, str], platform: str = sys.platform) -> bool:
    """Whether a browser would open for the person who sits at this terminal."""
    named = environment.get("BROWSER", "")
    if named in NO_BROWSER:
        return False
    if named or environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"):
        return True
    # Over SSH the browser would open on a screen that the person does not see.
    return platform in ("darwin", "win32") and not environment.get("SSH_CONNECTION")
