// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/host/file_details.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "core/engine/arch/lower.h"
#include "core/engine/arch/registry.h"
#include "core/engine/base/utf8.h"
#include "core/engine/gguf/keys.h"
#include "core/engine/gguf/lean_file.h"

namespace loader::host {
namespace {

using Json = nlohmann::ordered_json;
using namespace protocol;

/// A page is closed beyond so many bytes: half of what a message may have, because one entry more comes.
constexpr std::size_t kPageBytes = 512u << 10;
/// Read at once.
constexpr std::size_t kWindowBytes = 256u << 10;

/// Whole characters only.
std::string cutText(std::string_view text, std::size_t most) {
    if (text.size() > most) text = text.substr(0, utf8::completePrefix(text.substr(0, most)));
    return std::string(text);
}

std::string textOf(const gguf::Metadata& metadata, std::string_view key) {
    return cutText(metadata.text(key).value_or(""), kMostIndexText);
}

IndexFacts factsOf(const gguf::Metadata& metadata, std::span<const gguf::TensorInfo> tensors) {
    namespace keys = gguf::keys;
    IndexFacts facts;
    facts.name = textOf(metadata, keys::kName);
    facts.baseName = textOf(metadata, keys::kBaseName);
    facts.sizeLabel = textOf(metadata, keys::kSizeLabel);
    facts.fineTune = textOf(metadata, "general.finetune");
    facts.architecture = textOf(metadata, keys::kArchitecture);
    facts.known = arch::findSpec(facts.architecture) != nullptr;
    if (const auto side = gguf::sideFileKind(metadata)) facts.sideFile = std::string(*side);
    facts.words = textOf(metadata, keys::kTokenizerModel);
    facts.hasTemplate = metadata.contains(keys::kChatTemplate);
    facts.tensors = static_cast<std::uint32_t>(tensors.size());
    facts.types = typeShares(tensors);
    for (const TypeShare& share : facts.types)
        facts.parameters += share.values;
    const auto number = [&](const std::string& key) { return metadata.get<std::uint32_t>(key).value_or(0); };
    facts.layers = number(facts.architecture + ".block_count");
    facts.trainedContext = number(facts.architecture + ".context_length");
    facts.width = number(facts.architecture + ".embedding_length");
    facts.splitCount = number(std::string(keys::kSplitCount));
    facts.splitNumber = facts.splitCount > 0 ? number(std::string(keys::kSplitNumber)) : 0;
    return facts;
}

Json scalarJson(const gguf::Scalar& scalar) {
    if (scalar.type == gguf::ValueType::Bool) return scalar.bits != 0;
    if (!scalar.isInteger()) return scalar.real();
    if (scalar.isSigned()) return static_cast<std::int64_t>(scalar.bits);
    return scalar.bits;
}

/// The value as far as it is shown, and whether that is all.
Json valueJson(const gguf::Metadata& metadata, std::string_view key, bool& cut) {
    if (const auto text = metadata.text(key)) {
        std::string shown = cutText(*text, kMostDetailText);
        cut = shown.size() < text->size();
        return shown;
    }
    if (const auto scalar = metadata.scalar(key)) return scalarJson(*scalar);
    Json list = Json::array();
    if (const auto numbers = metadata.numbers(key)) {
        for (std::size_t i = 0; i < std::min(numbers->count, kMostDetailElements); ++i)
            list.push_back(scalarJson((*numbers)[i]));
        cut = numbers->count > kMostDetailElements;
        return list;
    }
    const auto texts = metadata.texts(key);
    if (!texts.ok()) return nullptr;
    cut = texts->size() > kMostDetailElements;
    for (std::size_t i = 0; i < std::min(texts->size(), kMostDetailElements); ++i) {
        std::string shown = cutText((*texts)[i], kMostIndexText);
        cut = cut || shown.size() < (*texts)[i].size();
        list.push_back(std::move(shown));
    }
    return list;
}

MetadataEntry entryOf(const gguf::Metadata& metadata, std::size_t index) {
    const std::string_view key = metadata.key(index);
    MetadataEntry entry;
    entry.key = cutText(key, kMostIndexText);
    const bool array = metadata.type(index) == gguf::ValueType::Array;
    entry.type = (array ? "array of " : "") + std::string(gguf::valueTypeName(metadata.elementType(index)));
    entry.count = metadata.arrayLength(key).value_or(1);
    entry.json = valueJson(metadata, key, entry.cut).dump(-1, ' ', false, Json::error_handler_t::replace);
    entry.cut = entry.cut || entry.key.size() < key.size();
    return entry;
}

TensorEntry entryOf(const gguf::TensorInfo& tensor) {
    return {std::string(tensor.name),
            std::string(quant::typeName(tensor.type)),
            {tensor.shape().begin(), tensor.shape().end()},
            tensor.bytes,
            tensor.offset,
            tensor.shard};
}

/// A key of the architecture (with a dot in front) or a whole one.
struct UsualKey {
    std::string_view key;
    bool needed;
    std::string_view effect;
};

constexpr UsualKey kUsual[] = {
    {"general.architecture", true, "Nothing says how the model computes."},
    {".block_count", true, "Nothing says how many layers the model has."},
    {".embedding_length", true, "Nothing says how wide the model is."},
    {".context_length", true, "Nothing says how long a context the model was trained for."},
    {".attention.head_count", true, "Nothing says how attention is divided."},
    {"tokenizer.ggml.model", false, "Without a word list the model takes token ids only, no text."},
    {"tokenizer.ggml.tokens", false, "Without a word list the model takes token ids only, no text."},
    {"tokenizer.chat_template", false, "Chats have no template: the model takes raw text only."},
    {"tokenizer.ggml.eos_token_id", false, "Nothing says which token ends an answer."},
    {"general.name", false, "The model is shown under the name of its file."},
    {"general.file_type", false, "Nothing names the mix of types; it is read from the tensors."},
};

std::vector<MissingKey> missingKeys(const gguf::Metadata& metadata, const std::string& architecture) {
    std::vector<MissingKey> missing;
    for (const UsualKey& usual : kUsual) {
        const bool own = usual.key.front() == '.';
        // Without an architecture nobody can tell what its keys would be called.
        if (own && architecture.empty()) continue;
        const std::string key = (own ? architecture : std::string()) + std::string(usual.key);
        if (!metadata.contains(key)) missing.push_back({key, usual.needed, std::string(usual.effect)});
    }
    return missing;
}

std::size_t sizeOf(const MetadataEntry& entry) {
    return entry.key.size() + entry.type.size() + entry.json.size() + 32;
}

}  // namespace

std::vector<TypeShare> typeShares(std::span<const gguf::TensorInfo> tensors) {
    std::map<quant::TensorType, TypeShare> found;
    for (const gguf::TensorInfo& tensor : tensors) {
        TypeShare& share = found[tensor.type];
        share.bytes += tensor.bytes;
        share.values += tensor.elements();
    }
    std::vector<TypeShare> types;
    for (auto& [type, share] : found) {
        share.type = std::string(quant::typeName(type));
        types.push_back(std::move(share));
    }
    std::sort(types.begin(), types.end(), [](const TypeShare& a, const TypeShare& b) {
        return a.bytes != b.bytes ? a.bytes > b.bytes : a.type < b.type;
    });
    return types;
}

std::string mainType(std::span<const TypeShare> types) {
    const auto most = std::max_element(types.begin(), types.end(), [](const auto& a, const auto& b) {
        return a.values != b.values ? a.values < b.values : a.type > b.type;
    });
    return most == types.end() ? std::string() : most->type;
}

Result<IndexFacts> readIndexFacts(const ByteSource& source) {
    // Most of a header is its word list, of which a list of models shows nothing.
    LOADER_TRY(const gguf::File file, gguf::parseLean(source, {kWindowBytes}));
    IndexFacts facts = factsOf(file.metadata(), file.tensors());
    facts.version = file.version();
    facts.foreignByteOrder = file.byteOrder() != gguf::kHostOrder;
    facts.headerBytes = file.dataOffset();
    facts.warnings = static_cast<std::uint32_t>(file.warnings().size());
    return facts;
}

DetailPages::DetailPages(const gguf::ModelFile& file, std::string architecture)
    : m_file(file), m_architecture(std::move(architecture)) {}

std::optional<FileDetails> DetailPages::next() {
    if (m_over) return std::nullopt;
    FileDetails page;
    std::size_t bytes = 0;
    const gguf::Metadata& metadata = m_file.metadata();
    for (; m_entry < metadata.size() && bytes < kPageBytes; ++m_entry) {
        page.metadata.push_back(entryOf(metadata, m_entry));
        bytes += sizeOf(page.metadata.back());
    }
    const auto tensors = m_file.tensors();
    for (; m_tensor < tensors.size() && bytes < kPageBytes; ++m_tensor) {
        page.tensors.push_back(entryOf(tensors[m_tensor]));
        bytes += page.tensors.back().name.size() + 96;
    }
    // What is said of the whole gets a page with room for it.
    if (bytes < kPageBytes) finish(page);
    return page;
}

void DetailPages::finish(FileDetails& page) {
    m_over = true;
    page.last = true;
    page.fileBytes = m_file.fileBytes();
    page.alignment = m_file.shard(0).alignment();
    page.warnings = m_file.warnings();
    const gguf::Metadata& metadata = m_file.metadata();
    page.summary = factsOf(metadata, m_file.tensors());
    page.summary.version = m_file.shard(0).version();
    page.summary.foreignByteOrder = m_file.byteOrder() != gguf::kHostOrder;
    for (std::size_t i = 0; i < m_file.shards(); ++i)
        page.summary.headerBytes += m_file.shard(i).dataOffset();
    page.summary.warnings = static_cast<std::uint32_t>(m_file.warnings().size());
    if (!page.summary.sideFile.empty()) return;
    page.missing = missingKeys(metadata, m_architecture.empty() ? page.summary.architecture : m_architecture);
    auto lowered = arch::lower(metadata, m_file.tensors(), m_architecture);
    if (!lowered.ok()) page.refusal.push_back(std::move(lowered).error());
}

}  // namespace loader::host
