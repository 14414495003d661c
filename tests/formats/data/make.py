"""Makes the files beside it, with PyTorch and Keras, and what these say comes out and comes back.

They are no part of what the project needs: ``pip install torch onnx onnxscript safetensors keras h5py``, then
``KERAS_BACKEND=torch python tests/formats/data/make.py``. Every file holds random numbers from a seed.
"""

import json
import os
import warnings
import zipfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")
import numpy as np
import onnx
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

HERE = Path(__file__).parent
LABEL = 3
warnings.simplefilter("ignore")


class LeNet(nn.Module):
    """LeNet-5 with few channels: its forward uses view, as course notes do."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 3, 5, padding=2), nn.Conv2d(3, 4, 3)
        self.fc1, self.fc2 = nn.Linear(16, 12), nn.Linear(12, 5)

    def forward(self, x):
        x = functional.max_pool2d(torch.relu(self.conv1(x)), 2)
        x = functional.avg_pool2d(torch.tanh(self.conv2(x)), 2)
        x = x.view(x.size(0), -1)
        return self.fc2(functional.dropout(torch.relu(self.fc1(x)), 0.5, self.training))


def vgg():
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Sequential(nn.Conv2d(4, 5, 3), nn.LeakyReLU(0.1), nn.AvgPool2d(2)),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(20, 6),
        nn.Softmax(dim=1),
    )


class Residual(nn.Module):
    """A residual block with batch norms, and one that halves the maps."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.conv2, self.bn2 = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.conv3, self.bn3 = nn.Conv2d(4, 6, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(6)
        self.down = nn.Sequential(nn.Conv2d(4, 6, 1, stride=2, bias=False), nn.BatchNorm2d(6))
        self.relu, self.pool, self.fc = nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Linear(6, 5)

    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)) + x)
        x = self.relu(self.bn3(self.conv3(x)) + self.down(x))
        return self.fc(torch.flatten(self.pool(x), 1))


def depthwise():
    def block(channels, out, stride):
        return nn.Sequential(
            nn.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU6(),
            nn.Conv2d(channels, out, 1, bias=False),
            nn.BatchNorm2d(out),
            nn.ReLU6(),
        )

    stem = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1, bias=False), nn.BatchNorm2d(4), nn.ReLU6())
    pooled = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))
    return nn.Sequential(stem, block(4, 6, 1), block(6, 8, 2), *pooled)


class Inception(nn.Module):
    """Four ways through one input, joined."""

    def __init__(self):
        super().__init__()
        self.one, self.three = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 3, 3, padding=1)
        self.five, self.point = nn.Conv2d(3, 2, 5, padding=2), nn.Conv2d(3, 2, 1)
        self.pool, self.fc = nn.MaxPool2d(3, 1, 1), nn.Linear(9, 5)

    def forward(self, x):
        ways = [self.one(x), self.three(x), self.five(x), self.point(self.pool(x))]
        x = torch.relu(torch.cat(ways, 1))
        return self.fc(x.mean(dim=(2, 3)))


class UNet(nn.Module):
    """Down, up again, and a skip: maps come out."""

    def __init__(self):
        super().__init__()
        self.down, self.bottom = nn.Conv2d(1, 3, 3, padding=1), nn.Conv2d(3, 4, 3, padding=1)
        self.up, self.out = nn.ConvTranspose2d(4, 3, 2, 2), nn.Conv2d(6, 2, 1)

    def forward(self, x):
        skip = torch.relu(self.down(x))
        x = torch.relu(self.bottom(functional.max_pool2d(skip, 2)))
        return self.out(torch.cat([self.up(x), skip], 1))


def norms():
    """Norms over a sample and with fixed statistics, and the activations of the last years."""
    return nn.Sequential(
        *(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.GELU(), nn.Conv2d(4, 2, 1), nn.SiLU()),
        *(nn.LayerNorm((2, 4, 4)), nn.GELU(approximate="tanh"), nn.Hardswish(), nn.Flatten()),
        *(nn.LayerNorm(32), nn.BatchNorm1d(32), nn.Linear(32, 5)),
    )


def groups():
    """A norm of groups of channels, and a softplus that is told how to bend: ONNX has no nodes for them."""
    layers = nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4), nn.Softplus(2.0, 1.0), nn.Flatten(), nn.Linear(64, 5)
    return nn.Sequential(*layers)


def adaptive():
    """Pooling into windows that overlap; nodes of ONNX say it by other means."""
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d((2, 3)), nn.Flatten(), nn.Linear(12, 5))


def sequences():
    """Windows that slide along rows of numbers."""
    return nn.Sequential(
        *(nn.Conv1d(2, 4, 3, padding=1), nn.Tanh(), nn.MaxPool1d(2, dilation=3), nn.BatchNorm1d(4)),
        *(nn.ReLU(), nn.Conv1d(4, 4, 3, stride=2, dilation=2, groups=2, bias=False), nn.Sigmoid()),
        *(nn.AvgPool1d(2, 1, padding=1), nn.Flatten(), nn.Linear(12, 5)),
    )


def local():
    """Local response norms, over odd and even windows, which all exporters but one take apart."""
    return nn.Sequential(
        *(nn.Conv2d(1, 5, 3), nn.LocalResponseNorm(3, 0.5, 0.75, 2.0), nn.ReLU()),
        *(nn.LocalResponseNorm(4, 1.5), nn.Flatten(), nn.Linear(80, 5)),
    )


class Gates(nn.Module):
    """A gate for each channel, maps made of a column, axes that change places, maps that grow."""

    def __init__(self):
        super().__init__()
        self.conv, self.squeeze = nn.Conv2d(2, 4, 3, padding=1), nn.Linear(4, 4)
        self.fc, self.after = nn.Linear(144, 24), nn.Conv2d(2, 3, 2)
        self.near, self.out = nn.Upsample(scale_factor=2), nn.Conv2d(9, 3, 1)

    def forward(self, x):
        x = self.conv(x)
        x = x * torch.sigmoid(self.squeeze(x.mean((2, 3)))).view(-1, 4, 1, 1)
        x = self.fc(x.reshape(-1, 144)).view(-1, 4, 3, 2)
        x = torch.tanh(self.after(x.transpose(1, 3)))
        x = x * functional.softmax(x, 3)
        smooth = [
            functional.interpolate(x, scale_factor=(2, 2), mode="bilinear", align_corners=corners)
            for corners in (False, True)
        ]
        return functional.softmax(self.out(torch.cat([self.near(x), *smooth], 1)), 1)


NETS = {
    "gates": (Gates, (2, 6, 6)),
    "sequences": (sequences, (2, 17)),
    "local": (local, (1, 6, 6)),
    "norms": (norms, (1, 6, 6)),
    "groups": (groups, (1, 6, 6)),
    "adaptive": (adaptive, (1, 7, 9)),
    "lenet": (LeNet, (1, 12, 12)),
    "vgg": (vgg, (3, 16, 16)),
    "residual": (Residual, (3, 8, 8)),
    "depthwise": (depthwise, (3, 12, 12)),
    "inception": (Inception, (3, 8, 8)),
    "unet": (UNet, (1, 8, 8)),
}


def made(name):
    """Return a network with numbers that no initialisation gives: batch norms with their own statistics."""
    torch.manual_seed(sum(map(ord, name)))
    make, shape = NETS[name]
    net = make().eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.GroupNorm | nn.LayerNorm):
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_()
    return net, torch.randn(1, *shape)


def reference(name, net, x):
    """Write what comes out, and all gradients, in double precision."""
    net, x = net.double(), x.double().requires_grad_()
    y = net(x)
    loss_of(y, name == "vgg").backward()
    arrays = {"x": x, "y": y, "dx": x.grad, "label": torch.tensor(LABEL)}
    arrays |= {f"d:{key}": value.grad for key, value in net.named_parameters()}
    np.savez_compressed(
        HERE / f"{name}.npz", **{key: value.detach().numpy() for key, value in arrays.items()}
    )
    net.float()


def loss_of(y, are_probabilities):
    """Return cross-entropy of a column, and of maps the mean squared error to one half."""
    if y.ndim == 4:
        return functional.mse_loss(y, torch.full_like(y, 0.5))
    return (
        -torch.log(y[0, LABEL]) if are_probabilities else functional.cross_entropy(y, torch.tensor([LABEL]))
    )


def write(name):
    net, x = made(name)
    reference(name, net, x)
    net, x = made(name)
    samples = {"x": {0: "N"}}
    if name not in ("groups", "adaptive"):
        torch.onnx.export(net, (x,), HERE / f"{name}.legacy.onnx", input_names=["x"], output_names=["y"],
                          dynamic_axes=samples, dynamo=False)  # fmt: skip
        torch.onnx.export(net, (x,), HERE / f"{name}.dynamo.onnx", input_names=["x"], dynamo=True,
                          verbose=False,
                          external_data=name == "residual")  # fmt: skip
    torch.jit.trace(net, x).save(HERE / f"{name}.traced.pt")
    if name in ("lenet", "residual", "local"):
        torch.jit.script(net).save(HERE / f"{name}.scripted.pt")
    torch.export.save(torch.export.export(net, (x,)), HERE / f"{name}.pt2")
    if name in ("vgg", "depthwise", "norms", "groups", "adaptive", "sequences", "local"):
        torch.save(net, HERE / f"{name}.module.pt")
    if name == "lenet":
        torch.save(net, HERE / "lenet.class.pt")
        torch.save(net.state_dict(), HERE / "lenet.state.pt")
        torch.save(net.state_dict(), HERE / "lenet.older.pth", _use_new_zipfile_serialization=False)
        optimiser = torch.optim.Adam(net.parameters())
        checkpoint = {"epoch": 3, "model_state_dict": net.state_dict(), "optimizer": optimiser.state_dict()}
        torch.save(checkpoint, HERE / "lenet.checkpoint.pth")
        save_file(net.state_dict(), HERE / "lenet.safetensors")
        double = net.double()
        torch.onnx.export(double, (x.double(),), HERE / "lenet.double.onnx", input_names=["x"], dynamo=False)
        net.float()


def unflatten():
    """Write what the older exporter makes of a column that becomes maps: its sizes are computed by nodes."""
    torch.manual_seed(6)
    layers = nn.Linear(4, 12), nn.Unflatten(1, (3, 2, 2)), nn.Conv2d(3, 5, 2), nn.Flatten()
    net, x = nn.Sequential(*layers).eval(), torch.randn(1, 4)
    torch.onnx.export(net, (x,), HERE / "unflatten.legacy.onnx", input_names=["x"], output_names=["y"],
                      dynamic_axes={"x": {0: "N"}}, dynamo=False)  # fmt: skip
    reference("unflatten", net, x)


def tiny():
    """Write CNN Explainer's Tiny VGG in its own shape in every format, with weights that pack well: 64ths."""
    import keras
    from keras import layers

    torch.manual_seed(8)
    convs, pools = [nn.Conv2d(3, 10, 3), *(nn.Conv2d(10, 10, 3) for _ in range(3))], [False, True] * 2
    parts = [part for conv, pool in zip(convs, pools, strict=True)
             for part in (conv, nn.ReLU(), *([nn.MaxPool2d(2)] if pool else []))]  # fmt: skip
    net, x = nn.Sequential(*parts, nn.Flatten(), nn.Linear(1690, 10)).eval(), torch.rand(1, 3, 64, 64)
    x = (x * 64).round() / 64
    for values in net.parameters():
        values.data = (values.data * 64).round() / 64
    name = HERE / "tiny"
    torch.onnx.export(net, (x,), f"{name}.legacy.onnx", input_names=["x"], output_names=["y"], dynamo=False)
    torch.onnx.export(net, (x,), f"{name}.dynamo.onnx", input_names=["x"], dynamo=True, verbose=False,
                      external_data=False)  # fmt: skip
    torch.jit.trace(net, x).save(f"{name}.traced.pt")
    torch.export.save(torch.export.export(net, (x,)), f"{name}.pt2")
    torch.save(net, f"{name}.module.pt")
    model = keras.Sequential([keras.Input((64, 64, 3))])
    for pool in pools:
        model.add(layers.Conv2D(10, 3, activation="relu"))
        if pool:
            model.add(layers.MaxPooling2D())
    model.add(layers.Flatten())
    model.add(layers.Dense(10))
    theirs = [layer for layer in model.layers if layer.weights]
    for own, layer in zip([*convs, net[-1]], theirs, strict=True):
        w, b = own.weight.detach().numpy(), own.bias.detach().numpy()
        # Keras counts the columns of what was flattened by rows, columns and channels.
        w = (
            w.transpose(2, 3, 1, 0)
            if w.ndim == 4
            else w.reshape(10, 10, 13, 13).transpose(2, 3, 1, 0).reshape(-1, 10)
        )
        layer.set_weights([w, b])
    model.save(f"{name}.keras")
    model.save(f"{name}.h5")
    np.savez_compressed(f"{name}.npz", x=x.numpy(), y=net.double()(x.double()).detach().numpy())


def tensors():
    """Write tensors of every type, dense and by strides, in files of weights."""
    torch.manual_seed(0)
    numbers = torch.arange(24).reshape(2, 3, 4)
    names = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")
    shifted = {"bool": numbers % 2, "uint8": numbers}
    arrays = {name: shifted.get(name, numbers - 5).to(getattr(torch, name))
              for name in names}  # fmt: skip
    save_file(arrays, HERE / "types.safetensors")
    base = torch.randn(6, 5)
    strided = {
        "transposed": base.T,
        "cut": base[1::2, 1:4],
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
    }
    strided["tied"] = strided["transposed"]
    torch.save(arrays | strided, HERE / "types.pt")
    torch.save(arrays | strided, HERE / "types.older.pt", _use_new_zipfile_serialization=False)
    typed = onnx_types(arrays)
    onnx.save(typed, HERE / "types.onnx")
    plain = {key: value.float().numpy() if value.dtype == torch.bfloat16 else value.numpy()
             for key, value in (arrays | strided).items()}  # fmt: skip
    np.savez_compressed(HERE / "types.npz", **plain)


def training():
    """Write a network in training mode, and what a mini-batch of three makes of it."""
    torch.manual_seed(5)
    layers = (
        nn.Conv2d(1, 2, 3),
        nn.BatchNorm2d(2),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(32, 4),
        nn.BatchNorm1d(4),
    )
    net, x = nn.Sequential(*layers).train(), torch.randn(3, 1, 6, 6)
    for norm in (net[1], net[5]):
        norm.weight.data.uniform_(0.5, 1.5)
        norm.bias.data.normal_()
    torch.export.save(torch.export.export(net, (x,)), HERE / "training.pt2")
    net, x, labels = net.double(), x.double().requires_grad_(), torch.tensor([2, 0, 3])
    y = net(x)
    functional.cross_entropy(y, labels).backward()
    arrays = {"x": x, "y": y, "dx": x.grad, "labels": labels}
    arrays |= {f"d:{key}": value.grad for key, value in net.named_parameters()}
    np.savez_compressed(
        HERE / "training.npz", **{key: value.detach().numpy() for key, value in arrays.items()}
    )


def onnx_types(arrays):
    """Return a model with each array twice: its numbers as raw bytes, and each written out in a field."""
    kinds = {name: getattr(onnx.TensorProto, name.upper() if name not in ("float64", "float32") else
                           {"float64": "DOUBLE", "float32": "FLOAT"}[name]) for name in arrays}  # fmt: skip
    tensors = []
    for name, values in arrays.items():
        kind = kinds[name]
        numbers = values.float().numpy() if name == "bfloat16" else values.numpy()
        tensors.append(onnx.helper.make_tensor(f"{name}.typed", kind, numbers.shape, numbers.ravel()))
        raw = values.view(torch.int16).numpy() if name == "bfloat16" else values.numpy()
        tensors.append(onnx.helper.make_tensor(name, kind, raw.shape, raw.tobytes(), raw=True))
    info = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 2])
    other = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 2])
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    return onnx.helper.make_model(onnx.helper.make_graph([node], "types", [info], [other], tensors))


def without_places():
    """Leave out where on this machine the code lies that was exported."""
    for path in HERE.glob("*.onnx"):
        model = onnx.load(path, load_external_data=False)
        for node in model.graph.node:
            del node.metadata_props[:]
        path.write_bytes(model.SerializeToString())
    for path in [*HERE.glob("*.pt"), *HERE.glob("*.pt2")]:
        if not zipfile.is_zipfile(path):
            continue
        with zipfile.ZipFile(path) as archive:
            entries = {
                name: archive.read(name) for name in archive.namelist() if not name.endswith("debug_pkl")
            }
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in entries.items():
                if name.endswith("model.json"):
                    program = json.loads(content)
                    for node in program["graph_module"]["graph"]["nodes"]:
                        node["metadata"].pop("stack_trace", None)
                    content = json.dumps(program)
                archive.writestr(zipfile.ZipInfo(name), content)


def keras_files():
    import keras
    from keras import layers

    keras.utils.set_random_seed(7)
    sequential = keras.Sequential(
        [
            keras.Input((10, 10, 2)),
            layers.Rescaling(1 / 2, offset=-0.25),
            layers.Conv2D(3, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(4, 2, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.LeakyReLU(negative_slope=0.1),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(6, activation="tanh"),
            layers.Dense(5, activation="softmax"),
        ]
    )
    start = keras.Input((9, 9, 3))
    x = layers.ZeroPadding2D(((0, 1), (0, 1)))(start)
    x = skip = layers.Conv2D(4, 2, activation="relu")(x)
    x = layers.Conv2D(4, 3, padding="same")(x)
    x = layers.Add()([x, skip])
    x = layers.Activation("relu")(x)
    x = layers.Concatenate()([x, skip])
    x = layers.DepthwiseConv2D(3, padding="same", strides=2)(x)
    x = layers.ReLU(max_value=6)(x)
    x = layers.SeparableConv2D(5, 2, activation="elu")(x)
    functional_one = keras.Model(start, layers.Dense(5)(layers.GlobalAveragePooling2D()(x)))
    flat = keras.Sequential(
        [keras.Input((6, 6)), layers.Flatten(), layers.Dense(4, activation="relu"), layers.Dense(5)]
    )
    start = keras.Input((6, 5, 2))
    x = layers.Conv2D(4, 3)(start)
    weights = layers.Dense(4, activation="sigmoid")(layers.GlobalAveragePooling2D()(x))
    x = layers.Multiply()([x, layers.Reshape((1, 1, 4))(weights)])
    x = layers.UpSampling2D(2, interpolation="bilinear")(x)
    x = layers.Softmax(axis=2)(layers.Permute((2, 1, 3))(x))
    x = layers.Conv2D(2, 2, activation="tanh")(layers.UpSampling2D((1, 2))(x))
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Conv2D(3, 2)(layers.Reshape((2, 3, 2))(layers.Dense(12)(x)))
    gates = keras.Model(start, layers.Dense(5)(layers.Flatten()(x)))
    start = keras.Input((12, 3))
    x = layers.Conv1D(4, 3, activation="relu")(start)
    x = layers.MaxPooling1D()(x)
    x = layers.BatchNormalization()(layers.Conv1D(4, 2, padding="same", dilation_rate=2, groups=2)(x))
    x = layers.AveragePooling1D(2, strides=1, padding="same")(x)
    x = layers.Conv1DTranspose(3, 3, strides=2, activation="tanh")(x)
    pools = layers.Concatenate()([layers.GlobalAveragePooling1D()(x), layers.GlobalMaxPooling1D()(x)])
    x = layers.Add()([layers.Dense(5)(pools), layers.Dense(5)(layers.Flatten()(x))])
    sequence = keras.Model(start, x)
    made = {
        "sequence": sequence,
        "sequential": sequential,
        "functional": functional_one,
        "flat": flat,
        "gates": gates,
    }
    for name, model in made.items():
        for layer in model.layers:
            layer.set_weights([np.abs(w) + 0.5 if "variance" in v.name else w + 0.1
                               for w, v in zip(layer.get_weights(), layer.weights, strict=True)])  # fmt: skip
        x = torch.randn(1, *model.input_shape[1:]).requires_grad_()
        y = model(x)
        loss_of(y, name == "sequential").backward()
        np.savez_compressed(HERE / f"keras-{name}.npz", x=x.detach().numpy(), y=y.detach().numpy(),
                            dx=x.grad.numpy())  # fmt: skip
        model.save(HERE / f"keras-{name}.keras")
        model.save(HERE / f"keras-{name}.h5")
    sequential.save_weights(HERE / "keras-sequential.weights.h5")


def hdf5_files():
    """Write arrays in the ways that h5py has: in one piece, compressed pieces, and its newest variant."""
    import h5py

    rng = np.random.default_rng(3)
    arrays = {"a/b/doubles": rng.normal(size=(7, 5)),
              "a/floats": rng.normal(size=(3, 2, 4)).astype(np.float32),
              "a/wholes": np.arange(-5, 5, dtype=np.int16), "halves": rng.normal(size=9).astype(np.float16),
              "empty": np.zeros((0, 3))}  # fmt: skip
    for name, version in (("plain", None), ("latest", "latest")):
        with h5py.File(HERE / f"hdf5-{name}.h5", "w", libver=version) as file:
            for key, values in arrays.items():
                file[key] = values
            file["a"].attrs["text"], file["a"].attrs["texts"] = "a word é", ["one", "two"]
    with h5py.File(HERE / "hdf5-pieces.h5", "w") as file:
        for key, values in arrays.items():
            chunks = None if values.size == 0 else tuple(max(1, size // 2) for size in values.shape)
            packed = {"compression": "gzip", "shuffle": True, "fletcher32": True} if chunks else {}
            file.create_dataset(key, data=values, chunks=chunks, **packed)
        file["a"].attrs["text"], file["a"].attrs["texts"] = "a word é", ["one", "two"]
    with h5py.File(HERE / "hdf5-linked.h5", "w") as file:
        file["elsewhere"] = h5py.ExternalLink("../secret.h5", "/x")
    np.savez_compressed(HERE / "hdf5.npz", **arrays)


def main():
    for name in NETS:
        write(name)
    unflatten()
    tiny()
    tensors()
    training()
    keras_files()
    hdf5_files()
    without_places()


if __name__ == "__main__":
    main()
