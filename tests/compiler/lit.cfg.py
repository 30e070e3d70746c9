# How lit runs the tests below this folder; //compiler/build_defs:lit.bzl sets the environment.

import os

import lit.formats

config.name = "alidade"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir"]
config.test_exec_root = os.path.join(os.environ["TEST_TMPDIR"], "lit")
config.environment["PATH"] = os.pathsep.join([os.environ["ALIDADE_LIT_TOOLS"], "/usr/bin", "/bin"])
# Variables of one CHECK-LABEL block do not leak into the next.
config.environment["FILECHECK_OPTS"] = "--enable-var-scope"
