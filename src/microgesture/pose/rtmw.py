"""Run RTMW (arXiv 2407.08634) on the frames of videos: 133 points of everybody in the picture, through rtmlib."""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from platformdirs import user_cache_path

from ..errors import InputError
from ..videos.reading import decode_spans
from .mapping import NAMES
from .methods import Finder, Spans, weight_files
from .wholebody import WHOLEBODY, in_openpose_order

CONFIDENT = 0.3  # least score of a point; rtmlib leaves out points below it when it writes files
SIZE = "balanced"  # of the published networks: YOLOX-m at 640 pixels, and RTMW-x at 256 x 192
SIMCC = {"simcc_x", "simcc_y"}  # the outputs of the network that finds points


def finder(weights: str | None) -> Finder:
    """Return a function that finds everybody in a video, each frame as float32 (P, 137, 3), see ``in_openpose_order``.

    ``weights`` is a folder with two ONNX files, a detector of people and a network of 133 points; with None, rtmlib
    fetches the published ones once. A point is missing if its score is below 0.3, or if it is outside the picture.
    Raises ``InputError`` if there are no such files, or if they cannot be fetched.
    """
    detector, network = _networks(weights)
    return lambda video, spans: _each_frame(detector, network, video, spans)


def _each_frame(detector: Any, network: Any, video: Path, spans: Spans) -> Iterator[tuple[int, np.ndarray]]:
    for index, frame_HWC in decode_spans(video, spans):
        bgr_HWC = np.ascontiguousarray(frame_HWC[..., ::-1])  # rtmlib takes pictures as OpenCV reads them
        boxes_P4 = detector(bgr_HWC)
        if not len(boxes_P4):  # rtmlib would take the whole picture for a person
            yield index, np.zeros((0, len(NAMES), 3), np.float32)
            continue
        places_PV2, scores_PV = network(bgr_HWC, bboxes=boxes_P4)
        points_PVC = np.concatenate((places_PV2, scores_PV.clip(max=1)[..., None]), -1).astype(np.float32)
        height, width = frame_HWC.shape[:2]
        inside_PV = ((places_PV2 >= 0) & (places_PV2 < (width, height))).all(-1)
        points_PVC[~inside_PV | (scores_PV < CONFIDENT)] = 0
        yield index, in_openpose_order(points_PVC)


def _networks(weights: str | None) -> tuple[Any, Any]:
    """Return rtmlib's detector and network, each on one thread, because several jobs run at the same time."""
    import onnxruntime
    from rtmlib import YOLOX, RTMPose

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    files = _published() if weights is None else weight_files(weights)
    sessions = {}
    for file in files:
        try:
            sessions[file] = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has no common class of its errors
            raise InputError(f"{file}: onnxruntime cannot read this network ({error}); fetch it again") from None
    names = {file: {output.name for output in session.get_outputs()} for file, session in sessions.items()}
    posing = [file for file in files if names[file] >= SIMCC]
    detecting = [file for file in files if file not in posing]
    if len(posing) != 1 or len(detecting) != 1:
        found = ", ".join(file.name for file in files) or "none"
        raise InputError(
            f"{weights}: pose_weights must be a folder with two ONNX files, a detector and a network with the outputs "
            f"{' and '.join(sorted(SIMCC))}; it has {found}"
        )
    with contextlib.redirect_stdout(io.StringIO()):  # rtmlib prints the path of each file
        height, width = _input_size(sessions[detecting[0]])
        detector = YOLOX(str(detecting[0]), (height, width), backend="onnxruntime")
        height, width = _input_size(sessions[posing[0]])
        network = RTMPose(str(posing[0]), (width, height), backend="onnxruntime")
    points = sessions[posing[0]].get_outputs()[0].shape[1]
    if points != len(WHOLEBODY):
        raise InputError(f"{posing[0]}: the network finds {points} points, not {len(WHOLEBODY)}; use one for wholebody")
    detector.session, network.session = sessions[detecting[0]], sessions[posing[0]]
    return detector, network


def _input_size(session: Any) -> tuple[int, int]:
    """Return height and width of a network's input."""
    height, width = session.get_inputs()[0].shape[2:]
    if not (isinstance(height, int) and isinstance(width, int)):
        raise InputError("pose_weights: the size of a network's input is not fixed; export it with a fixed size")
    return height, width


def _published() -> list[Path]:
    """Return the files of the published networks, fetched by rtmlib if this machine does not have them yet."""
    from rtmlib import Wholebody
    from rtmlib.tools.file import download_checkpoint

    folder = user_cache_path("microgesture", ensure_exists=True) / "rtmw"
    folder.mkdir(exist_ok=True)
    try:
        with FileLock(folder / ".lock"):  # other jobs need them too
            return [Path(download_checkpoint(Wholebody.MODE[SIZE][part], str(folder))) for part in ("det", "pose")]
    except Exception as error:  # of the network or the archive
        raise InputError(
            f"the networks of RTMW could not be fetched ({error}); with a connection they are fetched once, or set "
            "pose_weights of the corpus to a folder with both ONNX files"
        ) from None
