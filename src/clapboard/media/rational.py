"""The one place that knows what kind of rational PyAV hands out."""

from fractions import Fraction
from typing import Any


def fraction(value: Any) -> Fraction:
    """Any rational that PyAV hands out, as a Fraction; 0 where it is missing or 0/0."""
    if not value or not value.denominator:
        return Fraction(0)
    return Fraction(value.numerator, value.denominator)
