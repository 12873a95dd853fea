// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "tests/support/model_parts.h"

#include <algorithm>
#include <array>

#include "core/engine/base/byte_source.h"

namespace loader::test {
namespace {

using quant::TensorType;

std::string layerName(std::uint32_t layer, const char* name) {
    return "blk." + std::to_string(layer) + "." + name;
}

/// Far enough from the origin that a bias which is forgotten changes every output.
constexpr float kBiasSize = 0.5f;

Status addBiases(ModelParts& parts) {
    struct Bias {
        const char* name;
        std::uint64_t rows;
    };
    constexpr Bias kBiases[] = {{"attn_q.bias", 256},      {"attn_k.bias", 128},   {"attn_v.bias", 128},
                                {"attn_output.bias", 256}, {"ffn_gate.bias", 512}, {"ffn_up.bias", 512},
                                {"ffn_down.bias", 256}};
    for (std::uint32_t layer = 0; layer < 2; ++layer) {
        for (const Bias& bias : kBiases)
            LOADER_CHECK(parts.put(layerName(layer, bias.name), TensorType::F32, {bias.rows}, kBiasSize));
    }
    return {};
}

/// Divisors between 1 and 8, as long-context models have them.
void addRopeFactors(ModelParts& parts) {
    std::vector<float> factors(32);
    for (std::size_t i = 0; i < factors.size(); ++i)
        factors[i] = 1.0f + 7.0f * static_cast<float>(i) / 31.0f;
    parts.putFloats("rope_freqs.weight", factors);
}

void addScaling(ModelParts& parts, const char* type) {
    parts.metadata.setText("llama.rope.scaling.type", type);
    parts.metadata.set<float>("llama.rope.scaling.factor", 4.0f);
    parts.metadata.set<std::uint32_t>("llama.rope.scaling.original_context_length", 64);
}

/// Keys of 40 and values of 24 numbers: neither the width divided by the heads nor a multiple of a block.
Status changeHeadLengths(ModelParts& parts) {
    parts.metadata.set<std::uint32_t>("llama.attention.key_length", 40);
    parts.metadata.set<std::uint32_t>("llama.attention.value_length", 24);
    parts.metadata.set<std::uint32_t>("llama.rope.dimension_count", 40);
    for (std::uint32_t layer = 0; layer < 2; ++layer) {
        LOADER_CHECK(parts.put(layerName(layer, "attn_q.weight"), TensorType::F32, {256, 160}, 0.07f));
        LOADER_CHECK(parts.put(layerName(layer, "attn_k.weight"), TensorType::F32, {256, 80}, 0.07f));
        LOADER_CHECK(parts.put(layerName(layer, "attn_v.weight"), TensorType::F32, {256, 48}, 0.07f));
        LOADER_CHECK(parts.put(layerName(layer, "attn_output.weight"), TensorType::F32, {96, 256}, 0.1f));
    }
    return {};
}

/// The second layer has other numbers of key/value heads and another feed-forward length than the first.
Status changeSecondLayer(ModelParts& parts, TensorType type) {
    const std::array<std::uint32_t, 2> kvHeads{2, 4};
    const std::array<std::uint32_t, 2> lengths{512, 256};
    parts.metadata.setArray<std::uint32_t>("llama.attention.head_count_kv", kvHeads);
    parts.metadata.setArray<std::uint32_t>("llama.feed_forward_length", lengths);
    for (const char* name :
         {"attn_k.weight", "attn_v.weight", "ffn_gate.weight", "ffn_up.weight", "ffn_down.weight"})
        LOADER_CHECK(parts.put(layerName(1, name), type, {256, 256}, 0.06f));
    return {};
}

constexpr std::string_view kVariants[] = {
    "gpt2",
    "llama",
    "llama-biases",
    "llama-experts",
    "llama-experts-separate",
    "llama-head-lengths",
    "llama-layers-differ",
    "llama-linear-scaling",
    "llama-partial-rotation",
    "llama-rope-factors",
    "llama-tied",
    "llama-yarn",
    "qwen2",
    "qwen3",
};

}  // namespace

Result<ModelParts> ModelParts::make(const TinyModelOptions& options) {
    LOADER_TRY(const TinyModel model, TinyModel::make(options));
    LOADER_TRY(const std::vector<std::byte> bytes, model.toBytes());
    LOADER_TRY(const gguf::File file, gguf::File::parse(MemorySource(bytes)));
    ModelParts parts;
    parts.metadata = file.metadata().clone();
    for (const gguf::TensorInfo& tensor : file.tensors()) {
        const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(tensor.offset);
        const auto shape = tensor.shape();
        parts.tensors.push_back({std::string(tensor.name),
                                 tensor.type,
                                 {shape.begin(), shape.end()},
                                 {begin, begin + static_cast<std::ptrdiff_t>(tensor.bytes)}});
    }
    return parts;
}

ModelParts ModelParts::clone() const {
    ModelParts copy;
    copy.metadata = metadata.clone();
    copy.tensors = tensors;
    return copy;
}

PartTensor* ModelParts::find(std::string_view name) {
    const auto found =
        std::ranges::find_if(tensors, [&](const PartTensor& tensor) { return tensor.name == name; });
    return found == tensors.end() ? nullptr : &*found;
}

void ModelParts::remove(std::string_view name) {
    std::erase_if(tensors, [&](const PartTensor& tensor) { return tensor.name == name; });
}

Status ModelParts::put(const std::string& name, TensorType type, std::vector<std::uint64_t> dims,
                       float size) {
    std::size_t values = 1;
    for (const std::uint64_t dimension : dims)
        values *= static_cast<std::size_t>(dimension);
    // The seed follows from the name, so that the order of changes does not matter.
    std::uint64_t seed = 1469598103u;
    for (const char c : name)
        seed = seed * 1099511u + static_cast<unsigned char>(c);
    LOADER_TRY(std::vector<std::byte> data, randomRows(type, values, size, seed));
    remove(name);
    tensors.push_back({name, type, std::move(dims), std::move(data)});
    return {};
}

void ModelParts::putFloats(const std::string& name, std::span<const float> values) {
    const auto bytes = std::as_bytes(values);
    remove(name);
    tensors.push_back({name, TensorType::F32, {values.size()}, {bytes.begin(), bytes.end()}});
}

void ModelParts::splitExperts() {
    constexpr std::string_view kJoined = "_exps.weight";
    std::vector<PartTensor> split;
    for (PartTensor& tensor : tensors) {
        if (!tensor.name.ends_with(kJoined)) {
            split.push_back(std::move(tensor));
            continue;
        }
        const std::string prefix = tensor.name.substr(0, tensor.name.size() - kJoined.size());
        const auto experts = static_cast<std::size_t>(tensor.dims[2]);
        const std::size_t bytes = tensor.data.size() / experts;
        for (std::size_t i = 0; i < experts; ++i) {
            const auto begin = tensor.data.begin() + static_cast<std::ptrdiff_t>(i * bytes);
            split.push_back({prefix + "." + std::to_string(i) + ".weight",
                             tensor.type,
                             {tensor.dims[0], tensor.dims[1]},
                             {begin, begin + static_cast<std::ptrdiff_t>(bytes)}});
        }
    }
    tensors = std::move(split);
}

std::vector<gguf::TensorInfo> ModelParts::table() const {
    std::vector<gguf::TensorInfo> infos;
    std::uint64_t offset = 0;
    for (const PartTensor& tensor : tensors) {
        gguf::TensorInfo info;
        info.name = tensor.name;
        info.type = tensor.type;
        info.rank = static_cast<std::uint8_t>(tensor.dims.size());
        std::ranges::copy(tensor.dims, info.dims.begin());
        info.offset = offset;
        info.bytes = tensor.data.size();
        offset += info.bytes;
        infos.push_back(info);
    }
    return infos;
}

Result<arch::Lowered> ModelParts::lower(const std::string& architecture) const {
    return arch::lower(metadata, table(), architecture);
}

std::vector<backend::Weight> ModelParts::weights(const graph::Program& program) const {
    std::vector<backend::Weight> weights;
    for (const graph::WeightRef& weight : program.weights)
        weights.push_back({tensors[weight.fileTensor].data, -1, 0});
    return weights;
}

std::span<const std::string_view> modelVariants() {
    return kVariants;
}

bool takesAnyType(std::string_view variant) {
    return variant != "llama-head-lengths";
}

Result<ModelParts> makeVariant(std::string_view variant, TensorType type, std::uint64_t seed) {
    if (std::ranges::find(kVariants, variant) == std::end(kVariants))
        return Error(Errc::X001, {"There is no variant " + std::string(variant) + "."});
    TinyModelOptions options;
    options.architecture = variant.substr(0, variant.find('-'));
    options.type = takesAnyType(variant) ? type : TensorType::F32;
    options.embeddingType = options.type;
    options.tiedHead = variant == "llama-tied";
    options.chatTemplate = false;
    options.seed = seed;
    const bool experts = variant.starts_with("llama-experts");
    if (experts) {
        options.experts = 4;
        options.feedForward = 256;
    }
    LOADER_TRY(ModelParts parts, ModelParts::make(options));
    if (variant == "llama-biases") LOADER_CHECK(addBiases(parts));
    if (variant == "llama-experts-separate") parts.splitExperts();
    if (variant == "llama-rope-factors") addRopeFactors(parts);
    if (variant == "llama-linear-scaling") addScaling(parts, "linear");
    if (variant == "llama-yarn") addScaling(parts, "yarn");
    if (variant == "llama-head-lengths") LOADER_CHECK(changeHeadLengths(parts));
    if (variant == "llama-layers-differ") LOADER_CHECK(changeSecondLayer(parts, type));
    if (variant == "llama-partial-rotation")
        parts.metadata.set<std::uint32_t>("llama.rope.dimension_count", 32);
    return parts;
}

}  // namespace loader::test
