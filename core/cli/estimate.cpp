// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// gguf estimate: how much memory a model needs with the given settings and its context full, by part, and
// whether this machine has it. From the header alone.

#include <cstdio>

#include "core/cli/planning.h"
#include "core/engine/base/size_text.h"

namespace loader::cli {
namespace {

std::string kvName(graph::KvType type) {
    switch (type) {
        case graph::KvType::F16: return "f16";
        case graph::KvType::Q8_0: return "q8_0";
        case graph::KvType::F32: break;
    }
    return "f32";
}

void printTable(Output& output, const PlannedModel& model, const app::Verdict& verdict) {
    const app::MemoryParts parts = verdict.estimate.parts();
    const auto line = [&output](const char* what, std::uint64_t bytes) {
        char text[80];
        std::snprintf(text, sizeof text, "%-12s %12s\n", what, sizeText(bytes).c_str());
        output.write(text);
    };
    const auto& facts = model.facts;
    output.write("Model        " + (facts.name.empty() ? model.request.path : facts.name) + " (" +
                 facts.architecture + ", " + facts.mainType + ", " + std::to_string(facts.layers.size()) +
                 " layers)\nContext      " + std::to_string(model.settings.contextTokens) +
                 " tokens, KV cache " + kvName(model.settings.kv) + "\n");
    line("Weights", parts.weights);
    line("KV cache", parts.kv);
    line("Compute", parts.compute);
    line("Output", parts.output);
    line("Worker", parts.worker);
    line("Total", parts.total());
    output.write(verdict.sentence + "\n");
}

}  // namespace

Result<int> estimateCommand(Context& context) {
    LOADER_TRY(PlannedModel model, planModel(context));
    if (model.settings.contextTokens == 0)
        model.settings.contextTokens = app::automaticContext(model.facts, host::kDefaultContextTokens);
    app::Verdict verdict =
        app::judge(model.facts, model.settings, model.wish, model.situation, model.margins);
    applyMemoryLimit(model, verdict);
    const std::string unsupported = unsupportedText(model);
    if (context.output.json()) {
        Json json = estimateJson(model, verdict);
        if (!unsupported.empty()) json["sentence"] = unsupported;
        context.output.writeJson(json);
        return 0;
    }
    printTable(context.output, model, verdict);
    if (!unsupported.empty()) context.output.write(unsupported + "\n");
    return 0;
}

}  // namespace loader::cli
