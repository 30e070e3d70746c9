"""Tests and programs built again with AddressSanitizer and UndefinedBehaviorSanitizer, within an ordinary build."""

# vptr checks need RTTI, which LLVM is built without.
_CHECKS = "address,undefined"
_COPTS = ["-fsanitize=" + _CHECKS, "-fno-sanitize=vptr", "-fno-sanitize-recover=undefined", "-O1", "-g1"]
_LINKOPTS = ["-fsanitize=" + _CHECKS, "-fno-sanitize=vptr", "-fsanitize-link-c++-runtime"]

# Coverage guides libFuzzer; in a program without a fuzzer the counters stay unused.
_COVERAGE = "-fsanitize=fuzzer-no-link"

# LLVM's libraries are not instrumented: memory that its headers poison in our code is handed out there, and containers grow there.
_ASAN_OPTIONS = "allow_user_poisoning=0:detect_container_overflow=0"

def _sanitize_impl(settings, attr):
    return {
        "//command_line_option:copt": settings["//command_line_option:copt"] + _COPTS + [_COVERAGE],
        "//command_line_option:linkopt": settings["//command_line_option:linkopt"] + _LINKOPTS + [_COVERAGE],
    }

_sanitize = transition(
    implementation = _sanitize_impl,
    inputs = ["//command_line_option:copt", "//command_line_option:linkopt"],
    outputs = ["//command_line_option:copt", "//command_line_option:linkopt"],
)

def _impl(ctx):
    of = ctx.attr.of[0][DefaultInfo]
    executable = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.symlink(output = executable, target_file = of.files_to_run.executable, is_executable = True)
    return [
        DefaultInfo(
            executable = executable,
            runfiles = of.default_runfiles.merge(ctx.runfiles([executable])),
        ),
        testing.TestEnvironment({"ASAN_OPTIONS": _ASAN_OPTIONS}),
    ]

_ATTRIBUTES = {
    "of": attr.label(executable = True, cfg = _sanitize, mandatory = True, doc = "a program or a test without arguments"),
    "_allowlist_function_transition": attr.label(default = "@bazel_tools//tools/allowlists/function_transition_allowlist"),
}

sanitized_test = rule(
    implementation = _impl,
    attrs = _ATTRIBUTES,
    test = True,
    doc = "The test `of`, instrumented.",
)

sanitized_binary = rule(
    implementation = _impl,
    attrs = _ATTRIBUTES,
    executable = True,
    doc = "The program `of`, instrumented.",
)
