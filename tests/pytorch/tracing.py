"""What a number is made of and reaches, in PyTorch: its gradient to all before it, and where it is felt."""

from __future__ import annotations

import sys

import numpy as np
import torch

from cnnviz.engine.address import output_of
from cnnviz.engine.attribution import trace_back, trace_forward
from cnnviz.engine.layer import Array
from tests.pytorch.run import torch_outputs
from tests.random_networks import Drawn, random_network
from tests.traced import EXACT, FILE, NEARLY, RECORDED, cells_of, differences

SEEDS = range(1000)


def torch_trace(drawn: Drawn, name: str, place: tuple[int, ...]) -> dict[str, Array]:
    """Return the gradient of one cell of a layer's output to all outputs and inputs, by address."""
    outputs, _ = torch_outputs(drawn)
    values = outputs[name] if drawn.samples else outputs[name][0]
    names = list(outputs)
    found = torch.autograd.grad(values[place], [outputs[one] for one in names], allow_unused=True)
    own = slice(None) if drawn.samples else 0
    return {
        output_of(one): values[own].numpy()
        for one, values in zip(names, found, strict=True)
        if values is not None
    }


def torch_reach(drawn: Drawn, name: str, place: tuple[int, ...]) -> dict[str, Array]:
    """Return the derivative of all later outputs by one cell of a layer's output or of an input."""
    outputs, _ = torch_outputs(drawn)
    found = {}
    for other, values in outputs.items():
        weights = torch.ones_like(values, requires_grad=True)
        (back,) = torch.autograd.grad(values, outputs[name], weights, create_graph=True, allow_unused=True)
        if back is None:
            continue
        cell = back[place] if drawn.samples else back[0][place]
        if not cell.requires_grad:  # it does not depend on what comes back
            continue
        (along,) = torch.autograd.grad(cell, weights, retain_graph=True, allow_unused=True)
        if along is not None:
            found[output_of(other)] = (along if drawn.samples else along[0]).detach().numpy()
    return found


def compare(record: bool) -> bool:
    """Compare 1,000 random networks, a cell back and a cell forward of each; say what was found."""
    wrong: list[str] = []
    held: dict[str, Array] = {}
    counted = 0
    for seed in SEEDS:
        drawn = random_network(seed)
        tape = drawn.run()
        (last, back), (first, forward) = cells_of(drawn, seed)
        ours = trace_back(drawn.network, tape, output_of(last), back).gradients
        theirs = torch_trace(drawn, last, back)
        reach = trace_forward(drawn.network, tape, output_of(first), forward)
        there = torch_reach(drawn, first, forward)
        wrong += [f"{seed}, back from {last}{back}: {said}" for said in differences(ours, theirs, EXACT)]
        wrong += [f"{seed}, on from {first}{forward}: {said}" for said in differences(reach, there, NEARLY)]
        counted += sum(values.size for values in (*theirs.values(), *there.values()))
        if seed in RECORDED:
            held |= {f"{seed} back {one}": values for one, values in theirs.items()}
            held |= {f"{seed} forward {one}": values for one, values in there.items()}
    print(
        f"{len(SEEDS)} random networks, a number back and one forward, {counted} cells: {len(wrong)} differ."
    )
    if wrong:
        print("\n".join(wrong[:20]))
    if record:
        np.savez_compressed(FILE, **held)
    return not wrong


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(0 if compare("--record" in sys.argv[1:]) else 1)
