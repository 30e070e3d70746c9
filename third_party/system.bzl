"""Repositories made from what `./bazelw` installed: Debian packages and unpacked wheels."""

load("@bazel_tools//tools/cpp:cc_configure.bzl", "cc_autoconf_impl")

def _fail_missing(what, path, remedy):
    fail("%s: expected %s, got nothing; %s" % (what, path, remedy))

# clang-22 lists in its dependency files the module maps of indirect dependencies too, which this Bazel takes for undeclared
# inclusions; headers, the real matter of layering_check, stay listed.
_WRAPPER = """#!/bin/sh
/usr/bin/clang-22 "$@" || exit $?
previous=
for argument; do
  if [ "$previous" = -MF ]; then sed -i 's/[^ ]*\\.cppmap//g' "$argument"; fi
  previous=$argument
done
"""

def _clang_toolchain_impl(ctx):
    if not ctx.path("/usr/bin/clang-22").exists:
        _fail_missing("clang", "/usr/bin/clang-22", "run ./bazelw once (package clang-22)")
    cc_autoconf_impl(ctx, {"gcc": "/usr/bin/clang-22"})
    ctx.file("clang.sh", _WRAPPER)
    edit = ctx.execute(["sed", "-i", "-e", 's|"gcc": "/usr/bin/clang-22"|"gcc": "clang.sh"|', "-e", 's|":builtin_include_directory_paths"\\]|":builtin_include_directory_paths", "clang.sh"]|', "BUILD"])
    if edit.return_code != 0:
        fail("clang: " + edit.stderr)

clang_toolchain = repository_rule(implementation = _clang_toolchain_impl, local = False, configure = True)

def _debian_rules_cc_impl(ctx):
    # Debian's rules_cc 0.0.4 loads a symbol that Debian's Bazel 4.2.3 does not have yet; the two edits name the
    # toolchain type directly.
    root = ctx.path("/usr/share/bazel/rules/cc")
    if not root.exists:
        _fail_missing("rules_cc", str(root), "run ./bazelw once (package bazel-rules-cc)")
    result = ctx.execute(["cp", "-rL", str(root) + "/.", "."])
    if result.return_code != 0:
        fail("rules_cc: " + result.stderr)
    edit = ctx.execute(["sed", "-i", "-e", 's/, "use_cpp_toolchain")/)/', "-e", 's/use_cpp_toolchain()/["@bazel_tools\\/\\/tools\\/cpp:toolchain_type"]/', "cc/private/rules_impl/cc_flags_supplier.bzl", "cc/private/rules_impl/compiler_flag.bzl"])
    if edit.return_code != 0:
        fail("rules_cc: " + edit.stderr)

debian_rules_cc = repository_rule(implementation = _debian_rules_cc_impl, local = False)

def _llvm_impl(ctx):
    root = ctx.os.environ.get("ALIDADE_LLVM", "/usr/lib/llvm-22")
    probe = ctx.path(root + "/include/mlir/IR/Dialect.h")
    if not probe.exists:
        _fail_missing("llvm", str(probe), "run ./bazelw once (packages libmlir-22-dev, mlir-22-tools, llvm-22-dev)")
    for folder in ["llvm", "llvm-c", "mlir", "mlir-c"]:
        ctx.symlink(root + "/include/" + folder, "include/" + folder)
    for tool in ["mlir-tblgen", "FileCheck", "not", "lit", "mlir-opt"]:
        # Debian puts lit under its own name; the others lie in LLVM's bin folder.
        path = ctx.path(root + "/bin/" + tool)
        if not path.exists:
            path = ctx.which(tool + "-22") or ctx.which(tool)
        if not path:
            _fail_missing("llvm tool", root + "/bin/" + tool, "run ./bazelw once (packages llvm-22-tools, mlir-22-tools)")
        ctx.symlink(path, "bin/" + tool)
    ctx.file("root.txt", root + "\n")
    ctx.template("BUILD", ctx.attr._build, {"{root}": root})

llvm_repository = repository_rule(
    implementation = _llvm_impl,
    attrs = {"_build": attr.label(default = "//third_party/llvm:llvm.BUILD.tpl")},
    environ = ["ALIDADE_LLVM"],
    local = False,
    configure = True,
)

def _libtorch_impl(ctx):
    home = ctx.os.environ.get("HOME", "/")
    cache = ctx.os.environ.get("ALIDADE_CACHE", home + "/.cache/alidade")
    root = ctx.os.environ.get("ALIDADE_LIBTORCH", cache + "/libtorch/torch")
    probe = ctx.path(root + "/lib/libtorch_cpu.so")
    if not probe.exists:
        _fail_missing("libtorch", str(probe), "run ./bazelw once, or set ALIDADE_LIBTORCH to the torch folder of a PyTorch 2.11")

    # The wheel also ships an old google/protobuf, which would shadow Debian's: expose PyTorch's own folders only.
    for folder in ["ATen", "c10", "torch", "caffe2"]:
        ctx.symlink(root + "/include/" + folder, "include/" + folder)
    for library in ["libtorch_cpu.so", "libc10.so", "libgomp.so.1"]:
        source = ctx.path(root + "/lib/" + library)
        if not source.exists and library == "libgomp.so.1":
            found = ctx.execute(["sh", "-c", "ls %s/lib/libgomp*.so* %s/../torch.libs/libgomp*.so* 2>/dev/null | head -n 1" % (root, root)])
            source = ctx.path(found.stdout.strip())
        ctx.symlink(source, "lib/" + library)

    # libtorch_cpu.so names these two even where there is no GPU. They are imported, because a library behind Bazel's
    # solib links does not find its own neighbours.
    for library, folder in [("libcudart.so.13", "nvidia/cu13/lib"), ("libcupti.so.13", "nvidia/cu13/lib")]:
        source = ctx.path(root + "/../" + folder + "/" + library)
        if not source.exists:
            _fail_missing("libtorch", str(source), "run ./bazelw once (wheels nvidia-cuda-runtime and nvidia-cuda-cupti)")
        ctx.symlink(source, "lib/" + library)
    ctx.symlink(ctx.attr._build, "BUILD")

libtorch_repository = repository_rule(
    implementation = _libtorch_impl,
    attrs = {"_build": attr.label(default = "//third_party/libtorch:libtorch.BUILD")},
    environ = ["ALIDADE_LIBTORCH", "ALIDADE_CACHE", "HOME"],
    local = False,
    configure = True,
)
