"""Files of SLEAP and NWB, written by the package that reads them."""

import numpy as np
import pytest

from fixtures.skeletons import the_person
from microgesture.skeletons.reading import read_skeleton

sleap_io = pytest.importorskip("sleap_io")


@pytest.mark.parametrize("ending", ["slp", "analysis.h5", "nwb"])
def test_points_of_a_mouse_keep_their_places_and_names(tmp_path, ending):
    points_TVD = np.random.default_rng(0).uniform(10, 200, (4, 3, 2))
    points_TVD[2, 1] = np.nan
    skeleton = sleap_io.Skeleton(["snout", "LeftEar", "RightEar"], name="mouse")
    video, track = sleap_io.Video("a.mp4", backend_metadata={"shape": (4, 240, 320, 3)}), sleap_io.Track("mouse")
    frames = []
    for t, points_VD in enumerate(points_TVD):
        scores = {"point_scores": np.full(3, 0.8), "score": 0.9}
        instance = sleap_io.PredictedInstance.from_numpy(points_VD, skeleton=skeleton, track=track, **scores)
        frames.append(sleap_io.LabeledFrame(video=video, frame_idx=t, instances=[instance]))
    labels = sleap_io.Labels(frames, videos=[video], skeletons=[skeleton], tracks=[track])
    path = tmp_path / f"clip.{ending}"
    save = {"slp": sleap_io.save_slp, "analysis.h5": sleap_io.save_analysis_h5, "nwb": sleap_io.save_nwb}[ending]
    save(labels, str(path))
    read = the_person(read_skeleton(path))
    assert read.layout.names == ("snout", "left ear", "right ear")
    expected_TVC = np.insert(points_TVD, 2, 0.8, axis=-1)
    expected_TVC[2, 1] = 0
    np.testing.assert_allclose(read.keypoints_TVC, expected_TVC, atol=1e-4)
