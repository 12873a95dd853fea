// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Sampling settings that the maker of a model wrote into its file; they stand in for our defaults where the
// user sets nothing.
#pragma once

#include "core/engine/gguf/metadata.h"
#include "core/engine/sampling/parameters.h"

namespace loader::host {

/// Our defaults with the file's general.sampling.* values. A value out of range is left out, as if it were
/// absent.
sampling::SamplingParameters recommendedSampling(const gguf::Metadata& metadata);

}  // namespace loader::host
