"""What a client gave us, as it may stand in a line of the log: short, and without characters that begin another."""

LIMIT = 200  # characters


def shown(text: str, limit: int = LIMIT) -> str:
    return ascii(text[:limit])[1:-1]
