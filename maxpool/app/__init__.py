"""The composition root: the only floor that knows every class. It builds and runs, and decides nothing.

Import from its modules: a command that edits the config file loads no server, and serving no simulated world.
"""
