// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The forms of `gguf bench` that have files of their own.
#pragma once

#include "core/cli/context.h"

namespace loader::cli {

/// `gguf bench --all`: every model on every back end.
Result<int> benchAll(Context& context);
/// `gguf bench --history`: what was measured, and what it says.
Result<int> benchHistory(Context& context);

}  // namespace loader::cli
