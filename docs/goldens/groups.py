"""Groups of responses of one prompt: TRL's GRPOTrainer, and allRank's ListMLE for Plackett-Luce."""
import ast
import collections
import inspect
import textwrap
import types

import torch
from trl.trainer import grpo_trainer
from trl.trainer.grpo_trainer import GRPOTrainer

import sources
from golden_file import Case
from packed import InDouble, Model, batch_of, make_inputs, offsets_of, one_process, sums, token_logps
from trl_pairs import origin

LENGTHS, SIZES = {"member": [2, 3, 1, 3, 1, 2]}, [3, 3]
POLICY, REFERENCE = "policy.member", "reference.member"
SCALES = {"group": "group", "centered": "none"}  # our option `advantages`: TRL's scale_rewards


def group_inputs(distributions, seed, sizes=SIZES):
    inputs = make_inputs(distributions, LENGTHS, seed)
    return {**inputs, "member.offsets": offsets_of(sizes)}


def near_policy(inputs, seed):
    """Log-probabilities that an older policy could have had: ratios on both sides of the clipping range."""
    step = torch.randint(-12, 13, inputs[POLICY + ".labels"].shape, generator=torch.Generator().manual_seed(seed))
    return ((token_logps(inputs, POLICY).detach() * 32).round() + step) / 32


def group_advantages(rewards, scale_rewards):
    """The statement of GRPOTrainer that turns rewards into advantages."""
    text = textwrap.dedent(inspect.getsource(GRPOTrainer._generate_and_score_completions))
    statement = next(n for n in ast.walk(ast.parse(text))
                     if isinstance(n, ast.If) and "multi_objective_aggregation" in ast.unparse(n.test))
    trainer = types.SimpleNamespace(multi_objective_aggregation="sum_then_normalize", scale_rewards=scale_rewards,
                                    reward_weights=torch.ones(1), reward_funcs=[None])
    scope = {"self": trainer, "torch": torch, "nanstd": grpo_trainer.nanstd, "num_generations": SIZES[0],
             "rewards_per_func": rewards[:, None], "unscorable_mask": torch.isnan(rewards), "device": "cpu"}
    exec(compile(ast.Module([statement], []), "grpo_trainer.py", "exec"), scope)
    return scope["advantages"]


def grpo_loss(inputs, level, advantages, beta, epsilon, epsilon_high, entropy_coef, bias_correction):
    trainer = types.SimpleNamespace(
        model=Model(inputs, [POLICY]), accelerator=one_process(), aux_loss_enabled=False, top_entropy_quantile=1.0,
        off_policy_mask_threshold=None, importance_sampling_level=level, loss_type="grpo", beta=beta,
        epsilon_low=epsilon, epsilon_high=epsilon_high, use_vllm=False, vllm_importance_sampling_correction=False,
        use_adaptive_entropy=False, _entropy_bonus_enabled=entropy_coef != 0, entropy_coef=entropy_coef,
        args=types.SimpleNamespace(use_bias_correction_kl=bias_correction, delta=None),
        _metrics=collections.defaultdict(lambda: collections.defaultdict(list)))
    batch = batch_of(inputs, [POLICY])
    mask = batch.mask[:, 1:]

    def place(packed):
        return torch.zeros(mask.shape).masked_scatter(mask.bool(), packed)

    scored = trainer.model.score([POLICY], batch.ids.size(1))
    trainer._get_per_token_logps_and_entropies = lambda *args, **kwargs: (scored.log_probs, scored.entropy, None)
    rows = {"prompt_ids": batch.ids[:, :1], "prompt_mask": batch.attended[:, :1], "completion_ids": batch.ids[:, 1:],
            "completion_mask": mask, "advantages": advantages,
            "old_per_token_logps": place(inputs["old_per_token_logps"])}
    if beta:
        rows["ref_per_token_logps"] = place(token_logps(inputs, REFERENCE).detach())
    with InDouble():
        loss = GRPOTrainer._compute_loss(trainer, trainer.model, rows)
    logged = trainer._metrics["eval"]
    metrics = {"metric.clip_ratio": logged["clip_ratio/region_mean"][-1]}
    if beta:
        metrics["metric.kl"] = logged["kl"][-1]
    return loss, metrics


def grpo_case(level, options, beta, epsilon, epsilon_high, entropy_coef=0.0, data=None):
    """data: the inputs `rewards` or `advantages`, one per member, and old_per_token_logps."""
    def compute(inputs):
        kind = options.get("advantages", "given")
        advantages = inputs["advantages"] if kind == "given" else group_advantages(inputs["rewards"], SCALES[kind])
        return grpo_loss(inputs, level, advantages, beta, epsilon, epsilon_high, entropy_coef,
                         options.get("use_bias_correction_kl", "true") == "true")

    hyperparameters = {"epsilon": epsilon, "epsilon_high": epsilon_high}
    if beta:
        hyperparameters["beta"] = beta
    if entropy_coef:
        hyperparameters["entropy_coef"] = entropy_coef
    what = f"trl/trainer/grpo_trainer.py, GRPOTrainer._compute_loss, loss_type grpo, importance_sampling_level {level}"
    return Case(origin(what), compute, hyperparameters, options, data or {})


def plackett_luce_case(beta, rank):
    """One call per row, as rows differ in their number of members; eps 0, for it is there for overflow only."""
    def compute(inputs):
        scope = {"torch": torch, "DEFAULT_EPS": 0.0, "PADDED_Y_VALUE": -1}
        list_mle = sources.load("allRank", "allrank/models/losses/listMLE.py", ["listMLE"], scope)
        scores = beta * (sums(inputs, POLICY) - sums(inputs, REFERENCE).detach())
        losses = []
        for begin, end in zip(inputs["member.offsets"], inputs["member.offsets"][1:]):
            losses.append(list_mle(scores[None, begin:end], 100 - inputs["rank"][None, begin:end], eps=0.0))
        return torch.stack(losses).mean()

    what = f"{sources.describe('allRank')}, allrank/models/losses/listMLE.py, listMLE on DPO's rewards; "
    return Case(what + f"torch {torch.__version__.split('+')[0]}, f64", compute, {"beta": beta}, inputs={"rank": rank})
