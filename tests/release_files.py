"""Writes tiny files in the layouts of the releases, for the tests of what reads them."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import xlsxwriter

TEST_RECORDING = "0054"  # in the official list of test recordings


def write_video(
    path: Path,
    frames_THWC: Sequence[np.ndarray],
    fps: int = 25,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    **settings: str,
) -> Path:
    """A video of uint8 RGB frames, H.264 unless another ``codec`` is named; ``settings`` go to the container."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = frames_THWC[0].shape[:2]
    with av.open(str(path), "w", options=settings) as container:
        # x264's mbtree reads memory that nobody wrote, so that the same frames may become other bytes.
        options = {"crf": "10", "threads": "1", "x264-params": "mbtree=0"}
        stream = container.add_stream(codec, rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        for frame in frames_THWC:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def numbered_frames(count: int, width: int = 64, height: int = 48) -> list[np.ndarray]:
    """Grey frames that can be told apart: frame i has the value 4 * i (up to 60 frames)."""
    return [np.full((height, width, 3), 4 * index, np.uint8) for index in range(count)]


def number_of(frame_HWC: np.ndarray) -> int:
    """Which of the numbered frames this is."""
    return round(float(frame_HWC.mean()) / 4)


def textured_frames(count: int, width: int = 160, height: int = 120) -> list[np.ndarray]:
    """Frames with moving detail, as damage only shows in."""
    noise = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    frames = []
    for t in range(count):
        disc = ((x - 40 - t) ** 2 + (y - 60) ** 2 < 400) * 200
        frame = np.stack([(x * 2 + t * 5) % 256, (y * 3 + t * 2) % 256, disc], -1) + noise.normal(
            0, 4, (height, width, 3)
        )
        frames.append(frame.clip(0, 255).astype(np.uint8))
    return frames


def keypoints(frames: int, points: int, seed: int = 0) -> np.ndarray:
    """Made-up points float32 (T, V, 3) on a 64 x 48 frame."""
    return np.random.default_rng(seed).uniform((4, 4, 0.1), (60, 44, 1), (frames, points, 3)).astype(np.float32)


def write_xlsx(path: Path, rows: Sequence[Sequence[object]]) -> Path:
    """A spreadsheet with these rows; None is an empty cell, and a text has to be short enough for a cell."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for number, cells in enumerate(rows):
            assert sheet.write_row(number, 0, cells) == 0
    return path


def write_openpose(path: Path, keypoints_TVC: np.ndarray) -> Path:
    """A skeleton file of the MiGA release: no header, 3 columns a point."""
    return write_xlsx(path, keypoints_TVC.reshape(len(keypoints_TVC), -1).tolist())


def write_lines(path: Path, lines: Sequence[str], end: str = "\n") -> Path:
    """A text file with these lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(line + end for line in lines).encode())
    return path


def write_light_hand(path: Path, keypoints_TVC: np.ndarray, header: str | None = None) -> Path:
    """A light_hand file: a column of frame numbers and 3 columns a point."""
    flat = keypoints_TVC.reshape(len(keypoints_TVC), -1).tolist()
    rows = [",".join(map(str, [number, *cells])) for number, cells in enumerate(flat)]
    return write_lines(path, [header, *rows] if header else rows)


def write_miga(root: Path, labels: dict[str, Sequence[str]], videos: bool = True, frames: int = 40) -> Path:
    """The MiGA release of 2025 in small: ``labels`` are label rows by ``<word for the split>/<recording>``."""
    for number, (place, rows) in enumerate(labels.items()):
        split, recording = place.split("/")
        folder = root / "imigue_skeleton" / f"imigue_skeleton_{split}" / recording
        write_lines(folder / f"{recording}_label.csv", rows)
        write_openpose(folder / f"{recording}_openpose.xlsx", keypoints(frames, 137, number))
        if videos:
            write_video(root / "imigue_rgb" / f"{split}_data" / recording / f"{recording}.mp4", numbered_frames(frames))
    return root


MIGA_LABELS = {
    "train/0012": ["1,0,9", "99,5,20", "31,18,39"],
    "validate/0001": ["2,3,12"],
    f"test/{TEST_RECORDING}": ["7,0,9", "8,10,19"],
}


def write_ma52(root: Path, names: dict[str, Sequence[str]], frames: int = 12) -> Path:
    """The MA-52 release in small: ``names`` are the rows ``<name>.mp4 <label>`` of each split's list."""
    for split, rows in names.items():
        write_lines(root / f"{split}_list_videos.txt", rows, end="\r\n")
        for row in rows:
            write_video(root / f"videos_{split}" / row.split()[0], numbered_frames(frames), fps=30)
    return root


MA52_NAMES = {
    "train": ["0003_01_0001.mp4 9", "0003_01_0002.mp4 0", "0004_02_0001.mp4 51"],
    "val": ["0003_01_0003.mp4 9"],
    "test": ["test0000.mp4 0", "test0001.mp4 0"],
}


# Where the joints of a person are who faces a Kinect, in metres, in its own axes: x to the sensor's left, y up, z away.
_SPINE = {0: (0, -0.3, 2.5), 1: (0, 0, 2.5), 20: (0, 0.25, 2.5), 2: (0, 0.32, 2.48), 3: (0, 0.45, 2.45)}
_LEFT = {
    **{4: (-0.18, 0.22, 2.5), 5: (-0.24, -0.05, 2.45), 6: (-0.2, -0.15, 2.25), 7: (-0.15, -0.15, 2.15)},
    **{21: (-0.12, -0.16, 2.08), 22: (-0.1, -0.12, 2.15)},
    **{12: (-0.1, -0.32, 2.5), 13: (-0.12, -0.72, 2.45), 14: (-0.12, -1.1, 2.5), 15: (-0.13, -1.15, 2.38)},
}
_RIGHT_OF = {4: 8, 5: 9, 6: 10, 7: 11, 21: 23, 22: 24, 12: 16, 13: 17, 14: 18, 15: 19}
KINECT_POSE = {**_SPINE, **_LEFT, **{_RIGHT_OF[joint]: (-x, y, z) for joint, (x, y, z) in _LEFT.items()}}
# Focal length and middle of a Kinect v2's two pictures, in pixels.
COLOUR, DEPTH = (1081.0, 960.0, 540.0), (366.0, 256.0, 212.0)


def kinect_pixels(metres_TV3: np.ndarray, camera: tuple[float, float, float], mirrored: bool = True) -> np.ndarray:
    """Where joints are in a picture, (T, V, 2), which shows them as a mirror does, as the sensor's own pictures do."""
    focal, across, down = camera
    x, y, z = np.moveaxis(metres_TV3, -1, 0)
    return np.stack((across + (1 if mirrored else -1) * focal * x / z, down - focal * y / z), -1)


def kinect_metres(frames: int, seed: int = 0) -> np.ndarray:
    """A person who sways before a Kinect, (T, 25, 3) in metres in the sensor's axes."""
    noise = np.random.default_rng(seed)
    pose_V3 = np.array([KINECT_POSE[joint] for joint in range(25)])
    sway_T13 = 0.1 * np.sin(np.arange(frames) / 7 + noise.uniform(0, 6, (3, 1, 1))).transpose(2, 1, 0)
    return pose_V3 + sway_T13 + noise.normal(0, 0.005, (frames, 25, 3))


def kinect_columns(
    metres_TV3: np.ndarray, mirrored: bool = True, first: tuple = COLOUR, last: tuple = DEPTH
) -> np.ndarray:
    """Rows of a skeleton file (T, 275) of joints in the sensor's axes: metres, orientation, two places in pictures."""
    columns_TVX = np.zeros((*metres_TV3.shape[:2], 11))
    columns_TVX[..., :3], columns_TVX[..., 3] = metres_TV3, 1
    columns_TVX[..., 7:9] = kinect_pixels(metres_TV3, first, mirrored)
    columns_TVX[..., 9:11] = kinect_pixels(metres_TV3, last, mirrored)
    return columns_TVX.reshape(len(metres_TV3), -1)


def write_kinect(path: Path, columns_TN: np.ndarray) -> Path:
    """A skeleton file of SMG: no header, 11 columns a joint."""
    return write_lines(path, [",".join(f"{number:.5f}" for number in row) for row in columns_TN])


def write_smg(root: Path, labels: dict[str, Sequence[str]], videos: bool = True, frames: int = 40) -> Path:
    """SMG of the challenge in small: ``labels`` are label rows by ``<word for the split>/<recording>``."""
    for number, (place, rows) in enumerate(labels.items()):
        split, recording = place.split("/")
        folder = root / "smg_data_phase1" / f"smg_skeleton_{split}" / recording
        write_lines(folder / f"{recording}_finelabels.csv", rows)
        write_lines(folder / f"{recording}_data.csv", [f"{frames},28,4500"])
        write_kinect(folder / f"{recording}_skeleton.csv", kinect_columns(kinect_metres(frames, number)))
        if videos:
            video = root / "SMG_RGB_Phase1" / f"smg_rgb_{split}" / recording / f"{recording}_color.mp4"
            write_video(video, numbered_frames(frames), fps=28)
    return root


SMG_LABELS = {
    "train/Sample0001": ["15,0,10", "1,5,20", "17,18,40"],
    "validate/Sample0031": ["2,3,12"],
    "test/Sample0036": ["7,0,9", "8,10,19"],
}


def write_npz(path: Path, keypoints_TVC: np.ndarray) -> Path:
    """Keypoints of one clip as a manifest names them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, keypoints=keypoints_TVC)
    return path


def write_clips(folder: Path, video: Path, *names: str) -> Path:
    """Clips of these names in a folder, which is given back: keypoints of ten frames, or copies of a video."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".npz":
            write_npz(path, keypoints(10, 137))
        else:
            shutil.copy(video, path)
    return folder
