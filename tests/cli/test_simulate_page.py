import re
from html.parser import HTMLParser

from maxpool.cli.simulate_page import page, verdict
from tests.cli.test_simulate_report import report

VOID = {"meta"}


class Tags(HTMLParser):
    """Checks that every element is closed where it was opened."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass  # closes itself

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_fetches_nothing():
    found = page(report(chart=True))
    tags = Tags()
    tags.feed(found)
    assert tags.open == []
    assert not re.search(r"https?:|<script|<link|@import|url\(|<img", found)
    assert "default-src 'none'" in found


def test_it_has_bars_for_every_family_and_the_hours_of_one_run():
    found = page(report(chart=True))
    for text in ("few (2 seeds)", "moderate (2 seeds)", "all 2 loaded families played"):
        assert found.count(text) == 1
    assert found.count('class="bar"') == 6
    assert "One run by the hour: cost in moderate, seed 1" in found
    assert "a&lt;1&gt;" in found
    assert "One run by the hour" not in page(report())


def test_it_suits_dark_and_light_and_a_phone():
    found = page(report())
    assert "prefers-color-scheme: dark" in found
    assert 'name="viewport"' in found


def test_a_difference_is_called_one_only_when_the_seeds_make_it_sure():
    assert verdict(report()).endswith("5.26 ± 0.00 points more than cost.")
    assert verdict(report(seeds=(1,))).endswith("too few seeds to call that better than cost.")
    best_first = report(strategies=("cost",))
    assert verdict(best_first) == "cost serves 85.8 % of the bound (over 2 loaded families)."


def test_the_same_report_is_the_same_page():
    assert page(report(chart=True)) == page(report(chart=True))
