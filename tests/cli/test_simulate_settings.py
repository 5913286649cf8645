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
        ("recovery=5min", "recovery_s", 300.0),
        ("recovery_s=300", "recovery_s", 300.0),
        ("recovery_s=1min30s", "recovery_s", 90.0),
        ("queue_max_wait=2min", "queue_max_wait_s", 120.0),
        ("queue_grace_s=2s", "queue_grace_s", 2.0),
        ("key_price=after:1min", "key_price_after_s", 60.0),
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
        ("slots_per_account=0", "slots_per_account cannot be '0': it must be at least 1"),
        ("slots_total=-3", "slots_total cannot be '-3': it must be at least 1"),
        ("queue_limit=-1", "queue_limit cannot be '-1': it must be at least 0"),
        ("warm_bonus=nan", "warm_bonus cannot be 'nan': it must be"),
        ("warm_bonus=-1", "warm_bonus cannot be '-1': it must be at least 0"),
        ("full_at=1.5", "full_at cannot be '1.5': it must be at most 1"),
        ("recovery=0s", "recovery cannot be '0s': it must be longer than zero"),
        ("recovery_s=-5", "recovery_s cannot be '-5': it must be a duration of zero or more"),
        ("recovery=soon", "recovery cannot be 'soon': it must be a duration"),
        ("quota_clip=nan", "quota_clip cannot be 'nan': it must be a number of zero or more"),
        ("output_price=-1", "output_price cannot be '-1': it must be a number of zero or more"),
        ("queue_grace_s=inf", "queue_grace_s cannot be 'inf': it must be a duration"),
        ("max_families=0", "max_families cannot be '0': it must be more than zero"),
        ("model_prices={opus = 0}", "it must be more than zero"),
    ],
)
def test_what_cannot_be_set_is_told_in_words(assignment, said):
    with pytest.raises(ValueError, match=said):
        settings_with([assignment])
