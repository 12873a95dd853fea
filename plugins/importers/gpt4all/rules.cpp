// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "plugins/importers/gpt4all/rules.h"

#include <algorithm>
#include <array>

#include "core/app/config/setting_list.h"

namespace loader::importers::gpt4all {
namespace {

namespace keys = app::settings;

Taken backendOfDevice(const Json& value) {
    if (value == "Auto") return Taken::set("auto");
    if (value == "CPU") return Taken::set("cpu");
    if (!value.is_string() || value == "") return Taken::ignore(std::string(kNotSet));
    return Taken::set("auto", "The best device that works is taken");
}

Taken theme(const Json& value) {
    if (value == "Light") return Taken::set("light");
    if (value == "Dark" || value == "LegacyDark") return Taken::set("dark");
    return Taken::refuse("It is no theme");
}

/// As its fonts grow.
Taken textScale(const Json& value) {
    if (value == "Small") return Taken::set(1.0);
    if (value == "Medium") return Taken::set(1.3);
    if (value == "Large") return Taken::set(1.8);
    return Taken::refuse("It is no size");
}

Taken language(const Json& value) {
    if (!value.is_string()) return Taken::refuse("It is no language");
    if (value == "System Locale") return Taken::set("");
    auto tag = value.get<std::string>();
    std::replace(tag.begin(), tag.end(), '_', '-');
    return Taken::set(tag);
}

/// Texts of older versions hold the marks of one model's template.
Taken systemPrompt(const Json& value) {
    if (!value.is_string()) return Taken::refuse("It is a text");
    const auto& text = value.get_ref<const std::string&>();
    if (text.empty()) return Taken::ignore(std::string(kNotSet));
    constexpr std::array<std::string_view, 5> kMarks = {"<|", "[INST]", "<<SYS>>", "### ", "<s>"};
    const auto has = [&text](std::string_view mark) { return text.find(mark) != std::string::npos; };
    if (std::any_of(kMarks.begin(), kMarks.end(), has))
        return Taken::ignore("It is written for the template of one model");
    return Taken::set(value);
}

constexpr std::string_view kDescribes = "It describes the model; its file says this itself";
constexpr std::string_view kTemplate = "The template of the model's own file is used";
constexpr std::string_view kNoDocuments = "Documents cannot be added to chats yet";
constexpr std::string_view kNotOffered = "There is nothing of the kind here";
constexpr std::string_view kNothingReported = "Nothing is ever reported";

constexpr std::array kProgram = {
    KeyRule{"threadCount", keys::kLoadThreads, threadsOrAuto},
    KeyRule{"device", keys::kLoadBackend, backendOfDevice},
    KeyRule{"forceMetal", {}, nullptr, "The best device that works is taken"},
    KeyRule{"chatTheme", keys::kWindowTheme, theme},
    KeyRule{"fontSize", keys::kWindowTextScale, textScale},
    KeyRule{"languageAndLocale", keys::kWindowLanguage, language},
    KeyRule{"networkPort", {}, nullptr, kNoServer},
    KeyRule{"serverChat", {}, nullptr, kNoServer},
    KeyRule{"systemTray", {}, nullptr, kNotOffered},
    KeyRule{"suggestionMode", {}, nullptr, kNotOffered},
    KeyRule{"saveChatsContext", {}, nullptr, "Chats are kept as text"},
    KeyRule{"lastVersionStarted", {}, nullptr, "It is a version of the other program"},
    KeyRule{"network/isActive", {}, nullptr, kNothingReported},
    KeyRule{"network/usageStatsActive", {}, nullptr, kNothingReported},
    KeyRule{"network/attribution", {}, nullptr, {}, true},
    KeyRule{"localdocs/chunkSize", {}, nullptr, kNoDocuments},
    KeyRule{"localdocs/retrievalSize", {}, nullptr, kNoDocuments},
    KeyRule{"localdocs/showReferences", {}, nullptr, kNoDocuments},
    KeyRule{"localdocs/fileExtensions", {}, nullptr, kNoDocuments},
    KeyRule{"localdocs/useRemoteEmbed", {}, nullptr, kNoDocuments},
    KeyRule{"localdocs/embedDevice", {}, nullptr, kNoDocuments},
    KeyRule{"localdocs/nomicAPIKey", {}, nullptr, {}, true},
};

constexpr std::array kModel = {
    KeyRule{"temperature", keys::kSamplingTemperature},
    KeyRule{"topP", keys::kSamplingTopP},
    KeyRule{"minP", keys::kSamplingMinP},
    KeyRule{"topK", keys::kSamplingTopK},
    KeyRule{"maxLength", keys::kAnswerMaxTokens, tokensOrUnlimited},
    KeyRule{"promptBatchSize", keys::kLoadBatch},
    KeyRule{"contextLength", keys::kLoadContext, contextOrTrained},
    KeyRule{"gpuLayers", keys::kLoadGpuLayers, layersMinusAuto},
    KeyRule{"repeatPenalty", keys::kSamplingRepeatPenalty},
    KeyRule{"repeatPenaltyTokens", keys::kSamplingRepeatLastN},
    KeyRule{"systemMessage", keys::kChatSystemPrompt, systemPrompt},
    KeyRule{"systemPrompt", keys::kChatSystemPrompt, systemPrompt},
    KeyRule{"chatTemplate", {}, nullptr, kTemplate},
    KeyRule{"promptTemplate", {}, nullptr, kTemplate},
    KeyRule{"chatNamePrompt", {}, nullptr, kNotOffered},
    KeyRule{"suggestedFollowUpPrompt", {}, nullptr, kNotOffered},
    KeyRule{"name", {}, nullptr, kOfTheModel},
    KeyRule{"description", {}, nullptr, kDescribes},
    KeyRule{"url", {}, nullptr, kDescribes},
    KeyRule{"quant", {}, nullptr, kDescribes},
    KeyRule{"type", {}, nullptr, kDescribes},
    KeyRule{"isClone", {}, nullptr, kDescribes},
    KeyRule{"isDiscovered", {}, nullptr, kDescribes},
    KeyRule{"likes", {}, nullptr, kDescribes},
    KeyRule{"downloads", {}, nullptr, kDescribes},
    KeyRule{"recency", {}, nullptr, kDescribes},
};

}  // namespace

std::span<const KeyRule> programRules() {
    return kProgram;
}

std::span<const KeyRule> modelRules() {
    return kModel;
}

}  // namespace loader::importers::gpt4all
