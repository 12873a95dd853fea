// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Who keeps the models and conversations that an import brings.
#pragma once

#include "core/app/import/program_target.h"

namespace loader::cli {

/// Their files are opened when the first thing comes.
app::ImportKeepers importKeepers();

}  // namespace loader::cli
