#include "compiler/tools/prefc/CommandLine.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/registry/nearest_name.h"

namespace alidade::pref {

absl::StatusOr<CommandLine> CommandLine::parse(const std::vector<std::string>& args,
                                               const FlagSpec& spec) {
  CommandLine line;
  for (size_t i = 0; i < args.size(); ++i) {
    const std::string& arg = args[i];
    if (arg.rfind("--", 0) != 0) {
      line.positional.push_back(arg);
      continue;
    }
    const size_t equals = arg.find('=');
    const std::string name = arg.substr(2, equals == std::string::npos ? equals : equals - 2);
    const auto known = spec.find(name);
    if (known == spec.end()) {
      std::vector<std::string> names;
      for (const auto& [flag, takesValue] : spec) names.push_back(flag);
      return UnknownNameError("flag", name, names);
    }
    if (!known->second) {
      if (equals != std::string::npos)
        return absl::InvalidArgumentError(absl::StrCat("--", name, " takes no value"));
      line.values[name].emplace_back();
    } else if (equals != std::string::npos) {
      line.values[name].push_back(arg.substr(equals + 1));
    } else if (++i < args.size()) {
      line.values[name].push_back(args[i]);
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("--", name, ": expected a value, got the end of the line"));
    }
  }
  return line;
}

std::vector<std::string> CommandLine::all(const std::string& flag) const {
  const auto found = values.find(flag);
  return found == values.end() ? std::vector<std::string>() : found->second;
}

std::string CommandLine::get(const std::string& flag, const std::string& fallback) const {
  const auto found = values.find(flag);
  return found == values.end() ? fallback : found->second.back();
}

absl::StatusOr<int64_t> CommandLine::getInteger(const std::string& flag, int64_t fallback,
                                                int64_t least) const {
  if (!has(flag)) return fallback;
  int64_t value = 0;
  if (!absl::SimpleAtoi(get(flag), &value) || value < least) {
    return absl::InvalidArgumentError(absl::StrCat("--", flag, ": expected an integer of at least ",
                                                   least, ", got '", get(flag), "'"));
  }
  return value;
}

absl::StatusOr<bool> CommandLine::headIsTrained() const {
  const std::string head = get("head", "trained");
  if (head != "trained" && head != "frozen") {
    return absl::InvalidArgumentError(
        absl::StrCat("--head: expected trained or frozen, got '", head, "'"));
  }
  return head == "trained";
}

absl::StatusOr<std::map<std::string, std::string>> CommandLine::getPairs(
    const std::string& flag) const {
  std::map<std::string, std::string> pairs;
  for (const std::string& pair : all(flag)) {
    const size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == pair.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--", flag, ": expected name=value, got '", pair, "'"));
    }
    if (!pairs.emplace(pair.substr(0, equals), pair.substr(equals + 1)).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("--", flag, ": '", pair.substr(0, equals), "' is given twice"));
    }
  }
  return pairs;
}

absl::StatusOr<std::map<std::string, double>> CommandLine::getNumbers(
    const std::string& flag) const {
  std::map<std::string, double> numbers;
  for (const std::string& pair : all(flag)) {
    const size_t equals = pair.find('=');
    double value = 0;
    if (equals == std::string::npos || !absl::SimpleAtod(pair.substr(equals + 1), &value)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--", flag, ": expected name=number, got '", pair, "'"));
    }
    if (!numbers.emplace(pair.substr(0, equals), value).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("--", flag, ": '", pair.substr(0, equals), "' is given twice"));
    }
  }
  return numbers;
}

}  // namespace alidade::pref
