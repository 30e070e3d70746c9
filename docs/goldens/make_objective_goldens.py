"""Writes compiler/objectives/<name>/golden.json with loss code that is not ours.

dpo, ipo: TRL's DPOTrainer; simpo: TRL's CPOTrainer; mdpo: dpo_loss of the authors' mdpo_trainer.py. The head is
torch.log_softmax in f64; gradients are torch's autograd. Inputs are multiples of 1/32, so that f32 holds them exactly.

  python3 -m venv venv && venv/bin/pip install trl==1.16.0 torch==2.11.0
  git clone https://github.com/luka-group/mDPO && git -C mDPO checkout 2221bb3
  venv/bin/python docs/goldens/make_objective_goldens.py mDPO/mdpo_trainer.py compiler/objectives
"""
import ast
import collections
import json
import pathlib
import sys
import types

import torch
import torch.nn.functional as F
import trl
from trl.experimental.cpo.cpo_trainer import CPOTrainer
from trl.trainer.dpo_trainer import DPOTrainer

HIDDEN, VOCABULARY = 3, 5
LENGTHS = {"chosen": [2, 3, 1], "rejected": [3, 1, 2]}
MDPO_COMMIT = "2221bb3"


def offsets_of(response):
    offsets = [0]
    for length in LENGTHS[response]:
        offsets.append(offsets[-1] + length)
    return offsets


def make_inputs(distributions, seed):
    generator = torch.Generator().manual_seed(seed)

    def grid(*shape):
        return torch.randint(-48, 49, shape, generator=generator).double() / 32

    labels = {r: torch.randint(0, VOCABULARY, (sum(n),), generator=generator) for r, n in LENGTHS.items()}
    inputs = {}
    for name in distributions:
        response = name.split(".")[1].split("@")[0]
        inputs[name + ".hidden"] = grid(sum(LENGTHS[response]), HIDDEN)
        inputs[name + ".labels"] = labels[response]
        inputs[name + ".offsets"] = torch.tensor(offsets_of(response))
    for model in sorted({name.split(".")[0] for name in distributions}):
        inputs[model + ".head"] = grid(VOCABULARY, HIDDEN)
    for key, value in inputs.items():
        if key.startswith("policy") and value.is_floating_point():
            value.requires_grad_()
    return inputs


def logits_of(inputs, name):
    return inputs[name + ".hidden"] @ inputs[name.split(".")[0] + ".head"].T


def token_logps(inputs, name):
    logp = torch.log_softmax(logits_of(inputs, name), -1)
    return logp.gather(1, inputs[name + ".labels"][:, None])[:, 0]


def padded(inputs, names, values, width, fill=0):
    """Rows of packed token values of each name, one token of prompt in front, padded with `fill` to `width`."""
    rows = []
    for name in names:
        offsets = inputs[name + ".offsets"].tolist()
        for begin, end in zip(offsets, offsets[1:]):
            rows.append(F.pad(values(name)[begin:end], (1, width - 1 - (end - begin)), value=fill))
    return torch.stack(rows)


class FromPacked:
    """Stands for a model whose fused head returns the log-probabilities of the packed inputs."""

    training = False
    is_gradient_checkpointing = False

    def __init__(self, inputs, model):
        self.inputs, self.names = inputs, [f"{model}.chosen", f"{model}.rejected"]

    def __call__(self, **kwargs):
        width = kwargs["labels"].size(1)
        logp = padded(self.inputs, self.names, lambda name: token_logps(self.inputs, name), width)[:, 1:]
        zeros = torch.zeros_like(logp.detach())
        return types.SimpleNamespace(log_probs=logp, entropy=zeros, mean_logits=zeros, is_top1=zeros.bool())


def trl_dpo(inputs, loss_type, beta):
    names = ["policy.chosen", "policy.rejected"]
    width = 2 + max(max(n) for n in LENGTHS.values())
    ids = padded(inputs, names, lambda name: inputs[name + ".labels"], width)
    mask = padded(inputs, names, lambda name: torch.ones_like(inputs[name + ".labels"]), width)
    accelerator = types.SimpleNamespace(device="cpu", gather=lambda x: x, gather_for_metrics=lambda x: x)
    trainer = types.SimpleNamespace(
        model=FromPacked(inputs, "policy"), ref_model=FromPacked(inputs, "reference"), accelerator=accelerator,
        aux_loss_enabled=False, ld_alpha=None, precompute_ref_logps=False, f_divergence_type="reverse_kl",
        loss_types=[loss_type], loss_weights=[1.0], beta=beta, use_weighting=False, label_smoothing=0.0,
        args=types.SimpleNamespace(gradient_checkpointing=False, gradient_checkpointing_kwargs=None),
        _metrics=collections.defaultdict(lambda: collections.defaultdict(list)), _total_train_tokens=0, _tp_size=1)
    batch = {"input_ids": ids, "completion_mask": mask, "attention_mask": mask}
    return DPOTrainer._compute_loss(trainer, trainer.model, batch, False)


def trl_simpo(inputs, beta, gamma):
    means = []
    for name in ("policy.chosen", "policy.rejected"):
        offsets = inputs[name + ".offsets"].tolist()
        for begin, end in zip(offsets, offsets[1:]):
            logits = F.pad(logits_of(inputs, name)[begin:end], (0, 0, 0, 1))  # the last position predicts nothing
            labels = F.pad(inputs[name + ".labels"][begin:end], (1, 0), value=-100)
            means.append(CPOTrainer.get_batch_logps(logits[None], labels[None], average_log_prob=True)[0])
    chosen, rejected = torch.stack(means).chunk(2)
    trainer = types.SimpleNamespace(alpha=0.0, loss_type="simpo", simpo_gamma=gamma, beta=beta, label_smoothing=0.0,
                                    accelerator=types.SimpleNamespace(device="cpu"))
    return CPOTrainer.cpo_loss(trainer, chosen, rejected)[0].mean()


def authors_mdpo(inputs, source, beta):
    tree = ast.parse(pathlib.Path(source).read_text())
    function = next(n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "dpo_loss")
    scope = {"torch": torch}
    exec(compile(ast.Module([function], []), source, "exec"), scope)

    def sums(name):
        offsets = inputs[name + ".offsets"].tolist()
        return torch.stack([token_logps(inputs, name)[b:e].sum() for b, e in zip(offsets, offsets[1:])])

    order = [f"{m}.{r}" for m in ("policy", "reference") for r in ("chosen", "rejected", "chosen@corrupted(crop)")]
    return scope["dpo_loss"](types.SimpleNamespace(beta=beta), *map(sums, order))[0].mean()


def write(folder, name, origin, hyperparameters, distributions, compute, seed):
    inputs = make_inputs(distributions, seed)
    loss = compute(inputs)
    loss.backward()
    outputs = {"loss": loss.item()}
    for distribution in distributions:
        outputs[f"logp.{distribution}"] = token_logps(inputs, distribution).tolist()
    for key, value in inputs.items():
        if value.requires_grad:
            outputs[f"grad.{key}"] = value.grad.tolist()
    sections = {"inputs": {k: v.tolist() for k, v in inputs.items()}, "outputs": outputs}
    lines = [f' "origin": {json.dumps(origin)}', ' "redo": "docs/goldens/make_objective_goldens.py"',
             f' "hyperparameters": {json.dumps(hyperparameters)}']
    for section, values in sections.items():
        body = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in values.items())
        lines.append(f' "{section}": {{\n{body}\n }}')
    (folder / name / "golden.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(name, loss.item())


def main(mdpo_source, folder):
    folder = pathlib.Path(folder).resolve()
    four = [f"{m}.{r}" for m in ("policy", "reference") for r in ("chosen", "rejected")]
    six = four + [f"{m}.chosen@corrupted(crop)" for m in ("policy", "reference")]
    versions = f"torch {torch.__version__.split('+')[0]}, f64"
    dpo = f"TRL {trl.__version__}, trl/trainer/dpo_trainer.py, DPOTrainer._compute_loss, loss_type"
    write(folder, "dpo", f"{dpo} sigmoid; {versions}", {"beta": 0.3}, four, lambda i: trl_dpo(i, "sigmoid", 0.3), 1)
    # The example of docs/how-to/objective.md.
    write(folder.parents[1] / "tests/how_to", "hinge", f"{dpo} hinge; {versions}", {"beta": 0.3}, four,
          lambda i: trl_dpo(i, "hinge", 0.3), 5)
    write(folder, "ipo", f"{dpo} ipo; {versions}", {"beta": 0.4}, four, lambda i: trl_dpo(i, "ipo", 0.4), 2)
    write(folder, "simpo", f"TRL {trl.__version__}, trl/experimental/cpo/cpo_trainer.py, CPOTrainer.cpo_loss, "
          f"loss_type simpo; {versions}", {"beta": 2.0, "gamma": 0.75}, four[:2], lambda i: trl_simpo(i, 2.0, 0.75), 3)
    write(folder, "mdpo", f"luka-group/mDPO {MDPO_COMMIT}, mdpo_trainer.py, dpo_loss; {versions}",
          {"beta": 0.2, "delta": 0.0}, six, lambda i: authors_mdpo(i, mdpo_source, 0.2), 4)


if __name__ == "__main__":
    main(*sys.argv[1:])
