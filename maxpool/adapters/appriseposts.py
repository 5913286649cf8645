"""Messages through apprise, an extra: `pip install maxpool[apprise]`. Its only door; imported when used."""

from __future__ import annotations

from maxpool.errors import MaxpoolError


async def post_by_apprise(url: str, title: str, text: str) -> bool:
    """Tell it to a URL that apprise knows; whether it arrived. Raises `MaxpoolError` without apprise."""
    try:
        import apprise
    except ImportError:
        raise MaxpoolError(
            "apprise is not installed", "Install it: pip install 'maxpool[apprise]'"
        ) from None
    sender = apprise.Apprise()
    if not sender.add(url):
        raise MaxpoolError("apprise does not know this kind of URL")
    return bool(await sender.async_notify(title=title, body=text))
