"""The verbs in a line each, for `maxpool --help`: so that it need not import every one of them.

A verb that is missing here is imported instead; a test compares the lines with the commands' own.
"""

from __future__ import annotations

from typing import Final

SUMMARIES: Final = {
    "demo": "See the pool at work: no account, no network.",
    "serve": "Run the proxy until Ctrl-C.",
    "login": "Add the account NAME, or give it a new login.",
    "logout": "End the login of the account NAME and forget its secret.",
    "status": "Show how the pool is: verdict, accounts, quota, resets.",
    "top": "Watch the pool live: verdict, accounts, requests, sessions, queue; act by keys.",
    "doctor": "Look at everything that must be right: config, machine, server, each account, the clients.",
    "explain": "Say why a request went to its account: every candidate with its cost, all others by reason.",
    "accounts": "List the accounts, or change them.",
    "models": "List the models that can be asked for, or show who serves the model NAME.",
    "providers": "List the accounts by provider, note a service, ask one, or switch the checks of warmth.",
    "sets": "List the sets of targets, or make, change and use one while the server runs.",
    "keys": "Make, list and revoke the keys that clients of this server show.",
    "sessions": "List the sessions and the accounts they are bound to, or move one.",
    "requests": "Show the latest requests: when, which model and account, how they ended, tokens and cost.",
    "usage": "Show tokens, requests and cost: hourly, daily, weekly, monthly, or by model, account, client, session or device.",
    "pause": "Let new requests wait until `maxpool resume`; running ones finish.",
    "resume": "End a pause: those who wait go on.",
    "run": "Run Claude Code with the pool behind it.",
    "statusline": "Print one line for Claude Code's status line: model, context, quota here and in the pool.",
    "env": "Print the environment that sends Claude Code through maxpool.",
    "config": "Check the config file, show what holds, or change it.",
    "secrets": "Where logins are kept on this machine.",
    "export": "Write accounts, settings and credentials to FILE, sealed with a pass phrase.",
    "import": "Add the accounts, settings and credentials in FILE to this machine's.",
    "reload": "Have the server read its config file again (it follows edits by itself, too).",
    "stop": "Stop the server: running answers may finish, nothing new is taken.",
    "service": "Run the proxy as a service of yours: started at login, watched, started again when it fails.",
    "simulate": "Compare strategies on simulated weeks, or see what a change would do.",
    "metrics": "Numbers for Prometheus and Grafana.",
    "alerts": "Show what is wrong now and where that is told, test a target, or ask for silence.",
    "completion": "Print the completion for a shell, to be read at its start.",
    "help": "Show the help of a command, or a topic: start, environment, files, exit-codes.",
    "man": "Print the manual page; read it with: maxpool man | man -l -",
}
