"""The parts of scripts/soak that need a server."""
