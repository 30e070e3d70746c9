#ifndef ALIDADE_DATASETS_SCHEMA_DATASET_WRITER_H_
#define ALIDADE_DATASETS_SCHEMA_DATASET_WRITER_H_

// Writes a dataset folder shard by shard, so that an interrupted build goes on where it stopped:
//
//   ALIDADE_ASSIGN_OR_RETURN(DatasetWriter writer, DatasetWriter::Start(folder, card, num_shards));
//   for (int64_t shard = 0; shard < num_shards && !writer.finished(); ++shard) {
//     if (!writer.HasShard(shard)) ALIDADE_RETURN_IF_ERROR(writer.WriteShard(shard,
//     MakeShard(shard)));
//   }
//   ALIDADE_RETURN_IF_ERROR(writer.Finish());
//
// The shards' records and image digests wait in `.parts`; dataset.json is written last and makes
// the dataset valid.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/files/files.h"
#include "datasets/schema/dataset_card.h"
#include "nlohmann/json.hpp"

namespace alidade::datasets {

struct ShardImage {
  std::string name;  // relative to the dataset folder
  std::string png;
  nlohmann::json truth;
};

struct Shard {
  std::vector<std::string> records;  // lines, without line breaks
  std::vector<ShardImage> images;
  std::map<std::string, double> statistics;  // summed over shards
};

class DatasetWriter {
 public:
  using Statistics = std::map<std::string, double>;

  // `card` says everything that identifies the dataset; counts, statistics and digests are filled
  // in by Finish. Shards of an earlier, interrupted call are kept when their files are still whole.
  // Errors: the folder holds another dataset (the field that differs, expected and got) or foreign
  // files; another process is writing it.
  static absl::StatusOr<DatasetWriter> Start(const std::string& folder, DatasetCard card,
                                             int64_t num_shards);

  // Files for Finish to put beside: name -> bytes.
  void AddFiles(std::map<std::string, std::string> files) { extra_ = std::move(files); }

  // The dataset is complete; nothing is left to do.
  bool finished() const { return finished_; }
  bool HasShard(int64_t shard) const { return done_[shard]; }
  absl::Status WriteShard(int64_t shard, const Shard& content);

  // Joins the shards. `derive` may add to and remove from the summed statistics. Errors: a shard is
  // missing; no record at all (the shards stay).
  absl::Status Finish(const std::function<absl::Status(Statistics&)>& derive = nullptr);

 private:
  explicit DatasetWriter(FolderLock lock) : lock_(std::move(lock)) {}
  std::string PartPath(int64_t shard) const;
  bool PartIsWhole(int64_t shard) const;
  absl::Status CheckFolder();

  FolderLock lock_;
  std::string folder_;
  DatasetCard card_;
  std::map<std::string, std::string> extra_;
  std::vector<bool> done_;
  bool finished_ = false;
};

}  // namespace alidade::datasets

#endif  // ALIDADE_DATASETS_SCHEMA_DATASET_WRITER_H_
