#ifndef ALIDADE_COMMON_PROVENANCE_MANIFEST_H_
#define ALIDADE_COMMON_PROVENANCE_MANIFEST_H_

// Facts of the machine and the code that a run's manifest states beside its own configuration.

#include <string>

namespace alidade {

struct CodeVersion {
  std::string commit;  // "unknown" outside a git checkout
  bool dirty = false;  // tracked files differ from the commit
};

// Of the checkout that holds `folder`; asks git.
CodeVersion ReadCodeVersion(const std::string& folder);

struct Hardware {
  std::string processor;   // as the kernel names it
  int num_processors = 0;  // that this process may use
  double memory_gib = 0;
  bool avx2 = false, avx512 = false;
};

Hardware ReadHardware();

// UTC, "2025-11-30T12:34:56Z".
std::string UtcNow();

// libtorch, compiler and protobuf are linked at fixed versions; this is the C++ compiler and
// standard library of the build.
std::string BuildDescription();

}  // namespace alidade

#endif  // ALIDADE_COMMON_PROVENANCE_MANIFEST_H_
