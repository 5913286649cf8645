import pytest

from maxpool import PoolSettings
from maxpool.cli.simulate_settings import settings_with


def test_nothing_set_is_the_default():
    assert settings_with([]) == PoolSettings()


@pytest.mark.parametrize(
    ("assignment", "key", "value"),
    [
        ("warm_bonus=20", "warm_bonus", 20.0),
        ("slots_total = 12", "slots_total", 12),
        ("key_price=never", "key_price", "never"),
        ('key_price="always"', "key_price", "always"),
        ("throttle_reopen_s=[1, 2, 3, 4]", "throttle_reopen_s", (1.0, 2.0, 3.0, 4.0)),
        ("model_prices={opus = 2, haiku = 0.5}", "model_prices", {"opus": 2.0, "haiku": 0.5}),
    ],
)
def test_any_setting_can_be_set_in_the_kind_it_has(assignment, key, value):
    found = getattr(settings_with([assignment]), key)
    assert found == value
    assert type(found) is type(value)


def test_the_last_word_on_a_key_counts():
    assert settings_with(["warm_bonus=1", "warm_bonus=2"]).warm_bonus == 2.0


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("warm_bonsu=3", "did you mean warm_bonus"),
        ("qqqq=3", "there is no setting 'qqqq'"),
        ("warm_bonus", "is not KEY=VALUE"),
        ("warm_bonus=much", "warm_bonus cannot be 'much'"),
        ("slots_total=1.5", "slots_total cannot be '1.5'"),
        ("key_price=nevr", "key_price cannot be 'nevr'"),
        ("strategy=sticky", "--strategy"),
    ],
)
def test_what_cannot_be_set_is_told_in_words(assignment, said):
    with pytest.raises(ValueError, match=said):
        settings_with([assignment])
