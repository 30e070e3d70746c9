#include "common/provenance/manifest.h"

#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace alidade {
namespace {

// What `git -C folder arguments` prints, without the last line break; empty when git or the
// checkout is absent.
std::string Git(const std::string& folder, absl::string_view arguments) {
  const std::string quoted = absl::StrCat("'", absl::StrReplaceAll(folder, {{"'", "'\\''"}}), "'");
  FILE* pipe =
      ::popen(absl::StrCat("git -C ", quoted, " ", arguments, " 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) return "";
  std::string output;
  char buffer[4096];
  while (const size_t got = ::fread(buffer, 1, sizeof(buffer), pipe)) output.append(buffer, got);
  ::pclose(pipe);
  return std::string(absl::StripAsciiWhitespace(output));
}

}  // namespace

CodeVersion ReadCodeVersion(const std::string& folder) {
  CodeVersion version;
  version.commit = Git(folder, "rev-parse HEAD");
  if (version.commit.empty()) {
    version.commit = "unknown";
    return version;
  }
  version.dirty = !Git(folder, "status --porcelain --untracked-files=no").empty();
  return version;
}

Hardware ReadHardware() {
  Hardware hardware;
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    if (absl::StartsWith(line, "model name") && hardware.processor.empty()) {
      hardware.processor = std::string(absl::StripAsciiWhitespace(line.substr(line.find(':') + 1)));
    }
  }
  cpu_set_t set;
  hardware.num_processors = ::sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
  hardware.memory_gib = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) *
                        static_cast<double>(::sysconf(_SC_PAGE_SIZE)) / (1 << 30);
#if defined(__x86_64__)
  hardware.avx2 = __builtin_cpu_supports("avx2");
  hardware.avx512 = __builtin_cpu_supports("avx512f");
#endif
  return hardware;
}

std::string UtcNow() {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::Now(), absl::UTCTimeZone());
}

std::string BuildDescription() {
#ifdef NDEBUG
  const char* mode = "optimised";
#else
  const char* mode = "debug";
#endif
  return absl::StrCat("clang ", __clang_version__, "; libstdc++ ", _GLIBCXX_RELEASE, "; C++",
                      __cplusplus, "; ", mode);
}

}  // namespace alidade
