#include "experiments/workflow/flags.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/registry/nearest_name.h"

namespace alidade::experiments {
namespace {

struct Flag {
  const char* name;
  const char* value;  // what it takes, or null
  const char* help;
};

constexpr Flag kFlags[] = {
    {"config", "FILE", "the experiment (experiment.textproto)"},
    {"dry_run", nullptr, "print the stages, their keys and which would be skipped; run nothing"},
    {"help", nullptr, "print this"},
    {"out", "FOLDER",
     "where everything is written; default ./runs/<experiment>, with --smoke "
     "./runs/<experiment>_smoke"},
    {"seeds", "N", "run N seeds, counted up from the experiment's first"},
    {"set", "PATH=VALUE",
     "change one setting, such as dpo.hyperparameter.beta=0.2; may be given again"},
    {"smoke", nullptr, "use the smaller sizes that the experiment declares for a trial"},
};

const Flag* FindFlag(absl::string_view name) {
  for (const Flag& flag : kFlags) {
    if (name == flag.name) return &flag;
  }
  return nullptr;
}

absl::Status Store(const std::string& name, const std::string& value, RunFlags& flags) {
  if (name == "config") flags.config = value;
  if (name == "out") flags.out = value;
  if (name == "set") flags.set.push_back(value);
  if (name == "dry_run") flags.dry_run = true;
  if (name == "smoke") flags.smoke = true;
  if (name == "help") flags.help = true;
  if (name == "seeds") {
    int64_t count = 0;
    if (!absl::SimpleAtoi(value, &count) || count < 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("--seeds: expected a number >= 1, got \"", value, "\""));
    }
    flags.seeds = count;
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<std::string> FlagNames() {
  std::vector<std::string> names;
  for (const Flag& flag : kFlags) names.push_back(flag.name);
  std::sort(names.begin(), names.end());
  return names;
}

std::string Usage() {
  std::string text =
      "Runs an experiment: a graph of stages in one folder. An interrupted run goes on with the "
      "same command.\n\n";
  for (const Flag& flag : kFlags) {
    const std::string left = flag.value == nullptr ? absl::StrCat("--", flag.name)
                                                   : absl::StrCat("--", flag.name, "=", flag.value);
    absl::StrAppendFormat(&text, "  %-20s %s\n", left, flag.help);
  }
  return text;
}

absl::StatusOr<RunFlags> ParseFlags(const std::vector<std::string>& arguments) {
  RunFlags flags;
  std::set<std::string> seen;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (!absl::StartsWith(argument, "--") || argument.size() == 2) {
      return absl::InvalidArgumentError(
          absl::StrCat("expected a flag, got \"", argument, "\"; --help lists them"));
    }
    const size_t equals = argument.find('=');
    const std::string name = argument.substr(2, equals == std::string::npos ? equals : equals - 2);
    const Flag* flag = FindFlag(name);
    if (flag == nullptr) {
      const std::string nearest = NearestName(name, FlagNames());
      return absl::InvalidArgumentError(
          absl::StrCat("unknown flag --", name,
                       nearest.empty() ? "; --help lists them"
                                       : absl::StrCat("; did you mean --", nearest, "?")));
    }
    if (!seen.insert(name).second && name != "set") {
      return absl::InvalidArgumentError(absl::StrCat("--", name, ": expected once, got twice"));
    }
    std::string value = equals == std::string::npos ? "" : argument.substr(equals + 1);
    if (flag->value == nullptr) {
      if (equals != std::string::npos) {
        return absl::InvalidArgumentError(
            absl::StrCat("--", name, ": expected no value, got \"", value, "\""));
      }
    } else if (equals == std::string::npos) {
      if (i + 1 == arguments.size() || absl::StartsWith(arguments[i + 1], "--")) {
        return absl::InvalidArgumentError(
            absl::StrCat("--", name, ": expected ", flag->value, ", got nothing"));
      }
      value = arguments[++i];
    }
    if (flag->value != nullptr && value.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--", name, ": expected ", flag->value, ", got nothing"));
    }
    if (absl::Status status = Store(name, value, flags); !status.ok()) return status;
  }
  return flags;
}

}  // namespace alidade::experiments
