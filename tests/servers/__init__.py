"""Storage servers that a test starts for itself, on loopback or unix sockets, and stops again.

Each is a context manager.  ``Reach`` is how a program has to be started that is
to be its client; most servers need nothing of it.
"""
