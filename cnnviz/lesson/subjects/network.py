"""A network on samples, with or without a training: what most lessons step."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from cnnviz.engine.address import output_gradient_of, output_of
from cnnviz.engine.layer import Array, Call, shape_text
from cnnviz.engine.losses import Loss
from cnnviz.engine.network import Network
from cnnviz.engine.pixels import Fitting
from cnnviz.engine.sizes import sizes_call
from cnnviz.engine.tape import Tape
from cnnviz.engine.training import Run, Sample, stacked
from cnnviz.engine.wiring import INPUT
from cnnviz.errors import CnnvizError
from cnnviz.lesson.changes import Argument, Cell, Change, Changes, Value, refused, text_of
from cnnviz.lesson.files import lesson_name, wrong
from cnnviz.lesson.letters import array_shapes, read_letters
from cnnviz.lesson.network import build_network
from cnnviz.lesson.parameters import check_sizes, check_symbols, load_parameters
from cnnviz.lesson.picture_files import size_before
from cnnviz.lesson.place import find_stops
from cnnviz.lesson.reader import arguments_of, default_of, kind_of, read_argument, read_value
from cnnviz.lesson.samples import (
    Pixels,
    Samples,
    check_inputs,
    check_targets,
    class_names,
    picture_of,
    read_samples,
    reading_calls,
    require_batch,
    require_some_to_learn_from,
    sample_of,
    target_of,
    with_classes,
    with_others,
    with_picture,
    with_pictures_of_inputs,
)
from cnnviz.lesson.sequence import in_sequence
from cnnviz.lesson.subject import Choice, Computed
from cnnviz.lesson.subjects.fitting import no_iterations, of_sample, require_cell, require_finite_value
from cnnviz.lesson.subjects.plain import Plain
from cnnviz.lesson.tables import (
    FittingPart,
    InputPart,
    LayerPart,
    LessonFile,
    OutputLossPart,
    Part,
    TrainingPart,
)
from cnnviz.lesson.values import LAYOUTS, PICTURES, WEIGHTS, PictureFile, as_sentence, hint, shape_words
from cnnviz.lesson.weights import Fitted, UnknownLayoutError, read_weights
from cnnviz.scene.numbers import count
from cnnviz.text import tr
from cnnviz.trace.cursor import Stop
from cnnviz.trace.forms import stops_in
from cnnviz.trace.program import Program

_WITH_ARGUMENTS = ("loss", "optimiser", "schedule")
"""What has arguments besides the layers."""

OF_DATA = ("images", "array", "labels", "data_format", "label_mode", "scale")
"""What of the table `input` says which samples there are."""


class SampledNetwork(Plain, frozen=True, eq=False):
    """A network with what it can be shown.

    Attributes
    ----------
    path : Path
        The lesson's file.
    described : LessonFile
        What it was made from, with the arguments that were changed.
    network : Network
        As it is before it has learnt anything.
    samples : Samples
        What it can be shown.
    run : Run or None
        Its training.
    letters : Mapping[str, tuple[str, ...]]
        What the cells of its arrays are called.
    fitted : Fitted or None
        The file whose weights it was given in place of its own.
    """

    path: Path
    described: LessonFile
    network: Network
    samples: Samples
    run: Run | None = None
    letters: Mapping[str, tuple[str, ...]] = {}
    fitted: Fitted | None = None

    def __len__(self) -> int:
        """How many there are to choose from; of several that go through together, the first is chosen."""
        return len(self.samples) - (0 if self.run else self.described.input.batch_size - 1)

    @property
    def name(self) -> str:
        """The lesson's name."""
        return lesson_name(self.path)

    @property
    def classes(self) -> tuple[str, ...]:
        """What its outputs are called."""
        return self.samples.classes

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of its weights' file, of missing gradients, of its data and of its picture."""
        why = self.network.forward_only
        said = tr("It goes forward to its loss, without gradients: {why}", why=as_sentence(why))
        shown = (self.samples.pictures_of_inputs or self.samples.pictures).values()
        pictures = [note for picture in shown for note in picture.notes]
        if self.samples.labels is not None and self.described.input.label is None:
            pictures += [
                tr(
                    "What should come out is still {label}, the label of the image that it replaces; "
                    "“Label of the input…” changes it.",
                    label=label,
                )
                for label in map(self.label, self.samples.pictures)
            ]
        is_read = bool(shown or self.samples.files)
        together = tr(
            "How pictures that go through together are made to fit is stepped where all are of one size; "
            "with batch_size = 1, always."
        )
        return (
            *([str(self.fitted)] if self.fitted is not None else []),
            *([said] if why else []),
            *([self.samples.note] if self.samples.note else []),
            *pictures,
            *([together] if is_read and self.described.input.batch_size > 1 else []),
        )

    @property
    def keeps_marks(self) -> bool:
        """Every image goes through the same steps."""
        return True

    @property
    def drawn(self) -> tuple[Fitting, tuple[int, int]] | None:
        """What is done to what is drawn, and how large that must be: of one input, of one channel."""
        (shape, *others) = self.network.input_shapes.values()
        if len(shape) != 3 or shape[0] != 1 or others:
            return None
        part = self.described.input.picture
        return self.described.fitting(1), size_before(
            (shape[1], shape[2]), part.told("fit"), part.told("crop_pct")
        )

    def label(self, image: int) -> str:
        """Return the class of an image, its numbers where these are few, or its number."""
        return self.samples.label(image)

    def picture(self, image: int) -> Array | None:
        """Return an image as the network sees it; None of a column of numbers."""
        return self.samples.image(image) if self.samples.are_pictures else None

    def heading(self, title: str, choice: Choice) -> str:
        """Return the title; of a training with the iteration, and with the image if that is not its own."""
        if self.run is None or choice.iteration is None:
            return title
        said = tr("{title}, iteration {iteration}", title=title, iteration=count(choice.iteration))
        if choice.image == self.run.image_of(choice.iteration):
            return said
        return tr("{heading} with image {image}", heading=said, image=count(choice.image or 0))

    def info(self, choice: Choice, tape: Tape) -> str:
        """Return what goes in, which image it is, and how far its training has come."""
        shapes = self.network.input_shapes
        if len(shapes) > 1:
            each = ", ".join(f"{name} {shape_text(shape)}" for name, shape in shapes.items())
            said = tr("Inputs: {shapes}", shapes=each)
        else:
            said = tr("Input: {shape}", shape=shape_text(self.network.input_shape))
        return said + self._image_text(choice) + self._run_text(choice, tape)

    def _image_text(self, choice: Choice) -> str:
        image, together = choice.image or 0, self.batch(choice)
        if len(together) > 1:
            return tr(
                "; samples {numbers} of {count} go through together",
                numbers=", ".join(map(str, together)),
                count=len(self.samples),
            )
        if self.samples.labels is None:
            return ""
        return tr(
            "; image {index} of {count}, numbered from 0, whose class is {label}",
            index=image,
            count=len(self),
            label=self.label(image),
        )

    def _run_text(self, choice: Choice, tape: Tape) -> str:
        run, at = self.run, choice.iteration
        if run is None or at is None:
            return ""
        measured = max((t for t in run.accuracies if t <= at), default=None)
        sizes = {"count": run.iterations, "size": run.batch_size, "learn": len(run.order)}
        said = tr("Training: {count:,} iterations of one sample each, out of {learn:,}", **sizes)
        if run.batch_size > 1:
            said = tr("Training: {count:,} iterations of {size} samples each, out of {learn:,}", **sizes)
        if len(run.held_out):
            said = tr("{training}; {held_out:,} are held out", training=said, held_out=len(run.held_out))
        lines = [
            said,
            tr("Iteration {at:,}: loss {loss:.6g}", at=at, loss=tape.loss),
        ]
        if measured is not None:
            lines.append(
                tr(
                    "Before iteration {at:,}, {accuracy:.1%} of the held-out images are classified correctly",
                    at=measured,
                    accuracy=run.accuracies[measured],
                )
            )
        return "\n" + "\n".join(lines)

    # ------------------------------------------------------------------------------------------- stepping

    def choice(self, asked: Choice) -> Choice:
        """Make a choice whole: a training has its own image in each iteration."""
        iteration = self._iteration(asked.iteration)
        image = asked.image
        if image is None and self.run is not None and iteration is not None:
            image = self.run.image_of(iteration)
        image = self.described.input.show if image is None else image
        if not 0 <= image < len(self):
            said = tr("{lesson} has no image {index}; its images are numbered 0 to {last}.")
            raise CnnvizError(said.format(lesson=self.name, index=image, last=len(self) - 1))
        return Choice(image, iteration, asked.input_gradient or self.described.input_gradient)

    def _iteration(self, asked: int | None) -> int | None:
        run = self.run
        if run is None:
            no_iterations(self.name, asked)
            return None
        iteration = asked or 0
        if not 0 <= iteration < run.iterations:
            raise CnnvizError(
                tr(
                    "{lesson} has no iteration {iteration}; they are numbered 0 to {last}.",
                    lesson=self.name,
                    iteration=iteration,
                    last=run.iterations - 1,
                )
            )
        return iteration

    def compute(self, choice: Choice) -> Computed:
        """Run one iteration; a training trains up to there first, if it has not yet come so far."""
        network = self.network
        if self.run is not None and choice.iteration is not None:
            if choice.iteration > self.run.done:
                for _ in self.run.work(choice.iteration):
                    pass
            if choice.iteration > self.run.last:
                raise CnnvizError(self.run.fault)
            network = self.run.network_at(choice.iteration)
        with np.errstate(all="ignore"):  # numbers that grow without bound are shown as what they become
            tape = self._run_of(network, self.batch(choice))
        return Computed(tape, network)

    def batch(self, choice: Choice) -> list[int]:
        """Return the samples that go through together: the chosen one and those that come after it."""
        image, size = choice.image or 0, self.described.input.batch_size
        run, at = self.run, choice.iteration
        if run is not None and at is not None and image == run.image_of(at):
            return run.images_of(at)
        return [(image + k) % len(self.samples) for k in range(size)]

    def _run_of(self, network: Network, images: list[int]) -> Tape:
        samples = self.samples
        if len(images) == 1:
            return network.run(*sample_of(network, samples, images[0]), samples.output_gradient)
        x, t = stacked(sample_of(network, samples, image) for image in images)
        return network.run(x, t, samples.output_gradient, samples=len(images))

    def program(self, choice: Choice, computed: Computed) -> Program:
        """Return the program in the form that is chosen."""
        assert computed.network is not None
        calls = computed.network.calls(computed.tape, choice.input_gradient)
        calls[:0] = self._reading(choice, computed.tape)
        for name, layers in self.described.sizes.items():
            gradients = [output_gradient_of(layer) for layer in layers]
            if all(address in computed.tape for address in gradients):
                calls.append(sizes_call(name, [computed.tape[address] for address in gradients]))
        return Program(calls, self.described.symbols, self.letters, choice.iteration)

    def _reading(self, choice: Choice, tape: Tape) -> list[Call]:
        """Return how what goes in is made of pictures, where all of it is."""
        if self.described.inputs:
            return self._reading_inputs(choice, tape)
        if not self.samples.pictures and not self.samples.files:
            return []
        found: list[Pixels] = []
        for image in self.batch(choice):
            picture = picture_of(self.described, self.samples, image)
            if picture is None:
                return []
            found.append(picture)
        return reading_calls(INPUT, found, tape.of_samples) if tape.samples else found[0].calls(INPUT)

    def _reading_inputs(self, choice: Choice, tape: Tape) -> list[Call]:
        """Return how each of several inputs is made of its picture, where one still goes in, and alone."""
        pictures = self.samples.pictures_of_inputs if choice.image == self.described.input.show else {}
        return [
            call
            for name, picture in pictures.items()
            if not tape.samples and np.array_equal(picture.x, tape[output_of(name)])
            for call in picture.calls(name)
        ]

    def sequence(
        self, choice: Choice, computed: Computed, program: Program, strict: bool = True
    ) -> tuple[Stop, ...]:
        """Find what the file says, and place it for the form that is chosen."""
        stops, own = self.described.stops, self.described.input_gradient
        asked = {own, *(stop.input_gradient for stop in stops)} - {None, program.form}
        if not program.form or not asked:
            return in_sequence(find_stops(self.path, stops, program, strict=strict))
        (form,) = asked
        other = self.program(replace(choice, input_gradient=form), computed)
        if program.form == own:
            return in_sequence(find_stops(self.path, stops, program, other, strict))
        placed = in_sequence(find_stops(self.path, stops, other, program, strict))
        return stops_in(placed, other, program)

    def trained(self, run: Run) -> SampledNetwork:
        """Return the same with a training that has been done before, if it is the same to the last bit."""
        return replace(self, run=run) if self.run is not None and self.run.is_same_as(run) else self

    # ------------------------------------------------------------------------------------------- changing

    @property
    def _parts(self) -> dict[str, Part]:
        """What there is with arguments, by what owns them."""
        others = {name: getattr(self.described, name) for name in _WITH_ARGUMENTS}
        own: tuple[LayerPart | OutputLossPart, ...] = (*self.described.layers, *self.described.losses)
        parts: dict[str, Part] = {part.name: part for part in own}
        parts |= {f"schedule_{k}": part for k, part in enumerate(self.described.schedules, 1)}
        return parts | {name: part for name, part in others.items() if part is not None}

    def cell_of(self, address: str, index: tuple[int, ...], choice: Choice, number: int = 0) -> Cell | None:
        """Return a parameter, a cell of what goes in, or of what should come out."""
        network, image = self.network, self.batch(choice)[number]
        targets = {one.target: f"{one.name}.target" for one in network.losses}
        if len(targets) == 1 and not self._targets:
            targets = dict.fromkeys(targets, "target")
        inputs = {output_of(name): name for name in network.input_shapes}
        begun = {output_gradient_of(network.layers[-1].name): "output_gradient"} if not network.losses else {}
        known = dict(zip(network.parameters, network.parameters, strict=True)) | targets | inputs | begun
        if address not in known:
            return None
        cell = Cell(known[address], index, 0.0)
        cell = of_sample(cell, cell.array in self._of_samples, image, len(self.samples))
        return replace(cell, value=float(self._array(cell)[index]))

    def arguments(self, owner: str) -> tuple[Argument, ...]:
        """Return the arguments of a layer, a loss, the optimiser or a schedule, but for those left open."""
        part = self._parts.get(owner)
        if part is None:
            return ()
        told = ((name, self._argument(part, name)) for name in arguments_of(type(part), part.kind))
        kinds = (bool, int, float, str, tuple)
        return tuple(Argument(owner, name, value) for name, value in told if isinstance(value, kinds))

    def fitting(self, change: Change, image: int) -> Change:
        """Return a change of an argument, a parameter, an image, or what should be made of it."""
        match change:
            case Argument(owner="input"):
                return self._fitting_input(change)
            case Argument(owner="picture"):
                return self._fitting_picture(change)
            case Argument(owner="weights"):
                return self._fitting_weights(change)
            case Argument(name="picture") if change.owner in self.described.inputs:
                return self._fitting_file(change)
            case Argument():
                part = self._parts.get(change.owner)
                if part is None:
                    there = hint(change.owner, list(self._parts)).lstrip("; ")
                    raise refused(change, tr("there is no {owner}; {there}", owner=change.owner, there=there))
                path = f"{change.owner}.{change.name}"
                if path in self.network.parameters:
                    raise refused(change, self._cell_wanted(path))
                return replace(
                    change, value=read_argument(type(part), part.kind, change.name, change.value, path)
                )
            case Cell():
                own = of_sample(change, change.array in self._of_samples, image, len(self.samples))
                require_cell(change, self._array(own).shape)
                require_finite_value(change)
                if own.array == "label":
                    self._require_class(change)
                return own

    def _fitting_input(self, change: Argument) -> Argument:
        """Return a change of what the samples are, how they are called, or how many go through together."""
        path, known = f"{change.owner}.{change.name}", ("batch_size", "classes", *OF_DATA)
        if change.name in ("classes", "images") and isinstance(change.value, str):
            return replace(change, value=os.path.abspath(change.value))
        if change.name not in known:
            name, shape = next(iter(self.network.input_shapes.items()))
            said = tr("{path}: is not known; there is {known}, and cells such as {name}[{first}]")
            first, there = ",".join("0" * len(shape)), ", ".join(known)
            raise CnnvizError(as_sentence(said.format(path=path, known=there, name=name, first=first)))
        value = read_value(change.value, kind_of(InputPart, change.name), path)
        return replace(change, value=value)

    def _fitting_picture(self, change: Argument) -> Argument:
        """Return a change of the picture that goes in, or of how it is made to fit."""
        path, known = f"{change.owner}.{change.name}", FittingPart.__struct_fields__
        if change.name not in known:
            raise CnnvizError(as_sentence(tr("{path}: is not known", path=path) + hint(change.name, known)))
        if change.name != "file":
            return replace(change, value=read_value(change.value, kind_of(FittingPart, change.name), path))
        return self._fitting_file(change)

    @staticmethod
    def _fitting_file(change: Argument) -> Argument:
        """Return a change of the picture that goes in, with its whole path."""
        if not str(change.value).lower().endswith(PICTURES):
            raise refused(change, tr("pictures end in one of {known}", known=", ".join(PICTURES)))
        return replace(change, value=os.path.abspath(str(change.value)))

    def _fitting_weights(self, change: Argument) -> Argument:
        """Return a change of the file that all parameters are from, or of how its axes lie."""
        told, known = str(change.value), ("file", "layout")
        if change.name not in known:
            path = f"{change.owner}.{change.name}"
            raise CnnvizError(as_sentence(tr("{path}: is not known", path=path) + hint(change.name, known)))
        if not self.network.parameter_shapes:
            raise refused(change, tr("the lesson's layers have no parameters"))
        if change.name == "layout":
            if told not in LAYOUTS:
                there = hint(told, LAYOUTS).lstrip("; ")
                raise refused(change, tr("there is no layout {layout}; {there}", layout=told, there=there))
            return change
        if Path(told).suffix.lower() not in WEIGHTS:
            raise refused(
                change, tr("weights are in files that end in {endings}", endings=", ".join(WEIGHTS))
            )
        return replace(change, value=os.path.abspath(told))

    def _cell_wanted(self, parameter: str) -> str:
        """Say how a number of a parameter is named, of which the whole was."""
        shape = self.network.parameters[parameter].shape
        return tr(
            "{parameter} has shape {shape}; name one of its cells, {parameter}[{first}]",
            parameter=parameter,
            shape=shape_words(shape),
            first=",".join("0" * len(shape)),
        )

    @property
    def _of_samples(self) -> list[str]:
        """The arrays that each sample has for itself."""
        inputs = [*self.network.input_shapes, *self._targets]
        if self.samples.labels is not None:
            return [*inputs, "label", *(["target"] if self.network.loss is not None else [])]
        return [*inputs, *(["target"] if self.samples.targets is not None else [])]

    @property
    def _targets(self) -> dict[str, OutputLossPart]:
        """The losses of several outputs, by what changes call their targets."""
        return {f"{part.name}.target": part for part in self.described.losses}

    @property
    def _arrays(self) -> list[str]:
        """All arrays that can be changed, for people."""
        begun = ["output_gradient"] if self.samples.output_gradient is not None else []
        return [*self.network.parameters, *self._of_samples, *begun]

    def _array(self, cell: Cell) -> Array:
        """Return the array that a cell belongs to."""
        name, sample, samples = cell.array, cell.sample or 0, self.samples
        if name in self.network.parameters:
            return self.network.parameters[name]
        if name in samples.others:
            return samples.others[name][sample]
        if name in self.network.input_shapes:
            return samples.image(sample)
        if name in self._targets:
            return samples.output_targets[self._targets[name].of][sample]
        if name == "label" and samples.labels is not None:
            return np.asarray(float(samples.labels[sample]))
        if name == "output_gradient" and samples.output_gradient is not None:
            return samples.output_gradient
        target = target_of(self.network, samples, sample) if name == "target" else None
        if target is not None:
            return target
        there = tr("what can be changed is {names}", names=", ".join(self._arrays))
        raise refused(cell, tr("{array} is computed, or not there; {there}", array=name, there=there))

    def _require_class(self, cell: Cell) -> None:
        last = len(self.classes) - 1
        if cell.value % 1 or not 0 <= cell.value <= last:
            raise refused(cell, tr("a label is a whole number from 0 to {last}", last=last))

    def value(self, change: Change) -> Value:
        """Return an argument, or a number of an array."""
        match change:
            case Argument(owner="input"):
                own: Value = getattr(self.described.input, change.name)
                return own
            case Argument(owner="picture"):
                told: Value = getattr(self.described.input.picture, change.name)
                return told
            case Argument(owner="weights"):
                return ""
            case Argument(name="picture") if change.owner in self.described.inputs:
                file: Value = self.described.inputs[change.owner].picture  # type: ignore[assignment]
                return file
            case Argument():
                return self._argument(self._parts[change.owner], change.name)
            case Cell():
                return float(self._array(change)[change.index])

    @staticmethod
    def _argument(part: Part, name: str) -> Value:
        given = part.given
        found: Value = given[name] if name in given else default_of(type(part), part.kind, name)
        return found

    def changed(self, changes: Changes) -> SampledNetwork:
        """Return the same with other arguments and other numbers; its training begins anew."""
        arguments = [change for change in changes if isinstance(change, Argument)]
        weights = [change for change in arguments if change.owner == "weights"]
        others = [change for change in arguments if change.owner != "weights"]
        made = self._with_arguments(others) if others else self
        made = made._with_weights(weights) if weights else made
        made = made._with_cells([change for change in changes if isinstance(change, Cell)])
        training = made.described.training
        size = made.described.input.batch_size
        run = build_run(training, made.network, made.samples, size) if training else None
        return replace(made, run=run)

    def _with_arguments(self, arguments: list[Argument]) -> SampledNetwork:
        parts, given, inputs = self._parts, self.described.input, dict(self.described.inputs)
        for change in arguments:
            if change.owner in inputs:
                picture = PictureFile(str(change.value))
                inputs[change.owner] = replace(inputs[change.owner], picture=picture)
                continue
            if change.owner == "input":
                given = replace(given, **{change.name: change.value})
                given = replace(given, show=0) if change.name == "images" else given
                continue
            if change.owner == "picture":
                given = replace(given, picture=replace(given.picture, **{change.name: change.value}))
                continue
            parts[change.owner] = parts[change.owner].with_argument(change.name, change.value)
        layers = tuple(parts[part.name] for part in self.described.layers)
        others = {name: parts[name] for name in _WITH_ARGUMENTS if name in parts}
        losses = tuple(parts[part.name] for part in self.described.losses)
        schedules = tuple(parts[f"schedule_{k}"] for k, _ in enumerate(self.described.schedules, 1))
        several = {"losses": losses, "schedules": schedules, "inputs": inputs}
        described = replace(self.described, input=given, layers=layers, **several, **others)
        try:
            network = build_network(described)
            if described.seed is not None:
                network.initialise(described.seed)
            else:
                network.load(self.network.parameters, self.name)
            samples = self.samples
            if any(change.owner == "input" and change.name in OF_DATA for change in arguments):
                samples = read_samples(self.path, given)
            classes = class_names(self.path, given) or samples.named
            samples = with_classes(replace(samples, classes=classes), described, network)
            samples = with_others(samples, described, network)
            samples = with_picture(self.path, described, samples)
            samples = with_pictures_of_inputs(self.path, described, samples)
            require_batch(described, samples)
            require_some_to_learn_from(described, samples)
            check_sizes(described, network)
        except CnnvizError as error:
            # What is said of samples and pictures names them.
            named = text_of(
                change for change in arguments if change.owner not in ("input", "picture", *inputs)
            )
            said = tr("{changes}: {why}", changes=named, why=str(error)) if named else str(error)
            raise CnnvizError(as_sentence(said)) from error
        before, after = array_shapes(self.network), array_shapes(network)
        letters = {key: row for key, row in self.letters.items() if before[key] == after[key]}
        return replace(self, described=described, network=network, samples=samples, letters=letters)

    def _with_weights(self, changes: list[Argument]) -> SampledNetwork:
        told = {change.name: str(change.value) for change in changes}
        if "file" not in told:
            raise refused(changes[0], tr("it goes with a file; say weights.file, too"))
        try:
            fitted = read_weights(Path(told["file"]), self.network, told.get("layout"))
            return replace(self, network=self._with_parameters(fitted.parameters), fitted=fitted)
        except UnknownLayoutError:
            raise
        except CnnvizError as error:
            raise CnnvizError(as_sentence(str(error))) from error

    def _with_cells(self, cells: list[Cell]) -> SampledNetwork:
        arrays: dict[tuple[str, int | None], Array] = {}
        for cell in cells:
            key = (cell.array, cell.sample)
            if key not in arrays:
                arrays[key] = np.array(self._array(cell), dtype=np.float64)
            arrays[key][cell.index] = cell.value
        samples, parameters = self.samples, {}
        for (name, sample), array in arrays.items():
            if name in self.network.parameters:
                parameters[name] = array
            else:
                samples = self._with_sample(samples, name, sample or 0, array)
        return replace(self, samples=samples, network=self._with_parameters(parameters))

    def _with_sample(self, samples: Samples, name: str, sample: int, array: Array) -> Samples:
        """Return samples with another array in the place of one that is no parameter."""
        if name == "label":
            return samples.with_label(sample, int(array))
        if name == "output_gradient":
            return replace(samples, output_gradient=array)
        if name == "target":
            self._check_target(name, array, self.network.loss)
            return samples.with_target(sample, array)
        if name in self._targets:
            of = self._targets[name].of
            self._check_target(name, array, next(one.loss for one in self.network.losses if one.of == of))
            return samples.with_row(of, sample, array)
        if name in samples.others:
            return samples.with_row(name, sample, array)
        return samples.with_image(sample, array)

    def _check_target(self, name: str, target: Array, loss: Loss | None) -> None:
        try:
            check_targets(name, target[None], loss)
        except CnnvizError as error:
            raise CnnvizError(as_sentence(str(error))) from error

    def _with_parameters(self, parameters: Mapping[str, Array]) -> Network:
        if not parameters:
            return self.network
        network = copy(self.network)
        network.load({**network.parameters, **parameters}, self.name)
        return network


def build_network_subject(path: Path, described: LessonFile) -> SampledNetwork:
    """Make what a file describes.

    Raises
    ------
    CnnvizError
        If shapes, data files or letters are wrong; the sentence has all faults of one kind.
    """
    network, samples = _build(path, described)
    size = described.input.batch_size
    run = build_run(described.training, network, samples, size) if described.training else None
    return SampledNetwork(path, described, network, samples, run, read_letters(path, described, network))


def _build(path: Path, described: LessonFile) -> tuple[Network, Samples]:
    """Make network and samples; the faults of shapes, parameters and data files are told together."""
    faults: list[str] = []
    network = samples = None
    with _told(faults):
        network = build_network(described)
        with _told(faults):
            check_symbols(described, network)
        with _told(faults):
            check_sizes(described, network)
        with _told(faults):
            load_parameters(path, described, network)
        with _told(faults):
            _require_something_to_learn(described, network)
    with _told(faults):
        check_inputs(described)
        samples = with_picture(path, described, read_samples(path, described.input))
        with _told(faults):
            require_some_to_learn_from(described, samples)
        with _told(faults):
            require_batch(described, samples)
        if network is not None:
            samples = with_others(with_classes(samples, described, network), described, network)
            samples = with_pictures_of_inputs(path, described, samples)
    if faults or network is None or samples is None:
        raise wrong(path, faults)
    return network, samples


@contextmanager
def _told(faults: list[str]) -> Iterator[None]:
    """Note what is wrong with one thing, and go on with the next."""
    try:
        yield
    except CnnvizError as error:
        faults.append(str(error))


def _require_something_to_learn(described: LessonFile, network: Network) -> None:
    if described.training is not None and not network.moving:
        raise CnnvizError(tr("training: no layer has parameters to learn; add one, conv2d or linear"))


def build_run(training: TrainingPart, network: Network, samples: Samples, batch_size: int) -> Run:
    """Make the training of a network that a file describes.

    The images are put in an order that is drawn from its seed; the last ones are held out.
    """

    def sample(index: int) -> Sample:
        x, t = sample_of(network, samples, index)
        assert t is not None
        return x, t

    order = np.random.default_rng(training.seed).permutation(len(samples))
    learn = len(samples) - training.held_out
    return Run(
        network, sample, order[:learn], order[learn:], training.iterations, training.measure, batch_size
    )
