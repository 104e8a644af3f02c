"""The face modality: the face of each frame, rotated, scaled and shifted so that eyes, nose and mouth are always at the
same positions.

Faces are 112 x 112 pixels, aligned to the five points of ArcFace (arXiv 1801.07698; deepinsight/insightface,
face_align.py), like the faces that SwinFace was trained on. They are cut from the video itself, because a face is small
in the stored rgb frames.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from ..config.corpus_format import LARGEST
from ..errors import UnusableClip
from ..skeletons.keypoints import cut_clip, present
from ..skeletons.layouts import Skeleton
from ..skeletons.person import InFile, Recordings
from ..skeletons.selections import Selection
from ..storage.clips import Clips, frames_of
from ..storage.shards import Shard
from .cutting import Cutter, View, cut
from .decoded import store_decoded
from .work import Work

SIDE = 112  # pixels of an aligned face
# Right eye, left eye, nose, right and left corner of the mouth, x and y in pixels; a whole number is the centre of a
# pixel. Right is the person's own right, on the left of the image.
TEMPLATE_N2 = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
_EYE = ("outer corner", "upper outer", "upper inner", "inner corner", "lower inner", "lower outer")
# The centre of an eye is the centre of its outline, because the pupil moves with the gaze.
POINTS = (
    tuple(f"right eye {part}" for part in _EYE),
    tuple(f"left eye {part}" for part in _EYE),
    ("nose tip",),
    ("right lip corner",),
    ("left lip corner",),
)
LANDMARKS = Selection("face", tuple(name for names in POINTS for name in names), (), "ArcFace's five points")
# The width, in frames, of the smoothing of landmarks over time. On the demo's noisy landmarks it leaves half of the
# jitter and a fifth of the frames that lack a landmark. A sigma of 1.5 or more lags behind nods, so the error grows.
SIGMA, REACH = 0.75, 3
ROUNDING = 1e-10  # relative to the points' distance from the origin; closer points count as equal
FINEST = 8  # the most samples in each direction over which a pixel of a face is averaged


def similarity(source_TN2: np.ndarray, target_N2: np.ndarray) -> np.ndarray:
    """Fit the rotation, scale and shift (T, 2, 3) that map each frame's points to ``target_N2`` by least squares.

    This is the closed form of Umeyama (PAMI 1991, without reflections); in the plane it is a division of complex
    numbers. The result is NaN where points are NaN or all equal.
    """
    source_TN, target_N = (
        points[..., 0] + 1j * points[..., 1] for points in (source_TN2.astype(np.float64), target_N2)
    )
    from_mean_TN = source_TN - source_TN.mean(-1, keepdims=True)
    square_T = (np.abs(from_mean_TN) ** 2).sum(-1)
    product_T = from_mean_TN.conj() @ (target_N - target_N.mean())
    apart_T = square_T > ROUNDING**2 * (np.abs(source_TN) ** 2).sum(-1)
    turn_T = np.divide(product_T, square_T, out=np.full_like(product_T, np.nan), where=apart_T)
    shift_T = target_N.mean() - turn_T * source_TN.mean(-1)
    rows = ((turn_T.real, -turn_T.imag, shift_T.real), (turn_T.imag, turn_T.real, shift_T.imag))
    return np.moveaxis(np.array(rows), -1, 0)


def five_points(landmarks_TVC: np.ndarray, confidence: float) -> np.ndarray:
    """Compute ArcFace's five points (T, 5, 2) from the ``LANDMARKS`` (T, V, 3) of a clip; NaN in frames without a face.

    Each landmark is averaged over the frames up to three frames away in which it was found with at least this
    confidence; nearer frames and higher confidences have more weight.
    """
    found_TV = present(landmarks_TVC) & (landmarks_TVC[..., 2] >= confidence)
    weight_TV = np.where(found_TV, landmarks_TVC[..., 2], 0).astype(np.float64)
    near_K = np.exp(-0.5 * (np.arange(-REACH, REACH + 1) / SIGMA) ** 2)

    def around(values_TVC: np.ndarray) -> np.ndarray:
        padded = np.pad(values_TVC, ((REACH, REACH), (0, 0), (0, 0)))
        return np.lib.stride_tricks.sliding_window_view(padded, len(near_K), axis=0) @ near_K

    total_TV2 = around(weight_TV[..., None] * np.where(found_TV[..., None], landmarks_TVC[..., :2], 0))
    share_TV1 = around(weight_TV[..., None])
    steady_TV2 = total_TV2 / np.where(share_TV1 > 0, share_TV1, np.nan)
    return np.stack([steady_TV2[:, _places(names)].mean(1) for names in POINTS], 1)


def _places(names: tuple[str, ...]) -> list[int]:
    return [LANDMARKS.joints.index(name) for name in names]


def alignment(landmarks_TVC: np.ndarray, margin: float, smallest: int, confidence: float) -> np.ndarray:
    """Compute the matrices (T, 2, 3) that map pixels of the video to the aligned face; NaN in frames without a face.

    ``margin`` is added around ArcFace's square on each side, as a fraction of its side. A face must be found (see
    ``five_points``), and the side of its square, without the margin, must be at least ``smallest`` pixels of the video.
    """
    middle, shrunk = (SIDE - 1) / 2, 1 / (1 + 2 * margin)
    matrices_T23 = similarity(five_points(landmarks_TVC, confidence), TEMPLATE_N2)
    scale_T = _scale(matrices_T23)
    matrices_T23[~((scale_T > 0) & (scale_T * smallest <= SIDE))] = np.nan
    matrices_T23[..., 2] -= middle
    matrices_T23 *= shrunk
    matrices_T23[..., 2] += middle
    return matrices_T23


def _scale(matrices_T23: np.ndarray) -> np.ndarray:
    return np.hypot(matrices_T23[..., 0, 0], matrices_T23[..., 1, 0])


def aligned(frame_HWC: np.ndarray, matrix_23: np.ndarray) -> np.ndarray:
    """Cut the face out of a frame, uint8 (112, 112, 3), black outside of the frame; all black for a matrix of NaN.

    A pixel that covers several pixels of the frame is their mean.
    """
    if not np.isfinite(matrix_23).all():
        return np.zeros((SIDE, SIDE, 3), np.uint8)
    finer = int(np.clip(np.ceil(1 / _scale(matrix_23)), 1, FINEST))
    matrix_23 = finer * matrix_23
    matrix_23[:, 2] += (finer - 1) / 2  # the centre of a pixel has whole coordinates
    warped = cv2.warpAffine(frame_HWC, matrix_23, (finer * SIDE, finer * SIDE), flags=cv2.INTER_LINEAR)
    return warped if finer == 1 else cv2.resize(warped, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


Rows = Mapping[str, tuple[InFile, Sequence[int]]]  # by clip id: its skeleton file, and its rows there


def face_cutter(
    skeletons: Path, rows: Rows, margin: float, smallest: int, confidence: float, person: str = LARGEST
) -> Cutter:
    """Return a function that cuts the aligned faces of clips out of a video, located by the recordings' skeletons."""
    stored = Recordings(Shard(skeletons), person)

    def view_of(clip_id: str, _width: int, _height: int) -> View:
        clip, rows_T = rows[clip_id]
        if clip.skeleton is None:
            raise UnusableClip(f"{clip_id} has no keypoints")
        choice = stored.choice(clip, rows_T)
        landmarks_TVC = _landmarks(stored.alone(clip.skeleton, choice and choice.track), rows_T, clip.skeleton)
        matrices_T23 = alignment(landmarks_TVC, margin, smallest, confidence)
        return View((SIDE, SIDE), lambda frame_HWC, index: aligned(frame_HWC, matrices_T23[index]))

    return partial(cut, view_of)


def _landmarks(skeleton: Skeleton, rows_T: Sequence[int], file: str) -> np.ndarray:
    if LANDMARKS.lacking(skeleton.layout):
        raise UnusableClip(
            f"{file} has no landmarks of the face ({skeleton.layout.title} has none); the face stage needs a layout "
            "with them, such as OpenPose-137 or COCO-WholeBody"
        )
    return cut_clip(skeleton, rows_T, LANDMARKS, file)


def make_face(
    clips: Clips,
    shard: int,
    root: Path,
    skeletons: Path,
    output: Path,
    scratch: Path,
    margin: float,
    smallest: int,
    confidence: float,
    person: str = LARGEST,
) -> None:
    """Store the aligned faces of the clips of a shard, uint8 (T, 112, 112, 3) RGB in 0..255, as jpeg.

    A frame is black if no face is found in it or the face is too small; for the settings see ``alignment``. A clip is
    stored without frames, with the reason, if its recording in the ``skeletons`` shard has no landmarks of the face, or
    if it cannot be decoded (see ``store_decoded``). ``root`` is the corpus's folder, or a file in it such as
    ``clips.csv``; ``person`` tells whose face it is if there are several people (see ``skeletons.person``).
    """
    mine = clips.usable[clips.usable.shard == shard]
    rows = {row.clip_id: (InFile.of(row), frames_of(row, row.skeleton_start)) for row in mine.itertuples()}
    start = partial(face_cutter, skeletons, rows, margin, smallest, confidence, person)
    store_decoded("face", clips, shard, root, start, output, scratch)


def make(work: Work) -> None:
    """Run the stage; see ``make_face``."""
    settings, skeletons = work.settings["face"], work.source("skeletons")
    files = skeletons, work.output, work.scratch
    make_face(work.clips, work.shard, work.root, *files, **settings.model_dump(), person=work.person)
