#include "core/cli/context.h"
namespace loader::cli {
Result<int> benchCommand(Context&) {
    return Error(Errc::X004, {"bench", ""});
}
}  // namespace loader::cli
