// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "tests/contract/kernels/random_weights.h"

#include <cstring>

#include "core/engine/base/half.h"
#include "core/engine/quant/blocks.h"

namespace loader::test {
namespace {

using quant::TensorType;

/// Where the half precision numbers of a block are; -1 where there is none.
struct HalfFields {
    TensorType type;
    int first;
    int second;
};

constexpr HalfFields kHalfFields[] = {
    {TensorType::Q4_0, 0, -1},    {TensorType::Q4_1, 0, 2},     {TensorType::Q5_0, 0, -1},
    {TensorType::Q5_1, 0, 2},     {TensorType::Q8_0, 0, -1},    {TensorType::Q2_K, 80, 82},
    {TensorType::Q3_K, 108, -1},  {TensorType::Q4_K, 0, 2},     {TensorType::Q5_K, 0, 2},
    {TensorType::Q6_K, 208, -1},  {TensorType::IQ2_XXS, 0, -1}, {TensorType::IQ2_XS, 0, -1},
    {TensorType::IQ3_XXS, 0, -1}, {TensorType::IQ1_S, 0, -1},   {TensorType::IQ4_NL, 0, -1},
    {TensorType::IQ3_S, 0, -1},   {TensorType::IQ2_S, 0, -1},   {TensorType::IQ4_XS, 0, -1},
    {TensorType::TQ1_0, 52, -1},  {TensorType::TQ2_0, 64, -1},  {TensorType::Q1_0, 0, -1},
    {TensorType::Q2_0, 0, -1},
};

const HalfFields* halfFields(TensorType type) {
    for (const HalfFields& fields : kHalfFields) {
        if (fields.type == type) return &fields;
    }
    return nullptr;
}

void putHalf(std::byte* at, Scales scales, std::mt19937& random) {
    std::uint16_t bits = 0;
    if (scales == Scales::Largest) bits = 0x7BFF;
    if (scales == Scales::Denormal) bits = static_cast<std::uint16_t>(1 + random() % 0x3FF);
    if (scales == Scales::Sensible) {
        std::uniform_real_distribution<float> size(0.005f, 0.02f);
        bits = floatToHalf(random() % 4 == 0 ? -size(random) : size(random));
    }
    std::memcpy(at, &bits, sizeof(bits));
}

/// Scales that are no half precision field.
void tameBlock(TensorType type, std::byte* block, std::mt19937& random) {
    if (type == TensorType::MXFP4) block[0] = static_cast<std::byte>(118 + random() % 6);
    if (type == TensorType::NVFP4) {
        for (int i = 0; i < 4; ++i)
            block[i] = static_cast<std::byte>(0x10 + random() % 0x10);
    }
    if (type == TensorType::IQ1_M) {
        // The half precision scale is spread over the top four bits of four words; its top bits are those of
        // the last.
        block[55] = static_cast<std::byte>((std::to_integer<unsigned>(block[55]) & 0x0Fu) | 0x20u);
    }
}

void putScales(TensorType type, std::vector<std::byte>& bytes, Scales scales, std::mt19937& random) {
    const HalfFields* fields = halfFields(type);
    if (fields == nullptr) return;
    for (std::size_t at = 0; at < bytes.size(); at += quant::typeInfo(type).blockBytes) {
        putHalf(bytes.data() + at + fields->first, scales, random);
        if (fields->second >= 0) putHalf(bytes.data() + at + fields->second, scales, random);
    }
}

void putFloats(TensorType type, std::byte* out, const std::vector<float>& values) {
    for (std::size_t i = 0; i < values.size(); ++i) {
        const float value = values[i] * 0.02f;
        const std::uint16_t bits = type == TensorType::F16 ? floatToHalf(value) : floatToBfloat16(value);
        if (type == TensorType::F32) {
            std::memcpy(out + i * 4, &value, 4);
        } else {
            std::memcpy(out + i * 2, &bits, 2);
        }
    }
}

}  // namespace

std::vector<TensorType> weightTypes() {
    std::vector<TensorType> types;
    for (const quant::TypeInfo& info : quant::allTypes()) {
        if (info.role == quant::TypeRole::Weight) types.push_back(info.type);
    }
    return types;
}

bool hasHalfScales(TensorType type) {
    return halfFields(type) != nullptr;
}

std::vector<std::byte> randomWeights(TensorType type, std::size_t count, Scales scales,
                                     std::mt19937& random) {
    const quant::TypeInfo& info = quant::typeInfo(type);
    std::vector<std::byte> bytes(count / info.blockValues * info.blockBytes);
    if (info.blockValues == 1) {
        putFloats(type, bytes.data(), randomFloats(count, random));
        return bytes;
    }
    for (std::byte& byte : bytes)
        byte = static_cast<std::byte>(random() & 0xFFu);
    for (std::size_t at = 0; at < bytes.size(); at += info.blockBytes)
        tameBlock(type, bytes.data() + at, random);
    putScales(type, bytes, scales, random);
    return bytes;
}

void putSensibleScales(TensorType type, std::vector<std::byte>& bytes, std::mt19937& random) {
    putScales(type, bytes, Scales::Sensible, random);
}

std::vector<float> randomFloats(std::size_t count, std::mt19937& random) {
    std::normal_distribution<float> normal(0.0f, 1.0f);
    std::vector<float> values(count);
    for (float& value : values)
        value = normal(random) * (random() % 64 == 0 ? 8.0f : 1.0f);
    return values;
}

}  // namespace loader::test
