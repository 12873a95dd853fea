// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Who keeps the models and conversations that an import brings.
#pragma once

#include "core/app/import/program_target.h"
#include "core/cli/context.h"

namespace loader::cli {

/// Opened when the first thing comes; the context must outlive them.
app::ImportKeepers importKeepers(Context& context);

}  // namespace loader::cli
