from parity.conftest import ours, reference, server, theirs  # noqa: F401
