import numpy as np
import pytest

from microgesture.skeletons.graph import adjacency, parents, partition, walk
from microgesture.skeletons.selections import SELECTIONS, Selection, selection_named

FORK = Selection("fork", ("chin", "neck", "nose", "left ear"), ((2, 1), (0, 1), (2, 3)), "a test's")


@pytest.mark.parametrize("name", SELECTIONS)
def test_walk_visits_every_joint_once(name):
    selection = selection_named(name)
    assert sorted(walk(selection)) == list(range(len(selection.joints)))


@pytest.mark.parametrize("name", ["42", "68"])
def test_selections_made_for_convolutions_over_joints_are_in_order(name):
    assert walk(selection_named(name)) == tuple(range(len(selection_named(name).joints)))


@pytest.mark.parametrize("name", SELECTIONS)
def test_walk_is_shorter_over_the_limbs_than_other_orders(name):
    selection = selection_named(name)
    V = len(selection.joints)
    steps_VV = np.full((V, V), 2.0 * V)
    np.fill_diagonal(steps_VV, 0)
    for a, b in selection.edges:
        steps_VV[a, b] = steps_VV[b, a] = 1
    for k in range(V):
        steps_VV = np.minimum(steps_VV, steps_VV[:, [k]] + steps_VV[[k]])
    order = np.array(walk(selection))
    generator = np.random.default_rng(0)
    length = steps_VV[order[:-1], order[1:]].sum()
    shuffled = (generator.permutation(order) for _ in range(200))
    assert length < 0.75 * min(steps_VV[other[:-1], other[1:]].sum() for other in shuffled)


def test_the_partition_of_st_gcn_by_hand():
    loop = Selection("loop", ("neck", "nose", "chin", "left ear"), ((0, 1), (0, 2), (1, 2), (2, 3)), "a test's")
    alike, nearer, farther = partition(loop)
    neighbours = np.array([3, 3, 4, 2])  # itself included
    np.testing.assert_allclose(alike, np.array([[1, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 1]]) / neighbours)
    np.testing.assert_allclose(nearer, np.array([[0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]]) / neighbours)
    np.testing.assert_allclose(farther, np.array([[0, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0]]) / neighbours)


@pytest.mark.parametrize("name", SELECTIONS)
def test_parents_are_joined_by_a_limb_and_lead_to_a_root(name):
    selection = selection_named(name)
    found = parents(selection)
    limbs = {frozenset(edge) for edge in selection.edges}
    for joint, parent in enumerate(found):
        assert parent == joint or frozenset((joint, parent)) in limbs
    ends = set(range(len(found)))
    for _ in found:
        ends = {found[joint] for joint in ends}
    roots = {selection.joints[joint] for joint in ends}
    assert (
        roots
        == {
            "21": {"right hand wrist"},
            "22": {"neck"},
            "36": {"neck", "right lip corner"},  # no limb joins the mouth to the face
            "42": {"right hand wrist", "left hand wrist"},
            "68": {"neck"},
            "25": {"neck"},
        }[name]
    )


def test_parents_by_hand():
    assert parents(FORK) == (1, 1, 1, 2)


def test_adjacency_by_hand():
    inward_VV = [[0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    outward_VV = [[0, 0.5, 0, 0], [0, 0, 0, 0], [0, 0.5, 0, 0], [0, 0, 1, 0]]
    np.testing.assert_allclose(adjacency(FORK), [np.eye(4), inward_VV, outward_VV])


@pytest.mark.parametrize("name", SELECTIONS)
def test_every_limb_runs_inward_once_and_outward_once(name):
    selection = selection_named(name)
    _, inward_VV, outward_VV = adjacency(selection) > 0
    assert (inward_VV == outward_VV.T).all()
    assert {frozenset(map(int, pair)) for pair in np.argwhere(inward_VV)} == set(map(frozenset, selection.edges))
    assert inward_VV.sum() == len(selection.edges)
