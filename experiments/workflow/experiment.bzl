"""An experiment's targets, from its one file."""

_RUNNER = "//experiments/workflow:run"

def experiment(name, config, resolved_hash):
    """Makes :name (runs it), :name_config_test and :name_smoke_test.

    Args:
      name: the experiment's name, and its folder's.
      config: experiment.textproto.
      resolved_hash: of the config with every default filled in. A changed default anywhere shows up as a changed
        experiment; :name_config_test prints the new value.
    """
    native.sh_binary(
        name = name,
        srcs = ["//experiments/workflow:run.sh"],
        args = ["$(rootpath {})".format(config)],
        data = [config, _RUNNER],
        visibility = ["//:experiments_users"],
    )
    native.sh_test(
        name = name + "_config_test",
        size = "small",
        srcs = ["//experiments/workflow:config_test.sh"],
        args = ["$(rootpath {})".format(_RUNNER), "$(rootpath {})".format(config), resolved_hash],
        data = [config, _RUNNER],
    )
    native.sh_test(
        name = name + "_smoke_test",
        size = "small",
        srcs = ["//experiments/workflow:smoke_test.sh"],
        args = ["$(rootpath {})".format(_RUNNER), "$(rootpath {})".format(config)],
        data = [config, _RUNNER],
        tags = ["cpu:2", "smoke"],
    )
