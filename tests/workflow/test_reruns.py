"""What an edit makes run again: steps of the plan before and after it."""

import ast
import copy
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

import microgesture
from microgesture.workflow.plan import Plan
from microgesture.workflow.stamps import Sources

SOURCE = Path(microgesture.__file__).parents[1]
CONFIG = Path(__file__).parents[2] / "config.yaml"
# Through JSON, which knows no aliases: a change of one recipe must not change another.
DEMO = json.loads(json.dumps(yaml.safe_load(CONFIG.read_text())))
# The same and more, so that every stage has a step.
WHOLE = copy.deepcopy(DEMO) | {
    "folds": 3,
    "predictions": {"folder": "videos"},
    "emotion": {
        "corpus": "imigue",
        "face": {"network": {"name": "swinface", "width": 8}},
        "context": "rgb",
        "gestures": "joint",
    },
}
WHOLE["streams"]["limb"]["weights"] = "pose.pth"  # so that one stream starts from published weights
AFTER_SCORES = {"ensemble": 1, "ablation": 1, "submission": 1, "report": 1, "view": 1}


def reruns(before: Plan, after: Plan) -> Counter[str]:
    """How many steps of each stage differ."""
    steps = before._steps
    assert set(steps) == set(after._steps)
    return Counter(stage for (stage, name), step in steps.items() if step != after.step(stage, name))


def edited(path: str, value: object) -> dict:
    """The demo's configuration with another value; ``*`` in the path stands for every key there."""
    raw = copy.deepcopy(DEMO)
    *parents, last = path.split(".")
    inner = [raw]
    for parent in parents:
        inner = [child for one in inner for child in (one.values() if parent == "*" else [one[parent]])]
    for one in inner:
        one[last] = value
    return raw


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("max_quarantined", 0.05, {}),
        ("flow.encoding", "colour_wheel", {"train": 1, "predict": 1, **AFTER_SCORES}),
        ("corpora.imigue.allow_shared_subjects", True, {"report": 1}),  # which shows the configuration
        ("keypoints.fill_gaps", 0, {}),  # off is as without the key
        ("keypoints.smoothing", None, {}),
        ("corpora.imigue.person", "largest", {}),
        ("recipes.*.num_clips", 10, {"predict": 7} | AFTER_SCORES),
        ("recipes.*.num_crops", 3, {"predict": 7} | AFTER_SCORES),
        ("recipes.*.test_flip", False, {"predict": 7} | AFTER_SCORES),
        ("recipes.flow.num_clips", 10, {"predict": 1} | AFTER_SCORES),
        ("ensembles.final.weights", "equal", AFTER_SCORES),
        ("recipes.flow.learning_rate", 0.002, {"train": 1, "predict": 1} | AFTER_SCORES),
        # Validation sees clips in this size too.
        ("recipes.flow.test_size", 64, {"train": 1, "predict": 1} | AFTER_SCORES),
    ],
)
def test_an_edited_setting_reruns(path, value, expected):
    assert reruns(Plan(DEMO), Plan(edited(path, value))) == Counter(expected)


class Copied(Sources):
    """A copy of the sources whose modules can be edited; it knows the digest of every step."""

    def __init__(self, root: Path) -> None:
        shutil.copytree(SOURCE / "microgesture", root / "microgesture", ignore=shutil.ignore_patterns("__pycache__"))
        super().__init__(root)
        self._made: list[str] = []

    def digest(self, *arguments, **options) -> str:
        self._made.append(super().digest(*arguments, **options))
        return self._made[-1]

    def of_steps(self, raw: dict) -> dict[tuple[str, str], str]:
        """The digest of the code of each step, without that of the steps before it."""
        self._made.clear()
        return dict(zip(Plan(raw, sources=self)._steps, self._made, strict=True))

    @contextmanager
    def edited(self, module: str, old: str, new: str) -> Iterator[None]:
        """Replace a text in a module, and put it back."""
        path = self._root / "microgesture" / module
        text = path.read_text()
        assert old in text
        for content in (text.replace(old, new, 1), text):
            path.write_text(content)
            self.read_again(module)
            if content != text:
                yield

    def read_again(self, module: str) -> None:
        """Forget what a module was."""
        self._codes.pop(f"microgesture.{module.removesuffix('.py').replace('/', '.')}", None)
        self._digests.clear()


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    return Copied(tmp_path_factory.mktemp("copied"))


@pytest.fixture(scope="module")
def as_it_is(copied):
    """The digest of every step before any edit."""
    return copied.of_steps(WHOLE)


@pytest.mark.parametrize(
    ("module", "old", "new", "expected"),
    [
        # sentences and docstrings
        ("measures/people.py", "expect lower results on new", "expect lower", {"ablation": 1, "report": 1}),
        ("streams/samples.py", "they are older than the clips table", "they are too old", {}),
        ("streams/samples.py", '"""Samples of a network', '"""The samples of a network', {}),
        ("storage/checksums.py", "has changed since it was written", "has changed", {}),
        # constants
        ("networks/video_swin.py", "WINDOW = (8, ", "WINDOW = (4, ", {"train": 5, "predict": 5} | AFTER_SCORES),
        ("networks/mvit.py", "KERNEL = [3, ", "KERNEL = [5, ", {}),
        ("checkpoints/resnet.py", "branch2.conv_a", "branch2.conv_b", {}),
        ("checkpoints/swinface.py", "EXPRESSION = 2", "EXPRESSION = 3", {}),
        ("skeletons/trajectories.py", "DEGREE = 2", "DEGREE = 3", {}),  # keypoints are not smoothed
    ],
)
def test_an_edited_source_reruns(copied, module, old, new, expected):
    before = Plan(DEMO)
    with copied.edited(module, old, new):
        assert reruns(before, Plan(DEMO, sources=copied)) == Counter(expected)


SWIN = {"rgb_ma52", "rgb", "taylor", "flow", "depth"}
FOLDED_SWIN = SWIN - {"rgb_ma52"}
RUNS_SWIN = {
    *((stage, name) for stage in ("train", "predict") for name in SWIN),
    *((stage, name) for stage in ("train_fold", "predict_fold") for name in FOLDED_SWIN),
    ("embed", "rgb"),
    ("gestures", "predictions"),
}

# Folds, and what is resampled or counted by person.
BY_PERSON = {"train", "train_fold", "predict", "predict_fold", "ensemble", "ablation", "report", "view"}
BY_PERSON |= {"train_emotion", "predict_emotion", "emotion_ablation", "emotion_cross_subject"}
BY_PERSON |= {"videos", "recogniser"}


@pytest.mark.parametrize(
    ("module", "old", "new", "computes"),
    [
        ("networks/video_swin.py", "WINDOW = (8, ", "WINDOW = (4, ", RUNS_SWIN),
        ("networks/agcn.py", "KERNEL = 9", "KERNEL = 7", set()),
        ("streams/cross_entropy.py", "np.array(counts) + 1", "np.array(counts) + 2", {"train", "train_fold"}),
        ("streams/folds.py", "0", "1", {"train", "train_fold", "predict", "predict_fold"}),
        ("modalities/taylor.py", "CHUNK = 256", "CHUNK = 128", {"taylor", "gestures"}),
        ("modalities/flow.py", "len(gray) > 1", "len(gray) > 2", {"flow", "gestures"}),
        ("ensembles/rules/search.py", "np.log(0.1)", "np.log(0.2)", {"ensemble", "recogniser", "gestures", "report"}),
        ("checkpoints/resnet.py", "branch2.conv_a", "branch2.conv_b", {("train", "limb"), ("train_fold", "limb")}),
        ("checkpoints/swinface.py", "EXPRESSION = 2", "EXPRESSION = 3", set()),
        ("recogniser/windows.py", "STEPS = 3", "STEPS = 4", {"gestures"}),
        ("recogniser/export.py", "QUANTILES = (0.1, ", "QUANTILES = (0.2, ", {"recogniser"}),
        ("emotion/network.py", "0.02 * torch", "0.03 * torch", {"train_emotion", "predict_emotion"}),
        ("corpora/ma52.py", '".mp4", ', "", {("listed", "ma52")}),
        ("demo/figure.py", "POINTS = 163", "POINTS = 164", {"demo"}),
        ("measures/people.py", "or min(of_recording", "or max(of_recording", BY_PERSON),
    ],
)
def test_exactly_the_stages_that_compute_with_an_edited_value_change(copied, as_it_is, module, old, new, computes):
    with copied.edited(module, old, new):
        after = copied.of_steps(WHOLE)
    changed = {step for step in as_it_is if as_it_is[step] != after[step]}
    assert changed == {step for step in as_it_is if step in computes or step[0] in computes}


class OtherWords(ast.NodeTransformer):
    """Changes every text that a raised exception, a message in the log or a docstring holds."""

    def __init__(self) -> None:
        self.changed = 0

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if isinstance(node.exc, ast.Call):
            self._change(*node.exc.args, *(keyword.value for keyword in node.exc.keywords))
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        if isinstance(node.value, ast.Constant):
            self._change(node.value)
        elif isinstance(node.value, ast.Call) and ast.unparse(node.value.func).startswith(("log.", "warnings.warn")):
            self._change(*node.value.args)
        return self.generic_visit(node)

    def _change(self, *values: ast.expr) -> None:
        for value in values:
            for part in ast.walk(value):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    part.value += " in other words"
                    self.changed += 1


def test_no_text_of_any_module_counts(as_it_is, tmp_path):
    """In every module, so in each that a stage reaches; comments and formatting are lost on the way."""
    other, changed = Copied(tmp_path), 0
    for path in (tmp_path / "microgesture").rglob("*.py"):
        words = OtherWords()
        path.write_text(ast.unparse(words.visit(ast.parse(path.read_text()))))
        changed += words.changed
    assert changed > 1000
    assert other.of_steps(WHOLE) == as_it_is
