from maxpool.sim.plans import SimSettings
from maxpool.sim.promptcache import Piece, PromptCache, tokens_of

NOW = 1_700_000_000.0
BIG = b"x" * 8000  # 2000 tokens
MODEL = "claude-sonnet-5-5"


def ask(cache: PromptCache, now: float, *pieces: Piece, variant: str = MODEL):
    use = cache.match(variant, pieces, now)
    cache.keep(use, now)
    return use.read, use.write_5m, use.write_1h, use.plain


def test_a_second_request_reads_what_the_first_one_wrote() -> None:
    cache = PromptCache(SimSettings())
    pieces = (Piece(BIG, "5m"), Piece(b"y" * 400))
    assert ask(cache, NOW, *pieces) == (0, 2000, 0, 100)
    assert ask(cache, NOW + 299, *pieces) == (2000, 0, 0, 100)


def test_each_hit_refreshes_and_idleness_forgets() -> None:
    cache = PromptCache(SimSettings())
    piece = Piece(BIG, "5m")
    reads = [ask(cache, NOW + at, piece)[0] for at in (0, 290, 580)]
    assert reads == [0, 2000, 2000]
    assert ask(cache, NOW + 580 + 300, piece)[0] == 0


def test_a_growing_conversation_finds_the_breakpoint_it_left_behind() -> None:
    cache = PromptCache(SimSettings())
    ask(cache, NOW, Piece(BIG, "5m"))
    grown = (Piece(BIG), Piece(b"a" * 400), Piece(b"b" * 400, "5m"))
    assert ask(cache, NOW + 1, *grown) == (2000, 200, 0, 0)


def test_an_entry_more_than_twenty_blocks_back_is_not_found() -> None:
    cache = PromptCache(SimSettings())
    ask(cache, NOW, Piece(BIG, "5m"))
    small = [Piece(b"%04d" % n) for n in range(20)]
    assert ask(cache, NOW + 1, Piece(BIG), *small, Piece(b"last", "5m"))[0] == 0
    fewer = [Piece(b"%04d" % n) for n in range(19)]
    assert ask(cache, NOW + 1, Piece(BIG), *fewer, Piece(b"end.", "5m"))[0] == 2000


def test_the_slightest_change_before_a_breakpoint_loses_it() -> None:
    cache = PromptCache(SimSettings())
    ask(cache, NOW, Piece(BIG), Piece(BIG, "5m"))
    assert ask(cache, NOW, Piece(BIG[:-1] + b"y"), Piece(BIG, "5m"))[0] == 0


def test_another_model_shares_nothing() -> None:
    cache = PromptCache(SimSettings())
    ask(cache, NOW, Piece(BIG, "5m"))
    assert ask(cache, NOW, Piece(BIG, "5m"), variant="claude-opus-5-5")[0] == 0


def test_short_prefixes_are_not_cached() -> None:
    cache = PromptCache(SimSettings())
    assert ask(cache, NOW, Piece(b"x" * 4000, "5m")) == (0, 0, 0, 1000)
    assert cache.live(NOW) == 0


def test_the_long_life_is_counted_apart_and_lasts_an_hour() -> None:
    cache = PromptCache(SimSettings())
    pieces = (Piece(BIG, "1h"), Piece(BIG, "5m"))
    assert ask(cache, NOW, *pieces) == (0, 2000, 2000, 0)
    assert ask(cache, NOW + 3599, *pieces) == (2000, 2000, 0, 0)


def test_the_cache_is_bounded_and_keeps_what_was_used_last() -> None:
    cache = PromptCache(SimSettings(cache_entries=2))
    for n in (b"1", b"2"):
        ask(cache, NOW, Piece(n + BIG, "5m"))
    ask(cache, NOW, Piece(b"1" + BIG, "5m"))
    ask(cache, NOW, Piece(b"3" + BIG, "5m"))
    assert len(cache.entries) == 2
    assert cache.match(MODEL, [Piece(b"1" + BIG, "5m")], NOW).read > 0
    assert cache.match(MODEL, [Piece(b"2" + BIG, "5m")], NOW).read == 0


def test_no_text_is_free() -> None:
    assert tokens_of(0) == tokens_of(3) == 1
    assert tokens_of(8) == 2
