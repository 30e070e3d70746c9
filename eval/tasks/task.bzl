"""Build rule of a benchmark: definition, metric, and the golden that its test compares with."""

load("@rules_cc//cc:defs.bzl", "cc_library", "cc_test")

def benchmark(name, srcs, hdrs, deps, test_deps = [], golden = []):
    """A registered task and its test.

    Args:
      name: the task's name; the folder's name.
      srcs: the metric and the task.
      hdrs: the metric's interface.
      deps: beyond eval/core.
      test_deps: beyond these and the usual test libraries.
      golden: frozen answers with expected scores.
    """
    native.genrule(
        name = name + "_definition",
        srcs = ["task.json"],
        outs = ["task.json.inc"],
        cmd = "(printf 'R\"json('; cat $<; printf ')json\"') > $@",
    )
    shared = [
        "//common/status",
        "//eval/core",
        "//third_party/abseil",
    ]
    cc_library(
        name = name,
        srcs = srcs,
        hdrs = hdrs,
        # Read by srcs as text.
        textual_hdrs = ["task.json.inc"],
        # The task registers itself; nobody calls into this library.
        alwayslink = True,
        visibility = ["//:eval_users"],
        deps = deps + shared,
    )
    cc_test(
        name = name + "_test",
        size = "small",
        srcs = [name + "_test.cc"],
        data = golden + ["//:WORKSPACE"],
        # A static link shows a registration that alwayslink has lost.
        linkstatic = True,
        deps = depset([":" + name] + deps + test_deps + shared + [
            "//common/status:status_matchers",
            "//common/files",
            "//common/testing",
            "//eval/core:testing",
            "//third_party/googletest:gtest_main",
        ]).to_list(),
    )
