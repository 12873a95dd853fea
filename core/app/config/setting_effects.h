// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What settings do: they become what a model is loaded with, how its tokens are chosen, and which back ends
// are tried. The only place that knows which key fills which field.
#pragma once

#include <cstdint>
#include <string>

#include "core/app/backend_manager/chain.h"
#include "core/app/config/effective_settings.h"
#include "core/protocol/answer.h"
#include "core/protocol/load_report.h"

namespace loader::app {

/// The load.* settings as a request without a path; notes the variables of the environment that changed it.
protocol::LoadRequest loadRequestOf(const EffectiveSettings& settings,
                                    const std::string& backendVariable = {},
                                    const std::string& gpuVariable = {});
/// load.fallback and load.fallback_order. A back end that is set (not named by the command line or the
/// environment) is the first of the chain, and the request says auto, so that others may follow.
ChainPolicy chainPolicyOf(const EffectiveSettings& settings, protocol::LoadRequest& request);
/// load.memory_limit; 0 where there is none. @unit bytes
std::uint64_t memoryLimitOf(const EffectiveSettings& settings);
/// sampling.* and answer.*: whatever somebody has set on top of what options hold (our defaults and what the
/// model's file recommends). The seed stays where none is set.
void applyAnswerSettings(const EffectiveSettings& settings, protocol::AnswerOptions& options);

/// What a model's file recommends as the layer of that origin: what differs from our defaults.
SettingValues modelFileValues(const sampling::SamplingParameters& recommended);

}  // namespace loader::app
