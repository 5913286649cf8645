"""The words for what a request holds that not every account can take.

`LeaseRequest.needs` says what is in a request, `Account.lacks` what an account has no place for; one
word in both rules the account out. Nothing here decides: `core/eligibility` compares.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from maxpool.core.owners import RESOURCES as RESOURCES

if TYPE_CHECKING:
    from collections.abc import Mapping

IMAGES: Final = "images"
TOOLS: Final = "tools"
THINKING: Final = "thinking"
DOCUMENTS: Final = "documents"
CITATIONS: Final = "citations"
SERVER_TOOLS: Final = "server_tools"
COMPACTION: Final = "compaction"
PREFILL: Final = "prefill"
UNSIGNED_THINKING: Final = "unsigned_thinking"

WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        IMAGES: "pictures",
        TOOLS: "tools that the client runs",
        THINKING: "a wish to think first",
        DOCUMENTS: "PDF files, in the request or by URL",
        CITATIONS: "documents that answers are to cite",
        SERVER_TOOLS: "tools, servers or containers that only Anthropic has",
        COMPACTION: "a conversation that the API itself shortens",
        PREFILL: "an answer whose beginning the client has written",
        UNSIGNED_THINKING: "thinking of a model that does not sign it",
        RESOURCES: "files, batches or containers kept by Anthropic",
    }
)
"""Every word, with what it stands for."""

CHAT_LACKS: Final = frozenset({DOCUMENTS, CITATIONS, SERVER_TOOLS, COMPACTION, PREFILL, RESOURCES})
"""What Chat Completions has no place for, unless an account's own options give it one."""

PROMPT_LACKS: Final = CHAT_LACKS | {IMAGES, TOOLS}
"""The same for a service that takes one prompt and gives one text."""
