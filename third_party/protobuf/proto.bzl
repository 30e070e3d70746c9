"""C++ of one protobuf schema."""

load("@rules_cc//cc:defs.bzl", "cc_library")

def cc_proto(name, src, deps = [], visibility = None):
    """A library with the C++ classes of `src`.

    Args:
      name: the library's name.
      src: one .proto file of this package; it imports others by their path from the repository's root.
      deps: the cc_proto targets of its imports.
      visibility: as everywhere.
    """
    stem = src[:-len(".proto")]
    native.filegroup(
        name = name + "_schema",
        srcs = [src] + [dep + "_schema" for dep in deps],
        visibility = ["//visibility:public"],
    )
    native.genrule(
        name = name + "_gen",
        srcs = [":" + name + "_schema"],
        outs = [stem + ".pb.h", stem + ".pb.cc"],
        cmd = "protoc --proto_path=. --cpp_out=$(GENDIR) {}/{}".format(native.package_name(), src),
        message = "Generating C++ of " + src,
    )
    cc_library(
        name = name,
        srcs = [stem + ".pb.cc"],
        hdrs = [stem + ".pb.h"],
        copts = ["-w"],
        visibility = visibility,
        deps = deps + ["//third_party/protobuf"],
    )
