"""Times one DPO step over an LM head as others compute it, on the data of step_timing (same generator, same order).

  peers.py --shape=4x2048x4096x128256[/25][/peaked] [--iterations=30] [--device=cuda|cpu] [--dtype=bf16|f32] [--no_accuracy]

Providers: eager (log_softmax of all logits), eager in chunks of 1024 tokens with recomputation, torch.compile of eager,
TRL's fused head (trl.kernels.ChunkedLogProbFunction), Liger's LigerFusedLinearDPOLoss with chunk_size 1 and 4. One that is
absent or fails is skipped with a message. All take part in every iteration, in random order, beside the same GEMMs alone.
One JSON line per measured thing. Exit: 0; 2 usage; 3 no GPU.

Same work: every provider computes the loss and the gradients of all hidden states given to it and, with a trained head, of
the head, and the forward pass of the reference. Liger scores every token, masked or not; the others gather the scored ones
first. Liger forms the gradient of a frozen head as well.
"""

import argparse
import importlib
import json
import math
import random
import statistics
import sys
import time

BETA, SEED, LOGIT_SCALE, DISTANCE, PEAK, EXACT_CHUNK = 0.1, 1, 3.0, 0.1, 1.8, 1024
WARM_UP, FLUSH_BYTES, GEMM_CHUNK = 3, 256 << 20, 4096
IGNORED = -100


def say(text):
    print(f"peers.py: {text}", file=sys.stderr, flush=True)


class Data:
    """step_data.cc's MakeStepData: tokens [0, pairs * length) are chosen, the rest rejected."""

    def __init__(self, torch, shape, device, dtype):
        sizes, *marks = shape.split("/")
        self.name = shape
        self.pairs, self.length, self.hidden, self.vocabulary = map(int, sizes.split("x"))
        percent = next((int(mark) for mark in marks if mark != "peaked"), 100)
        self.scored_length = self.length * percent // 100
        torch.manual_seed(SEED)
        tokens = 2 * self.pairs * self.length
        scale = LOGIT_SCALE / math.sqrt(self.hidden)
        draw = lambda *shape: torch.randn(shape, device=device)
        head = draw(self.vocabulary, self.hidden).mul_(scale)
        self.policy_head = head.to(dtype)
        self.reference_head = draw(self.vocabulary, self.hidden).mul_(scale * DISTANCE).add_(head).to(dtype)
        self.labels = torch.randint(self.vocabulary, (tokens,), device=device)
        hidden = draw(tokens, self.hidden)
        if "peaked" in marks:
            hidden.add_(head.index_select(0, self.labels), alpha=PEAK)
        self.policy = hidden.to(dtype).requires_grad_()
        self.reference = draw(tokens, self.hidden).mul_(DISTANCE).add_(hidden).to(dtype)
        last = torch.arange(tokens, device=device).view(2 * self.pairs, self.length)
        self.scored = last[:, self.length - self.scored_length :].reshape(-1)
        self.scored_labels = self.labels[self.scored]
        self.all_scored = self.scored_length == self.length
        masked = torch.full_like(self.labels, IGNORED)
        masked[self.scored] = self.scored_labels
        self.target = masked.view(2 * self.pairs, self.length)

    def gathered(self, states):
        return states if self.all_scored else states.index_select(0, self.scored)


def dpo_loss(torch, data, logp, reference_logp):
    """From log-probabilities of the scored tokens; sums of a response in f32."""
    ratios = (logp.float() - reference_logp.float()).view(2, data.pairs, data.scored_length).sum(2)
    return -torch.nn.functional.logsigmoid(BETA * (ratios[0] - ratios[1])).mean()


def providers(torch, data):
    """Yields name, step(head) -> loss, logp or None."""
    functional = torch.nn.functional

    def logp_of(states, head, labels):
        logits = states @ head.t()
        return functional.log_softmax(logits.float(), -1).gather(1, labels.unsqueeze(1)).squeeze(1)

    def in_chunks(states, head, labels):
        checkpoint = torch.utils.checkpoint.checkpoint
        parts = [
            checkpoint(logp_of, states[i : i + 1024], head, labels[i : i + 1024], use_reentrant=False)
            for i in range(0, states.shape[0], 1024)
        ]
        return torch.cat(parts)

    def step_with(score):
        def step(head):
            with torch.no_grad():
                reference = score(data.gathered(data.reference), data.reference_head, data.scored_labels)
            logp = score(data.gathered(data.policy), head, data.scored_labels)
            return dpo_loss(torch, data, logp, reference), logp

        return step

    yield "eager", step_with(logp_of)
    yield "eager, chunks of 1024", step_with(in_chunks)
    compiled = torch.compile(logp_of)
    yield "torch.compile", step_with(compiled)
    try:
        fused = importlib.import_module("trl.kernels").ChunkedLogProbFunction.apply
        # 32768 tokens of the vocabulary at a time, as its DPO trainer has it; no statistics for logging.
        yield "TRL fused head", step_with(lambda x, w, y: fused(x, w, None, y, 1.0, 32768, None, 1.0, ())[0])
    except Exception as error:  # noqa: BLE001: whatever a foreign package raises
        say(f"skipped TRL fused head: {error}")
    try:
        liger = importlib.import_module("liger_kernel.chunked_loss")
        for chunk_size in (1, 4):
            if chunk_size > data.pairs:
                continue
            loss = liger.LigerFusedLinearDPOLoss(
                ignore_index=IGNORED, beta=BETA, compute_nll_loss=False, compiled=True, use_ref_model=True,
                average_log_prob=False, chunk_size=chunk_size)

            def step(head, loss=loss):
                shape = (2 * data.pairs, data.length, data.hidden)
                value, _ = loss(head, data.policy.view(shape), data.target, None, data.reference.view(shape),
                                data.reference_head, None)
                return value, None

            yield f"Liger, chunk_size {chunk_size}", step
    except Exception as error:  # noqa: BLE001
        say(f"skipped Liger: {error}")


class Clock:
    """Milliseconds between CUDA events, each after the L2 was overwritten; wall time on the CPU."""

    def __init__(self, torch, device):
        self.torch, self.cuda = torch, device == "cuda"
        self.flush = torch.empty(FLUSH_BYTES if self.cuda else 1, dtype=torch.uint8, device=device)

    def time(self, body):
        if not self.cuda:
            start = time.perf_counter()
            body()
            return (time.perf_counter() - start) * 1e3, (time.perf_counter() - start) * 1e6
        begin, end = (self.torch.cuda.Event(enable_timing=True) for _ in range(2))
        self.flush.zero_()
        self.torch.cuda.synchronize()
        begin.record()
        start = time.perf_counter()
        body()
        host = (time.perf_counter() - start) * 1e6
        end.record()
        end.synchronize()
        return begin.elapsed_time(end), host


def gemms(torch, data):
    """Yields name, body: the GEMMs of the scored tokens alone, outputs preallocated."""
    with torch.no_grad():
        x, w = data.gathered(data.policy).detach(), data.policy_head.detach()
        for chunk, text in ((x.shape[0], ""), (GEMM_CHUNK, f" in chunks of {GEMM_CHUNK}")):
            chunk = min(chunk, x.shape[0])
            z = torch.empty(chunk, w.shape[0], dtype=w.dtype, device=w.device)
            dx, dw = torch.empty_like(x), torch.empty_like(w)

            def run(count, chunk=chunk, z=z, dx=dx, dw=dw):
                with torch.no_grad():
                    for begin in range(0, x.shape[0], chunk):
                        part = x[begin : begin + chunk]
                        logits = z[: part.shape[0]]
                        torch.mm(part, w.t(), out=logits)
                        if count >= 2:
                            torch.mm(logits, w, out=dx[begin : begin + chunk])
                        if count >= 3:
                            (torch.mm(logits.t(), part, out=dw) if begin == 0 else dw.addmm_(logits.t(), part))

            for count in (1, 2, 3):
                yield f"{count}G{text}", lambda run=run, count=count: run(count)


def exact_step(torch, data):
    """step_data.cc's RunExactly: loss, logp, gradients in f64 of the rounded inputs."""
    with torch.no_grad():
        def logp_of(states, head):
            parts = []
            for i in range(0, states.shape[0], EXACT_CHUNK):
                z = states[i : i + EXACT_CHUNK].double() @ head.t()
                y = data.scored_labels[i : i + EXACT_CHUNK].unsqueeze(1)
                parts.append(z.gather(1, y).squeeze(1) - z.logsumexp(1))
            return torch.cat(parts)

        policy, head = data.gathered(data.policy), data.policy_head.double()
        logp = logp_of(policy, head)
        reference = logp_of(data.gathered(data.reference), data.reference_head.double())
        ratios = (logp - reference).view(2, data.pairs, data.scored_length).sum(2)
        margin = BETA * (ratios[0] - ratios[1])
        loss = -torch.nn.functional.logsigmoid(margin).mean()
        slope = torch.sigmoid(-margin) * (BETA / data.pairs)
        weights = torch.stack([-slope, slope]).unsqueeze(2).expand(2, data.pairs, data.scored_length).reshape(-1, 1)
        hidden_gradient, head_gradient = torch.empty_like(policy, dtype=torch.double), torch.zeros_like(head)
        for i in range(0, policy.shape[0], EXACT_CHUNK):
            x, y = policy[i : i + EXACT_CHUNK].double(), data.scored_labels[i : i + EXACT_CHUNK].unsqueeze(1)
            slopes = torch.softmax(x @ head.t(), 1).neg_()
            slopes.scatter_add_(1, y, torch.ones_like(y, dtype=torch.double)).mul_(weights[i : i + EXACT_CHUNK])
            hidden_gradient[i : i + EXACT_CHUNK] = slopes @ head
            head_gradient.addmm_(slopes.t(), x)
        return loss.item(), logp, hidden_gradient, head_gradient


def relative_error(got, exact):
    return ((got.double() - exact).norm() / exact.norm()).item()


def accuracy(data, step, head, exact):
    data.policy.grad = head.grad = None
    loss, logp = step(head)
    loss.backward()
    result = {"loss": loss.item(), "exact_loss": exact[0]}
    if logp is not None:
        result["logp_error"] = (logp.detach().double() - exact[1]).abs().max().item()
    result["hidden_error"] = relative_error(data.policy.grad.index_select(0, data.scored), exact[2])
    result["head_error"] = relative_error(head.grad, exact[3])
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", required=True)
    parser.add_argument("--iterations", type=int, default=30)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--dtype", choices=("bf16", "f32"), default="bf16")
    parser.add_argument("--no_accuracy", action="store_true")
    options = parser.parse_args()

    import torch
    import torch.utils.checkpoint

    if options.device == "cuda" and not torch.cuda.is_available():
        say("no GPU here")
        return 3
    data = Data(torch, options.shape, options.device, torch.bfloat16 if options.dtype == "bf16" else torch.float32)
    exact = None if options.no_accuracy else exact_step(torch, data)
    head = data.policy_head.detach().requires_grad_()
    frozen_head = data.policy_head.detach()
    clock = Clock(torch, options.device)
    things = []  # (provider, mode, body, {extra fields})

    def body_of(step, used_head):
        def body():
            step(used_head)[0].backward()

        return body

    for name, step in providers(torch, data):
        try:
            started = time.perf_counter()
            body_of(step, head)()
            if options.device == "cuda":
                torch.cuda.synchronize()
            more = {"first_call_s": time.perf_counter() - started}
            body_of(step, frozen_head)()
            if exact is not None:
                more.update(accuracy(data, step, head, exact))
        except Exception as error:  # noqa: BLE001: out of memory, or a package that lacks something
            say(f"skipped {name} at {data.name}: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
            continue
        finally:
            data.policy.grad = head.grad = None
            if options.device == "cuda":
                torch.cuda.empty_cache()
        things.append((name, "step, trained head", body_of(step, head), more))
        things.append((name, "step, frozen head", body_of(step, frozen_head), {}))
    exact = None
    for _, _, body, more in things:
        if options.device != "cuda":
            break
        data.policy.grad = head.grad = None
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        body()
        gradients = sum(t.grad.nbytes for t in (data.policy, head) if t.grad is not None)
        more["extra_mib"] = (torch.cuda.max_memory_allocated() - before - gradients) / 2**20
    data.policy.grad = head.grad = None
    things += [("limit (python)", name, body, {}) for name, body in gemms(torch, data)]

    samples = [[] for _ in things]
    order = list(range(len(things)))
    generator = random.Random(1)
    for i in range(-WARM_UP, options.iterations):
        generator.shuffle(order)
        for k in order:
            data.policy.grad = head.grad = None
            sample = clock.time(things[k][2])
            if i >= 0:
                samples[k].append(sample)
    for (provider, mode, _, more), taken in zip(things, samples):
        times = sorted(sample[0] for sample in taken)
        at = lambda q: times[round(q * (len(times) - 1))]
        print(json.dumps({
            "shape": data.name, "provider": provider, "mode": mode, "median_ms": at(0.5), "p10_ms": at(0.1),
            "p90_ms": at(0.9), "host_us": statistics.median(sample[1] for sample in taken), "samples": len(taken), **more,
        }), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
