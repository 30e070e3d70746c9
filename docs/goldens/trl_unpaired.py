"""TRL's KTOTrainer: single responses, each labelled desirable or not."""
import collections
import functools
import types

from trl.trainer.kto_trainer import KTOTrainer

from golden_file import Case
from packed import InDouble, Model, batch_of, one_process
from trl_pairs import origin

DISTRIBUTIONS = ["policy.response", "reference.response", "policy.mismatched", "reference.mismatched"]
LENGTHS = {"response": [2, 3, 1, 2], "mismatched": [1, 2, 3, 1]}


def kto_case(beta, desirable_weight, undesirable_weight, label):
    def compute(inputs):
        trainer = types.SimpleNamespace(
            # The trainer scores the mismatched responses first.
            model=Model(inputs, ["policy.mismatched"], ["policy.response"]),
            ref_model=Model(inputs, ["reference.mismatched"], ["reference.response"]), accelerator=one_process(),
            calculate_KL=True, aux_loss_enabled=False, precompute_ref_logps=False, beta=beta, loss_type="kto",
            desirable_weight=desirable_weight, undesirable_weight=undesirable_weight,
            args=types.SimpleNamespace(gradient_checkpointing=False, gradient_checkpointing_kwargs=None),
            _metrics=collections.defaultdict(lambda: collections.defaultdict(list)), _total_train_tokens=0)
        trainer._compute_kl_logps = functools.partial(KTOTrainer._compute_kl_logps, trainer)
        responses, mismatched = batch_of(inputs, ["policy.response"]), batch_of(inputs, ["policy.mismatched"])
        batch = {"input_ids": responses.ids, "attention_mask": responses.attended, "completion_mask": responses.mask,
                 "KL_input_ids": mismatched.ids, "KL_attention_mask": mismatched.attended,
                 "KL_completion_mask": mismatched.mask, "label": inputs["label"].bool()}
        with InDouble():
            loss = KTOTrainer._compute_loss(trainer, trainer.model, batch, False)
        logged = {key: values[-1] for key, values in trainer._metrics["eval"].items()}
        return loss, {"metric.kl": logged["kl"], "metric.chosen_reward": logged["rewards/chosen"],
                      "metric.rejected_reward": logged["rewards/rejected"],
                      "metric.margin": logged["rewards/margins"]}

    return Case(origin("trl/trainer/kto_trainer.py, KTOTrainer._compute_loss, loss_type kto"), compute,
                {"beta": beta, "desirable_weight": desirable_weight, "undesirable_weight": undesirable_weight},
                inputs={"label": label})
