"""Writing a video so that equal pictures give equal bytes."""

from pathlib import Path

import av
import numpy as np

from ..files import replacing


def write_video(path: Path, pictures: list[np.ndarray], fps: int) -> None:
    """Write RGB pictures as h264 in an mp4; one thread and no time stamps of the encoder, for equal bytes."""
    with (
        replacing(path) as temporary,
        av.open(str(temporary), "w", format="mp4", options={"fflags": "+bitexact"}) as file,
    ):
        stream = file.add_stream("libx264", rate=fps, options={"preset": "ultrafast", "crf": "26", "threads": "1"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode())
