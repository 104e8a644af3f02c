"""The names of points in one vocabulary, for the spellings of other programs: ``LShoulder`` is ``left shoulder``."""

import re

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_a-zA-Z]+")
_SIDES = {"l": "left", "r": "right", "left": "left", "right": "right"}
_MIDLINE = {
    "hip center": "mid hip", "center hip": "mid hip", "pelvis": "mid hip", "midhip": "mid hip",
    "spine base": "mid hip", "shoulder center": "neck", "spine shoulder": "neck", "spine": "mid spine",
    "spine mid": "mid spine", "sternum": "neck",
}  # fmt: skip
_PAIRED = {
    "bigtoe": "big toe", "smalltoe": "small toe", "hand": "hand palm", "hand tip": "middle tip",
    "foot index": "big toe", "mouth": "lip corner",
}  # fmt: skip
_FINGERS = {"pinky": "little", "pinkie": "little"}


def spelled(name: str) -> str:
    """Return a name as the tables spell it: the side first, words in lower case with blanks; others are unchanged.

    ``LShoulder``, ``left_shoulder``, ``ShoulderLeft`` and ``shoulder_l`` become ``left shoulder``.
    """
    words = [word.lower() for word in _WORDS.findall(name)]
    if len(words) == 1 and words[0][:1] in "lr" and name[:1] in "LR" and name[1:2].isupper():
        words = [words[0][0], words[0][1:]]
    sides = [word for word in words if word in _SIDES]
    rest = " ".join(_FINGERS.get(word, word) for word in words if word not in _SIDES)
    if len(sides) == 1:
        return f"{_SIDES[sides[0]]} {_PAIRED.get(rest, rest)}".strip()
    return " ".join(words) if sides else _MIDLINE.get(rest, rest)
