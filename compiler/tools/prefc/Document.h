// The generated page of an objective.

#ifndef ALIDADE_COMPILER_TOOLS_PREFC_DOCUMENT_H_
#define ALIDADE_COMPILER_TOOLS_PREFC_DOCUMENT_H_

#include <string>

#include "compiler/schedule/signature.h"

namespace alidade::pref {

// Markdown: what it is, the definition as it stands in its file, what it reads, hyperparameters
// with default and range, metrics, and which schedules are exact for it.
std::string documentObjective(const schedule::Signature& signature, const std::string& definition);

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_TOOLS_PREFC_DOCUMENT_H_
