#include "common/files/files.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "common/status/status_matchers.h"
#include "common/testing/testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace alidade {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(FilesTest, WritesAndReadsBack) {
  const std::string folder = TempFolder();
  const std::string path = JoinPath(folder, "a");
  ALIDADE_ASSERT_OK(WriteFile(path, std::string("one\0two", 7)));
  ALIDADE_ASSERT_OK(WriteFile(path, std::string("1\0", 2)));
  EXPECT_THAT(ReadFile(path), IsOkAndHolds(std::string("1\0", 2)));
  EXPECT_THAT(ListFolder(folder), IsOkAndHolds(ElementsAre("a")));
}

TEST(FilesTest, ErrorsNameThePathAndTheReason) {
  EXPECT_THAT(ReadFile("/absent/file"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/absent/file: cannot open")));
  EXPECT_THAT(ReadFile("/tmp"), StatusIs(absl::StatusCode::kInvalidArgument,
                                         HasSubstr("expected a file, got a folder")));
  EXPECT_THAT(WriteFile("/proc/nothing", "x").code(), ::testing::Ne(absl::StatusCode::kOk));
  const std::string file = JoinPath(TempFolder(), "file");
  ALIDADE_ASSERT_OK(WriteFile(file, "x"));
  EXPECT_FALSE(MakeFolder(JoinPath(file, "below")).ok());
}

TEST(FilesTest, AFailedWriteLeavesTheOldFile) {
  const std::string folder = TempFolder();
  const std::string path = JoinPath(folder, "a");
  ALIDADE_ASSERT_OK(WriteFile(path, "old"));
  // A file size limit stands in for a full disk: the same write error, without needing to mount
  // anything.
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1000, 1000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const absl::Status status = WriteFile(path, std::string(5000, 'n'));
    ::_exit(status.code() == absl::StatusCode::kResourceExhausted ? 0 : 1);
  }
  int outcome = 0;
  ASSERT_EQ(::waitpid(child, &outcome, 0), child);
  EXPECT_EQ(outcome, 0);
  EXPECT_THAT(ReadFile(path), IsOkAndHolds("old"));
  EXPECT_THAT(ListFolder(folder), IsOkAndHolds(ElementsAre("a")));
}

TEST(FilesTest, PublishesAFolderOnce) {
  const std::string folder = TempFolder();
  ALIDADE_ASSERT_OK(MakeFolder(JoinPath(folder, "work/deep")));
  ALIDADE_ASSERT_OK(PublishFolder(JoinPath(folder, "work"), JoinPath(folder, "done")));
  EXPECT_TRUE(PathExists(JoinPath(folder, "done/deep")));
  ALIDADE_ASSERT_OK(MakeFolder(JoinPath(folder, "work")));
  EXPECT_THAT(PublishFolder(JoinPath(folder, "work"), JoinPath(folder, "done")),
              StatusIs(absl::StatusCode::kAlreadyExists));
  ALIDADE_ASSERT_OK(RemoveTree(JoinPath(folder, "done")));
  ALIDADE_ASSERT_OK(RemoveTree(JoinPath(folder, "done")));
}

TEST(FilesTest, ALockedFolderNamesItsHolder) {
  const std::string folder = TempFolder();
  {
    ALIDADE_ASSERT_OK_AND_ASSIGN(FolderLock lock, FolderLock::Take(folder));
    EXPECT_THAT(FolderLock::Take(folder),
                StatusIs(absl::StatusCode::kFailedPrecondition,
                         HasSubstr(absl::StrCat("process ", ::getpid()))));
  }
  EXPECT_THAT(FolderLock::Take(folder), IsOk());
}

}  // namespace
}  // namespace alidade
