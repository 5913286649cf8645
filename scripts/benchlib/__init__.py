"""The parts of scripts/bench: an upstream, a load generator, processes, and the report."""
