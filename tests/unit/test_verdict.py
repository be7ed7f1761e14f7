"""Tolerances: limits belong to them, they are asymmetric, and an untrusted offset passes none."""

import math
from fractions import Fraction

import numpy as np
import pytest

from clapboard.errors import UsageError
from clapboard.values import Offset
from clapboard.verdict import DEFAULT_PROFILE, PROFILES, Profile, judge, parse_profile


def offset(offset_ms: float, *reasons: str) -> Offset:
    return Offset(offset_ms, 5.0, 1.0, np.zeros(1, np.float32), np.zeros(1), 10, reasons=reasons)


def status(offset_ms: float, profile: str, rate: Fraction = Fraction(25)) -> str:
    return judge(offset(offset_ms), parse_profile(profile), rate).status


@pytest.mark.parametrize(
    ("profile", "lead_ms", "lag_ms"),
    [
        ("itu-detect", 45, 125),
        ("itu-accept", 90, 185),
        ("ebu-r37", 40, 60),
        ("ebu-r37-stage", 5, 15),
        ("j100", 20, 40),
        ("atsc-is191", 15, 45),
        ("film", 42, 83),
        ("custom:30,70", 30, 70),
        ("custom:+30,-70", 30, 70),
    ],
)
def test_limits_of_each_standard(profile: str, lead_ms: float, lag_ms: float) -> None:
    """A value on the limit passes, one just beyond fails, and the two sides are not swapped."""
    assert status(lead_ms, profile) == "in_sync"
    assert status(lead_ms + 0.1, profile) == "out_of_sync"
    assert status(-lag_ms, profile) == "in_sync"
    assert status(-lag_ms - 0.1, profile) == "out_of_sync"


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(60)])
def test_one_frame_follows_the_rate_of_the_file(rate: Fraction) -> None:
    """``frame`` means the file's own frame, exactly, at fractional rates too."""
    frame_ms = float(1000 / rate)
    assert status(frame_ms, "frame", rate) == "in_sync"
    assert status(-frame_ms, "frame", rate) == "in_sync"
    assert status(frame_ms * 1.01, "frame", rate) == "out_of_sync"
    assert judge(offset(0), parse_profile("frame"), rate).max_lead_ms == pytest.approx(frame_ms)


def test_one_frame_of_an_unknown_rate_is_40_ms() -> None:
    """A file that does not say its rate is still judged."""
    assert judge(offset(0), PROFILES["frame"], Fraction(0)).max_lag_ms == 40


@pytest.mark.parametrize("bad", [offset(0, "no speech"), offset(math.nan)])
def test_untrusted_offset_is_undecided(bad: Offset) -> None:
    """Nobody is told "in sync" on the strength of a measurement that is not trusted."""
    assert judge(bad, PROFILES[DEFAULT_PROFILE], 25).status == "undecided"


@pytest.mark.parametrize("text", ["", "itu", "custom:", "custom:40", "custom:a,b", "custom:1,2,3", "custom:nan,1",
                                  "custom:inf,1", "custom:-40,60"])  # fmt: skip
def test_unknown_profiles_are_refused(text: str) -> None:
    """A typing error never turns into some other tolerance."""
    with pytest.raises(UsageError, match="custom:"):
        parse_profile(text)


def test_profile_objects_pass_through_and_names_ignore_case() -> None:
    """Python callers may bring their own tolerance."""
    own = Profile("mine", 1, 2, "me")
    assert parse_profile(own) is own
    assert parse_profile(" EBU-R37 ") is PROFILES["ebu-r37"]


def test_every_profile_names_its_source() -> None:
    """No number without its origin."""
    assert all(len(profile.source) > 5 and profile.name == name for name, profile in PROFILES.items())
