// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/cli/bench_commands.h"
namespace loader::cli {
Result<int> benchHistory(Context&) {
    return 0;
}
}  // namespace loader::cli
