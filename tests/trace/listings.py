"""Listings that no layer has, but that somebody may write."""

from __future__ import annotations

import numpy as np

from cnnviz.engine.layer import Call


def call(listing, writes, **given):
    """A call of a listing; what it writes is found by running it."""
    arrays = {name: np.zeros(shape) for name, shape in writes.items()}
    listing(**given, **arrays)
    return Call(listing.__name__, "layer", "forward", listing, given, arrays)


# The listings are set as they would be shown.
# fmt: off

def running_sum(x, y, N):
    total = 0.0
    for n in range(N):
        total += x[n]
        y[n] = total


def largest_so_far(x, y, N):
    for n in range(N):
        best = x[n] if n == 0 else max(best, x[n])  # noqa: F821 - the last run assigned it
        y[n] = best


def matrix_times_vector(w, x, y, M, N):
    for m in range(M):
        for n in range(N):
            y[m] += w[m, n] * x[n]


def sums_of_rows_and_columns(x, rows, columns, M, N):
    for m in range(M):
        for n in range(N):
            rows[m] += x[m, n]
            columns[n] += x[m, n]


def fibonacci(y, N):
    y[0] = 1
    y[1] = 1
    for n in range(N):
        y[n + 2] = y[n + 1] + y[n]


def transposed(x, y, M, N):
    for m in range(M):
        for n in range(N):
            y[n, m] = x[m, n]


def one_variable_thrice(x, y, z, M, N):
    for m in range(M):
        for n in range(N):
            y[m, n] = x[m, n]
        for k in range(M):
            for n in range(M):
                z[m, k, n] = k * n


def mean_and_spread(x, mean, spread, C, N):
    for c in range(C):
        acc = 0.0
        for n in range(N):
            acc += x[c, n]
        mean[c] = acc / N
        acc = 0.0
        for n in range(N):
            d = x[c, n] - mean[c]
            acc += d * d
        spread[c] = acc / N


def written_twice(x, y, N):
    for n in range(N):
        y[n] = x[n]
    for n in range(N):
        y[n] = y[n] / 2


def no_loop(x, y):
    a = x[0] + x[1]
    y[0] = a * x[2]


def never(x, y, N, NONE):
    for n in range(N):
        acc = x[n]
        for k in range(NONE):
            acc += k
        y[n] = acc

# fmt: on

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 4))

ODD_CALLS = [
    call(running_sum, {"y": 4}, x=X[0], N=4),
    call(largest_so_far, {"y": 4}, x=X[0], N=4),
    call(matrix_times_vector, {"y": 3}, w=X, x=X[0], M=3, N=4),
    call(sums_of_rows_and_columns, {"rows": 3, "columns": 4}, x=X, M=3, N=4),
    call(fibonacci, {"y": 6}, N=4),
    call(transposed, {"y": (4, 3)}, x=X, M=3, N=4),
    call(one_variable_thrice, {"y": (3, 4), "z": (3, 3, 3)}, x=X, M=3, N=4),
    call(mean_and_spread, {"mean": 3, "spread": 3}, x=X, C=3, N=4),
    call(written_twice, {"y": 4}, x=X[0], N=4),
    call(no_loop, {"y": 1}, x=X[0]),
    call(never, {"y": 4}, x=X[0], N=4, NONE=0),
]
