"""The small endpoints beside model calls: token counts, model lists, usage, profile, hello, 404.

Each is a function of a visit; the world delivers what it returns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maxpool.sim.catalogue import anthropic_models, openai_models
from maxpool.sim.credentials import Caller, scope_problem
from maxpool.sim.generation import read_body, version_problem
from maxpool.sim.messages import fault_of_prompt, prefix
from maxpool.sim.plans import PROFILE_SCOPE, traits_of
from maxpool.sim.problems import Problem, burst, forbidden, model_missing, not_found
from maxpool.sim.promptcache import tokens_of
from maxpool.sim.ratelimits import usage_report

if TYPE_CHECKING:
    from maxpool.sim.visits import Visit, World


def count_tokens(world: World, visit: Visit) -> dict[str, Any] | Problem:
    """`POST /v1/messages/count_tokens`: free, and by the same measure as the bill."""
    if isinstance(visit.caller, Problem):
        return visit.caller
    problem = version_problem(visit)
    if problem is not None:
        return problem
    body = read_body(world, visit)
    if isinstance(body, Problem):
        return body
    problem = fault_of_prompt(body)
    if problem is not None:
        return problem
    if not visit.caller.state.offers(body["model"]):
        return model_missing(body["model"])
    return {"input_tokens": sum(tokens_of(len(piece.data)) for piece in prefix(body))}


def models(world: World, visit: Visit) -> dict[str, Any] | Problem:
    """`GET /v1/models`, in the Messages API's shape for callers that send its version header."""
    del world
    if isinstance(visit.caller, Problem):
        return visit.caller
    names = visit.caller.state.account.models
    anthropic = visit.seen.header("anthropic-version") or visit.seen.header("x-api-key")
    return anthropic_models(names) if anthropic else openai_models(names)


def usage(world: World, visit: Visit) -> dict[str, Any] | Problem:
    """`GET /api/oauth/usage`; itself limited when the settings say so."""
    caller = _profile_caller(visit)
    if isinstance(caller, Problem):
        return caller
    now, gap_s, asked_at = (
        world.clock.now(),
        world.settings.usage_gap_s,
        caller.state.usage_asked_at,
    )
    if asked_at is not None and now < asked_at + gap_s:
        return burst(asked_at + gap_s - now)
    caller.state.usage_asked_at = now
    family = world.settings.family_window
    windows = caller.state.organization.quota.windows(now, family or "")
    return usage_report(windows, family)


def profile(world: World, visit: Visit) -> dict[str, Any] | Problem:
    """`GET /api/oauth/profile`: the invented person and organisation."""
    del world
    caller = _profile_caller(visit)
    if isinstance(caller, Problem):
        return caller
    account = caller.state.account
    traits = traits_of(account.plan)
    return {
        "account": {
            "uuid": account.person_id,
            "email": account.email or f"{account.name}@example.invalid",
            "display_name": account.name,
            "full_name": account.name,
            "has_claude_max": account.plan in ("max_20x", "max_5x"),
            "has_claude_pro": account.plan == "pro",
        },
        "organization": {
            "uuid": account.organization_id,
            "name": f"{account.name}'s organization",
            "organization_type": traits.organization_type,
            "rate_limit_tier": traits.rate_limit_tier,
        },
    }


def hello(world: World, visit: Visit) -> dict[str, Any] | Problem:
    """`HEAD /` and `/api/hello`: anybody may ask."""
    del world, visit
    return {"message": "hello"}


def nowhere(world: World, visit: Visit) -> dict[str, Any] | Problem:
    """Every other path."""
    del world, visit
    return not_found()


def _profile_caller(visit: Visit) -> Caller | Problem:
    if isinstance(visit.caller, Problem):
        return visit.caller
    if not visit.caller.state.account.of_plan:
        return forbidden("This endpoint requires OAuth authentication.")
    return scope_problem(visit.caller, PROFILE_SCOPE) or visit.caller
