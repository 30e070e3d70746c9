"""Losses by the code of their authors: mDPO, MRPO, TDPO, HALVA, InternVL's MPO."""
import contextlib
import dataclasses
import enum
import types

import torch
import torch.nn as nn
import torch.nn.functional as F
from transformers import BatchEncoding

import sources
from golden_file import Case
from packed import InDouble, Model, batch_of, one_process, sums, width_of
from trl_pairs import FOUR, LENGTHS, POLICY, REFERENCE, dpo_loss, origin, renamed

NUMBERS = {"torch": torch, "nn": nn, "F": F, "nullcontext": contextlib.nullcontext}
SECOND = ["reference(2).chosen", "reference(2).rejected"]
CROPPED = [f"{model}.chosen@corrupted(crop)" for model in ("policy", "reference")]


def by(repository, what):
    return f"{sources.describe(repository)}, {what}; torch {torch.__version__.split('+')[0]}, f64"


def means(metrics):
    return {key: torch.as_tensor(value, dtype=torch.float64).mean().item() for key, value in metrics.items()}


def mdpo_case(beta):
    def compute(inputs):
        tree = sources.load("mDPO", "mdpo_trainer.py", ["mDPOTrainer:dpo_loss"], dict(NUMBERS))
        order = [f"{m}.{r}" for m in ("policy", "reference") for r in ("chosen", "rejected", "chosen@corrupted(crop)")]
        return tree.dpo_loss(types.SimpleNamespace(beta=beta), *[sums(inputs, name) for name in order])[0].mean()

    return Case(by("mDPO", "mdpo_trainer.py, dpo_loss"), compute, {"beta": beta, "delta": 0.0})


def mrpo_case(beta, eta, alpha, ftx_gamma=0.0):
    def compute(inputs):
        base = sources.load("trl-0.8.1", "trl/trainer/dpo_trainer.py", ["DPOTrainer:dpo_loss get_batch_logps"],
                            dict(NUMBERS))
        trainer = sources.load("MRPO", "src/llmtuner/train/dpo/trainer_mref.py",
                               ["MRefDPOTrainer:sft_loss concatenated_forward get_batch_loss_metrics"],
                               dict(NUMBERS, BatchEncoding=BatchEncoding))
        trainer = type("Trainer", (trainer, base), {})()
        vars(trainer).update(
            accelerator=one_process(), beta=beta, eta=eta, alpha=alpha, ftx_gamma=ftx_gamma, mref_naive=False,
            step_train=0, label_smoothing=0, loss_type="sigmoid", reference_free=False, label_pad_token_id=-100,
            ref_model=Model(inputs, REFERENCE), ref_model2=Model(inputs, SECOND))
        rows = batch_of(inputs, POLICY)
        batch = {"input_ids": rows.ids, "attention_mask": rows.attended, "labels": rows.labels}
        with InDouble():
            loss, metrics = trainer.get_batch_loss_metrics(Model(inputs, POLICY), batch)
        return loss, renamed(means(metrics))

    what = by("MRPO", "src/llmtuner/train/dpo/trainer_mref.py, MRefDPOTrainer.get_batch_loss_metrics, on TRL 0.8.1")
    return Case(what, compute, {"beta": beta, "eta": eta, "alpha": alpha, "ftx_gamma": ftx_gamma})


def tdpo2_case(beta, alpha):
    def compute(inputs):
        repository = "Token-level-Direct-Preference-Optimization"
        scope = dict(NUMBERS, all_gather_if_needed=lambda x, *ranks: x)
        sources.load(repository, "utils.py", ["pad_to_length"], scope)
        names = ["tdpo_loss", "_tdpo_get_batch_logps", "concatenated_inputs",
                 "BasicTrainer:tdpo_concatenated_forward get_batch_metrics"]
        trainer = sources.load(repository, "trainers.py", names, scope)()
        trainer.policy, trainer.reference_model = Model(inputs, POLICY), Model(inputs, REFERENCE)
        trainer.rank, trainer.world_size = 0, 1
        batch = {}
        for name in POLICY:
            side, rows = name.split(".")[1], batch_of(inputs, [name])
            batch[side + "_input_ids"], batch[side + "_labels"] = rows.ids, rows.labels
            batch[side + "_attention_mask"] = rows.attended
        config = types.SimpleNamespace(name="tdpo", beta=beta, alpha=alpha, if_tdpo2=True)
        with InDouble():
            loss, metrics = trainer.get_batch_metrics(batch, config)
        metrics = {key.replace("_train", ""): value for key, value in means(metrics).items()}
        return loss, {**renamed(metrics), "metric.chosen_kl": metrics["kl/chosen"],
                      "metric.rejected_kl": metrics["kl/rejected"]}

    what = "trainers.py, BasicTrainer.get_batch_metrics with if_tdpo2"
    return Case(by("Token-level-Direct-Preference-Optimization", what), compute, {"beta": beta, "alpha": alpha})


class HalvaModel:
    """LLaVA's interface: embeddings stand for which rows are asked for."""

    def __init__(self, inputs, model):
        self.inputs, self.model = inputs, model

    def prepare_inputs_labels_for_multimodal_signed(self, input_ids, labels, attention_mask, signs, **kwargs):
        return None, None, attention_mask, None, (["chosen", "rejected"], input_ids.size(1)), labels, signs

    def prepare_inputs_labels_for_multimodal(self, input_ids, labels, attention_mask, **kwargs):
        return None, None, attention_mask, None, (["response"], input_ids.size(1)), labels

    def forward(self, inputs_embeds, **kwargs):
        responses, width = inputs_embeds
        return Model(self.inputs).score([f"{self.model}.{r}" for r in responses], width)


def halva_case(loss_alpha, chosen_phrase, rejected_phrase, phrases):
    """Phrases are numbered from 0 here, -1 outside of any; by the authors from 1 and 0. As many in each row, as their
    tensors have it."""
    def compute(inputs):
        methods = "HalvaTrainer:cal_batch_logp accumulate_logps concatenated_forward reference_forward compute_loss"
        trainer = sources.load("HALVA", "llava/train/halva_trainer.py", [methods], dict(NUMBERS))()
        trainer.loss_alpha, trainer.label_pad_token_id, trainer.is_encoder_decoder = loss_alpha, -100, False
        trainer.model, trainer.ref_model = HalvaModel(inputs, "policy"), HalvaModel(inputs, "reference")
        batch = {"images": torch.zeros(1), "ref_images": torch.zeros(1)}
        for response, prefix in {"chosen": "", "rejected": "neg_", "response": "ref_"}.items():
            rows = batch_of(inputs, ["policy." + response])
            batch[prefix + "input_ids"], batch[prefix + "labels"] = rows.ids, rows.labels
            batch[prefix + "attention_mask"] = rows.attended.bool()
            if response != "response":
                phrase = inputs[response + "_phrase"].long() + 1
                signs = torch.zeros_like(rows.ids).masked_scatter(rows.mask.bool(), phrase)
                batch[{"chosen": "pos_signs", "rejected": "neg_signs"}[response]] = signs
        with InDouble():
            return trainer.compute_loss(None, batch)

    rows = len(LENGTHS["chosen"])
    data = {"chosen_phrase": chosen_phrase, "rejected_phrase": rejected_phrase,
            "segment(phrase).offsets": [phrases * i for i in range(rows + 1)]}
    return Case(by("HALVA", "llava/train/halva_trainer.py, HalvaTrainer.compute_loss"), compute,
                {"loss_alpha": loss_alpha}, inputs=data)


def internvl_loss(inputs, loss_type, beta, mean, count, rpo_alpha, weights):
    divergences = sources.load("trl-0.10.1", "trl/trainer/dpo_config.py", ["FDivergenceType"], {"Enum": enum.Enum})
    base = sources.load("trl-0.10.1", "trl/trainer/dpo_trainer.py", ["DPOTrainer:dpo_loss get_batch_logps"],
                        dict(NUMBERS, FDivergenceType=divergences))
    utilities = dict(NUMBERS, dataclass=dataclasses.dataclass)
    moments = sources.load("trl-0.10.1", "trl/trainer/utils.py", ["pad_to_length", "RunningMoments"], utilities)
    names = "MultimodalDPOTrainer:concatenated_inputs concatenated_forward get_batch_loss_metrics"
    trainer = sources.load("InternVL", "internvl_chat/internvl/train/trainer_dpo.py", [names],
                           dict(NUMBERS, pad_to_length=utilities["pad_to_length"]))
    trainer = type("Trainer", (trainer, base), {})()
    vars(trainer).update(
        accelerator=one_process(), beta=beta, loss_type=loss_type, label_smoothing=0.0, reference_free=False,
        is_encoder_decoder=False, is_vision_model=False, aux_loss_enabled=False, label_pad_token_id=-100,
        padding_value=0, f_divergence_type="reverse_kl", ref_model=Model(inputs, REFERENCE),
        args=types.SimpleNamespace(rpo_alpha=rpo_alpha, **weights),
        running=moments(one_process(), mean=mean, count=count or moments.count))
    batch = {"pixel_values": torch.zeros(1, 1, 1, 1), "image_flags": torch.zeros(1)}
    for name in POLICY:
        side, rows = name.split(".")[1], batch_of(inputs, [name], width_of(inputs, POLICY))
        batch[side + "_input_ids"], batch[side + "_labels"] = rows.ids, rows.labels
        batch[side + "_attention_mask"] = rows.attended
    with InDouble():
        loss, metrics = trainer.get_batch_loss_metrics(Model(inputs, POLICY), batch)
    state = {"state.reward_mean": trainer.running.mean, "state.reward_count": trainer.running.count}
    return loss, means(metrics), state


def bco_pair_cases(beta):
    def shifted(mean, count):
        def compute(inputs):
            loss, metrics, state = internvl_loss(inputs, "bco_pair", beta, mean, count, None, {})
            return loss, {**renamed(metrics), **state}

        what = "internvl_chat/internvl/train/trainer_dpo.py, MultimodalDPOTrainer, loss_type bco_pair, on TRL 0.10.1"
        return Case(by("InternVL", what), compute, {"beta": beta},
                    inputs={"reward_mean": mean, "reward_count": count})

    def unshifted(inputs):
        loss, metrics = dpo_loss(inputs, ["bco_pair"], beta)
        return loss, renamed(metrics)

    plain = Case(origin("trl/trainer/dpo_trainer.py, DPOTrainer._compute_loss, loss_type bco_pair"), unshifted,
                 {"beta": beta}, {"reward_shift": "zero"})
    return [shifted(0.0, 0.0), shifted(0.75, 3.0), plain]


def mpo_cases(beta):
    weights = {"sigmoid_loss_weight": 0.8, "bco_pair_loss_weight": 0.2}

    def compute(inputs):
        loss, _, state = internvl_loss(inputs, "sigmoid,bco_pair", beta, 0.75, 3.0, 1.0, weights)
        return loss, {key.replace("state.", "state.bco_pair."): value for key, value in state.items()}

    what = ("internvl_chat/internvl/train/trainer_dpo.py, MultimodalDPOTrainer, loss_type sigmoid,bco_pair, "
            "rpo_alpha 1, on TRL 0.10.1")
    theirs = Case(by("InternVL", what), compute, {"beta": beta},
                  inputs={"bco_pair.reward_mean": 0.75, "bco_pair.reward_count": 3.0})

    def listed(inputs):
        return dpo_loss(inputs, ["sigmoid", "bco_pair", "sft"], beta, [0.8, 0.2, 1.0])[0]

    what = "trl/trainer/dpo_trainer.py, DPOTrainer._compute_loss, loss_type sigmoid, bco_pair, sft, weights 0.8, 0.2, 1"
    return [theirs, Case(origin(what), listed, {"beta": beta}, {"reward_shift": "zero"})]
