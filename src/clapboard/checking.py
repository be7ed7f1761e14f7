"""How far the sound of a file is from its picture: by lips where a face is seen, by any sound where none is."""

from dataclasses import replace
from pathlib import Path

from clapboard import anysound, pipeline
from clapboard.errors import UsageError
from clapboard.models import DEFAULT_ANY_SOUND, DEFAULT_MODEL
from clapboard.models.any_session import AnySoundModel
from clapboard.models.session import SyncModel
from clapboard.models.store import names
from clapboard.sync.attention import DEFAULT_REACH_MS
from clapboard.values import Hook, Report
from clapboard.verdict import DEFAULT_PROFILE, Profile
from clapboard.vision.detect import Detector

LIPS_REACH_MS = 1000.0
"""How far is searched by lips where nobody says otherwise, both ways (ms)."""
AnyModel = str | Path | SyncModel | AnySoundModel


def opened(model: AnyModel | None, *, any_sound: bool, threads: int = 1) -> SyncModel | AnySoundModel:
    """The model to measure with: the bundled one for lips or for any sound where None.

    Raises
    ------
    ModelError : it cannot be found, or is of the other kind
    UsageError : it is loaded already, and of the other kind
    """
    if any_sound:
        if isinstance(model, SyncModel):
            raise UsageError(f"{model.spec.name} is a model for lips; give one for any sound, or none")
        return anysound.opened(DEFAULT_ANY_SOUND if model is None else model, threads)
    if isinstance(model, AnySoundModel):
        raise UsageError(f"{model.spec.name} is a model for any sound; it needs any_sound=True")
    return pipeline.opened(DEFAULT_MODEL if model is None else model, threads)


def check(
    path: str | Path,
    *,
    data: bytes | None = None,
    profile: str | Profile = DEFAULT_PROFILE,
    max_offset_ms: float | None = None,
    audio_track: int | None = None,
    model: AnyModel | None = None,
    any_sound: bool | None = None,
    detector: Detector | None = None,
    hook: Hook | None = None,
    threads: int = 1,
) -> Report:
    """Measure how far the sound of a file is from its picture.

    Parameters
    ----------
    path : any mp4, mov, mkv, webm, avi, ts, mpg ...
    data : the bytes of the file where it is in memory; ``path`` is only its name then, and nothing is opened by it
    profile : tolerance that decides between in and out of sync, see `clapboard.verdict`
    max_offset_ms : search range, both ways, 40 to 60000; where None, 1000 for lips and 2000 for any sound
    audio_track : which audio stream, counted from 0; the default one where None
    model : bundled name, path of a model's JSON, or a loaded model: one for any sound with ``any_sound=True``, one for
        lips otherwise; the bundled one where None
    any_sound : None measures by lips, and by any sound where no face is found in the whole file, which is decoded once
        more for it, with the bundled model; True always, False never measures by any sound
    detector : finds faces; MTCNN where None
    hook : called as ``hook(step, done, total)`` while it works
    threads : for decoding and for the networks

    Returns
    -------
    Report, its ``offset.offset_ms`` positive when the sound is early; ``by`` says what was measured by. Where the file
    gives no answer the status is ``undecided`` and ``offset.reasons`` says why.

    Raises
    ------
    MediaError : the file cannot be read, or has no picture or no sound
    UsageError : an argument makes no sense
    ModelError : the model cannot be loaded
    """
    loaded = opened(model, any_sound=bool(any_sound), threads=threads)
    lips_ms, any_ms = (LIPS_REACH_MS, DEFAULT_REACH_MS) if max_offset_ms is None else (max_offset_ms, max_offset_ms)
    if isinstance(loaded, AnySoundModel):
        return anysound.check_any_sound(
            path,
            data=data,
            profile=profile,
            max_offset_ms=any_ms,
            audio_track=audio_track,
            model=loaded,
            hook=hook,
            threads=threads,
        )
    report = pipeline.check(
        path,
        data=data,
        profile=profile,
        max_offset_ms=lips_ms,
        audio_track=audio_track,
        model=loaded,
        detector=detector,
        hook=hook,
        threads=threads,
    )
    # A package that was built without the model measures lips alone.
    if any_sound is not None or report.offset.reasons != (pipeline.NO_FACE,) or DEFAULT_ANY_SOUND not in names():
        return report
    instead = anysound.check_any_sound(
        path,
        data=data,
        profile=profile,
        max_offset_ms=any_ms,
        audio_track=audio_track,
        hook=_again(hook),
        threads=threads,
    )
    instead = replace(instead, why_by=pipeline.NO_FACE)
    if not instead.offset.reasons:
        return instead
    # Neither way gives an answer: both say why. What faces must be like helps nobody whose clip has no people.
    reasons = (*report.offset.reasons, *instead.offset.reasons)
    return replace(instead, offset=replace(instead.offset, reasons=reasons))


def _again(hook: Hook | None) -> Hook | None:
    """Tell the steps of the second decode by names of their own, since what is done never falls."""
    if hook is None:
        return None
    return lambda step, done, total: hook(f"{step} again", done, total)
