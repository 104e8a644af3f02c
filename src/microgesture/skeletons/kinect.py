"""The joints of a Kinect v2 in SMG's skeleton files: 25 joints in each frame, 11 columns for each joint.

The columns of a joint are x, y, z in metres from the sensor, four for its orientation, and two pairs of pixel
coordinates. The authors' reader uses the first pair as the joint's pixel and ignores the second (``SMGaccessSample.py``
of github.com/mikecheninoulu/SMG). Which pair belongs to the colour picture is inferred from the values.
"""

import numpy as np

JOINTS, COLUMNS = 25, 275
PIXELS = ((7, 8), (9, 10))  # the columns of a joint that may be its position in the colour picture
LEFT_AND_RIGHT = ((4, 8), (5, 9), (6, 10), (7, 11), (12, 16), (13, 17), (14, 18), (15, 19), (21, 23), (22, 24))
SHOULDERS = (4, 8)  # left, right
ONE_ABOVE_THE_OTHER = ((3, 0), (2, 1), (20, 0), (3, 1))  # head, neck and the spine


def kinect_joints(columns_TN: np.ndarray) -> np.ndarray:
    """Convert rows (T, 275) to joints float32 (T, 25, 6): x, y in colour pixels, confidence, and x, y, z in metres.

    The colour picture is the one with the larger distances between joints: its pixels are 2.9 times as fine as those of
    the depth picture. The axes of the metres point to the right of the picture, down, and away from the sensor. Left
    and right are the person's own. A Kinect may store people as in a mirror, where a right hand appears as a left one;
    this is detected from the shoulders, because the person faces the sensor. Confidence is 1, or 0 for a missing joint,
    whose position in the picture or in space is all zero or not a number. All values of a missing joint are zero.
    """
    joints_TVX = columns_TN.reshape(len(columns_TN), JOINTS, COLUMNS // JOINTS)
    metres_TV3 = joints_TVX[..., :3].astype(np.float64)
    views = [joints_TVX[..., list(columns)].astype(np.float64) for columns in PIXELS]
    scales = [_pixels_a_metre(pixels_TV2, metres_TV3) for pixels_TV2 in views]
    colour = int(np.argmax([abs(across) for across, _ in scales]))
    pixels_TV2, (across, down) = views[colour], scales[colour]
    found_TV = _found(pixels_TV2, metres_TV3)

    joints_TVC = np.zeros((*found_TV.shape, 6), np.float32)
    joints_TVC[..., :2][found_TV] = pixels_TV2[found_TV]
    joints_TVC[..., 2] = found_TV
    joints_TVC[..., 3:][found_TV] = metres_TV3[found_TV] * (-1 if across < 0 else 1, 1 if down > 0 else -1, 1)
    return swap_sides(joints_TVC) if _is_mirrored(joints_TVC) else joints_TVC


def swap_sides(joints_TVC: np.ndarray) -> np.ndarray:
    """Exchange the left and right joints of a Kinect."""
    order = list(range(JOINTS))
    for left, right in LEFT_AND_RIGHT:
        order[left], order[right] = right, left
    return joints_TVC[:, order]


def _found(pixels_TV2: np.ndarray, metres_TV3: np.ndarray) -> np.ndarray:
    finite_TV = np.isfinite(pixels_TV2).all(-1) & np.isfinite(metres_TV3).all(-1)
    return finite_TV & (pixels_TV2 != 0).any(-1) & (metres_TV3 != 0).any(-1)


def _pixels_a_metre(pixels_TV2: np.ndarray, metres_TV3: np.ndarray) -> tuple[float, float]:
    """Compute how many pixels a metre in space is, across and down the picture, at a distance of one metre.

    This is the median over pairs of joints side by side, and over pairs above each other, in all frames. It is close to
    0 for columns with other contents, because these do not differ between such joints.
    """
    seen_TV = _found(pixels_TV2, metres_TV3) & (metres_TV3[..., 2] > 0)
    sight_TV2 = np.divide(
        metres_TV3[..., :2], metres_TV3[..., 2:], out=np.zeros_like(pixels_TV2), where=seen_TV[..., None]
    )
    return tuple(
        _slope(sight_TV2[..., axis], pixels_TV2[..., axis], seen_TV, pairs)
        for axis, pairs in enumerate((LEFT_AND_RIGHT, ONE_ABOVE_THE_OTHER))
    )


def _slope(x_TV: np.ndarray, y_TV: np.ndarray, seen_TV: np.ndarray, pairs: tuple[tuple[int, int], ...]) -> float:
    """Return the median slope between the joints of each pair, over frames that have both; 0 if there are none."""
    one, other = (list(joints) for joints in zip(*pairs, strict=True))
    apart_TP = x_TV[:, one] - x_TV[:, other]
    known_TP = seen_TV[:, one] & seen_TV[:, other] & (np.abs(apart_TP) > 1e-3)
    if not known_TP.any():
        return 0.0
    return float(np.median((y_TV[:, one] - y_TV[:, other])[known_TP] / apart_TP[known_TP]))


def _is_mirrored(joints_TVC: np.ndarray) -> bool:
    """Whether the person's left shoulder is on the left in most of the frames that show both shoulders."""
    left_TC, right_TC = (joints_TVC[:, shoulder] for shoulder in SHOULDERS)
    both_T = (left_TC[:, 2] > 0) & (right_TC[:, 2] > 0)
    return bool(both_T.any() and (left_TC[both_T, 0] < right_TC[both_T, 0]).mean() > 0.5)
