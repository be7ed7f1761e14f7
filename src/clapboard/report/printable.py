"""Names made safe to print."""

_FIRST_ESCAPED_BYTE = 0xDC80
_LAST_ESCAPED_BYTE = 0xDCFF


def shown(text: str) -> str:
    r"""Text with everything that cannot be printed on one line escaped: ``a\nb``, ``caf\xe9`` for a stray byte."""
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    r"""Return one unprintable character as ``\n``, ``\x1b`` or, for a byte that is no Unicode, ``\xff``."""
    if _FIRST_ESCAPED_BYTE <= ord(char) <= _LAST_ESCAPED_BYTE:
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")
