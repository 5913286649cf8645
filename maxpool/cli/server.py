"""Ask a running server, over HTTP with the standard library. Commands learn all they show from here.

Straight to the address: no proxy from the environment, no redirect followed, nothing kept.
"""

from __future__ import annotations

import http.client
import json
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from maxpool.errors import MaxpoolError, NotRunning

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TIMEOUT_S = 5.0
MAX_ANSWER_BYTES = 16 << 20


def fetch_status(
    url: str, *, key: str | None = None, certificate: Path | None = None
) -> dict[str, Any]:
    """The server's `/status` as JSON.

    `certificate` is trusted besides the system's. Raises `NotRunning` when nothing answers, and
    `MaxpoolError` when what answers is not a maxpool that lets us look.
    """
    headers = {"x-maxpool-key": key} if key else {}
    status, data = ask(url, "GET", "/status", headers=headers, certificate=certificate)
    if status in (401, 403):
        raise MaxpoolError(
            f"the server at {url} does not let this command look (HTTP {status})",
            "Set MAXPOOL_KEY to one of its client keys and try again",
        )
    if status != http.client.OK or not isinstance(data, dict) or "summary" not in data:
        raise MaxpoolError(
            f"what answers at {url} is not maxpool (HTTP {status})",
            "Name the right address with --url",
        )
    return data


def ask(  # noqa: PLR0913 - parts of one call, by name
    url: str,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str],
    body: object = None,
    certificate: Path | None = None,
    timeout_s: float = TIMEOUT_S,
) -> tuple[int, object]:
    """Status and JSON of the answer, None where it is no JSON; `body` is sent as JSON.

    Raises `NotRunning` when nothing answers, `MaxpoolError` when https is not to be trusted.
    """
    sent = {"accept": "application/json", **headers}
    text = None if body is None else json.dumps(body).encode()
    if text is not None:
        sent["content-type"] = "application/json"
    connection = _connection(url, certificate, timeout_s)
    try:
        target = urlsplit(url).path.rstrip("/") + path
        connection.request(method, target, body=text, headers=sent)
        answer = connection.getresponse()
        return answer.status, _json(answer.read(MAX_ANSWER_BYTES))
    except ssl.SSLError as error:
        raise MaxpoolError(
            f"no trusted https at {url}: {error.reason}",
            "Check the address, and [server] tls_cert in the config",
        ) from error
    except (OSError, http.client.HTTPException) as error:
        cause = "did not answer in time" if isinstance(error, TimeoutError) else "does not answer"
        hint = "Start it with: maxpool serve (or name another address with --url)"
        raise NotRunning(f"maxpool {cause} at {url}", hint) from error
    finally:
        connection.close()


def listen(
    url: str,
    path: str,
    *,
    headers: Mapping[str, str],
    certificate: Path | None = None,
    timeout_s: float,
) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    """A GET whose answer may never end; `timeout_s` is how long it may be silent.

    Closing the connection is the caller's. Raises `OSError` or `HTTPException` when nobody answers.
    """
    connection = _connection(url, certificate, timeout_s)
    try:
        connection.request("GET", urlsplit(url).path.rstrip("/") + path, headers=dict(headers))
        return connection, connection.getresponse()
    except BaseException:
        connection.close()
        raise


def _connection(url: str, certificate: Path | None, timeout_s: float) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "https":
        return http.client.HTTPConnection(host, parts.port, timeout=timeout_s)
    context = ssl.create_default_context()
    if certificate is not None and certificate.exists():
        context.load_verify_locations(certificate)
    return http.client.HTTPSConnection(host, parts.port, timeout=timeout_s, context=context)


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None
