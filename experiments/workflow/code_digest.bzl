"""The digest of all sources that a target is made of.

A stage's output depends on its code. The digest is taken by the build over every source file of this repository that the
target depends on, directly or not, tools that generate its code included: an edit that can change a stage's numbers
changes its key, and no version number has to be remembered.
"""

_SourcesInfo = provider(fields = ["files"])

def _collect_impl(target, ctx):
    own = []
    transitive = []
    for name in dir(ctx.rule.attr):
        value = getattr(ctx.rule.attr, name)
        for item in (value if type(value) == "list" else [value]):
            if type(item) != "Target":
                continue
            if _SourcesInfo in item:
                transitive.append(item[_SourcesInfo].files)
            elif DefaultInfo in item:
                own += [f for f in item[DefaultInfo].files.to_list() if f.is_source and not f.owner.workspace_name]
    return [_SourcesInfo(files = depset(own, transitive = transitive))]

_collect = aspect(implementation = _collect_impl, attr_aspects = ["*"])

def _code_digests_impl(ctx):
    out = ctx.actions.declare_file(ctx.label.name + ".inc")
    lists = []
    inputs = []
    for target, name in ctx.attr.targets.items():
        files = target[_SourcesInfo].files
        listing = ctx.actions.declare_file("{}.{}.sources".format(ctx.label.name, name))
        ctx.actions.write(listing, "".join([path + "\n" for path in sorted([f.path for f in files.to_list()])]))
        lists.append((name, listing))
        inputs.append(files)
    command = ["set -e; : > " + out.path]
    for name, listing in lists:
        command.append("digest=$(xargs sha256sum < {} | sha256sum | cut -c1-64); echo \"{{\\\"{}\\\", \\\"$digest\\\"}},\" >> {}".format(listing.path, name, out.path))
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
