"""TRL's trainers of pairs: DPOTrainer with its loss types and options, CPOTrainer, ORPOTrainer."""
import collections
import functools
import types

import torch
import torch.nn.functional as F
import trl
from trl.experimental.cpo.cpo_trainer import CPOTrainer
from trl.experimental.orpo.orpo_trainer import ORPOTrainer
from trl.trainer.dpo_trainer import DPOTrainer

from golden_file import Case
from packed import InDouble, Model, batch_of, logits_of, one_process, padded, sequences

POLICY, REFERENCE = ["policy.chosen", "policy.rejected"], ["reference.chosen", "reference.rejected"]
FOUR = POLICY + REFERENCE
LENGTHS = {"chosen": [2, 3, 1], "rejected": [3, 1, 2]}
METRICS = {"rewards/chosen": "chosen_reward", "rewards/rejected": "rejected_reward",
           "rewards/margins": "margin", "rewards/accuracies": "accuracy"}


def origin(what):
    return f"TRL {trl.__version__}, {what}; torch {torch.__version__.split('+')[0]}, f64"


def renamed(metrics):
    """TRL's metrics that the objectives have under names of their own."""
    return {"metric." + ours: metrics[theirs] for theirs, ours in METRICS.items() if theirs in metrics}


def dpo_loss(inputs, loss_types, beta, loss_weights=None, **settings):
    accelerator = one_process()
    trainer = types.SimpleNamespace(
        model=Model(inputs, POLICY), ref_model=Model(inputs, REFERENCE), accelerator=accelerator,
        aux_loss_enabled=False, precompute_ref_logps=False, beta=beta, loss_types=loss_types,
        loss_weights=loss_weights or [1.0] * len(loss_types),
        args=types.SimpleNamespace(gradient_checkpointing=False, gradient_checkpointing_kwargs=None),
        _metrics=collections.defaultdict(lambda: collections.defaultdict(list)), _total_train_tokens=0, _tp_size=1)
    defaults = dict(ld_alpha=None, f_divergence_type="reverse_kl", f_alpha_divergence_coef=0.5, use_weighting=False,
                    label_smoothing=0.0)
    vars(trainer).update({**defaults, **settings})
    batch = batch_of(inputs, POLICY)
    with InDouble():
        loss = DPOTrainer._compute_loss(
            trainer, trainer.model,
            {"input_ids": batch.ids, "completion_mask": batch.mask, "attention_mask": batch.attended}, False)
    return loss, {key: values[-1] for key, values in trainer._metrics["eval"].items() if values}


def dpo_case(loss_types, beta, hyperparameters=None, options=None, metrics=True, **settings):
    """One case of DPOTrainer. `settings` are attributes of the trainer."""
    loss_types = loss_types.split(",")

    def compute(inputs):
        loss, logged = dpo_loss(inputs, loss_types, beta, **settings)
        return loss, renamed(logged) if metrics else {}

    named = ", ".join(f"{key} {value}" for key, value in settings.items())
    what = f"trl/trainer/dpo_trainer.py, DPOTrainer._compute_loss, loss_type {', '.join(loss_types)}"
    return Case(origin(what + (", " + named if named else "")), compute,
                {"beta": beta, **({} if hyperparameters is None else hyperparameters)}, options or {})


def divergences(loss_type, beta, **keywords):
    """The loss type under each of the four divergences."""
    cases = [dpo_case(loss_type, beta, **keywords)]
    for divergence in ("forward_kl", "js_divergence"):
        cases.append(dpo_case(loss_type, beta, options={"f_divergence_type": divergence},
                              f_divergence_type=divergence, **keywords))
    cases.append(dpo_case(loss_type, beta, hyperparameters={"f_alpha_divergence_coef": 0.25},
                          options={"f_divergence_type": "alpha_divergence"}, f_divergence_type="alpha_divergence",
                          f_alpha_divergence_coef=0.25, **keywords))
    return cases


def simpo_case(beta, gamma):
    def compute(inputs):
        means = []
        for name in POLICY:
            labels = sequences(inputs, name, inputs[name + ".labels"])
            for logits, tokens in zip(sequences(inputs, name, logits_of(inputs, name)), labels):
                logits = F.pad(logits, (0, 0, 0, 1))  # the last place predicts nothing
                tokens = F.pad(tokens, (1, 0), value=-100)
                means.append(CPOTrainer.get_batch_logps(logits[None], tokens[None], average_log_prob=True)[0])
        chosen, rejected = torch.stack(means).chunk(2)
        trainer = types.SimpleNamespace(alpha=0.0, loss_type="simpo", simpo_gamma=gamma, beta=beta,
                                        label_smoothing=0.0, accelerator=one_process())
        return CPOTrainer.cpo_loss(trainer, chosen, rejected)[0].mean()

    return Case(origin("trl/experimental/cpo/cpo_trainer.py, CPOTrainer.cpo_loss, loss_type simpo"), compute,
                {"beta": beta, "gamma": gamma})


def orpo_case(beta):
    """The prompt is one token, which nothing predicts: TRL's term of likelihood also covers longer prompts."""

    def compute(inputs):
        trainer = types.SimpleNamespace(
            beta=beta, is_encoder_decoder=False, padding_value=0, aux_loss_enabled=False, accelerator=one_process(),
            concatenated_inputs=ORPOTrainer.concatenated_inputs, get_batch_logps=ORPOTrainer.get_batch_logps)
        trainer.concatenated_forward = functools.partial(ORPOTrainer.concatenated_forward, trainer)
        trainer.odds_ratio_loss = functools.partial(ORPOTrainer.odds_ratio_loss, trainer)
        batch = {}
        for name in POLICY:
            side, rows = name.split(".")[1], batch_of(inputs, [name])
            batch[side + "_input_ids"], batch[side + "_attention_mask"] = rows.ids, rows.attended
            batch[side + "_labels"] = rows.labels
        with InDouble():
            loss, metrics = ORPOTrainer.get_batch_loss_metrics(trainer, Model(inputs, POLICY), batch, "train")
        metrics = {**renamed(metrics), "metric.nll_loss": metrics["nll_loss"],
                   "metric.log_odds_ratio": metrics["log_odds_ratio"],
                   "metric.log_odds_chosen": metrics["log_odds_chosen"]}
        return loss, metrics

    return Case(origin("trl/experimental/orpo/orpo_trainer.py, ORPOTrainer.get_batch_loss_metrics"), compute,
                {"beta": beta})


def sft_case():
    """DPOTrainer always scores rejected responses too; of these the loss reads nothing."""

    def compute(inputs):
        chosen = {key.replace("chosen", "rejected"): value.detach() for key, value in inputs.items() if "chosen" in key}
        reference = {key.replace("policy", "reference"): value.detach() for key, value in {**inputs, **chosen}.items()}
        return dpo_loss({**reference, **chosen, **inputs}, ["sft"], 0.1)[0]

    return Case(origin("trl/trainer/dpo_trainer.py, DPOTrainer._compute_loss, loss_type sft"), compute)
