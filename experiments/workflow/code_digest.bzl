"""The digest of all that a target of this repository is compiled from.

A stage's output depends on its code. The digest is taken by the build over every source file, written or generated, that
the target depends on, directly or not: an edit that can change a stage's numbers changes its key, and no version number
has to be remembered.
"""

_SourcesInfo = provider(fields = ["files"])

# How a target of ours names what it is made of. Toolchains and other outside things are not followed: third_party pins
# their versions.
_ATTRIBUTES = [
    "actual",
    "data",
    "deps",
    "exec_tools",
    "hdrs",
    "src",
    "srcs",
    "textual_hdrs",
    "tools",
]

def _collect_impl(target, ctx):
    if ctx.label.workspace_name:
        return [_SourcesInfo(files = depset())]
    own = []
    transitive = []
    for name in _ATTRIBUTES:
        value = getattr(ctx.rule.attr, name, None)
        for item in (value if type(value) == "list" else [value]):
            if type(item) != "Target":
                continue
            if _SourcesInfo in item:
                transitive.append(item[_SourcesInfo].files)
            elif DefaultInfo in item:
                own += [f for f in item[DefaultInfo].files.to_list() if not f.owner.workspace_name]
    return [_SourcesInfo(files = depset(own, transitive = transitive))]

_collect = aspect(implementation = _collect_impl, attr_aspects = _ATTRIBUTES)

def _code_digests_impl(ctx):
    out = ctx.actions.declare_file(ctx.label.name + ".inc")
    lists = []
    inputs = []
    for target, name in ctx.attr.targets.items():
        files = target[_SourcesInfo].files
        listing = ctx.actions.declare_file("{}.{}.sources".format(ctx.label.name, name))
        by_name = {f.short_path: f.path for f in files.to_list()}
        ctx.actions.write(listing, "".join([by_name[short] + "\n" for short in sorted(by_name)]))
        lists.append((name, listing))
        inputs.append(files)
    command = ["set -e; : > " + out.path]
    for name, listing in lists:
        command.append("digest=$(xargs sha256sum < {} | cut -c1-64 | sha256sum | cut -c1-64); echo \"{{\\\"{}\\\", \\\"$digest\\\"}},\" >> {}".format(listing.path, name, out.path))
    ctx.actions.run_shell(
        inputs = depset([listing for _, listing in lists], transitive = inputs),
        outputs = [out],
        command = "\n".join(command),
        mnemonic = "CodeDigest",
        progress_message = "Digesting the sources of the stages",
    )
    return [DefaultInfo(files = depset([out]))]

code_digests = rule(
    implementation = _code_digests_impl,
    doc = "Writes <name>.inc: one line {\"<name>\", \"<sha256>\"}, per target.",
    attrs = {"targets": attr.label_keyed_string_dict(aspects = [_collect], mandatory = True)},
)
