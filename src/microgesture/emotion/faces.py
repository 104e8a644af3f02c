"""A fixed encoder of faces with published weights; each face is encoded once, because its embedding never changes."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ..config.emotion import FaceTokenSettings
from ..networks.swinface import FaceEncoder
from ..networks.swinface import build as build_swinface
from ..streams.weights import start_from_file
from .tokens import Video, as_input
from .videos import LABELS


def published_encoder(face: FaceTokenSettings, device: torch.device) -> FaceEncoder:
    """Build the encoder and load the file of weights in the settings; raises ``InputError`` if they do not fit."""
    network = build_swinface(face.network, (3,), len(LABELS))
    start_from_file(network, Path(face.weights), LABELS)
    return network.encoder.to(device).eval()


@torch.no_grad()
def encoded(videos: Mapping[str, Video], encoder: FaceEncoder, features: int, device: torch.device) -> dict[str, Video]:
    """Replace the faces of videos by their embeddings, float32 (F, ``features``)."""

    def encode(faces_FHWC: np.ndarray) -> np.ndarray:
        if not len(faces_FHWC):
            return np.zeros((0, features), np.float32)
        return encoder(as_input(faces_FHWC, device)).cpu().numpy()

    return {
        video_id: replace(video, faces=tuple(encode(faces_FHWC) for faces_FHWC in video.faces))
        for video_id, video in videos.items()
    }
