"""Values as JSON takes them: numbers that are known, text that every reader takes, names to the byte."""

import math
import os
from urllib.parse import quote_from_bytes


def number(value: float | None, digits: int = 4) -> float | None:
    """Return a number with so many decimals, None for what is not finite: JSON has no NaN."""
    return None if value is None or not math.isfinite(value) else round(float(value), digits)


def text(words: str) -> str:
    """Return text that every JSON reader takes: bytes that are no Unicode become U+FFFD."""
    return words.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def escaped(name: str) -> str:
    r"""Return a name that every reader of text takes: bytes that are no Unicode become ``\xe9``."""
    try:
        data = name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # no name of a file
        data = name.encode("utf-8", "backslashreplace")
    return data.decode("utf-8", "backslashreplace")


def counted(number: int, what: str) -> str:
    """Return how many: ``1 clip``, ``2 clips``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def percent_encoded(name: str) -> str:
    """Return the exact bytes of a file's name, percent-encoded as in a URL."""
    try:
        return quote_from_bytes(os.fsencode(name))
    except UnicodeEncodeError:  # no file of this system can bear such a name
        return quote_from_bytes(name.encode("utf-8", "surrogatepass"))


def file_names(name: str) -> dict[str, str | None]:
    """Return ``file``, the name as it was given, and ``file_percent_encoded``.

    The latter is null for every name that is valid Unicode; of others it holds the exact bytes, and ``file`` has U+FFFD
    in their places.
    """
    plain = text(name)
    return {"file": plain, "file_percent_encoded": percent_encoded(name) if plain != name else None}
