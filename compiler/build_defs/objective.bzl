"""An objective: one definition, everything else derived.

  objective(
      name = "dpo",
      src = "dpo.mlir",
      golden = "golden.json",
      paper = "arXiv:2305.18290",
  )

gives
  :dpo                  the compiled objective; always linked, registers itself with //compiler/runtime
  :dpo_ir               its canonical, differentiated IR
  :dpo_doc              its page
  :dpo_signature        what it reads and takes, as JSON
  :dpo_parity_test      interpreter = compiled code = golden = LibTorch's autograd in f64; all exact schedules, both head modes
  :dpo_gradient_test    derived gradients = central differences
  :dpo_invalid_test     every bad input that its signature implies is refused by name
  :dpo_property_test    finite at log-ratios of +-1e4; indifferent to the order of rows
  :dpo_simt_test        its GPU kernels under the SIMT interpreter: right, and free of races and stray accesses

No C++ is compiled for an objective: prefc emits the object, and the tests link a runner that is compiled once.
"""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_library")

_PREFC = "//compiler/tools/prefc"

def objective(name, src, golden, paper, applies = [], visibility = None):
    """Compiles and tests the objective of `src`.

    Args:
      name: the objective's symbol, the stem of `src` and the name of its folder.
      src: the definition, `<name>.mlir`.
      golden: inputs and outputs of somebody else's implementation (docs/goldens); at most 100 lines.
      paper: what the definition must cite.
      applies: definitions of the objectives that it applies, such as "//compiler/objectives/dpo:dpo.mlir".
      visibility: as usual.
    """
    if src != name + ".mlir":
        fail("objective(%s): src: expected '%s.mlir', got '%s'" % (name, name, src))
    if native.package_name().split("/")[-1] != name:
        fail("objective(%s): expected the folder '%s', got '%s'" % (name, name, native.package_name()))

    native.exports_files([src, golden], visibility = ["//:compiler_users"])

    emit = "$(location %s) emit $(location %s) --paper=%s " % (_PREFC, src, paper)
    native.genrule(
        name = name + "_object",
        srcs = [src] + applies,
        outs = [name + ".o"],
        cmd = emit + "--object=$@",
        tools = [_PREFC],
        visibility = ["//visibility:private"],
    )
    native.genrule(
        name = name + "_texts",
        srcs = [src] + applies,
        outs = [name + "_ir.mlir", name + ".md", name + ".signature.json"],
        cmd = emit + ("--differentiated=$(location {0}_ir.mlir) --doc=$(location {0}.md) " +
                      "--signature=$(location {0}.signature.json)").format(name),
        tools = [_PREFC],
        visibility = ["//visibility:private"],
    )
    for derived, file in [("ir", "_ir.mlir"), ("doc", ".md"), ("signature", ".signature.json")]:
        native.filegroup(
            name = "%s_%s" % (name, derived),
            srcs = [name + file],
            visibility = visibility,
        )
    cc_library(
        name = name,
        srcs = [name + ".o"],
        linkstatic = True,
        visibility = visibility,
        deps = ["//compiler/runtime"],
        alwayslink = True,
    )

    cc_binary(
        name = name + "_checks",
        testonly = True,
        visibility = ["//visibility:private"],
        deps = [
            ":" + name,
            "//compiler/testing:objective_checks",
        ],
    )
    for check in ["parity", "gradient", "invalid", "property", "simt"]:
        native.sh_test(
            name = "%s_%s_test" % (name, check),
            size = "small",
            srcs = ["//compiler/testing:run_checks.sh"],
            args = [
                "$(location :%s_checks)" % name,
                check,
                "$(location %s)" % src,
                "$(location %s)" % golden,
            ],
            data = [":%s_checks" % name, src, golden] + applies,
        )
