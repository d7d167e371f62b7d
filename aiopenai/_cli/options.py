"""The types of command line options. Each names the value and says how it has to be."""

from __future__ import annotations

import argparse
import math

__all__ = ["port", "positive", "positive_number", "seconds", "zero_or_more"]


def _whole_number_from(text: str, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
    if number < least:
        raise argparse.ArgumentTypeError(f"{number} is less than {least}")
    return number


def _real_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


def zero_or_more(text: str) -> int:
    """A whole number from 0."""
    return _whole_number_from(text, 0)


def positive(text: str) -> int:
    """A whole number from 1."""
    return _whole_number_from(text, 1)


def positive_number(text: str) -> float:
    """A finite number above 0."""
    number = _real_number(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return number


def seconds(text: str) -> float:
    """A finite number from 0."""
    number = _real_number(text)
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not 0 or a positive number")
    return number


def port(text: str) -> int:
    """The number of a port; 0 is any free one."""
    number = _whole_number_from(text, 0)
    if number >= 2**16:
        raise argparse.ArgumentTypeError(f"{number} is not a port: the highest one is {2**16 - 1}")
    return number
