import pytest

from maxpool.sim.plans import SimAccount, traits_of


def test_plans_weigh_20_to_5_to_1_and_run_24_12_6_at_once() -> None:
    plans = [traits_of("max_20x"), traits_of("max_5x"), traits_of("pro")]
    assert [p.weight for p in plans] == [20.0, 5.0, 1.0]
    assert [p.concurrency for p in plans] == [24, 12, 6]


@pytest.mark.parametrize(("plan", "windows"), [("pro", True), ("api", False), ("provider", False)])
def test_only_plans_have_quota_windows(plan, windows) -> None:
    assert SimAccount("a", "s", plan).of_plan is windows


def test_an_account_invents_its_own_organization_once_and_for_all() -> None:
    one, again, other = (SimAccount(n, "s", "pro") for n in ("a", "a", "b"))
    assert one.organization_id == again.organization_id != other.organization_id
    assert SimAccount("a", "s", "pro", organization="shared").organization_id == "shared"
