"""Lit: one test target per .mlir file."""

def lit_tests(name, srcs, tools = ["//compiler/tools/pref-opt"], data = [], config = "//tests/compiler:lit.cfg.py", **kwargs):
    """A test `<file>.test` for every file, and the suite `name` of them all.

    RUN lines may call the tools by their names, and FileCheck and not.

    Args:
      name: of the suite.
      srcs: .mlir files with RUN lines.
      tools: labels of binaries that RUN lines call.
      data: further files that RUN lines read.
      config: the lit configuration; the tests lie in its folder or below.
      **kwargs: of every test.
    """
    llvm_tools = ["//third_party/llvm:FileCheck", "//third_party/llvm:not"]
    for src in srcs:
        native.sh_test(
            name = src + ".test",
            size = "small",
            srcs = ["//compiler/build_defs:lit_test.sh"],
            args = [
                "$(location //third_party/llvm:lit)",
                "$(location %s)" % config,
                "$(location %s)" % src,
            ] + ["$(location %s)" % tool for tool in tools + llvm_tools],
            data = [src, config, "//third_party/llvm:lit"] + tools + llvm_tools + data,
            **kwargs
        )
    native.test_suite(
        name = name,
        tests = [src + ".test" for src in srcs],
    )
