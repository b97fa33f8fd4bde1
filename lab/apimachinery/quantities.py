"""Quantities of resources, such as `100m` CPU and `64Mi` of memory (k8s.io/apimachinery/pkg/api/resource)."""

import re
from fractions import Fraction

FORM = re.compile(r"([+-]?[\d.]+)([eE][+-]?\d{1,2}|[KMGTPE]i|[numkMGTPE])?")
DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


def parse(quantity: str | int | float) -> Fraction:
    """Its exact value. Raises ValueError."""
    match = FORM.fullmatch(str(quantity))
    if not match:
        raise ValueError(f"{quantity!r} is no quantity; one looks like 100m, 0.5 or 64Mi")
    number, suffix = Fraction(match[1]), match[2] or ""
    if suffix in BINARY:
        return number * (1 << BINARY[suffix])
    return number * Fraction(f"1e{DECIMAL[suffix]}" if suffix in DECIMAL else f"1{suffix}")
