"""Packed inputs of an objective, and what other people's trainers want instead: padded batches and models.

A distribution is called as in the objective's signature ("policy.chosen", "reference(2).chosen"). `<name>.hidden`
[M, H], `<name>.labels` [M] and `<name>.offsets` [sequences + 1] are packed over its sequences; `<model>.head` is
[V, H]. Everything is f64 and a multiple of 1/32, which f32 holds exactly. The head is torch's own log_softmax.
"""
import types

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

HIDDEN, VOCABULARY = 3, 5


def model_of(name):
    return name.split(".")[0]


def response_of(name):
    return name.split(".")[1].split("@")[0]


def offsets_of(lengths):
    return torch.tensor([0] + lengths).cumsum(0)


class Grid:
    """Random numbers that f32 holds."""

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, *shape, scale=1.0):
        return torch.randint(-48, 49, shape, generator=self.generator).double() / 32 * scale

    def labels(self, count):
        return torch.randint(0, VOCABULARY, (count,), generator=self.generator)


def make_inputs(distributions, lengths, seed):
    """`lengths`: of the sequences of each response."""
    grid = Grid(seed)
    labels = {r: grid.labels(sum(n)) for r, n in lengths.items()}
    inputs = {}
    for name in distributions:
        response = response_of(name)
        inputs[name + ".hidden"] = grid(sum(lengths[response]), HIDDEN)
        inputs[name + ".labels"] = labels[response]
        inputs[name + ".offsets"] = offsets_of(lengths[response])
    for model in sorted({model_of(name) for name in distributions}):
        inputs[model + ".head"] = grid(VOCABULARY, HIDDEN)
    return inputs


def logits_of(inputs, name):
    return inputs[name + ".hidden"] @ inputs[model_of(name) + ".head"].T


def token_logps(inputs, name):
    logp = torch.log_softmax(logits_of(inputs, name), -1)
    return logp.gather(1, inputs[name + ".labels"][:, None])[:, 0]


def sequences(inputs, name, packed):
    """The packed values of each sequence."""
    return packed.split(inputs[name + ".offsets"].diff().tolist())


def sums(inputs, name):
    return torch.stack([s.sum() for s in sequences(inputs, name, token_logps(inputs, name))])


def padded(inputs, names, values, width, fill=0, prompt=1):
    """The sequences of each name under each other, `prompt` places in front, `fill` up to `width`.

    values: packed values of a name, [M] or [M, V].
    """
    rows = []
    for name in names:
        for s in sequences(inputs, name, values(name)):
            pad = [0, 0] * (s.dim() - 1) + [prompt, width - prompt - len(s)]
            rows.append(F.pad(s, pad, value=fill))
    return torch.stack(rows)


def width_of(inputs, names):
    """Room for a prompt of one token and a place behind the longest sequence."""
    return 2 + max(int(inputs[name + ".offsets"].diff().max()) for name in names)


def batch_of(inputs, names, width=None):
    """ids, scored places, attended places (a prompt of one token and the sequence), labels with -100 elsewhere."""
    width = width or width_of(inputs, names)
    ids = padded(inputs, names, lambda name: inputs[name + ".labels"], width)
    mask = padded(inputs, names, lambda name: torch.ones_like(inputs[name + ".labels"]), width)
    attended = mask.clone()
    attended[:, 0] = 1
    return types.SimpleNamespace(ids=ids, mask=mask, attended=attended, labels=ids.masked_fill(mask == 0, -100))


class Model:
    """Stands for a language model: call k returns what the packed inputs say of the distributions calls[k].

    Fused as TRL's `fused_lm_head=True`: log_probs and statistics at the places that predict a token; and plain logits.
    The last of `calls` serves all further calls.
    """

    training = False
    is_gradient_checkpointing = False
    config = types.SimpleNamespace()

    def __init__(self, inputs, *calls):
        self.inputs, self.calls, self.done = inputs, calls, 0

    def eval(self):
        return self

    def __call__(self, input_ids=None, labels=None, **kwargs):
        names = self.calls[min(self.done, len(self.calls) - 1)]
        self.done += 1
        width = (input_ids if input_ids is not None else labels).size(1)
        return self.score(names, width)

    def score(self, names, width):
        def predicted(values):
            return padded(self.inputs, names, values, width)[:, 1:]

        def logp(name):
            return torch.log_softmax(logits_of(self.inputs, name), -1)

        log_probs = predicted(lambda name: token_logps(self.inputs, name))
        return types.SimpleNamespace(
            logits=padded(self.inputs, names, lambda name: logits_of(self.inputs, name), width, prompt=0),
            log_probs=log_probs,
            entropy=predicted(lambda name: -(logp(name).exp() * logp(name)).sum(-1)),
            log_sum_sq_probs=predicted(lambda name: torch.logsumexp(2 * logp(name), -1)),
            mean_logits=torch.zeros_like(log_probs), is_top1=torch.zeros_like(log_probs).bool())


class InDouble(TorchFunctionMode):
    """Runs code that names float32 in f64: casts to float32 are to f64, and f64 tensors say that they are float32."""

    def __torch_function__(self, function, arguments, values=(), keywords=None):
        keywords = dict(keywords or {})
        if keywords.get("dtype") is torch.float32:
            keywords["dtype"] = torch.float64
        casts = function is torch.Tensor.to and torch.float32 in values[1:]
        if casts or function is torch.Tensor.float:
            return values[0].double()
        result = function(*values, **keywords)
        if function == torch.Tensor.dtype.__get__ and result is torch.float64:
            return torch.float32
        return result


def one_process():
    """An accelerator of one process."""
    same = lambda x, **kwargs: x
    return types.SimpleNamespace(device="cpu", gather=same, gather_for_metrics=same, reduce=same,
                                 use_distributed=False, num_processes=1, sync_gradients=True)
