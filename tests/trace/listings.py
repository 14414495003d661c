"""Listings that no layer has, but that somebody may write."""

from __future__ import annotations

import numpy as np
from numpy import exp, sqrt

from cnnviz.engine.layer import Call


def call(listing, writes, **given):
    """A call of a listing; what it writes is found by running it."""
    arrays = {name: np.zeros(shape) for name, shape in writes.items()}
    listing(**given, **arrays)
    return Call(listing.__name__, "layer", "forward", listing, given, arrays)


# The listings are set as they would be shown.
# fmt: off

def as_far_as_a_scalar_says(x, y, M, N):
    for m in range(M):
        acc = 0.0
        for n in range(N):
            end = 2*m - n
            acc += x[m, n] if n < end else 0.0
        y[m] = acc


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


# fmt: off

def what_lies_between(x, w, b, y, N):
    for n in range(N):
        y[n] = w[n] if x[n] >= 0 and x[n] < 2 else b[n]


def largest_sum_of_a_row(x, y, M, N):
    most = -100.0
    for m in range(M):
        acc = 0.0
        for n in range(N):
            acc += x[m, n] if x[m, n] > 0 or n == 1 else -x[m, n]
            acc -= 0.25
        most = max(most, acc)
    y[0] = most


def what_is_left(x, y, z, N):
    part = 1.0
    rest = 1.0
    sign = 0
    for n in range(N):
        part *= x[n]
        rest /= x[n]
        sign += 1 if x[n] < 0 else 0
    y[0] = part + rest + sign
    for k in range(N):
        z[k] = part * n


def two_sums_in_one_loop(x, y, N, K):
    acc = 0.0
    for n in range(N):
        part = 0.0
        for k in range(K):
            part += x[n, k]
            acc += x[n, k]
    y[0] = part + acc


def two_after_one_another(x, y, N):
    for n in range(N):
        total = 0.0
        most = x[n]
        for k in range(N):
            total += x[k] * most
            most = min(most, total)
        y[n] = total + most


def read_before_it_is_written(x, y, N, END):
    total = 0.0
    for n in range(N):
        total += y[n]
        y[n] = x[n]
        total += y[END]
        y[n + N] = total


def nesterov(w, dw, v, lr, momentum, N):
    for n in range(N):
        old = v[n]
        v[n] = momentum * v[n] - lr * dw[n]
        w[n] = w[n] - momentum * old + (1 + momentum) * v[n]


def batch_norm(x, gamma, beta, mean, var, y, C, H, W, count, eps):
    for c in range(C):
        acc = 0.0
        for i in range(H):
            for j in range(W):
                acc += x[c, i, j]
        mean[c] = acc / count
        acc = 0.0
        for i in range(H):
            for j in range(W):
                acc += (x[c, i, j] - mean[c]) ** 2
        var[c] = acc / count
        scale = gamma[c] / sqrt(var[c] + eps)
        for i in range(H):
            for j in range(W):
                y[c, i, j] = scale * (x[c, i, j] - mean[c]) + beta[c]


def layer_norm(x, gamma, beta, y, T, D, count, eps):
    for t in range(T):
        acc = 0.0
        for d in range(D):
            acc += x[t, d]
        mean = acc / count
        acc = 0.0
        for d in range(D):
            diff = x[t, d] - mean
            acc += diff * diff
        spread = sqrt(acc / count + eps)
        for d in range(D):
            y[t, d] = gamma[d] * (x[t, d] - mean) / spread + beta[d]


def im2col(x, w, columns, y, C_out, C_in, K_h, K_w, H_out, W_out, M):
    for c in range(C_in):
        for u in range(K_h):
            for v in range(K_w):
                for i in range(H_out):
                    for j in range(W_out):
                        columns[(c*K_h + u)*K_w + v, i*W_out + j] = x[c, i+u, j+v]
    for o in range(C_out):
        for i in range(H_out):
            for j in range(W_out):
                acc = 0.0
                for m in range(M):
                    acc += w[o, m] * columns[m, i*W_out + j]
                y[o, i, j] = acc


def attention(q, k, v, s, e, p, y, T, S, D, scale):
    for i in range(T):
        for j in range(S):
            acc = 0.0
            for d in range(D):
                acc += q[i, d] * k[j, d]
            s[i, j] = acc * scale
        most = s[i, 0]
        for j in range(S):
            most = max(most, s[i, j])
        total = 0.0
        for j in range(S):
            e[i, j] = exp(s[i, j] - most)
            total += e[i, j]
        for j in range(S):
            p[i, j] = e[i, j] / total
        for d in range(D):
            acc = 0.0
            for j in range(S):
                acc += p[i, j] * v[j, d]
            y[i, d] = acc

# fmt: on


def batch_norm_call(C, H, W):
    x = RNG.normal(size=(C, H, W))
    gamma, beta, mean, var = RNG.normal(size=C), RNG.normal(size=C), x.mean((1, 2)), x.var((1, 2))
    y = (gamma / np.sqrt(var + 1e-5))[:, None, None] * (x - mean[:, None, None]) + beta[:, None, None]
    given = {"x": x, "gamma": gamma, "beta": beta, "C": C, "H": H, "W": W, "count": H * W, "eps": 1e-5}
    return Call("norm", "norm", "forward", batch_norm, given, {"mean": mean, "var": var, "y": y})


def layer_norm_call(T, D):
    x, gamma, beta = RNG.normal(size=(T, D)), RNG.normal(size=D), RNG.normal(size=D)
    y = gamma * (x - x.mean(1)[:, None]) / np.sqrt(x.var(1)[:, None] + 1e-5) + beta
    given = {"x": x, "gamma": gamma, "beta": beta, "T": T, "D": D, "count": D, "eps": 1e-5}
    return Call("norm", "norm", "forward", layer_norm, given, {"y": y})


def im2col_call(C_out, C_in, K, size):
    x, w = RNG.normal(size=(C_in, size + K - 1, size + K - 1)), RNG.normal(size=(C_out, C_in * K * K))
    windows = np.lib.stride_tricks.sliding_window_view(x, (K, K), (1, 2))  # (C_in, H_out, W_out, K, K)
    columns = windows.transpose(0, 3, 4, 1, 2).reshape(C_in * K * K, size * size).copy()
    given = {"x": x, "w": w, "C_out": C_out, "C_in": C_in, "K_h": K, "K_w": K, "H_out": size, "W_out": size}
    given["M"] = C_in * K * K
    writes = {"columns": columns, "y": (w @ columns).reshape(C_out, size, size)}
    return Call("conv", "conv", "forward", im2col, given, writes)


def nesterov_call(N):
    w, v, dw = RNG.normal(size=(3, N))
    new = 0.9 * v - 0.1 * dw
    given = {"dw": dw, "N": N, "lr": 0.1, "momentum": 0.9}
    writes = {"v": new, "w": w - 0.9 * v + 1.9 * new}
    return Call("w", "fc", "update", nesterov, given, writes, {"v": v, "w": w})


def attention_call(T, S, D):
    q, k, v = RNG.normal(size=(T, D)), RNG.normal(size=(S, D)), RNG.normal(size=(S, D))
    s = q @ k.T / np.sqrt(D)
    e = np.exp(s - s.max(1)[:, None])
    p = e / e.sum(1)[:, None]
    given = {"q": q, "k": k, "v": v, "T": T, "S": S, "D": D, "scale": 1 / np.sqrt(D)}
    return Call("attention", "attention", "forward", attention, given, {"s": s, "e": e, "p": p, "y": p @ v})


ODD_CALLS += [
    call(largest_sum_of_a_row, {"y": 1}, x=X, M=3, N=4),
    call(as_far_as_a_scalar_says, {"y": 3}, x=X, M=3, N=4),
    call(what_is_left, {"y": 1, "z": 4}, x=X[1], N=4),
    call(what_lies_between, {"y": 4}, x=np.array([-1.0, 0.5, 3.0, 0.0]), w=X[0], b=X[1], N=4),
    call(two_sums_in_one_loop, {"y": 1}, x=np.arange(40.0).reshape(20, 2), N=20, K=2),
    call(two_after_one_another, {"y": 4}, x=X[1], N=4),
    call(read_before_it_is_written, {"y": 8}, x=X[1], N=4, END=3),
    nesterov_call(3),
    batch_norm_call(2, 3, 2),
    layer_norm_call(3, 4),
    im2col_call(2, 2, 2, 3),
    attention_call(2, 3, 2),
]


def LARGE_CALLS():
    """The same with about 10⁷ steps each, and the first once more with few channels, large ones."""
    yield batch_norm_call(64, 160, 160)
    yield batch_norm_call(2, 900, 900)
    yield layer_norm_call(2000, 768)
    yield im2col_call(32, 16, 3, 32)
    yield attention_call(128, 128, 128)
