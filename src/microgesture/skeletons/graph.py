"""The graph of a selection's joints: the parent of each joint, adjacency for graph convolutions, a walk over all."""

from collections import deque

import numpy as np

from .selections import Selection, hand_in_order

_ROOTS = ("neck", "right hand wrist", "left hand wrist")  # possible roots, in the order of preference


def _arm(side: str) -> list[str]:
    wrist, *fingers = hand_in_order(side)
    return [*(f"{side} {joint}" for joint in ("shoulder", "elbow", "wrist")), wrist, f"{side} hand palm", *fingers]


def _both(*names: str) -> list[str]:
    """Return these joints on the right, then the same joints on the left in reverse order."""
    return [f"right {name}" for name in names] + [f"left {name}" for name in reversed(names)]


# Over the hands and arms, back and forth over the face from the brows to the jaw, down the spine, and over the legs.
_WALK = (
    *reversed(_arm("right")), "neck", *_arm("left"),
    *_both("ear", "eye", "brow 0", "brow 2", "brow 4"),
    "left eye outer corner", "left eye inner corner", "nose bridge 0", "right eye inner corner",
    "right eye outer corner", "right nostril 0", "nose tip", "nose", "left nostril 0",
    "left lip corner", "upper lip", "right lip corner", "lower lip",
    "right jaw 2", "right jaw 4", "chin", "left jaw 4", "left jaw 2",
    "throat", "mid spine", "mid hip", *_both("hip", "knee", "ankle", "foot"),
)  # fmt: skip


def walk(selection: Selection) -> tuple[int, ...]:
    """Return the positions of all joints in an order in which neighbours are also neighbours on the body.

    It is for convolutions over joints, which mix consecutive joints. It leads from the right little finger over both
    arms to the left little finger, then over the face and down to the legs. Selections 42 and 68 are in this order.
    Joints that this way does not lead over come at the end, along their limbs.
    """
    along = {position: place for place, position in enumerate(_depth_first(selection))}
    order = {name: place for place, name in enumerate(_WALK)}

    def place(position: int) -> tuple[int, int]:
        return order.get(selection.joints[position], len(order)), along[position]

    return tuple(sorted(range(len(selection.joints)), key=place))


def _depth_first(selection: Selection) -> list[int]:
    """Return the joints in the order of a walk over the limbs, from each root down each limb to its end."""
    of_parent: dict[int, list[int]] = {}
    roots = []
    for position, parent in enumerate(parents(selection)):
        (roots if parent == position else of_parent.setdefault(parent, [])).append(position)
    order, waiting = [], roots[::-1]
    while waiting:
        order.append(waiting.pop())
        waiting += of_parent.get(order[-1], [])[::-1]
    return order


def parents(selection: Selection) -> tuple[int, ...]:
    """Return for each joint the position of its parent, one limb nearer to the root; a root is its own parent.

    The root is the neck. A part that is not connected to it, such as a hand without the arm, has its own root: the
    hand's wrist, or else its first joint.
    """
    return tuple(parent for parent, _ in _tree(selection))


def adjacency(selection: Selection) -> np.ndarray:
    """Return the three fixed graphs of 2s-AGCN, float32 (3, V, V): the joints themselves, inward and outward limbs.

    Entry (i, j) is the weight of joint i in the sum at joint j; each column that is not empty sums to 1. Inward means
    towards the root (arXiv 1805.07694, eq. 2, and the partition of ST-GCN, arXiv 1801.07455).
    """
    inward_VV = _inward(selection, level=True)
    return np.stack([np.eye(len(inward_VV), dtype=np.float32), _shares(inward_VV), _shares(inward_VV.T)])


def partition(selection: Selection) -> np.ndarray:
    """Return the three fixed graphs of ST-GCN, float32 (3, V, V), which partition the neighbours of each joint.

    They are the joint itself and its neighbours that are as far from the root as it, the joints nearer to the root, and
    those farther from it. Entry (i, j) is the weight of joint i in the sum at joint j: 1 divided by the number of all
    neighbours of j, itself included (arXiv 1801.07455, section 3.3, spatial configuration, and equation 9 with A D^-1).
    """
    V = len(selection.joints)
    linked_VV = np.eye(V, dtype=np.float32)
    for a, b in selection.edges:
        linked_VV[a, b] = linked_VV[b, a] = 1
    inward_VV = _inward(selection, level=False)
    parts_KVV = np.stack([linked_VV - inward_VV - inward_VV.T, inward_VV, inward_VV.T])
    return parts_KVV / linked_VV.sum(0)


def _inward(selection: Selection, level: bool) -> np.ndarray:
    """1 at (i, j) if a limb leads from joint j to joint i, which is nearer to the root; with ``level``, or as near."""
    V = len(selection.joints)
    depths = [depth for _, depth in _tree(selection)]
    inward_VV = np.zeros((V, V), np.float32)
    for edge in selection.edges:
        inner, outer = sorted(edge, key=lambda position: depths[position])
        inward_VV[inner, outer] = level or depths[inner] < depths[outer]
    return inward_VV


def _shares(graph_VV: np.ndarray) -> np.ndarray:
    return graph_VV / np.maximum(graph_VV.sum(0, keepdims=True), 1)


def _tree(selection: Selection) -> list[tuple[int, int]]:
    """Return the parent and the depth of each joint, found breadth first over the limbs in their order."""
    V = len(selection.joints)
    neighbours: list[list[int]] = [[] for _ in range(V)]
    for a, b in selection.edges:
        neighbours[a].append(b)
        neighbours[b].append(a)
    preferred = [selection.joints.index(name) for name in _ROOTS if name in selection.joints]
    found: dict[int, tuple[int, int]] = {}
    for root in (*preferred, *range(V)):
        if root in found:
            continue
        found[root] = (root, 0)
        reached = deque([root])
        while reached:
            joint = reached.popleft()
            for neighbour in neighbours[joint]:
                if neighbour not in found:
                    found[neighbour] = (joint, found[joint][1] + 1)
                    reached.append(neighbour)
    return [found[position] for position in range(V)]
