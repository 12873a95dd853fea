// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/host/recommended_sampling.h"

#include <string>

namespace loader::host {
namespace {

/// Sets one field, and takes it back where the whole would no longer be valid.
template <class T>
void take(const gguf::Metadata& metadata, const char* name, sampling::SamplingParameters& parameters,
          T sampling::SamplingParameters::*field) {
    const auto value = metadata.get<T>(std::string("general.sampling.") + name);
    if (!value) return;
    const T before = parameters.*field;
    parameters.*field = *value;
    if (!parameters.validate().ok()) parameters.*field = before;
}

}  // namespace

sampling::SamplingParameters recommendedSampling(const gguf::Metadata& metadata) {
    using sampling::SamplingParameters;
    SamplingParameters parameters;
    take(metadata, "temp", parameters, &SamplingParameters::temperature);
    take(metadata, "top_k", parameters, &SamplingParameters::topK);
    take(metadata, "top_p", parameters, &SamplingParameters::topP);
    take(metadata, "min_p", parameters, &SamplingParameters::minP);
    take(metadata, "xtc_probability", parameters, &SamplingParameters::xtcProbability);
    take(metadata, "xtc_threshold", parameters, &SamplingParameters::xtcThreshold);
    take(metadata, "penalty_last_n", parameters, &SamplingParameters::repeatLastN);
    take(metadata, "penalty_repeat", parameters, &SamplingParameters::repeatPenalty);
    take(metadata, "mirostat_tau", parameters, &SamplingParameters::mirostatTau);
    take(metadata, "mirostat_eta", parameters, &SamplingParameters::mirostatEta);
    return parameters;
}

}  // namespace loader::host
