"""Reaching a worker: keys, settings, connections, sessions, starting one here."""
