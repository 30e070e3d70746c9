"""Writes compiler/objectives/<name>/golden.json with loss code that is not ours.

  python3 -m venv venv && venv/bin/pip install trl==1.16.0 torch==2.11.0
  mkdir sources && cd sources
  for r in luka-group/mDPO thaihungle/MRPO pritamqu/HALVA OpenGVLab/InternVL allegro/allRank \
      Vance0124/Token-level-Direct-Preference-Optimization; do git clone https://github.com/$r; done
  for v in 0.8.1 0.10.1; do ../venv/bin/pip install --no-deps --target trl-$v trl==$v; done; cd ..
  venv/bin/python docs/goldens/make_objective_goldens.py sources compiler/objectives [NAME...]

sources.py pins the commits. One file per source: trl_pairs.py, trl_unpaired.py, groups.py, authors.py; packed.py makes
the inputs, golden_file.py the files. With other numbers of threads the last digits differ.
"""
import pathlib
import sys

import torch

import authors
import groups
import sources
import trl_pairs
import trl_unpaired
from golden_file import write
from packed import make_inputs
from trl_pairs import FOUR, LENGTHS, POLICY, dpo_case


def pairs(distributions, seed, cases):
    return distributions, make_inputs(distributions, LENGTHS, seed), cases


def with_groups(distributions, seed, make):
    inputs = groups.group_inputs(distributions, seed)
    return distributions, inputs, make(inputs)


def grpo(inputs):
    old = groups.near_policy(inputs, 3)
    given = {"advantages": [1.25, -0.5, -0.75, 0.5, -1.5, 1.0], "old_per_token_logps": old}
    rewards = {"rewards": [1.0, 0.25, 0.0, 0.5, 0.5, 2.0], "old_per_token_logps": old}
    return [groups.grpo_case("token", {}, 0.04, 0.2, 0.28, data=given),
            groups.grpo_case("token", {"advantages": "group", "use_bias_correction_kl": "false"}, 0.04, 0.1, 0.15,
                             data=rewards),
            groups.grpo_case("token", {"advantages": "centered", "kl": "none", "entropy_bonus": "true"}, 0.0, 0.1, 0.1,
                             entropy_coef=0.01, data=rewards)]


def gspo(inputs):
    old = groups.near_policy(inputs, 5)
    given = {"advantages": [1.25, -0.5, -0.75, 0.5, -1.5, 1.0], "old_per_token_logps": old}
    rewards = {"rewards": [1.0, 0.25, 0.0, 0.5, 0.5, 2.0], "old_per_token_logps": old}
    return [groups.grpo_case("sequence", {}, 0.0, 0.05, 0.08, data=given),
            groups.grpo_case("sequence", {"advantages": "group"}, 0.0, 0.05, 0.08, data=rewards)]


def plackett_luce():
    distributions = [groups.POLICY, groups.REFERENCE]
    inputs = groups.group_inputs(distributions, 18, sizes=[2, 4])
    return distributions, inputs, [groups.plackett_luce_case(0.3, [1.0, 0.0, 2.0, 0.0, 3.0, 1.0])]


def halva():
    distributions = ["policy.chosen", "policy.rejected", "policy.response", "reference.response"]
    inputs = make_inputs(distributions, {**LENGTHS, "response": [1, 2, 3]}, 17)
    # Row 2 has no second phrase.
    chosen_phrase, rejected_phrase = [0.0, -1.0, 0.0, 1.0, 1.0, 0.0], [0.0, -1.0, 1.0, 1.0, 0.0, 0.0]
    return distributions[:2], inputs, [authors.halva_case(0.4, chosen_phrase, rejected_phrase, 2)]


def kto():
    distributions = trl_unpaired.DISTRIBUTIONS
    inputs = make_inputs(distributions, trl_unpaired.LENGTHS, 67)
    return distributions, inputs, [trl_unpaired.kto_case(0.3, 1.5, 0.75, [1.0, 0.0, 0.0, 1.0])]


GOLDENS = {
    "dpo": lambda: pairs(FOUR, 1, trl_pairs.divergences("sigmoid", 0.3)),
    "ipo": lambda: pairs(FOUR, 2, trl_pairs.divergences("ipo", 0.4, metrics=False)),
    "simpo": lambda: pairs(POLICY, 3, [trl_pairs.simpo_case(2.0, 0.75)]),
    "mdpo": lambda: pairs(FOUR + authors.CROPPED, 4, [authors.mdpo_case(0.2)]),
    "hinge": lambda: pairs(FOUR, 5, [dpo_case("hinge", 0.3, metrics=False)]),
    "sft": lambda: pairs(POLICY[:1], 6, [trl_pairs.sft_case()]),
    "kto": kto,
    "bco_pair": lambda: pairs(FOUR, 8, authors.bco_pair_cases(0.3)),
    "mpo": lambda: pairs(FOUR, 9, authors.mpo_cases(0.3)),
    "aot": lambda: pairs(FOUR, 10, [dpo_case("aot", 0.3, {"label_smoothing": 0.1}, label_smoothing=0.1)]),
    "orpo": lambda: pairs(POLICY, 11, [trl_pairs.orpo_case(0.3)]),
    "robust": lambda: pairs(FOUR, 12, [dpo_case("robust", 0.3, {"label_smoothing": 0.1}, label_smoothing=0.1)]),
    "exo_pair": lambda: pairs(FOUR, 13, [dpo_case("exo_pair", 0.3, {"label_smoothing": 0.001},
                                                  label_smoothing=0.001)]),
    "ld_dpo": lambda: pairs(FOUR, 14, [dpo_case("sigmoid", 0.3, {"ld_alpha": 0.5}, ld_alpha=0.5)]),
    "wpo": lambda: pairs(FOUR, 15, [dpo_case("sigmoid", 0.3, use_weighting=True)]),
    "mrpo": lambda: pairs(FOUR + authors.SECOND, 16, [authors.mrpo_case(0.3, 0.1, -1.0),
                                                      authors.mrpo_case(0.3, -0.125, 0.25, 0.5)]),
    "tdpo2": lambda: pairs(FOUR, 19, [authors.tdpo2_case(0.3, 0.5)]),
    "halva": halva,
    "plackett_luce": plackett_luce,
    "grpo": lambda: with_groups([groups.POLICY, groups.REFERENCE], 20, grpo),
    "gspo": lambda: with_groups([groups.POLICY], 21, gspo),
}


def main(root, folder, *names):
    torch.set_default_dtype(torch.float64)
    sources.root = pathlib.Path(root).resolve()
    folder = pathlib.Path(folder).resolve()
    for name in names or GOLDENS:
        # hinge is the example of docs/how-to/objective.md.
        write(folder.parents[1] / "tests/how_to" if name == "hinge" else folder, name, *GOLDENS[name]())


if __name__ == "__main__":
    main(*sys.argv[1:])
