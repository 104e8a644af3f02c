"""Names of points as other programs write them."""

import pytest

from microgesture.skeletons.layouts import layout_by_names
from microgesture.skeletons.spelling import spelled


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("left shoulder", ["LShoulder", "left_shoulder", "ShoulderLeft", "shoulder_l", "Left-Shoulder", "LSHOULDER"]),
        ("right ear", ["REar", "REAR", "ear.R", "right ear"]),
        ("right little tip", ["right_pinky_tip", "RightPinkieTip"]),
        ("neck", ["Neck", "ShoulderCenter", "spine_shoulder", "sternum"]),
        ("mid hip", ["MidHip", "pelvis", "SpineBase"]),
        ("left hand palm", ["HandLeft", "left_hand"]),
        ("right lip corner", ["mouth_right", "RMouth"]),
        ("mouth", ["Mouth", "mouth"]),  # the middle, and no corner
        ("little tip", ["pinky_tip", "little_tip"]),  # of a file with one hand
        ("lip", ["Lip", "lip"]),  # whose first letter is no side
        ("ring", ["Ring", "ring"]),
        ("left right", ["left right"]),
    ],
)
def test_every_spelling_is_that_of_the_tables(name, names):
    assert {one: spelled(one) for one in names} == dict.fromkeys(names, name)


def test_a_file_with_these_names_has_the_joints_of_a_selection():
    names = ("Nose", "Sternum", "Pelvis", *(f"{side}{joint}" for side in "LR" for joint in ("Shoulder", "Elbow")))
    layout = layout_by_names(names)
    sides = [f"{side} {joint}" for side in ("left", "right") for joint in ("shoulder", "elbow")]
    assert layout.names == ("nose", "neck", "mid hip", *sides)
