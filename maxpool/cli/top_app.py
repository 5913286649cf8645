"""The screen of `maxpool top` (textual): follows a feed, shows the board, carries keys to the server.

Decides nothing about the pool: what is drawn comes from `top_view`, what is done from `Hands`.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from maxpool.cli import top_view
from maxpool.cli.top_board import SORTS, Board
from maxpool.errors import MaxpoolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from maxpool.cli.top_feed import Tell

DRAW_EVERY_S: Final = 0.25
"""News is drawn at most so often; countdowns once a second."""

SPEED_OVER: Final = 10
"""Summaries over which the speed is counted: calm enough to read, short enough to be live."""

PANES: Final = ("requests", "sessions", "queue")
KEYS: Final = "enter details · e/d enable/disable · p probe · P pause · / filter · tab view · ? all keys · q quit"
SHORT_KEYS: Final = "enter details · e/d on/off · P pause · / filter · ? keys · q quit"
HELP: Final = """\
maxpool top

  up, down     choose an account        tab    requests, sessions, queue
  enter        its details              s      sort the accounts
  esc          back                     /      filter: all words must occur
  q, ctrl+c    quit                     ?      this page

For the chosen account:
  e   enable, let it serve              p   probe: ask for its quota now
  d   disable, take it out              r   reset: forget benches, failures
  f   prefer it, or end that

For the whole pool:
  P   pause: new requests wait; P again goes on

Enable and disable are written to the config file.
A bar is what is used of a window; │ in it is how much an even pace would
have used by now, so a bar beyond it runs out before its reset.

  ● ready  ◐ busy  ◌ cooling  ○ benched  ↓ draining  - disabled  ✕ out"""


class Follows(Protocol):
    """Where news comes from: see `top_feed.Feed`."""

    def start(self) -> None:
        """Begin to tell."""

    def close(self) -> None:
        """End it."""


class Hands(Protocol):
    """What keys do, each in a thread; returns what to say, raises `MaxpoolError`."""

    def account(self, action: str, account_id: str) -> str:
        """enable, disable, probe, prefer or reset."""

    def pool(self, action: str) -> str:
        """pause, resume or automatic."""


class Details(Screen[None]):
    """One account in full."""

    BINDINGS: ClassVar = [Binding("escape,enter,left", "app.pop_screen", "back")]

    def __init__(self, account_id: str) -> None:
        super().__init__()
        self.account_id = account_id

    def compose(self) -> ComposeResult:
        """A page that scrolls, and its keys."""
        with VerticalScroll():
            yield Static(id="details")
        yield Static("esc back · e/d enable/disable · p probe · f prefer · r reset", classes="keys")

    def on_mount(self) -> None:
        """Draw at once and from then on with the rest."""
        self.draw()

    def draw(self) -> None:
        """The account as it is known now."""
        top = self.app
        assert isinstance(top, Top)
        account = top.board.accounts.get(self.account_id)
        gone = Text("This account is no longer there.", style="yellow")
        shown = gone if account is None else top_view.details(account, top.now, top.size.width)
        self.query_one("#details", Static).update(shown)


class Help(Screen[None]):
    """All keys."""

    BINDINGS: ClassVar = [Binding("escape,question_mark,enter", "app.pop_screen", "back")]

    def compose(self) -> ComposeResult:
        """One page."""
        with VerticalScroll():
            yield Static(HELP, markup=False)
        yield Static("esc back", classes="keys")


class Top(App[None]):
    """The whole screen: verdict, accounts, a pane below, keys."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen, OptionList, Input, VerticalScroll { background: ansi_default; color: ansi_default; }
    #head { height: auto; max-height: 8; padding: 0 1; margin-bottom: 1; }
    #columns { height: 1; padding: 0 1; }
    #accounts { height: auto; max-height: 60%; border: none; padding: 0 1 0 0; }
    * { scrollbar-size-vertical: 1; }
    #accounts > .option-list--option-highlighted, #accounts:focus > .option-list--option-highlighted {
        color: ansi_default; background: ansi_default; text-style: reverse;
    }
    #panes { height: 1; padding: 0 1; margin-top: 1; }
    #below { height: 1fr; padding: 0 1; }
    #below Static, #details { width: auto; }
    #filter { height: 1; border: none; padding: 0 1; display: none; }
    .keys { height: 1; padding: 0 1; dock: bottom; text-style: dim; }
    """
    BINDINGS: ClassVar = [
        Binding("q,ctrl+c", "quit", "quit", priority=False),
        Binding("question_mark", "help", "help"),
        Binding("slash", "filter", "filter"),
        Binding("escape", "clear", "clear"),
        Binding("tab", "pane(1)", "view", priority=True),
        Binding("shift+tab", "pane(-1)", "view", priority=True),
        Binding("s", "sort", "sort"),
        Binding("e", "account('enable')", "enable"),
        Binding("d", "account('disable')", "disable"),
        Binding("p", "account('probe')", "probe"),
        Binding("r", "account('reset')", "reset"),
        Binding("f", "prefer", "prefer"),
        Binding("P", "pause", "pause"),
    ]

    def __init__(self, feed: Callable[[Tell], Follows], hands: Hands) -> None:
        super().__init__(ansi_color=True)
        self.theme = "ansi-dark"
        self.board = Board()
        self.hands = hands
        self.words, self.sort, self.pane = "", SORTS[0], PANES[0]
        self.lost: str | None = None
        self._feed = feed(self._hear_from_thread)
        self._home: asyncio.AbstractEventLoop | None = None  # known once it is mounted
        self._heard_at = 0.0
        self._news = True
        self._speeds: deque[tuple[float, float]] = deque(maxlen=SPEED_OVER)
        self._shown: list[str] = []

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield Static(id="head")
        yield Static(id="columns")
        yield OptionList(id="accounts")
        yield Static(id="panes")
        with VerticalScroll(id="below", can_focus=False):
            yield Static(id="lines")
        yield Input(id="filter", placeholder="filter: name, state, model, session", compact=True)
        yield Static(id="keys", classes="keys")

    def on_mount(self) -> None:
        """Listen, and draw what comes."""
        self._home = asyncio.get_running_loop()
        self.query_one("#accounts", OptionList).focus()
        self.set_interval(DRAW_EVERY_S, self._draw_news)
        self.set_interval(1.0, self.draw)
        self._feed.start()

    def on_unmount(self) -> None:
        """Listen no more."""
        self._feed.close()

    def on_resize(self) -> None:
        """Every line depends on the width."""
        self._shown = []
        self.draw()

    @property
    def now(self) -> float:
        """The server's time, counted on since its last news."""
        return self.board.now + max(0.0, self._time() - self._heard_at)

    def _time(self) -> float:
        return 0.0 if self._home is None else self._home.time()

    # -- news ------------------------------------------------------------------------------------------

    def _hear_from_thread(self, name: str, data: Any) -> None:  # noqa: ANN401 - JSON
        self._from_thread(self.hear, name, data)

    def _from_thread(self, work: Callable[..., object], *said: object) -> None:
        """Do it where the screen lives, unless that has ended."""
        if self._home is not None and not self._home.is_closed():
            self._home.call_soon_threadsafe(work, *said)

    def hear(self, name: str, data: Any) -> None:  # noqa: ANN401 - JSON
        """One event of the feed."""
        self._news = True
        if name == "gone":
            self.lost = str(data)
            return
        now = self.now if self._heard_at else 0.0
        self.lost = None
        self.board.hear(name, data)
        if name in ("hello", "status"):
            self._heard_at = self._time()
            self._speeds.clear()
        else:
            self.board.now, self._heard_at = now, self._time()
        if name in ("hello", "status", "summary"):
            done = (self.board.told.get("totals") or {}).get("requests") or 0
            self._speeds.append((self.now, float(done)))

    def _per_s(self) -> float | None:
        """Requests a second; None until there are two summaries."""
        if len(self._speeds) < 2:
            return None
        (began, first), (_, last) = self._speeds[0], self._speeds[-1]
        return max(0.0, last - first) / max(1.0, self.now - began)

    # -- drawing ---------------------------------------------------------------------------------------

    def _draw_news(self) -> None:
        if self._news:
            self.draw()

    def draw(self) -> None:
        """Everything, as it is known now."""
        self._news = False
        if isinstance(self.screen, Details):
            self.screen.draw()
            return
        if not self.screen_stack or not self.screen.query("#head"):
            return
        width, now = max(20, self.size.width - 4), self.now
        heading = top_view.heading(self.board, now, self._per_s(), self.lost)
        self.query_one("#head", Static).update(heading)
        columns = self.query_one("#columns", Static)
        columns.update(top_view.card_head(width))
        columns.display = width >= top_view.ONE_LINE
        self._draw_accounts(now, width)
        draw = getattr(top_view, self.pane)
        self.query_one("#lines", Static).update(draw(self.board, now, width, self.words))
        self.query_one("#panes", Static).update(self._titles())
        self.query_one("#keys", Static).update(KEYS if len(KEYS) <= width else SHORT_KEYS)

    def _draw_accounts(self, now: float, width: int) -> None:
        rows = self.query_one("#accounts", OptionList)
        accounts = self.board.chosen(self.words, self.sort)
        chosen = self.chosen
        cards = {
            a["id"]: top_view.chosen(top_view.card(a, now, width), mark=a["id"] == chosen)
            for a in accounts
        }
        if list(cards) == self._shown:
            for key, text in cards.items():
                rows.replace_option_prompt(key, text)
            return
        self._shown = list(cards)
        rows.set_options(Option(text, id=key) for key, text in cards.items())
        if self._shown:
            rows.highlighted = (
                self._shown.index(chosen) if chosen is not None and chosen in cards else 0
            )

    def _titles(self) -> Text:
        found = Text()
        waiting = len(self.board.told.get("queue") or ())
        for pane in PANES:
            count = f" ({waiting})" if pane == "queue" and waiting else ""
            style = "bold underline" if pane == self.pane else "dim"
            found.append(f"{pane.upper()}{count}", style=style).append("  ")
        found.append(f"  filter: {self.words}" if self.words else "", style="yellow")
        return found.append(
            f"  sorted by {self.sort}" if self.sort != SORTS[0] else "", style="dim"
        )

    # -- keys ------------------------------------------------------------------------------------------

    @property
    def chosen(self) -> str | None:
        """The id of the account that keys are for."""
        if isinstance(self.screen, Details):
            return self.screen.account_id
        rows = self.query_one("#accounts", OptionList)
        if rows.highlighted is None or rows.highlighted >= len(self._shown):
            return None
        return self._shown[rows.highlighted]

    def on_option_list_option_highlighted(self) -> None:
        """Its mark moves along."""
        self.draw()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter: the account's page."""
        if event.option_id is not None:
            self.push_screen(Details(event.option_id))

    def action_help(self) -> None:
        """All keys."""
        self.push_screen(Help())

    def action_pane(self, step: int) -> None:
        """What stands below."""
        self.pane = PANES[(PANES.index(self.pane) + step) % len(PANES)]
        self.draw()

    def action_sort(self) -> None:
        """By the next thing."""
        self.sort = SORTS[(SORTS.index(self.sort) + 1) % len(SORTS)]
        self.draw()

    def action_filter(self) -> None:
        """Type what must occur."""
        line = self.query_one("#filter", Input)
        line.display = True
        line.focus()

    def action_clear(self) -> None:
        """No filter."""
        self.query_one("#filter", Input).value = ""
        self._end_typing()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while it is typed."""
        self.words = event.value
        self.draw()

    def on_input_submitted(self) -> None:
        """Keep the filter."""
        self._end_typing()

    def _end_typing(self) -> None:
        self.query_one("#filter", Input).display = False
        self.query_one("#accounts", OptionList).focus()

    def action_account(self, action: str) -> None:
        """Have something done to the chosen account."""
        chosen = self.chosen
        if chosen is not None:
            self._aside(lambda: self.hands.account(action, chosen))
        if action == "probe" and chosen is not None:
            self.notify(f"Asking for the quota of {self.board.name_of(chosen)}", timeout=3)

    def action_prefer(self) -> None:
        """Prefer the chosen account; the preferred one no longer."""
        preferred = (self.board.told.get("summary") or {}).get("preferred")
        if self.chosen is not None and preferred == self.chosen:
            self._aside(lambda: self.hands.pool("automatic"))
        else:
            self.action_account("prefer")

    def action_pause(self) -> None:
        """Pause the pool, or go on."""
        paused = (self.board.told.get("summary") or {}).get("paused")
        self._aside(lambda: self.hands.pool("resume" if paused else "pause"))

    def _aside(self, work: Callable[[], str]) -> None:
        """Do it in a thread that holds up nothing, and say what came of it."""

        def run() -> None:
            try:
                text, severity = work(), "information"
            except MaxpoolError as error:
                text, severity = f"{error.message}. {error.hint}".strip(), "error"
            self._from_thread(self._say, text, severity)

        threading.Thread(target=run, name="top key", daemon=True).start()

    def _say(self, text: str, severity: Any) -> None:  # noqa: ANN401 - textual's own literal
        self.notify(text, severity=severity, markup=False)
