"""Faces by MTCNN [1]_: proposals on a pyramid, two refinements, five landmarks; one channel, ONNX Runtime.

References
----------
.. [1] K. Zhang, Z. Zhang, Z. Li, Y. Qiao, "Joint face detection and alignment using multitask cascaded convolutional
   networks", IEEE Signal Processing Letters 23(10), 2016, section II.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clapboard.values import F32, F64, Faces
from clapboard.vision.detect import face_size, keep_best, no_faces, select
from clapboard.vision.mtcnn_nets import output_net, proposal_net, refinement_net
from clapboard.vision.resample import Mips, resize, shrink

CELL_PX, STRIDE_PX = 12, 2
"""P-Net looks at 12 px windows, 2 px apart."""
PYRAMID_STEP = 0.709
"""Scale between two levels of the pyramid, about 1/sqrt(2), as published."""
THRESHOLDS = (0.6, 0.2, 0.2, 0.95)
"""Least score of each stage. Published: 0.6, 0.7, 0.7 and no second look, which tells faces from the rest so well that
the stages before it can let nearly everything pass. On 1,417 real frames with 1,595 faces this finds 1,585 instead of
1,577 for 0.5 ms; of what else it finds two thirds are faces too (turned ones). Drawn faces, talking and tilted by 20
degrees: 36 of 36 instead of 26."""
BORDER_PX = 4
"""Each level is widened by its border pixels, so that faces which fill or leave the picture are proposed too."""
MIN_FACE_PX = 40.0
"""Smallest face looked for, px of the picture given."""
MAX_LONG_SIDE_PX = 1920.0
"""Above this the smallest face grows with the picture, so that the search keeps in step with the decoder's cost."""
BOX_PER_FACE = 2.4
"""Side of a box per size of the face."""
PROPOSALS = 64
"""At most so many proposals go to R-Net, the best ones."""


class Mtcnn:
    """The default `Detector`.

    Parameters
    ----------
    threads : threads of the nets
    min_face_px : smallest face to look for
    thresholds : least scores of P-Net, R-Net, O-Net and of O-Net's second look
    folder : where the weight files are; by default inside the `mtcnn` package

    Raises
    ------
    ModelError : the weights are missing or not those expected
    """

    def __init__(
        self,
        threads: int = 1,
        min_face_px: float = MIN_FACE_PX,
        thresholds: tuple[float, float, float, float] = THRESHOLDS,
        folder: Path | None = None,
    ) -> None:
        self._pnet = proposal_net(threads, folder)
        self._rnet = refinement_net(threads, folder)
        self._onet = output_net(threads, folder)
        self.min_face_px = min_face_px
        self.thresholds = thresholds

    def detect(self, image: NDArray[np.uint8]) -> Faces:
        """All faces of a picture, best score first; see `Detector`."""
        smallest = self.min_face_px * max(1.0, max(image.shape) / MAX_LONG_SIDE_PX)
        mips = Mips(image, levels=6)
        boxes, scores = self._propose(mips, smallest)
        if not len(boxes):
            return no_faces()
        kept = keep_best(boxes, scores, 0.7)[:PROPOSALS]
        boxes = square(boxes[kept])
        shift, face = self._rnet.run(["box", "face"], {"image": mips.sample(boxes, 24)[:, None]})
        scores = probability(face)
        good = scores > self.thresholds[1]
        boxes, scores = moved(boxes, shift)[good], scores[good]
        kept = keep_best(boxes, scores, 0.7)
        if not len(kept):
            return no_faces()
        windows = square(boxes[kept])
        faces = self._output(windows, mips.sample(windows, 48))
        faces = select(faces, faces.scores > self.thresholds[2])
        faces = select(faces, keep_best(faces.boxes, faces.scores, 0.5, of_smaller=True))
        if not len(faces):
            return faces
        # O-Net once more, now in the window that it likes best: true faces come to 0.99, false ones seldom to 0.9.
        windows = faces.boxes.astype(np.float64)
        faces = self._output(windows, mips.sample(windows, 48))
        faces = select(faces, faces.scores > self.thresholds[3])
        return select(faces, keep_best(faces.boxes, faces.scores, 0.5, of_smaller=True))

    def refine(self, image: NDArray[np.uint8], boxes: F32) -> Faces:
        """The face expected in each box, by O-Net alone; see `Detector`."""
        if not len(boxes):
            return no_faces()
        windows = square(np.asarray(boxes, np.float64))
        crops = np.stack([_crop(image, window, 48) for window in windows])
        return self._output(windows, crops)

    def _propose(self, mips: Mips, smallest: float) -> tuple[F64, F64]:
        """Windows that P-Net takes for faces: boxes (n, 4) px, scores (n,)."""
        height, width = mips.images[0].shape
        boxes, scores = [np.zeros((0, 4))], [np.zeros(0)]
        scale = CELL_PX / smallest
        while min(height, width) * scale + 2 * BORDER_PX >= CELL_PX:
            level = int(np.clip(np.floor(-np.log2(scale)), 0, len(mips.images) - 1))
            source, zoom = mips.images[level], scale * 2.0**level
            rows, columns = round(height * scale) + 2 * BORDER_PX, round(width * scale) + 2 * BORDER_PX
            edge = BORDER_PX / zoom
            window = (-edge, -edge, columns / zoom - edge, rows / zoom - edge)
            shift, face = self._pnet.run(["box", "face"], {"image": resize(source, window, rows, columns)[None, None]})
            # Compared before the softmax: few windows pass, and only those need it.
            odds = face[0, 1] - face[0, 0]
            y, x = np.nonzero(odds > np.log(self.thresholds[0] / (1 - self.thresholds[0])))
            if len(y):
                score = probability(face[0][:, y, x].T)
                corner = np.stack([x, y], axis=1) * float(STRIDE_PX) - BORDER_PX
                found = np.concatenate([corner, corner + CELL_PX], axis=1) / scale
                kept = keep_best(found, score, 0.5)
                boxes.append(moved(found, shift[0, :, y, x])[kept])
                scores.append(score[kept])
            scale *= PYRAMID_STEP
        return np.concatenate(boxes), np.concatenate(scores)

    def _output(self, windows: F64, crops: F32) -> Faces:
        """O-Net on square windows and their (n, 48, 48) crops."""
        points, face = self._onet.run(["points", "face"], {"image": crops[:, None]})
        landmarks = np.stack([points[:, :5], points[:, 5:]], axis=2)
        landmarks = windows[:, None, :2] + landmarks * (windows[:, 2:] - windows[:, :2])[:, None]
        return Faces(
            box_of(landmarks).astype(np.float32), probability(face).astype(np.float32), landmarks.astype(np.float32)
        )


def box_of(landmarks: F64) -> F64:
    """Boxes drawn from landmarks: squares about the middle of eyes and mouth, 1.2 times as wide as the cheeks; (n, 4).

    They are the windows that O-Net likes best. Scores on 20 real clips, following the face with O-Net alone: 0.9999 on
    average and never below 0.99; with the boxes that O-Net itself regresses 0.996, and landmarks shake 40 % more.
    """
    middle = (landmarks[:, 0] + landmarks[:, 1] + landmarks[:, 3] + landmarks[:, 4]) / 4
    half = face_size(landmarks)[:, None] * (BOX_PER_FACE / 2)
    return np.concatenate([middle - half, middle + half], axis=1)


def probability(logits: F32) -> F64:
    """Softmax of (n, 2): the probability of the second class, a face; (n,)."""
    odds = logits[:, 1].astype(np.float64) - logits[:, 0]
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -60, 60))), np.float64)


def moved(boxes: F64, shift: F32) -> F64:
    """Boxes corrected by a net's regression, which counts in widths and heights; (n, 4)."""
    size = boxes[:, 2:] - boxes[:, :2]
    return np.asarray(boxes + shift * np.concatenate([size, size], axis=1), np.float64)


def square(boxes: F64) -> F64:
    """Boxes grown to squares about their middles; (n, 4)."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    return np.asarray(np.concatenate([middle - half, middle + half], axis=1), np.float64)


def _crop(image: NDArray[np.uint8], window: F64, size: int) -> F32:
    """One square window as (size, size), touching only its own pixels."""
    factor = int(np.clip((window[2] - window[0]) / size, 1, 16))
    height, width = image.shape
    x0, y0 = (max(0, int(v) // factor * factor) for v in window[:2])
    x1, y1 = min(width, int(window[2]) + factor + 1), min(height, int(window[3]) + factor + 1)
    if x1 - x0 < factor or y1 - y0 < factor:
        return np.full((size, size), 127.5, np.float32)
    small = shrink(image[y0:y1, x0:x1], factor)
    left, top, right, bottom = (window - (x0, y0, x0, y0)) / factor
    return resize(small, (left, top, right, bottom), size, size)
