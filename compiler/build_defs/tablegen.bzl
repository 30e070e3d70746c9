"""TableGen: one rule for a dialect, one for a pass; the Markdown page is always among the outputs."""

load("@rules_cc//cc:defs.bzl", "cc_library")

_MLIR_TBLGEN = "//third_party/llvm:mlir-tblgen"
_INCLUDES = "-I . -I $(GENDIR) -I external/llvm/include"

def _run_tablegen(name, td, td_srcs, output, options):
    native.genrule(
        name = name,
        srcs = [td] + td_srcs + ["//third_party/llvm:tablegen_sources"],
        outs = [output],
        cmd = "$(location %s) %s %s $(location %s) -o $@" % (_MLIR_TBLGEN, options, _INCLUDES, td),
        tools = [_MLIR_TBLGEN],
        visibility = ["//visibility:private"],
    )

def tablegen_library(name, outputs, td_srcs, doc, visibility = None):
    """Generated includes as a header library, and a Markdown page as the target `<name>_doc`.

    Args:
      name: the target, by convention `<folder>_inc_gen`.
      outputs: list of (output file, .td file, options of mlir-tblgen).
      td_srcs: every .td file that those include, beside MLIR's own.
      doc: (output file, .td file, options of mlir-tblgen) of the page.
      visibility: of both targets.
    """
    for output, td, options in outputs:
        others = [src for src in td_srcs if src != td]
        _run_tablegen(output.replace(".", "_"), td, others, output, options)
    cc_library(
        name = name,
        textual_hdrs = [output for output, _, _ in outputs],
        visibility = visibility,
    )
    page, td, options = doc
    _run_tablegen(page.replace(".", "_"), td, [src for src in td_srcs if src != td], page, options)
    native.filegroup(
        name = name.replace("_inc_gen", "") + "_doc",
        srcs = [page],
        visibility = visibility,
    )

def dialect_tablegen(name, dialect, prefix, td_srcs, visibility = None):
    """All of a dialect whose definitions are spread over <prefix>{Base,Types,Interfaces,Ops}.td."""
    base, types, interfaces, ops = [prefix + part + ".td" for part in ["Base", "Types", "Interfaces", "Ops"]]
    of = " --dialect=" + dialect
    attributes_of = " --attrdefs-dialect=" + dialect
    types_of = " --typedefs-dialect=" + dialect
    tablegen_library(
        name = name,
        doc = (prefix + ".md", ops, "-gen-dialect-doc" + of),
        outputs = [
            (prefix + "Dialect.h.inc", base, "-gen-dialect-decls" + of),
            (prefix + "Dialect.cpp.inc", base, "-gen-dialect-defs" + of),
            (prefix + "Enums.h.inc", base, "-gen-enum-decls"),
            (prefix + "Enums.cpp.inc", base, "-gen-enum-defs"),
            (prefix + "Attributes.h.inc", types, "-gen-attrdef-decls" + attributes_of),
            (prefix + "Attributes.cpp.inc", types, "-gen-attrdef-defs" + attributes_of),
            (prefix + "Types.h.inc", types, "-gen-typedef-decls" + types_of),
            (prefix + "Types.cpp.inc", types, "-gen-typedef-defs" + types_of),
            (prefix + "Interfaces.h.inc", interfaces, "-gen-op-interface-decls"),
            (prefix + "Interfaces.cpp.inc", interfaces, "-gen-op-interface-defs"),
            (prefix + "Ops.h.inc", ops, "-gen-op-decls" + of),
            (prefix + "Ops.cpp.inc", ops, "-gen-op-defs" + of),
        ],
        td_srcs = td_srcs,
        visibility = visibility,
    )

def pass_tablegen(name, td, td_srcs = [], visibility = None):
    """A pass <Name>.td: <Name>.h.inc and <Name>.md."""
    stem = td[:-len(".td")]
    tablegen_library(
        name = name,
        doc = (stem + ".md", td, "-gen-pass-doc"),
        outputs = [(stem + ".h.inc", td, "-gen-pass-decls -name=" + stem)],
        td_srcs = td_srcs,
        visibility = visibility,
    )
