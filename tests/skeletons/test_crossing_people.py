"""Two people in files of MMPose and AlphaPose who walk through each other."""

import json
import logging

import numpy as np
import pandas as pd
import pytest

from fixtures.crossing_people import crossing, shuffled
from microgesture.config.layouts import JointSelection
from microgesture.modalities.keypoints import select_keypoints
from microgesture.skeletons.layouts import layout_named
from microgesture.skeletons.reading import read_skeletons
from microgesture.storage.clips import SCHEMA, Clips
from microgesture.storage.shards import Shard

FRAMES = 100
JOINTS = ("nose", "left wrist", "right ankle")


def mmpose(path, people_TPVC, _):
    frames = [
        {
            "frame_id": t,
            "instances": [{"keypoints": of[:, :2].tolist(), "keypoint_scores": of[:, 2].tolist()} for of in people_PVC],
        }
        for t, people_PVC in enumerate(people_TPVC, 1)
    ]
    path.write_text(json.dumps({"meta_info": {}, "instance_info": frames}))


def alphapose(path, people_TPVC, ids_TP):
    people = [(t, place) for t in range(FRAMES) for place in range(2)]
    entries = [
        {"image_id": f"{t}.jpg", "keypoints": people_TPVC[t, place].ravel().tolist(), "idx": int(ids_TP[t, place])}
        for t, place in people
    ]
    path.write_text(json.dumps(entries))


@pytest.mark.parametrize(("write", "swapped"), [(mmpose, None), (alphapose, None), (alphapose, 20), (alphapose, 51)])
@pytest.mark.parametrize(("person", "meant"), [("largest", 0), ("who", 1)])
def test_the_one_that_is_meant_is_followed_in_every_frame(tmp_path, caplog, write, swapped, person, meant):
    true_TPVC = crossing(FRAMES)
    mixed_TPVC, order_TP = shuffled(true_TPVC)
    ids_TP = order_TP + 1
    if swapped is not None:
        ids_TP[swapped:] = 3 - ids_TP[swapped:]
    write(tmp_path / "walk.json", mixed_TPVC, ids_TP)
    # Without ids, people are numbered in the order in which the file first has them.
    own = "2" if write is alphapose else str(1 + order_TP[0].tolist().index(1))
    row = {"clip_id": "a", "skeleton": "walk.json", "shard": 0, "status": "ok", "start": 0, "skeleton_start": 0}
    row |= {"n_frames": FRAMES, "person": own if person == "who" else None}
    clips = Clips(pd.DataFrame([row]).reindex(columns=SCHEMA.names), (), ())
    with caplog.at_level(logging.WARNING):
        read_skeletons(clips, 0, tmp_path, tmp_path / "skeletons", tmp_path / "scratch")
    assert (str(swapped) in caplog.text) == (swapped is not None)
    selection = JointSelection(joints=JOINTS)
    select_keypoints(
        clips, 0, tmp_path / "skeletons", tmp_path / "out", tmp_path / "scratch2", selection, person=person
    )
    made = Shard(tmp_path / "out")
    columns = [layout_named("coco_17").names.index(joint) for joint in JOINTS]
    np.testing.assert_allclose(made.read("a"), true_TPVC[:, meant, columns], rtol=1e-5)
    assert made.note("a")["people"] == 2
    assert made.note("a")["close"] == (person == "largest")  # 96 pixels are near to 104
