"""Demo people who have won or lost: the effect on their gestures and faces, and on nothing else.

Every person has two recordings, one after a win and one after a loss, so the person gives no information about the
label; rooms, cameras, lengths and ids are random and independent of it. All effects are invented: by iMiGUE's authors,
the emotion is hard to recognise.
"""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from .figure import Pose
from .gestures import GESTURES
from .people import spells, wander
from .sittings import SPLIT_FIRST, Mood, Sitting, apportion, random_for

# Each cue alone is enough to classify about four in five recordings: the counts of gestures, or the valence of the
# face, which has unit variance around plus or minus _JOY.
_JOY = 0.85
_TILT = 0.5  # how much a mood changes the odds of a gesture of mood 1
_HABIT = 0.35  # how much they differ from person to person, one standard deviation
_RESTLESS = 0.06  # how many more gestures there are after a loss, and fewer after a win
_FRAMES_A_CLIP = 30  # a clip and the rest around it


def plan(split: str, seed: int, subjects: int, clips: int, numbers: Sequence[int]) -> list[Sitting]:
    """Plan the recordings of a split with ids ``numbers``: every subject wins once and loses once, in either order."""
    rng = random_for(seed, "miga", split, "emotions")
    won_P2 = rng.permuted(np.tile([True, False], (subjects, 1)), axis=1)
    won_R = won_P2.ravel()
    recordings = len(won_R)
    share_R = (1 - _RESTLESS * np.where(won_R, 1, -1)) * rng.uniform(0.75, 1.25, recordings)
    count_R = 1 + np.array(apportion(clips - recordings, share_R / share_R.sum()))
    # Normal noise by its quantiles, for wins and losses alike, so that every split is equally difficult.
    quantiles = [NormalDist().inv_cdf((place + 0.5) / subjects) for place in range(subjects)]
    noise_R = np.empty(recordings)
    for won in (True, False):
        noise_R[won_R == won] = rng.permutation(quantiles)
    frames_R = (_FRAMES_A_CLIP * clips / recordings * rng.uniform(0.9, 1.1, recordings)).astype(int)
    habit_PK = _HABIT * rng.normal(size=(subjects, len(GESTURES)))
    sittings = []
    for place, number in enumerate(numbers[:recordings]):
        person, session = divmod(place, 2)
        won = bool(won_R[place])
        mixture_K = gesture_odds(won) * np.exp(habit_PK[person])
        gestures = rng.choice(len(GESTURES), size=count_R[place], p=mixture_K / mixture_K.sum())
        mood = Mood(won, float(noise_R[place] + (_JOY if won else -_JOY)), int(frames_R[place]))
        sittings.append(Sitting(split, SPLIT_FIRST[split] + person, session, number, tuple(gestures.tolist()), mood))
    return sittings


def gesture_odds(won: bool) -> np.ndarray:
    """Return the frequency of each class of ``GESTURES`` after a win or a loss, up to a factor."""
    sign = 1 if won else -1
    return np.array([gesture.share * np.exp(sign * _TILT * gesture.mood) for gesture in GESTURES])


def express(rng: np.random.Generator, pose: Pose, valence: float, liveliness: float, fps: float) -> None:
    """Let the pose's face show ``valence``, scaled by the person's ``liveliness`` (about 1).

    The expression comes and goes, and speech, which does not depend on the valence, disturbs it.
    """
    frames = len(pose.mouth_T)
    seconds_T = np.arange(frames) / fps
    shown_T2 = np.tanh(liveliness * (valence + 0.5 * wander(rng, seconds_T, 2)))
    speaks_T = _eased(spells(rng, np.full(frames, 0.7 / fps), 0.8 / fps), fps)
    syllable_T = np.sin(2 * np.pi * np.cumsum(rng.uniform(2.5, 5.5, frames)) / fps)
    pose.mouth_T = np.maximum(pose.mouth_T, speaks_T * (0.3 + 0.3 * syllable_T))
    blur_T = 0.3 * speaks_T * wander(rng, 3 * seconds_T, 1)[:, 0]
    pose.smile_T = np.clip(shown_T2[:, 0] * (1 - 0.4 * speaks_T) + blur_T, -1, 1)
    pose.worry_T = np.clip(-shown_T2[:, 1], 0, 1)
    pose.brows_T = pose.brows_T + 0.012 * np.clip(shown_T2[:, 1], 0, 1)


def _eased(state_T: np.ndarray, fps: float) -> np.ndarray:
    """Smooth a state, so that it starts and ends within about a fifth of a second, (T,) in 0..1."""
    width = max(1, round(0.2 * fps))
    padded_T = np.pad(state_T.astype(float), (width // 2, width - 1 - width // 2), mode="edge")
    return np.convolve(padded_T, np.full(width, 1 / width), mode="valid")
