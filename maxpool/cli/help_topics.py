"""What `maxpool help TOPIC` and the manual page say beyond single commands. Texts only."""

from __future__ import annotations

from typing import Final

TOPICS: Final[dict[str, str]] = {
    "start": """\
Two commands set everything up, and a third one uses it:

  maxpool login work --api-key     add an account; the key is asked for, not shown
  maxpool serve --detach           run the proxy in the background
  maxpool run                      Claude Code with all your accounts behind it

Without any account, maxpool demo shows it with invented ones.
For other programs, maxpool env prints the lines for your shell.
""",
    "environment": """\
MAXPOOL_CONFIG           the config file, instead of the platform's place
MAXPOOL_HOME             the state folder, instead of the platform's place
MAXPOOL_KEY              a client key, for commands that look at a server which asks for one
MAXPOOL_ADMIN_KEY        the admin key of a server whose state folder is not here
MAXPOOL_SECRET_KEY       the pass phrase of the encrypted file of logins
MAXPOOL_SECRET_KEY_FILE  a file that holds it, mode 0600
MAXPOOL_CLAUDE           the program that maxpool run starts
MAXPOOL_FOCUS_MODELS     models to keep warm, with commas between them
HTTPS_PROXY, NO_PROXY    how requests leave this machine
NO_COLOR                 plain text
""",
    "files": """\
The config is ~/.config/maxpool/config.toml, the state folder ~/.local/state/maxpool (Linux; elsewhere
the platform's own places). `maxpool config show` names them. In the state folder:

  server.json    where the server is reached, and its process, while it runs
  server.lock    held by that process; one server per state folder
  serve.log      the log of a server in the background, earlier ones beside it (.1 is the latest)
  admin.key      opens the admin API; commands of yours find it here
  client.key     for the tools of this machine
  state.db       quota, sessions and health: what survives a restart
  ledger.sqlite  what happened: counts and times of requests, no prompt and no answer
""",
    "exit-codes": """\
0  done
1  failed
2  wrong usage or a wrong config
3  the server is not running
4  no account can serve, or the pool is paused
""",
}
