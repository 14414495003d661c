"""Where PyTorch is installed, its modules are lessons at once; the recorded files hold for all others."""

import numpy as np
import pytest

import cnnviz

torch = pytest.importorskip("torch")


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn = torch.nn.Conv2d(1, 3, 3, padding=1), torch.nn.BatchNorm2d(3)
        self.fc = torch.nn.Linear(48, 4)

    def forward(self, x):
        x = torch.nn.functional.max_pool2d(torch.relu(self.bn(self.conv(x))), 2)
        return self.fc(torch.flatten(x, 1))


def test_a_module_is_a_lesson():
    torch.manual_seed(1)
    net, x = Net().eval(), torch.randn(1, 1, 8, 8)
    lesson = cnnviz.from_torch(net, x, target=2)
    assert np.allclose(lesson.tape["fc.y"], net(x).detach().numpy()[0], atol=1e-5)
    assert lesson.tape["fc.dw"].shape == (48, 4)


def test_what_cannot_be_exported_is_told():
    class Odd(torch.nn.Module):
        def forward(self, x):
            return x if x.sum().item() > 0 else -x

    with pytest.raises(cnnviz.CnnvizError, match="Odd cannot be exported by PyTorch"):
        cnnviz.from_torch(Odd(), torch.ones(1, 3))
    for example in (np.ones((1, 3)), 3, (torch.ones(1, 3), [torch.ones(1, 3)])):
        with pytest.raises(cnnviz.CnnvizError, match="example: must be a tensor, or a tuple"):
            cnnviz.from_torch(Odd(), example)


def test_in_training_mode_the_samples_go_through_together():
    torch.manual_seed(1)
    net, x, t = Net().train(), torch.randn(3, 1, 8, 8), torch.tensor([1, 3, 0])
    lesson = cnnviz.from_torch(net, x, target=t)
    assert net.training and not net.bn.num_batches_tracked
    loss = torch.nn.functional.cross_entropy(net(x), t)
    loss.backward()
    assert np.allclose(lesson.tape["fc.dw"], net.fc.weight.grad.numpy().T, atol=1e-5)
    first = lesson.network.layers[0].name
    assert np.allclose(lesson.tape[f"{first}.dw"], net.conv.weight.grad.numpy(), atol=1e-5)
    squared = cnnviz.from_torch(torch.nn.Sequential(net, torch.nn.Dropout(0.25)), x, target=torch.zeros(3, 4))
    dropped = squared.network.layers[-1]
    assert (dropped.kind, dropped.p, squared.network.loss.kind) == ("dropout", 0.25, "mean_squared_error")


def test_several_inputs_have_an_example_each():
    class Two(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.of, self.fc = torch.nn.Conv2d(1, 2, 3), torch.nn.Linear(21, 3)

        def forward(self, picture, row):
            return self.fc(torch.cat([torch.relu(self.of(picture)).flatten(1), row], 1))

    net, given = Two().eval(), (torch.randn(1, 1, 5, 5), torch.randn(1, 3))
    lesson = cnnviz.from_torch(net, given, target=1)
    assert list(lesson.network.input_shapes.values()) == [(1, 5, 5), (3,)]
    assert np.allclose(lesson.tape["fc.y"], net(*given).detach().numpy()[0], atol=1e-5)
    torch.nn.functional.cross_entropy(net(*given), torch.tensor([1])).backward()
    assert np.allclose(lesson.tape["fc.dw"], net.fc.weight.grad.numpy().T, atol=1e-5)
