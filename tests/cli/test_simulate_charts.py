import re

from maxpool.cli import simulate_charts as charts
from tests.cli.test_simulate_report import report
from tests.sim.played import samples

LINES = report().overall.lines


def test_a_bar_is_as_long_as_its_share():
    assert re.findall(r'class="c\d" width="([\d.]+)%"', charts.bars(LINES)) == ["85.79", "91.05"]


def test_a_dot_right_of_zero_is_better_and_whiskers_stay_in_the_picture():
    dots = charts.differences(LINES)
    first, second = re.findall(r'cx="([\d.]+)%"', dots)
    assert (float(first), float(second) > 50) == (50.0, True)
    assert all(0 <= float(x) <= 100 for x in re.findall(r'x[12]="([\d.]+)%"', dots))
    assert charts.differences(LINES[:1]) == ""


def test_strategies_without_any_difference_stand_at_zero():
    same = report(strategies=("cost",)).overall.lines * 2
    assert charts.differences((same[0], LINES[0])) == ""


def test_an_hour_is_a_step_and_the_highest_reaches_the_top():
    drawn = charts.served(samples(24))
    (path,) = re.findall(r'class="area" d="([^"]+)"', drawn)
    assert path.count("H") == 24
    assert "V0H24" in path
    assert "peak 0.0 M tokens" in drawn


def test_hours_without_anything_lie_on_the_ground():
    (path,) = re.findall(r'd="(M0 100[^"]+)"', charts.waiting(samples(10)[:3]))
    assert set(re.findall(r"V(\d+)", path)) == {"100"}


def test_days_are_named_in_short_runs_and_weeks_in_long_ones():
    assert re.findall(r">(\w+)</span></div>", charts.served(samples(48)))[-1] == "Tue"
    assert ">week 3</span>" in charts.served(samples(21 * 24))


def test_each_account_with_a_quota_has_a_small_chart_and_its_name_is_text():
    drawn = charts.utilization(samples(24, 2), ("a<1>", "b"))
    assert drawn.count("<figure>") == 2
    assert "a&lt;1&gt;" in drawn
    assert "a<1>" not in drawn
    assert charts.utilization(samples(24, 0), ()) == '<div class="grid"></div>'
