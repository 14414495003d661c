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
    net, x = Net().train(), torch.randn(1, 1, 8, 8)
    lesson = cnnviz.from_torch(net, x, label=2)
    assert net.training and net.bn.training
    assert np.allclose(lesson.tape["fc.y"], net.eval()(x).detach().numpy()[0], atol=1e-5)
    assert lesson.tape["fc.dw"].shape == (48, 4)


def test_what_cannot_be_exported_is_told():
    class Odd(torch.nn.Module):
        def forward(self, x):
            return x if x.sum().item() > 0 else -x

    with pytest.raises(cnnviz.CnnvizError, match="Odd cannot be exported by PyTorch"):
        cnnviz.from_torch(Odd(), torch.ones(1, 3))
