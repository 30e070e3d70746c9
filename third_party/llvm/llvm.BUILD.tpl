load("@rules_cc//cc:defs.bzl", "cc_library")

package(default_visibility = ["//visibility:public"])

# The shared libraries, found where Debian put them: linking the archives would take minutes and gigabytes.
cc_library(
    name = "llvm",
    textual_hdrs = glob(["include/**"]),
    copts = ["-w"],
    includes = ["include"],
    linkopts = [
        "-L{root}/lib",
        "-Wl,-rpath,{root}/lib",
        "-lMLIR",
        "-lLLVM-22",
    ],
)

filegroup(
    name = "tablegen_sources",
    srcs = glob(["include/mlir/**/*.td"]),
)

exports_files(glob(["bin/*"]) + ["root.txt"])
