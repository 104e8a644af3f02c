"""A finished run without any training, to be exported: random networks, and a video with keypoints beside it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml

from microgesture.config.base import parse_step
from microgesture.config.streams import TrainStep
from microgesture.corpora import list_clips
from microgesture.modalities.face import POINTS, TEMPLATE_N2
from microgesture.networks import build
from microgesture.skeletons.keypoints import LAYOUTS, SELECTIONS
from microgesture.storage.clips import write_clips
from microgesture.storage.files import write_csv, write_json
from microgesture.streams.predict import network_of
from microgesture.streams.weights import About, save_weights
from microgesture.workflow.read_plan import read_plan
from release_files import write_video
from training_clips import draw_keypoints

RECIPE = {"frames": 4, "size": 16, "views": 1, "flip": False, "crop_area": [0.7, 1.0]}
POSE = {"name": "poseconv3d", "width": 4}
SWIN = {"name": "video_swin", "width": 8, "depths": [1, 1]}
STREAMS = {
    "joint": {"corpus": "mine", "input": "joint", "network": POSE, "recipe": "small"},
    "taylor": {"corpus": "mine", "input": "taylor", "network": SWIN, "recipe": "small"},
}
FUSION = {"name": "token_fusion", "width": 8, "layers": 1, "heads": 2}
# A network of two paths, one that fuses two others, one that has learnt from another corpus first, and one of faces.
OTHERS: dict[str, Any] = {
    "joint": STREAMS["joint"],
    "rgb_other": {"corpus": "other", "input": "rgb", "network": SWIN, "recipe": "small"},
    "rgb": {"corpus": "mine", "input": "rgb", "network": SWIN, "recipe": "small", "init": "rgb_other"},
    "pair": {
        "corpus": "mine",
        "input": ["rgb", "limb"],
        "network": {"name": "rgbposeconv3d", "video_width": 8, "heatmap_width": 4},
        "recipe": "pair",
    },
    "fused": {"fuses": ["rgb", "joint"], "network": FUSION, "recipe": "small"},
    "face": {"corpus": "mine", "input": "face", "network": SWIN, "recipe": "small"},
}
CLIPS = [("a", "train", "wave", 8), ("b", "train", "nod", 10), ("c", "val", "wave", 8), ("d", "test", "", 9)]


def finished_run(folder: Path, streams: Mapping[str, Any] = STREAMS, **settings: Any) -> Path:
    """Write a configuration, with other ``settings``, and its results under ``folder``; returns its file.

    The ensemble joins the streams on the corpus ``mine``, the last one with a weight of 3 in 4.
    """
    joined = [name for name, stream in streams.items() if stream.get("corpus", "mine") == "mine"]
    corpus, results = folder / "corpus", folder / "results"
    corpus.mkdir()
    recorded(corpus / "clip", 12)
    columns = "clip_id,split,label,video,keypoints,start,end,fps"
    rows = [f"{name},{split},{label},clip.mp4,clip.npz,0,{n - 1},25" for name, split, label, n in CLIPS]
    (corpus / "clips.csv").write_text("\n".join([columns, *rows]) + "\n")
    config = {
        "corpora": {name: {"format": "manifest", "root": str(corpus)} for name in ("mine", "other")},
        "rgb": {"size": 24},
        "recipes": {"small": RECIPE, "pair": RECIPE | {"size": 64, "heatmap_frames": 16, "heatmap_size": 16}},
        "streams": dict(streams),
        "ensembles": {"final": {"streams": joined}},
        "submission": {"ensemble": "final"},
        **settings,
    }
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(config))
    plan = read_plan(file, (), results)
    clips = list_clips("mine", "manifest", corpus, 1)
    write_clips(results / "clips" / "mine.parquet", clips)
    torch.manual_seed(0)
    for stream in joined:
        step = parse_step(TrainStep, plan.step("train", stream).settings)
        state = network_of(step, build, len(clips.classes)).state_dict()
        about = About(stream, step.inputs, clips.classes)
        save_weights(results / "streams" / stream / "model.safetensors", state, about)
        write_json(results / "streams" / stream / "card.json", step.model_dump(mode="json") | {"seconds": 1})
    ensemble = results / "ensembles" / "final"
    fusion = {"streams": joined, "fitted_on": {"split": "val", "clips": 1}}
    weights = dict.fromkeys(joined, 0.25 / (len(joined) - 1)) | {joined[-1]: 0.75}
    fusion |= {"temperatures": dict.fromkeys(joined, 0.5), "weights": weights}
    write_json(ensemble / "fusion.json", fusion)
    write_csv(ensemble / "summary.csv", pd.DataFrame({"name": [*joined, "final"], "accuracy": 0.5}))
    return file


def recorded(path: Path, n_frames: int) -> None:
    """Write ``<path>.mp4`` of noise and ``<path>.npz`` with the points of a figure that sways, and of a face."""
    frames_THWC = np.random.default_rng(1).integers(0, 255, (n_frames, 280, 320, 3), np.uint8)
    write_video(path.with_suffix(".mp4"), frames_THWC)
    keypoints_TVC = np.zeros((n_frames, 137, 3), np.float32)
    for names, place_2 in zip(POINTS, TEMPLATE_N2, strict=True):
        keypoints_TVC[:, [LAYOUTS[137].index(name) for name in names]] = [*place_2 + 50, 1]
    joints = SELECTIONS["36"].joints
    keypoints_TVC[:, [LAYOUTS[137].index(joint) for joint in joints]] = draw_keypoints(0, 0, n_frames)
    np.savez(path.with_suffix(".npz"), keypoints=keypoints_TVC)
