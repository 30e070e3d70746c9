#ifndef ALIDADE_DATASETS_ANNOTATORS_ORACLE_H_
#define ALIDADE_DATASETS_ANNOTATORS_ORACLE_H_

#include <memory>

#include "datasets/schema/factors.h"

namespace alidade::datasets {

// Judges by the world's ground truth. Captions: distinct present types mentioned - distinct absent
// types mentioned. Yes/no questions: 1 for the right word, 0 for anything else. Errors: a prompt
// without truth or of another kind.
std::unique_ptr<Annotator> MakeOracle();

}  // namespace alidade::datasets

#endif  // ALIDADE_DATASETS_ANNOTATORS_ORACLE_H_
