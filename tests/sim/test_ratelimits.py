import pytest

from maxpool.core.lease import TokenUsage
from maxpool.core.ratelimit import HeaderReport, empty_bucket, evidence, read_headers, read_usage
from maxpool.sim.buckets import KeyLimits
from maxpool.sim.plans import SimAccount, SimSettings
from maxpool.sim.problems import HeaderList
from maxpool.sim.quota import WindowTruth
from maxpool.sim.ratelimits import generic, go_duration, rfc3339, standard, unified, usage_report

NOW = 1_700_000_000.0
FAMILY = "claude-fable-5-1"


def windows(five: float, seven: float, family: float | None = None) -> list[WindowTruth]:
    rows = [("5h", "five_hour", five, 600.0), ("7d", "seven_day", seven, 9000.0)]
    if family is not None:
        rows.append(("7d_oi", "seven_day_overage_included", family, 9000.0))
    return [WindowTruth(name=n, claim=c, utilization=u, reset_at=NOW + r) for n, c, u, r in rows]


def read(headers: HeaderList, model: str = "claude-sonnet-5-5") -> HeaderReport:
    return read_headers(dict(headers), NOW, model)


def test_the_product_reads_what_the_simulated_upstream_writes() -> None:
    report = read(unified(windows(0.314, 0.82), rejected=False, warn_at=0.8))
    told = {r.window: (r.utilization, r.reset_at, r.status) for r in report.readings}
    assert told == {
        "5h": (0.31, NOW + 600, "allowed"),
        "7d": (0.82, NOW + 9000, "allowed_warning"),
    }
    assert report.allowed is True


def test_an_overshot_window_is_still_allowed_on_the_answer_that_overshot() -> None:
    headers = dict(unified(windows(1.04, 0.1), rejected=False, warn_at=0.8))
    assert headers["anthropic-ratelimit-unified-status"] == "allowed_warning"
    assert headers["anthropic-ratelimit-unified-5h-utilization"] == "1.04"
    assert "rejected" not in {headers["anthropic-ratelimit-unified-5h-status"]}


def test_a_refusal_names_the_exhausted_window_and_its_reset() -> None:
    report = read(unified(windows(0.2, 1.0), rejected=True, warn_at=0.8))
    verdict = evidence(report, 429)
    assert verdict is not None
    assert (verdict.window, verdict.until) == ("7d", NOW + 9000)  # type: ignore[union-attr]


def test_an_exhausted_family_bucket_is_no_verdict_on_the_account() -> None:
    report = read(unified(windows(0.2, 0.3, 1.0), rejected=True, warn_at=0.8), FAMILY)
    verdict = evidence(report, 429)
    assert verdict is not None
    assert verdict.window == "7d:fable"  # type: ignore[union-attr]


def test_a_window_that_is_not_open_has_no_reset() -> None:
    closed = WindowTruth(name="5h", claim="five_hour", utilization=0.0, reset_at=None)
    names = dict(unified([closed], rejected=False, warn_at=0.8))
    assert "anthropic-ratelimit-unified-5h-utilization" in names
    assert "anthropic-ratelimit-unified-5h-reset" not in names


def test_an_empty_bucket_of_a_key_says_nothing_remains() -> None:
    key = KeyLimits.of(SimAccount("k", "s", "api", capacity_tokens=60_000.0), SimSettings(), NOW)
    key.take(NOW, TokenUsage(input=59_900))
    report = read(standard(key, NOW, "input-tokens"))
    bucket = empty_bucket(report)
    assert bucket is not None
    assert bucket.name in ("input-tokens", "tokens")
    assert bucket.reset_at == pytest.approx(NOW + 60, abs=1)
    assert empty_bucket(read(standard(limits_untouched(), NOW))) is None


def limits_untouched() -> KeyLimits:
    return KeyLimits.of(SimAccount("k", "s", "api"), SimSettings(), NOW)


def test_other_providers_speak_generic_headers() -> None:
    headers = dict(generic(limits_untouched(), NOW))
    assert headers["x-ratelimit-limit-requests"] == "1000"
    assert headers["x-ratelimit-reset-requests"] == "0ms"
    assert not any(name.startswith("anthropic") for name in headers)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.02, "20ms"), (1.5, "1.5s"), (20, "20s"), (360, "6m0s"), (3661, "1h1m1s")],
)
def test_durations_look_like_openais(seconds, text) -> None:
    assert go_duration(seconds) == text


def test_reset_stamps_are_never_too_early() -> None:
    assert rfc3339(NOW + 0.2) == rfc3339(NOW + 1) != rfc3339(NOW)


def test_the_usage_report_counts_in_percent_and_reads_back() -> None:
    report = usage_report(windows(0.33, 0.5, 0.97), "fable")
    assert report["five_hour"]["utilization"] == 33.0
    read_back = {r.window: r.utilization for r in read_usage(report, NOW).readings}
    assert read_back == {"5h": 0.33, "7d": 0.5, "7d:fable": 0.97}
