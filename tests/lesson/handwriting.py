"""Digits written by script as strokes, as hands write them: several styles each, never twice the same."""

from __future__ import annotations

import numpy as np

Points = list[tuple[float, float]]

# Where the pen is led, in a box of 100 × 100 whose y goes down; strokes have a slash between them.
STYLES = {
    0: (
        "55,2 20,15 8,50 20,88 50,100 80,85 92,50 80,15 50,2",
        "60,0 30,20 20,55 30,90 50,100 70,85 78,50 70,15 52,3 42,6",
        "50,10 15,30 10,65 35,95 70,90 95,60 85,25 55,8 40,14",
    ),
    1: (
        "50,0 50,100",
        "55,0 50,50 47,100",
        "30,25 42,15 55,0 / 55,0 55,50 55,100",
    ),
    2: (
        "10,25 25,5 55,0 80,15 80,40 50,70 8,100 / 8,100 50,98 95,97",
        "15,20 40,2 75,10 80,35 55,65 25,90 12,95 12,82 30,80 55,93 92,98",
        "12,30 20,10 50,2 82,20 65,55 10,95 / 10,95 90,95",
    ),
    3: (
        "15,12 45,0 78,12 75,35 40,47 / 40,47 80,58 85,82 50,100 10,90",
        "20,8 50,0 75,15 68,38 42,48 72,56 82,78 60,97 30,100 12,90",
        "12,18 30,3 65,3 75,25 50,46 / 50,46 88,62 75,92 40,100 12,85",
    ),
    4: (
        "25,0 12,55 / 12,55 90,55 / 72,5 68,100",
        "15,5 12,35 20,50 50,52 80,42 / 82,2 78,50 72,100",
        "30,2 20,25 8,52 / 8,52 50,55 92,50 / 62,25 60,60 56,100",
    ),
    5: (
        "85,2 25,3 / 25,3 20,42 / 20,42 55,38 85,58 78,88 45,100 10,90",
        "25,5 20,45 / 20,45 50,40 80,60 75,88 45,100 15,93 / 25,5 82,2",
        "80,0 40,2 30,8 25,38 35,45 65,50 78,70 65,92 35,100 12,90",
    ),
    6: (
        "70,0 40,20 20,55 22,88 50,100 78,88 78,65 52,53 25,68",
        "50,0 25,35 15,70 35,98 70,95 82,72 60,55 30,62 18,80",
        "65,2 35,30 22,70 38,97 62,95 70,75 52,60 28,72",
    ),
    7: (
        "10,5 88,3 / 88,3 60,45 40,100",
        "12,10 45,6 85,5 70,35 50,65 38,100",
        "12,5 88,3 / 88,3 60,50 45,100 / 35,50 78,50",
    ),
    8: (
        "75,12 50,0 25,12 28,33 52,47 78,65 78,88 50,100 22,88 25,65 50,47 75,30 75,12",
        "50,46 22,28 30,5 55,0 75,15 70,35 48,47 22,65 20,88 50,100 78,85 75,62 50,46",
        "50,0 25,15 30,38 50,46 70,35 72,12 50,0 / 50,46 20,65 25,92 52,100 80,88 78,62 50,46",
    ),
    9: (
        "75,20 50,2 22,15 20,38 45,50 72,35 76,15 / 76,15 74,55 68,100",
        "78,12 50,0 25,15 25,40 50,48 75,30 78,12 76,50 62,85 40,100",
        "72,10 42,3 20,25 35,48 65,38 75,12 70,50 62,100",
    ),
}


def written(digit: int, rng: np.random.Generator, side: float) -> tuple[list[Points], float]:
    """Return the strokes of a digit, as a hand writes it on a square, and how wide its pen is."""
    styles = STYLES[digit]
    size = rng.uniform(0.3, 0.9) * side
    across, down = rng.uniform(0.45, 0.95) * size, size
    slant, turn = rng.uniform(-0.4, 0.6), np.deg2rad(rng.uniform(-12, 12))
    strokes = []
    for stroke in styles[rng.integers(len(styles))].split(" / "):
        led = np.array([point.split(",") for point in stroke.split()], float) / 100
        points = _smooth(led + rng.normal(0, 0.04, led.shape))
        x, y = (points[:, 0] - 0.5) * across, (points[:, 1] - 0.5) * down
        x = x - slant * y
        strokes.append(
            np.stack((x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)), 1)
        )
    width = rng.uniform(0.035, 0.095) * side
    every = np.concatenate(strokes)
    low, high = every.min(axis=0) - width, every.max(axis=0) + width
    place = -low + rng.uniform(0, 1, 2) * np.maximum(side - (high - low), 0)
    return [[(float(x), float(y)) for x, y in stroke + place] for stroke in strokes], float(width)


def _smooth(points: np.ndarray, between: int = 8) -> np.ndarray:
    """Return many points on the smooth curve of Catmull and Rom through a few."""
    if len(points) < 3:
        return points
    around = np.concatenate((points[:1], points, points[-1:]))
    t = np.linspace(0, 1, between, endpoint=False)[:, None]
    parts = []
    for a, b, c, d in zip(around, around[1:], around[2:], around[3:], strict=False):
        parts.append(
            0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        )
    return np.concatenate((*parts, points[-1:]))
