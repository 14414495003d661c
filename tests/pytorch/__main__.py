"""Compare 500 random networks with PyTorch, number by number; ``--record`` writes down what it finds."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import numpy as np

from tests.pytorch import optimisers
from tests.pytorch.recorded import CLOSEST, FILE, SEEDS, write
from tests.random_networks import random_network


def main(arguments: list[str]) -> int:
    if find_spec("torch") is None:
        print(
            "PyTorch is not installed in this environment, so there is nothing to compare with; "
            f"{sys.executable} -m pip install torch puts it there.",
            file=sys.stderr,
        )
        return 2
    import torch

    from tests.pytorch.run import torch_arrays, worst
    from tests.pytorch.tracing import compare

    torch.set_num_threads(1)
    found, differences = {}, []
    for seed in SEEDS:
        drawn = random_network(seed)
        found[seed] = torch_arrays(drawn)
        difference, name = worst(drawn.run(), found[seed])
        differences.append((difference, seed, name))
    difference, seed, name = max(differences)
    verdict = "as meant" if difference <= CLOSEST else "WRONG"
    count = sum(map(len, found.values()))
    print(f"{len(SEEDS)} random networks, {count} arrays, float64, against PyTorch {torch.__version__}:")
    print(f"outputs, losses and gradients differ by {difference:.1e} at most (network {seed}, {name});")
    print(f"at most {CLOSEST} is meant: {verdict}.")
    walks = {label: optimisers.torch_walk(label) for label in optimisers.WALKS}
    apart = {
        label: np.abs(optimisers.walk(label) - walk).max() / np.abs(walk).max()
        for label, walk in walks.items()
    }
    label = max(apart, key=lambda name: apart[name])
    print(
        f"{len(walks)} optimisers differ by {apart[label]:.1e} at most in {optimisers.STEPS} steps ({label})."
    )
    if "--record" in arguments:
        write(found)
        np.savez_compressed(optimisers.FILE, **walks, **optimisers.torch_lesson())
        print(f"Recorded in {FILE} and {optimisers.FILE}.")
    traced = compare(record="--record" in arguments)
    return 0 if traced and max(difference, apart[label]) <= CLOSEST else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
