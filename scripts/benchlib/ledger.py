"""The ledger: CPU of a row on its way into the file, and every view over ten million rows.

The rows of the large file are made by the database itself: five accounts, four models, some clients and
10,000 sessions in 90 days, two in a hundred failed.
"""

import gc
import hashlib
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

ROWS, BATCH = 20_000, 1000
LARGE = 10_000_000
DAYS = 90
NOW = 1_800_000_000.0

FILL = """
INSERT INTO requests (request_id, at, account, model, sent_model, client, session, program, format, kind,
  status, failed, outcome, attempts, streamed, tokens_in, tokens_out, cache_read, cache_write_5m,
  cache_write_1h, cost_usd, cost_told, total_ms, ttfb_ms, waited_ms, overhead_ms, skipped, decision, device)
WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {last})
SELECT printf('%08x%08x', (i * 2654435761) % 4294967296, i), {begin} + i * {step}, 'a-' || (i % 5),
  'claude-' || (i % 4), 'claude-' || (i % 4), CASE WHEN i % 9 = 0 THEN 'ci' ELSE '' END,
  printf('%016x', (i / 60 * 7919 + i % 6) % 10000), 'claude-code', 'anthropic', 'messages',
  CASE WHEN i % 50 = 0 THEN 429 ELSE 200 END, i % 50 = 0, CASE WHEN i % 50 = 0 THEN 'rate_limited' ELSE
  'success' END, 1, 1, 100, 400, 30000, 500, 0, 0.01, 0, 8000.0, 900.0, 0.0, 0.4, '',
  '{{"quota":0.5,"strategy":"cost"}}', ''
FROM n
"""
HOURS = """
INSERT INTO hours SELECT CAST(at / 3600 AS INTEGER) * 3600, account, model, client, device, count(*),
  sum(failed), sum(tokens_in), sum(tokens_out), sum(cache_read), sum(cache_write_5m), 0, sum(cost_usd),
  sum(total_ms) FROM requests GROUP BY 1, 2, 3, 4, 5
"""
SESSIONS = """
INSERT INTO sessions SELECT session, min(at), max(at), max(account), max(model), max(client), count(*),
  sum(failed), sum(tokens_in), sum(tokens_out), sum(cache_read), sum(cache_write_5m), 0, sum(cost_usd),
  sum(total_ms) FROM requests GROUP BY session
"""
READINGS = """
INSERT INTO readings
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < 150000)
SELECT 'a-' || (i % 5), CASE WHEN i % 2 THEN '5h' ELSE '7d' END, {now} - i * 8.0, (i % 100) / 100.0,
  {now}, 'headers' FROM n
"""


def writing():
    """Microseconds of CPU a row, in batches as the writing thread has them at 2,000 rows a second."""
    from maxpool.adapters.ledger_engine import open_engine, sqlite_url
    from maxpool.adapters.ledger_rows import Batch

    rows = [_row(number) for number in range(ROWS)]
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(sqlite_url(Path(folder) / "ledger.sqlite"))
        spans = []
        for at in range(0, ROWS, BATCH):
            gc.collect()
            began = time.thread_time()
            with engine.begin() as connection:
                Batch.of(rows[at : at + BATCH]).write(connection)
            spans.append((time.thread_time() - began) / BATCH * 1e6)
        engine.dispose()
    return {"p50_us": statistics.median(spans), "low_us": min(spans), "rows": ROWS}


def _row(number):
    from maxpool.core.records import RequestRecord

    digest = hashlib.sha256(str(number).encode()).hexdigest()
    model = ("claude-sonnet-5-5", "claude-opus-5-5", "claude-haiku-5-5")[number % 3]
    asked = (f"a-{number % 5}", model, model, "", f"s-{number % 300:014}", "claude-code")
    ended = ("anthropic", "messages", 200, False, "success", 1, True)
    used = (10, 400, 30_000, 500, 0, 0.01, False, 8000.0, 900.0, 0.0, 0.4)
    return RequestRecord(
        digest[:24],
        NOW + number / 2000,
        *asked,
        *ended,
        *used,
        "",
        '{"quota":0.5,"strategy":"cost"}',
    )


def large(rows, folder=None):
    """Milliseconds of each view over so many rows."""
    with tempfile.TemporaryDirectory(dir=folder) as made:
        url = _filled(Path(made) / "ledger.sqlite", rows)
        return _timed(url)


def _filled(path, rows):
    from maxpool.adapters.ledger_engine import open_engine, sqlite_url

    url, begin, step = sqlite_url(path), NOW - DAYS * 86_400.0, DAYS * 86_400.0 / rows
    engine = open_engine(url)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA synchronous=OFF")
        for first in range(0, rows, 500_000):
            last = min(first + 500_000, rows)
            given = {"first": first, "last": last, "begin": begin, "step": step}
            connection.exec_driver_sql(FILL.format(**given))
            connection.commit()
        for statement in (HOURS, SESSIONS, READINGS.format(now=NOW)):
            connection.exec_driver_sql(statement)
            connection.commit()
    engine.dispose()
    return url


def _timed(url):
    from maxpool.adapters.ledger_views import LedgerViews

    views = LedgerViews(url)
    views.names()
    found = {}
    for name, question in _questions(views).items():
        times = []
        for _ in range(5):
            began = time.perf_counter()
            question()
            times.append((time.perf_counter() - began) * 1000.0)
        found[name] = {"first_ms": times[0], "p50_ms": statistics.median(times)}
    views.close()
    return found


def _questions(views):
    from maxpool.core.records import LedgerQuery, RequestFilter

    spans = ("hour", "day", "week", "month", "account", "model", "client", "device", "session")
    filters = {
        "the latest": {},
        "of an account": {"account": "a-3"},
        "of an account, long ago": {"account": "a-3", "until": NOW - 80 * 86_400.0},
        "of a model": {"model": "claude-2"},
        "of a client": {"client": "ci"},
        "of a client that never came": {"client": "nobody"},
        "of a session": {"session": "0000000000000042"},
        "failed": {"status": "failed"},
        "of one status": {"status": "429"},
        "of a status that never was": {"status": "503"},
        "failed, of an account": {"status": "failed", "account": "a-0"},
        "of an account that never failed": {"status": "failed", "account": "a-3"},
        "gone": {"status": "gone"},
        "of an account and a model": {"account": "a-3", "model": "claude-3"},
        "of an account and a model that never met": {"account": "a-3", "model": "nothing"},
        "a page in the middle": {"before": 5_000_000},
    }
    found = {f"usage by {by}": partial(views.usage, LedgerQuery(by=by)) for by in spans}
    month = NOW - 30 * 86_400.0
    one = LedgerQuery(by="day", since=month, account="a-3")
    found["usage by day, 30 days, one account"] = partial(views.usage, one)
    found |= {
        f"requests {name}": partial(views.requests, RequestFilter(**given))
        for name, given in filters.items()
    }
    found["one request by its id"] = lambda: views.request("00000000000004d2")
    found["readings of 8 days"] = lambda: views.readings(NOW - 8 * 86_400.0, window="7d")
    found["events"] = lambda: views.events(0.0)
    return found
