"""Talking faces in whole pictures, at any presentation times, with the true places of their landmarks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.testing import eyes as eyes_part
from clapboard.testing import mouth as mouth_part
from clapboard.testing.articulation import Articulation
from clapboard.testing.crops import skin_at
from clapboard.testing.identity import Identity, Texture, paint_head
from clapboard.testing.mouth import MouthShape, jaw_drop, mouth_shape, paint_mouth
from clapboard.testing.pose import Pose, drift, face_points
from clapboard.testing.scene import Scene, build_scene
from clapboard.testing.speaker import STREAM_POSE, Speaker, generator
from clapboard.values import F32, F64

TEXELS_PER_PIXEL = 1.25
"""How much finer the painted head is than the picture: enough that look-ups do not shimmer."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody in the picture.

    Attributes
    ----------
    articulation : what the mouth does
    speaker : who it is
    face_px : width of the head at the cheeks, px, at its mean distance
    x, y : where the middle of the face is at rest, as parts of the picture's width and height
    motion : size of the head's movements; 0 holds it still and upright, 1 is a lively speaker (up to 15 degrees)
    """

    articulation: Articulation
    speaker: Speaker
    face_px: float = 150.0
    x: float = 0.5
    y: float = 0.5
    motion: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class _Cast:
    """An actor made ready for T pictures."""

    identity: Identity
    pose: Pose
    texture: Texture
    mouths: MouthShape
    shut: F64
    look: F64


def pose_at(actor: Actor, times_s: F64, size_px: tuple[int, int]) -> Pose:
    """How an actor holds the head at some times (T,), s, in a picture of ``size_px`` (width, height)."""
    identity = Identity.from_seed(actor.speaker.seed)
    rng = generator(actor.speaker.seed, STREAM_POSE, 0)
    size, face = actor.motion, actor.face_px
    # the middle of the face is about half an eye distance below the eyes
    eyes_px = face / (2 * identity.half_width)
    x = actor.x * size_px[0] + drift(rng, times_s, 0.08 * size * face)
    y = actor.y * size_px[1] - 0.5 * eyes_px + drift(rng, times_s, 0.06 * size * face)
    roll = size * (rng.uniform(-0.1, 0.1) + drift(rng, times_s, 0.16))
    turn = size * (rng.uniform(-0.2, 0.2) + drift(rng, times_s, 0.15))
    return Pose(x, y, eyes_px * (1 + drift(rng, times_s, 0.05 * size)), roll, turn)


def true_landmarks(actor: Actor, times_s: Sequence[float] | NDArray[Any], size_px: tuple[int, int]) -> F64:
    """Where the landmarks truly are.

    Parameters
    ----------
    actor : whose
    times_s : (T,) presentation times, s
    size_px : width and height of the picture

    Returns
    -------
    (T, 5, 2) float64, x y px: left eye, right eye, nose, left and right corner of the mouth, as the viewer sees them; a
    picture of width W spans 0 to W
    """
    times = np.asarray(times_s, np.float64)
    identity = Identity.from_seed(actor.speaker.seed)
    pose = pose_at(actor, times, size_px)
    mouths = mouth_shape(actor.articulation.at(times), identity)
    return pose.picture(face_points(identity, mouths, pose.turn))


def _cast(actor: Actor, times_s: F64, size_px: tuple[int, int]) -> _Cast:
    identity = Identity.from_seed(actor.speaker.seed)
    pose = pose_at(actor, times_s, size_px)
    return _Cast(
        identity=identity,
        pose=pose,
        texture=paint_head(identity, max(12.0, TEXELS_PER_PIXEL * actor.face_px / (2 * identity.half_width))),
        mouths=mouth_shape(actor.articulation.at(times_s), identity),
        shut=eyes_part.blinks(actor.speaker.seed, times_s),
        look=eyes_part.gaze(actor.speaker.seed, times_s),
    )


def _window(points: F64, size_px: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of the picture that hold all points (n, 2) px."""
    low = np.clip(np.floor(points.min(axis=0)), 0, size_px).astype(int)
    high = np.clip(np.ceil(points.max(axis=0)), 0, size_px).astype(int)
    return slice(low[1], high[1]), slice(low[0], high[0])


def _corners(middle: tuple[float, float], reach: tuple[float, float]) -> F64:
    """Corners (4, 2) of a rectangle in head coordinates."""
    return np.array([(middle[0] + i * reach[0], middle[1] + j * reach[1]) for i in (-1, 1) for j in (-1, 1)])


def _paint(canvas: F32, cast: _Cast, number: int) -> None:
    """Paint one head into a picture (H, W), in place."""
    identity, pose = cast.identity, cast.pose
    size_px = canvas.shape[1], canvas.shape[0]
    one = Pose(*(getattr(pose, name)[number : number + 1] for name in Pose.__slots__))
    turn, mouth = float(one.turn[0]), cast.mouths[number : number + 1]
    drop = float(jaw_drop(mouth)[0, 0, 0])
    low = max(identity.chin + drop + 0.1, identity.hair_length + 0.1)
    high = identity.crown - 0.4
    middle = (0.0, (low + high) / 2)
    outline = one.picture(_corners(middle, (identity.half_width * 1.2 + 0.1, (low - high) / 2))[None])[0]
    rows, columns = _window(outline, size_px)
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    x = np.arange(columns.start, columns.stop, dtype=np.float32)[None, :] + np.float32(0.5)
    y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] + np.float32(0.5)
    u, v = one.head(0, x, y)
    tone, opacity, face_u = skin_at(cast.texture, identity, u, v, turn=turn, drop=drop)
    soft = max(0.012, 1.0 / float(one.eyes_px[0]))
    points = face_points(identity, mouth, one.turn)[0]

    def inner(at: NDArray[np.float64], reach: tuple[float, float]) -> tuple[slice, slice]:
        box = one.picture(_corners((float(at[0]), float(at[1])), reach)[None])[0]
        part_rows, part_columns = _window(box, size_px)
        return (
            slice(max(part_rows.start - rows.start, 0), max(part_rows.stop - rows.start, 0)),
            slice(max(part_columns.start - columns.start, 0), max(part_columns.stop - columns.start, 0)),
        )

    part = inner(points[3:].mean(axis=0), mouth_part.REACH)
    if tone[part].size:
        below = v[part] - np.float32(identity.eye_mouth)
        tone[part] = paint_mouth(tone[part][None], face_u[part][None], below[None], mouth, identity=identity, soft=soft)
    for eye, sign in ((0, -0.5), (1, 0.5)):
        part = inner(points[eye], (eyes_part.REACH, eyes_part.REACH))
        if tone[part].size:
            tone[part] = eyes_part.paint_eye(
                tone[part],
                face_u[part] - np.float32(sign),
                v[part],
                identity=identity,
                shut=float(cast.shut[number]),
                look=cast.look[number],
                soft=soft,
            )
    ground = canvas[rows, columns]
    ground += opacity * (tone - ground)


def render(
    actors: Sequence[Actor],
    times_s: Sequence[float] | NDArray[Any],
    *,
    width_px: int = 640,
    height_px: int = 360,
    seed: int = 0,
    grain: float | None = None,
) -> Iterator[NDArray[np.uint8]]:
    """Paint pictures of people at any presentation times.

    Parameters
    ----------
    actors : who is to be seen, from the back to the front; may be empty
    times_s : (T,) presentation times, s: picture i shows the curves at ``times_s[i]``, whatever the rate
    width_px, height_px : size of the pictures
    seed : background and camera
    grain : standard deviation of the camera's noise, luma; None draws it from the seed

    Yields
    ------
    (height_px, width_px) uint8, luma 0 to 255

    Raises
    ------
    UsageError : a picture smaller than 16 px
    """
    if min(width_px, height_px) < 16:
        raise UsageError(f"pictures must be at least 16 px wide and high, not {width_px}x{height_px}")
    times = np.asarray(times_s, np.float64)
    size_px = width_px, height_px
    casts = [_cast(actor, times, size_px) for actor in actors]
    people = [
        (
            cast.identity,
            (
                actor.x * width_px,
                actor.y * height_px - 0.25 * actor.face_px / cast.identity.half_width,
                actor.face_px / (2 * cast.identity.half_width),
            ),
        )
        for actor, cast in zip(actors, casts, strict=True)
    ]
    scene = build_scene(seed, times, size_px, people, grain)
    return _pictures(scene, casts, len(times))


def _pictures(scene: Scene, casts: Sequence[_Cast], count: int) -> Iterator[NDArray[np.uint8]]:
    """Yield the pictures one after the other."""
    for number in range(count):
        canvas = scene.empty(number)
        for cast in casts:
            _paint(canvas, cast, number)
        yield np.asarray(np.clip(scene.expose(canvas, number), 0, 255), dtype=np.uint8)
