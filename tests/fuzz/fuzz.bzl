"""A libFuzzer target and the test that lets it run for a while."""

load("@rules_cc//cc:defs.bzl", "cc_binary")
load("//tests/sanitizers:sanitized.bzl", "sanitized_binary")

def fuzz_test(name, srcs, deps, seeds, data = []):
    """Fuzzes for 30 seconds from the seeds; a finding fails the test and is printed in full.

    To look longer: bazel run //<folder>:<name>_fuzzer -- -max_total_time=1200 <corpus folder>

    Args:
      name: of the test.
      srcs: holds LLVMFuzzerTestOneInput.
      deps: what the source includes.
      seeds: files to begin with.
      data: files that the source opens.
    """
    cc_binary(
        name = name + "_program",
        testonly = True,
        srcs = srcs,
        linkopts = ["-fsanitize=fuzzer"],
        tags = ["manual"],
        visibility = ["//visibility:private"],
        data = data,
        deps = deps,
    )
    sanitized_binary(
        name = name + "_fuzzer",
        testonly = True,
        of = name + "_program",
        visibility = ["//visibility:private"],
    )
    native.sh_test(
        name = name,
        size = "medium",
        srcs = ["//tests/fuzz:run_fuzzer.sh"],
        args = ["$(location :%s_fuzzer)" % name] + ["$(locations %s)" % seed for seed in seeds],
        data = [":" + name + "_fuzzer"] + seeds,
    )
