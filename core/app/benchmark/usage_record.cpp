// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/benchmark/usage_record.h"

#include "core/app/benchmark/json_fields.h"

namespace loader::app {
namespace {

Json orNull(const std::optional<double>& figure) {
    return figure ? Json(*figure) : Json(nullptr);
}

}  // namespace

Json usageJson(const UsageRecord& record) {
    return {{"schema", kMeasurementSchema},
            {"kind", "use"},
            {"time", timeText(record.time)},
            {"version", record.version},
            {"model", modelJson(record.model)},
            {"settings", settingsJson(record.settings)},
            {"prompt_tokens", record.promptTokens},
            {"cached_tokens", record.cachedTokens},
            {"tokens", record.tokens},
            {"tokens_per_second", record.tokensPerSecond},
            {"prompt_ms", record.promptMs},
            {"first_token_ms", orNull(record.firstTokenMs)},
            {"memory_bytes", record.memoryBytes},
            {"gpu_busy_percent", orNull(record.gpuBusyPercent)},
            {"failed_links", record.failedLinks}};
}

Result<UsageRecord> usageFromJson(const Json& json) {
    JsonFields fields(json, "use");
    const std::uint64_t schema = fields.count("schema");
    LOADER_CHECK(fields.status());
    if (schema > kMeasurementSchema)
        return Error(Errc::D302, {std::to_string(schema), std::to_string(kMeasurementSchema)});
    if (fields.text("kind") != "use") return Error(Errc::C501, {"it is no record of use"});
    UsageRecord record;
    record.time = fields.time("time");
    record.version = fields.text("version");
    LOADER_TRY(record.model, modelFromJson(fields.object("model")));
    LOADER_TRY(record.settings, settingsFromJson(fields.object("settings")));
    record.promptTokens = fields.count("prompt_tokens");
    record.cachedTokens = fields.count("cached_tokens", record.promptTokens);
    record.tokens = fields.count("tokens");
    record.tokensPerSecond = fields.figure("tokens_per_second");
    record.promptMs = fields.figure("prompt_ms");
    record.firstTokenMs = fields.figureOrNull("first_token_ms");
    record.memoryBytes = fields.count("memory_bytes");
    record.gpuBusyPercent = fields.figureOrNull("gpu_busy_percent");
    record.failedLinks = fields.smallCount("failed_links");
    LOADER_CHECK(fields.status());
    return record;
}

}  // namespace loader::app
