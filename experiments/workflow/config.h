// An experiment as a file: parsing with positions, overrides, defaults, canonical text.
//
//   ALIDADE_ASSIGN_OR_RETURN(ExperimentFile file, ExperimentFile::Read("experiment.textproto"));
//   ALIDADE_RETURN_IF_ERROR(file.Override("dpo.num_epochs=1", "--set"));
//   file.FillDefaults();
//   std::string text = CanonicalText(file.experiment());   // Parse(text) prints the same text
//   again
//
// Every error reads "file:line:column: ..." and names what was expected, what was there and, for a
// misspelled name, the nearest known one.
#ifndef ALIDADE_EXPERIMENTS_WORKFLOW_CONFIG_H_
#define ALIDADE_EXPERIMENTS_WORKFLOW_CONFIG_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "experiments/workflow/experiment.pb.h"
#include "google/protobuf/text_format.h"

namespace alidade::experiments {

// One step down from the experiment's message: a field and, where it is repeated, which element.
struct PathStep {
  std::string field;
  int index = 0;
};

class ExperimentFile {
 public:
  // Reads and parses a file. InvalidArgument for text that does not fit the schema (unknown field,
  // wrong type, broken syntax), with position; NotFound where there is no file.
  static absl::StatusOr<ExperimentFile> Read(const std::string& path);

  // The same from text; `path` only appears in messages.
  static absl::StatusOr<ExperimentFile> Parse(const std::string& path, const std::string& text);

  // Applies one `path=value`. The path is a field of the experiment ("owner") or begins with a
  // stage's id, followed by fields of that stage's own message ("sft.loop.steps"); an element of a
  // repeated message is named by its first string field ("dpo.group.captions.weight"), and where it
  // is nothing but a name and a value, that is the end of the path, and it need not be there yet
  // ("dpo.hyperparameter.beta"). A repeated scalar takes "[1, 2]". `origin` begins the location of
  // errors about this value, as in "--set".
  absl::Status Override(const std::string& assignment, const std::string& origin);

  // Applies the experiment's own smaller sizes (field `smoke`), in order, and then clears the
  // field.
  absl::Status ApplySmoke();

  // Writes the schema's default into every field that has one and is not set, at all depths outside
  // unset oneofs.
  void FillDefaults();

  const Experiment& experiment() const { return *experiment_; }
  Experiment& experiment() { return *experiment_; }
  const std::string& path() const { return path_; }

  // "file:line:column" of the field at `path`, of its nearest enclosing field where that one is not
  // written in the file, or the origin of the override that set it.
  std::string Where(absl::Span<const PathStep> path) const;

  // The same for a field of the message of the stage `index` ("sft", "preference", ...).
  std::string WhereInStage(int index, absl::Span<const PathStep> path) const;

  // InvalidArgument("<where>: <message>").
  absl::Status ErrorInStage(int index, absl::Span<const PathStep> path,
                            absl::string_view message) const;

 private:
  std::string path_;
  std::unique_ptr<Experiment> experiment_;
  std::unique_ptr<google::protobuf::TextFormat::ParseInfoTree> positions_;
  std::map<std::string, std::string> overrides_;  // "stage[3].sft.num_steps" -> origin
};

// The schema's text form with every field that is set, in the order of field numbers. ASCII, no
// comments; equal messages give equal texts.
std::string CanonicalText(const google::protobuf::Message& message);

// See ExperimentFile::FillDefaults.
void FillDefaults(google::protobuf::Message& message);

// The name of the field of `stage` that says what kind of stage it is ("sft"), or "" where none is
// set.
std::string KindOf(const Stage& stage);

// The names of all kinds, in the order of the schema.
std::vector<std::string> StageKindNames();

// ", did you mean \"x\"?" or "; known: a, b" for a name that is not among `known`.
std::string Suggestion(absl::string_view name, const std::vector<std::string>& known);

}  // namespace alidade::experiments

#endif  // ALIDADE_EXPERIMENTS_WORKFLOW_CONFIG_H_
