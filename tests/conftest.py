"""Values that many tests need."""

import os
import signal
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clapboard.values import Clip, Model, Offset, Report, Stream, TrackReport
from clapboard.verdict import judge, parse_profile


def pytest_configure() -> None:
    """Tests of signals must not depend on who runs them: under ``nohup``, or with ``&``, children would ignore some."""
    for name, handler in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)
    # On a busy machine any test may last long enough for a line of progress; those of progress have their own clock.
    os.environ["CLAPBOARD_PROGRESS"] = "0"


@pytest.fixture
def make_report() -> Callable[..., Report]:
    """Return a function that makes a report by hand: ``make_report("a.mp4", 300)``."""
    return _make_report


def _make_report(
    file: str = "talk.mp4",
    offset_ms: float = 0.0,
    *,
    reasons: tuple[str, ...] = (),
    hints: tuple[str, ...] = (),
    profile: str = "ebu-r37",
    rate: Fraction = Fraction(25),
    faces: int = 1,
    p_within_frame: float = 0.98,
    **fields: Any,
) -> Report:
    known = bool(np.isfinite(offset_ms))
    offset = Offset(
        offset_ms=offset_ms,
        confidence=9.7 if known else float("nan"),
        min_distance=2.8 if known else float("nan"),
        curve=np.linspace(12, 3, 5, dtype=np.float32),
        offsets_ms=np.linspace(1000, -1000, 5),
        windows=100,
        p_within_frame=p_within_frame if known else float("nan"),
        reasons=reasons,
    )
    tracks = tuple(TrackReport(n, 0.0, 4.0, 90.0, 0.75, offset, decides=n == 0) for n in range(faces))
    streams = (Stream(0, "video", "h264", 0.0, 4.0), Stream(1, "audio", "aac", 0.0, 4.0))
    clip = Clip(Path(file), "mov,mp4", streams, streams[0], streams[1], rate, False, 0, Fraction(1), 4.0)
    verdict = judge(offset, parse_profile(profile), rate)
    return Report(
        file, clip, offset, tracks, verdict, Model("clapboard-s", "ab" * 32), hints, versions={"av": "1"}, **fields
    )
