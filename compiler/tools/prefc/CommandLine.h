// Words and flags of one prefc command.
//
//   CommandLine line;
//   FlagSpec spec = {{"inputs", true}, {"json", false}};
//   ALIDADE_ASSIGN_OR_RETURN(line, CommandLine::parse(argc, argv, spec));

#ifndef ALIDADE_COMPILER_TOOLS_PREFC_COMMANDLINE_H_
#define ALIDADE_COMPILER_TOOLS_PREFC_COMMANDLINE_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace alidade::pref {

// By flag name: whether it takes a value.
using FlagSpec = std::map<std::string, bool>;

class CommandLine {
 public:
  // Reads "--name=value", "--name value" (for flags that take one), "--name" and plain words.
  // Errors name an unknown flag with the nearest known one, a missing value, a value where none is
  // taken.
  static absl::StatusOr<CommandLine> parse(const std::vector<std::string>& args,
                                           const FlagSpec& spec);

  const std::vector<std::string>& words() const { return positional; }
  bool has(const std::string& flag) const { return values.count(flag) != 0; }
  // All values of a flag, in order.
  std::vector<std::string> all(const std::string& flag) const;
  // The last value, or `fallback`.
  std::string get(const std::string& flag, const std::string& fallback = "") const;
  // Errors: not a number (integer) of at least `least`.
  absl::StatusOr<int64_t> getInteger(const std::string& flag, int64_t fallback,
                                     int64_t least) const;
  // --head=trained (the default) or --head=frozen.
  absl::StatusOr<bool> headIsTrained() const;
  // "name=value" pairs of a repeated flag.
  absl::StatusOr<std::map<std::string, std::string>> getPairs(const std::string& flag) const;
  // The same, values as numbers.
  absl::StatusOr<std::map<std::string, double>> getNumbers(const std::string& flag) const;

 private:
  std::vector<std::string> positional;
  std::map<std::string, std::vector<std::string>> values;
};

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_TOOLS_PREFC_COMMANDLINE_H_
