"""Made-up videos whose tokens tell who has won, for the tests of emotion."""

import numpy as np
import pandas as pd

from microgesture.config.emotion import EmotionRecipe, EmotionStep, FaceTokenSettings, InterFusionSettings
from microgesture.emotion.tokens import Video, gesture_features

SOURCES = ("face", "context", "gestures")
FEATURES, GESTURES, SIDE = 6, 4, 16
FACE = FaceTokenSettings(
    network={"name": "swinface", "width": 8, "depths": [1, 1], "patch": 8, "embedding": 16}, size=SIDE, frames=2
)


def a_step(sources=SOURCES, seed=0, folds=3, **recipe):
    """A row of sources in the smallest size that learns."""
    return EmotionStep(
        row="made_up",
        sources=sources,
        face=FACE if "face" in sources else None,
        network=InterFusionSettings(width=16, heads=2, dropout=0),
        recipe=EmotionRecipe(**{"epochs": 12, "batch_size": 6, "learning_rate": 0.01, "token_dropout": 0, **recipe}),
        folds=folds,
        seed=seed,
    )


def a_table(people=9):
    """Everybody wins once and loses once, so that who it is tells nothing; the last three people are tested on."""
    rows = []
    for person in range(people):
        split = "test" if person >= people - 3 else "val" if person == 0 else "train"
        for label in ("lose", "win"):
            video_id = f"{2 * person + (label == 'win'):04d}"
            rows.append((video_id, video_id, f"s{person}", split, None if split == "test" else label))
    return pd.DataFrame(rows, columns=["video_id", "recording", "subject", "split", "label"])


def has_won(video_id):
    return int(video_id) % 2 == 1


def a_video(video_id, telling=SOURCES, seed=0, clips=None):
    """A video of some clips in which only the ``telling`` sources know who has won."""
    generator = np.random.default_rng([seed, int(video_id)])
    won = has_won(video_id)
    N = clips or int(generator.integers(2, 5))

    def sign(source):
        return (1 if won else -1) if source in telling else generator.choice([-1, 1])

    def face():
        noise_FHWC = generator.normal(0, 8, (2, SIDE, SIDE, 3))
        return np.clip(128 + 90 * sign("face") * gradient() + noise_FHWC, 20, 255).astype(np.uint8)

    faces = tuple(face() for _ in range(N))
    context_ND = generator.normal(0, 0.3, (N, FEATURES))
    context_ND[:, 0] += [2 * sign("context") for _ in range(N)]
    kinds_N = [(0 if sign("gestures") > 0 else 1) for _ in range(N)]
    gestures = [gesture_features(np.eye(GESTURES)[kind] * 0.7 + 0.075, 1.0, 0.5) for kind in kinds_N]
    place_N = np.sort(generator.random(N)).astype(np.float32)
    return Video(video_id, place_N, faces, context_ND.astype(np.float32), np.array(gestures, np.float32))


def gradient():
    """A picture (SIDE, SIDE, 1) that is bright above and dark below, and the same in a mirror."""
    return np.linspace(1, -1, SIDE)[:, None, None] * np.ones((1, SIDE, 1))


def a_corpus(telling=SOURCES, seed=0, people=9):
    """The table of videos and their tokens by id."""
    table = a_table(people)
    return table, {video_id: a_video(video_id, telling, seed) for video_id in table.video_id}
