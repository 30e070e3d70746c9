"""golden.json: inputs, and what somebody else's implementation makes of them.

The first case stands at the top; `cases` holds further ones, each with the hyperparameters, options and inputs in which
it differs. Reals have all digits of f64.
"""
import dataclasses
import json
from typing import Callable

import torch

import packed


@dataclasses.dataclass
class Case:
    origin: str
    compute: Callable  # inputs -> loss, or (loss, further outputs)
    hyperparameters: dict = dataclasses.field(default_factory=dict)
    options: dict = dataclasses.field(default_factory=dict)
    inputs: dict = dataclasses.field(default_factory=dict)


def run(case, inputs, distributions):
    """Outputs of a case, by name."""
    inputs = {key: torch.as_tensor(value).clone() for key, value in {**inputs, **case.inputs}.items()}
    for key, value in inputs.items():
        if key.startswith("policy") and value.is_floating_point():
            value.requires_grad_()
    result = case.compute(inputs)
    loss, further = result if isinstance(result, tuple) else (result, {})
    assert loss.dtype == torch.float64, loss.dtype
    loss.backward()
    outputs = {"loss": loss.item()}
    outputs.update({key: float(value) for key, value in further.items()})
    for distribution in distributions:
        outputs[f"logp.{distribution}"] = packed.token_logps(inputs, distribution).tolist()
    for key, value in inputs.items():
        if value.grad is not None:
            outputs[f"grad.{key}"] = value.grad.tolist()
    return outputs


def section(indent, name, values):
    pad = " " * indent
    body = ",\n".join(f"{pad} {json.dumps(k)}: {json.dumps(v)}" for k, v in values.items())
    return f'{pad}"{name}": {{\n{body}\n{pad}}}' if values else f'{pad}"{name}": {{}}'


def facts(indent, case):
    pad = " " * indent
    lines = [f'{pad}"origin": {json.dumps(case.origin)}']
    if indent == 1:
        lines.append(' "redo": "docs/goldens/make_objective_goldens.py"')
    lines.append(f'{pad}"hyperparameters": {json.dumps(case.hyperparameters)}')
    if case.options:
        lines.append(f'{pad}"options": {json.dumps(case.options)}')
    return lines


def write(folder, name, distributions, inputs, cases):
    """distributions: whose log-probabilities the objective reads. `inputs` are those of all cases."""
    listed = {k: torch.as_tensor(v).tolist() for k, v in {**inputs, **cases[0].inputs}.items()}
    outputs = run(cases[0], inputs, distributions)
    lines = facts(1, cases[0]) + [section(1, "inputs", listed), section(1, "outputs", outputs)]
    print(name, outputs["loss"])
    further = []
    for case in cases[1:]:
        outputs = run(case, inputs, distributions)
        outputs = {k: v for k, v in outputs.items() if not k.startswith("logp.")}
        parts = facts(3, case)
        if case.inputs:
            parts.append(section(3, "inputs", {k: torch.as_tensor(v).tolist() for k, v in case.inputs.items()}))
        further.append("  {\n" + ",\n".join(parts + [section(3, "outputs", outputs)]) + "\n  }")
        print(" ", case.options or case.hyperparameters, outputs["loss"])
    if further:
        lines.append(' "cases": [\n' + ",\n".join(further) + "\n ]")
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    assert text.count("\n") <= 100, f"{name}: {text.count(chr(10))} lines"
    (folder / name).mkdir(exist_ok=True)
    (folder / name / "golden.json").write_text(text)
