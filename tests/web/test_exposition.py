from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families as parsed

from maxpool.service.meters import Histogram
from maxpool.web.exposition import Exposition, labels


def test_every_name_comes_back_as_it_was_whatever_stands_in_it():
    name = 'a "b"\\n\n\\ é {}=,'
    out = Exposition()
    out.family("x", "gauge", "Words.", [(labels(account=name, window="5h"), 0.25)])
    (family,) = parsed(out.encoded().decode())
    (sample,) = family.samples
    assert (sample.labels, sample.value) == ({"account": name, "window": "5h"}, 0.25)
    assert (family.type, family.documentation) == ("gauge", "Words.")


def test_what_nobody_knows_is_left_out_and_so_is_a_family_of_nothing_else():
    out = Exposition()
    out.family("x", "gauge", "Words.", [("", None)])
    out.family("y_total", "counter", "Words.", [('a="1"', None), ('a="2"', True)])
    assert out.encoded().decode() == (
        '# HELP y_total Words.\n# TYPE y_total counter\ny_total{a="2"} 1\n'
    )


def test_numbers_keep_all_their_digits():
    out = Exposition()
    values = [1e-9, 123456789.123, 1.7e9, float("inf"), 0, 3]
    out.family("x", "gauge", "Words.", [(labels(n=str(i)), v) for i, v in enumerate(values)])
    (family,) = parsed(out.encoded().decode())
    assert [sample.value for sample in family.samples] == values


def test_the_buckets_of_a_histogram_add_up():
    times = Histogram((0.5, 1.0))
    for value in (0.1, 0.7, 0.8, 5.0):
        times.observe(value)
    out = Exposition()
    out.histogram("t", "Words.", [(labels(family="opus"), times)])
    (family,) = parsed(out.encoded().decode())
    assert family.type == "histogram"
    found = {s.labels.get("le", s.name): s.value for s in family.samples}
    assert found == {"0.5": 1, "1": 3, "+Inf": 4, "t_sum": 6.6, "t_count": 4}
