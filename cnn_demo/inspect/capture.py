"""What every layer of a network makes of an input, in the order of execution.

``capture`` works on a private shell of the model: the tree of modules is copied, the weights are shared by reference.
Hooks, ``eval()`` and the switching off of in-place operations happen on the shell only, so a model that is cached for
many visitors, or is being trained by another thread, is read and never touched, and no lock is needed.

Two mechanisms meet here. Forward hooks say which module is running; a ``TorchFunctionMode`` sees every PyTorch function
that is called, so a functional ``relu`` or the sum of a residual block is captured like any module, and a module that
runs twice gives two activations.
"""

from __future__ import annotations

import copy
import dataclasses
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from cnn_demo.inspect import ops

Watcher = Callable[[Tensor], Tensor | None]


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One executed operation.

    Attributes:
        name: the path of its module (``layer1.0.conv1``), with ``:2`` for its second use; a functional operation is
            called after the module around it and the function (``layer1.0.add``).
        kind: one of :data:`cnn_demo.inspect.ops.KINDS`.
        op: the plain name of the PyTorch function (``conv2d``).
        module: the path of the innermost module that was running; ``""`` is the model itself.
        inputs: names of the nodes whose outputs it read.
        shape: shape of its output, the batch first.
        settings: its arguments by name, as PyTorch documents them, without those that come from other nodes. Tensors
            in here (``weight``, ``bias``, ``running_mean``...) are the model's own.
        apply: the same function on another tensor; defined for activations and for what reshapes one tensor.
        parts: how many tensors the function returned; each is a node of its own.
        writes: whether it overwrote its first input (``out += identity``).
    """

    name: str
    kind: str
    op: str
    module: str
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    apply: Callable[[Tensor], Tensor] | None = None
    parts: int = 1
    writes: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Name and op: what a replay is looked up by, because asking a tensor its size goes by the same name."""
        return self.name, self.op


class _Reached(Exception):
    """Ends a forward pass once the wanted layer is known."""


class Captured(Mapping[str, Tensor]):
    """The activations of the last forward pass by node name, in the order of execution.

    Call it with a batch to run the model. ``nodes`` describes every operation, also those whose values are not kept.
    """

    def __init__(
        self, shell: nn.Module, paths: dict[nn.Module, str], kinds: frozenset[str], names: frozenset[str]
    ) -> None:
        self._shell, self._paths, self._kinds, self._names = shell, paths, kinds, names
        self._stack: list[nn.Module] = []
        self._values: dict[str, Tensor] = {}
        self.nodes: dict[str, Node] = {}
        self.closed = False

    def __call__(
        self,
        x: Tensor,
        *,
        grad: bool = False,
        watch: Mapping[str, Watcher] | None = None,
        until: str | None = None,
        replay: Mapping[tuple[str, str], Tensor] | None = None,
    ) -> Tensor:
        """Run one forward pass and keep what it computes.

        Args:
            x: a batch, normalized as the model expects it, ``(N, C, H, W)``.
            grad: record gradients, from ``x`` on; no ``.grad`` of any weight is ever written by this class.
            watch: functions by node name that see a value as soon as it is computed; a returned tensor takes its
                place for the rest of the pass. Who keeps a value must clone it where a node that ``writes`` follows.
            until: stop after this node and return its value.
            replay: values by ``Node.key`` to use instead of computing them.

        Returns:
            The output of the model, ``(N, classes)``, or the value of ``until``.

        Raises:
            RuntimeError: the ``with`` block is over.
            KeyError: ``until`` is no node of this model.
        """
        if self.closed:
            raise RuntimeError("this capture is closed: run the model inside its `with` block")
        self._stack.clear()
        self._values, self.nodes = {}, {}
        recorder = _Recorder(self, watch or {}, until, replay or {})
        with torch.set_grad_enabled(grad):
            start = x.detach().requires_grad_(True) if grad else x.detach()
            start = recorder.begin(start)
            try:
                with recorder:
                    output = self._shell(start)
            except _Reached:
                output = recorder.last
            else:
                if until is not None:
                    raise KeyError(f"no layer named {until!r}; there are: {', '.join(self.nodes)}")
        if not isinstance(output, Tensor):
            raise TypeError(f"the model gives {type(output).__name__}, expected one tensor of logits")
        return output

    def __getitem__(self, name: str) -> Tensor:
        try:
            return self._values[name]
        except KeyError:
            known = "not kept" if name in self.nodes else "unknown"
            raise KeyError(f"layer {name!r} is {known}; kept are: {', '.join(self._values)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def wants(self, node: Node) -> bool:
        return node.kind in self._kinds or node.name in self._names

    def store(self, name: str, value: Tensor) -> None:
        self._values[name] = value

    def place(self) -> tuple[str, nn.Module]:
        """Path and shell of the innermost running module."""
        module = self._stack[-1] if self._stack else self._shell
        return self._paths[module], module

    def enter(self, module: nn.Module, _inputs: Any) -> None:
        self._stack.append(module)

    def leave(self, _module: nn.Module, _inputs: Any, _output: Any) -> None:
        if self._stack:
            self._stack.pop()


class _Recorder(TorchFunctionMode):
    """Writes down the functions of one forward pass."""

    def __init__(
        self, maps: Captured, watch: Mapping[str, Watcher], until: str | None, replay: Mapping[tuple[str, str], Tensor]
    ) -> None:
        super().__init__()
        self.maps, self.watch, self.until, self.replay = maps, watch, until, replay
        self.last: Tensor = torch.empty(0)
        self._used: dict[str, int] = {}
        # Which node made a tensor. Weak, so that what nobody keeps is freed during the pass; the identity is checked,
        # because Python gives the number of a dead tensor to a new one.
        self._origin: dict[int, tuple[weakref.ref[Tensor], str]] = {}

    def begin(self, x: Tensor) -> Tensor:
        node = Node(self._unique(ops.INPUT), ops.INPUT, ops.INPUT, "", (), tuple(x.shape))
        return self._keep(node, x)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        sources = self._sources((*args, *kwargs.values()))
        if not sources:
            return func(*args, **kwargs)
        op, in_place = ops.canonical(func)
        name = self._name(op)
        if (name, op) in self.replay:
            output = self.replay[name, op]
        else:
            if in_place and isinstance(args[0], Tensor):
                self._rescue(args[0])
            output = func(*args, **kwargs)
        if isinstance(output, Tensor):
            return self._keep(self._node(name, op, func, args, kwargs, sources, output), output)
        if isinstance(output, tuple | list) and any(isinstance(part, Tensor) for part in output):
            count = len(output)
            for i, part in enumerate(output):
                if isinstance(part, Tensor):
                    own = name if i == 0 else self._name(op)
                    node = self._node(own, op, func, args, kwargs, sources, part)
                    self._keep(dataclasses.replace(node, parts=count), part)
            return output
        self._forget(name)
        return output

    def _node(self, name: str, op: str, func: Any, args: Any, kwargs: Any, sources: list[str], output: Tensor) -> Node:
        kind = ops.KIND_OF.get(op, "other")
        settings = {
            key: value
            for key, value in ops.arguments(op, args, kwargs).items()
            if key not in ("tensors", "inplace", "_stacklevel") and not self._sources((value,))
        }
        if output.dim() == 4 and (op == "matmul" or (op == "softmax" and output.shape[-1] == output.shape[-2])):
            kind = "attention"  # (N, heads, T, d), or the weight of each token for each, (N, heads, T, T)
        if op == "mean" and not _over_space(settings.get("dim"), len(self.maps.nodes[sources[0]].shape)):
            kind = "other"
        apply = None
        if kind == "activation" or (kind == "reshape" and len(sources) == 1):
            rest, options = args[1:], {k: v for k, v in kwargs.items() if k != "inplace"}
            apply = lambda value: func(value, *rest, **options)
        path, _ = self.maps.place()
        writes = ops.canonical(func)[1]
        return Node(name, kind, op, path, tuple(sources), tuple(output.shape), settings, apply, writes=writes)

    def _keep(self, node: Node, value: Tensor) -> Tensor:
        self.maps.nodes[node.name] = node
        if node.name in self.watch:
            changed = self.watch[node.name](value)
            value = value if changed is None else changed
        self._origin[id(value)] = (weakref.ref(value), node.name)
        if self.maps.wants(node):
            self.maps.store(node.name, value)
        if node.name == self.until:
            self.last = value
            raise _Reached
        return value

    def _rescue(self, value: Tensor) -> None:
        """Keep what is about to be overwritten by an in-place operation."""
        name = self._source(value)
        if name is not None and name in self.maps:
            self.maps.store(name, value.clone())

    def _source(self, value: Any) -> str | None:
        entry = self._origin.get(id(value)) if isinstance(value, Tensor) else None
        return entry[1] if entry is not None and entry[0]() is value else None

    def _sources(self, values: Iterable[Any]) -> list[str]:
        found: list[str] = []
        for value in values:
            if isinstance(value, tuple | list):
                found += self._sources(value)
            elif (name := self._source(value)) is not None:
                found.append(name)
        return found

    def _name(self, op: str) -> str:
        path, module = self.maps.place()
        own = type(module).__module__.startswith("torch.nn.modules") and next(module.children(), None) is None
        plain = path if own and path and op != "pad" else ".".join(filter(None, (path, op)))
        return self._unique(plain)

    def _unique(self, plain: str) -> str:
        self._used[plain] = self._used.get(plain, 0) + 1
        return plain if self._used[plain] == 1 else f"{plain}:{self._used[plain]}"

    def _forget(self, name: str) -> None:
        """Give back the name of a call that computed no tensor (``x.size()``)."""
        plain = name.split(":")[0]
        self._used[plain] -= 1


def _over_space(dim: Any, rank: int) -> bool:
    """Whether a mean goes over exactly the two spatial dimensions of ``(N, C, H, W)``."""
    return rank == 4 and isinstance(dim, tuple | list) and sorted(d % 4 for d in dim) == [2, 3]


def private_shell(model: nn.Module) -> nn.Module:
    """A copy of the tree of modules that shares every tensor with the model, in evaluation mode.

    No value is copied. In-place activations are switched off, so that what they would overwrite can be captured.
    """
    model = getattr(model, "_orig_mod", model)  # what torch.compile wraps
    shared: dict[int, Any] = {}
    for module in model.modules():
        for owner in (module._parameters, module._buffers, module.__dict__):
            shared.update({id(value): value for value in owner.values() if isinstance(value, Tensor)})
    shell = copy.deepcopy(model, shared).eval()
    for module in shell.modules():
        if getattr(module, "inplace", False) is True:
            module.inplace = False
    return shell


@contextmanager
def capture(model: nn.Module, kinds: Iterable[str] | None = None, *, names: Iterable[str] = ()) -> Iterator[Captured]:
    """Look inside a model without touching it.

    Example:
        >>> with capture(model, kinds=("conv", "activation")) as maps:
        ...     logits = maps(x)
        >>> maps["conv1"].shape

    Args:
        model: any ``nn.Module`` from images to logits; it may be shared, on any device, in training mode.
        kinds: the kinds of layers whose values are kept (:data:`cnn_demo.inspect.ops.KINDS`); everything by default.
            What is not kept is freed while the pass runs, so memory is bounded by what is asked for.
        names: further nodes to keep, by name.

    Raises:
        ValueError: an unknown kind.
    """
    wanted = frozenset(ops.KINDS if kinds is None else kinds)
    if unknown := wanted - frozenset(ops.KINDS):
        raise ValueError(f"kinds = {sorted(unknown)}: expected some of {', '.join(ops.KINDS)}")
    shell = private_shell(model)
    paths = {module: path for path, module in shell.named_modules()}
    maps = Captured(shell, paths, wanted, frozenset(names))
    handles = [module.register_forward_pre_hook(maps.enter) for module in paths]
    handles += [module.register_forward_hook(maps.leave) for module in paths]
    try:
        yield maps
    finally:
        for handle in handles:
            handle.remove()
        maps.closed = True
