// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Who keeps the models and conversations that an import brings.
#pragma once

#include "core/app/import/program_target.h"
#include "core/app/storage/file_operations.h"
#include "core/cli/context.h"

namespace loader::cli {

/// Opened when the first thing comes; the context must outlive them.
app::ImportKeepers importKeepers(Context& context);
/// Adds what is new to the book of the library, where it lies; it may be missing. Nothing is copied.
/// @return how many were new
/// @errors D303, F804 … F806
Result<app::ImportTarget::Count> keepModels(std::span<const app::ImportedModel> models);
/// Adds what is new to imported-measurements.json of the data folder: for comparison, never for a decision,
/// because engines that are gone measured it. @return how many were new @errors C501 the file is damaged,
/// F804 … F806
Result<app::ImportTarget::Count> keepMeasurements(app::FileOperations& files,
                                                  std::span<const app::ImportedMeasurement> measurements);

}  // namespace loader::cli
