// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "tests/contract/kernels/vulkan_product.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <sstream>

#include "core/engine/quant/dequantize.h"

namespace loader::test {
namespace {

using vulkan::ProductPush;
using vulkan::ShaderId;

constexpr std::uint32_t kExperts = 6;
constexpr std::uint32_t kFirstExpert = 1;
constexpr std::uint32_t kSlices = 4;
constexpr std::uint32_t kFormWords = 10;

double activated(std::uint32_t kind, double x) {
    if (kind == LOADER_ACTIVATE_SILU) return x / (1.0 + std::exp(-x));
    if (kind == LOADER_ACTIVATE_RELU) return std::max(x, 0.0);
    if (kind == LOADER_ACTIVATE_GELU)
        return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
    return x;
}

/// The inputs of one run, where they lie, and what is to come out.
class Problem {
public:
    Problem(VulkanRig& rig, const VulkanProduct& product, std::uint32_t seed)
        : m_rig(rig), m_product(product), m_random(seed) {
        place();
        fillWeights(RigBuffer::Weights, m_weights);
        if (product.pair) fillWeights(RigBuffer::Second, m_gate);
        fillArena();
    }

    std::string check() {
        if (m_product.isInt8()) {
            const Status status = m_rig.run(quantiseLaunch());
            if (!status.ok()) return "quantise: " + status.error().toString();
            readForms();
        }
        const auto arena = m_rig.words(RigBuffer::Arena);
        m_before.assign(arena.begin(), arena.end());
        const Status status = m_rig.run(productLaunch());
        if (!status.ok()) return status.error().toString();
        return compare();
    }

private:
    std::uint32_t parts() const { return std::max(m_product.used, 1u); }
    bool isPlain() const {
        return !m_product.pair && m_product.activation == LOADER_ACTIVATE_NONE && m_product.softcap == 0.0f &&
               m_product.scale == 1.0f;
    }
    std::uint32_t slices() const { return m_product.used == 0 ? 1 : kSlices; }
    std::uint32_t formStride() const { return m_product.columns / 32 * kFormWords + 3; }

    void place() {
        m_xParts = m_product.ownParts ? parts() : 1;
        m_xStride = (m_product.columns + 3) * m_xParts;
        m_xAt = 5;
        m_formsAt = m_xAt + m_xStride * m_product.tokens + 1;
        m_routingAt = m_formsAt + formStride() * m_xParts * m_product.tokens + 2;
        m_outAt = m_routingAt + (2 * parts() + 1) * m_product.tokens + 3;
        m_outPart = m_product.rows + 1;
        m_outStride = m_outPart * parts() + 1;
        m_rowBytes = static_cast<std::uint32_t>(*quant::rowBytes(m_product.type, m_product.columns));
        // Slices begin at any byte that the type's blocks allow.
        m_sliceBytes = m_rowBytes * m_product.rows;
    }

    void fillWeights(RigBuffer buffer, std::vector<double>& decoded) {
        const std::size_t values = std::size_t{m_product.columns} * m_product.rows * slices();
        const auto bytes = randomWeights(m_product.type, values, m_product.scales, m_random);
        m_rig.poison(buffer);
        std::memcpy(m_rig.words(buffer).data(), bytes.data(), bytes.size());
        std::vector<float> floats(values);
        quant::dequantizeRow(m_product.type, bytes.data(), floats.data(), values);
        decoded.assign(floats.begin(), floats.end());
    }

    void fillArena() {
        m_rig.poison(RigBuffer::Arena);
        m_rig.poison(RigBuffer::Vectors);
        m_rig.poison(RigBuffer::Step);
        const auto arena = m_rig.floats(RigBuffer::Arena);
        const std::size_t columns = m_product.columns;
        for (std::size_t row = 0; row < m_product.tokens * m_xParts; ++row) {
            const std::vector<float> x = randomFloats(columns, m_random);
            std::copy(x.begin(), x.end(), arena.begin() + xRow(row));
            m_x.insert(m_x.end(), x.begin(), x.end());
        }
        const std::vector<float> out = randomFloats(m_outStride * m_product.tokens, m_random);
        std::copy(out.begin(), out.end(), arena.begin() + m_outAt);
        m_bias = randomFloats(std::size_t{m_product.rows} * slices(), m_random);
        std::copy(m_bias.begin(), m_bias.end(), m_rig.floats(RigBuffer::Vectors).begin() + kBiasAt);
        for (std::uint32_t t = 0; t < m_product.tokens; ++t) {
            m_gathered.push_back(m_product.gather ? (t * 7 + 3) % m_product.tokens : t);
            m_rig.words(RigBuffer::Step)[kGatherAt + t] = m_gathered.back();
            for (std::uint32_t part = 0; part < m_product.used; ++part) {
                m_chosen.push_back(static_cast<std::uint32_t>(m_random() % kExperts));
                arena[m_routingAt + (2 * parts() + 1) * t + part] = static_cast<float>(m_chosen.back());
            }
        }
    }

    std::size_t xRow(std::size_t row) const {
        return m_xAt + row / m_xParts * m_xStride + row % m_xParts * (m_product.columns + 3);
    }

    RigLaunch quantiseLaunch() const {
        vulkan::QuantisePush push{};
        push.columns = m_product.columns;
        push.rows = m_product.tokens;
        push.parts = m_xParts;
        push.inOffset = m_xAt;
        push.inStride = m_xStride;
        push.inPartStride = m_product.columns + 3;
        push.outOffset = m_formsAt;
        push.outStride = formStride() * m_xParts;
        push.outPartStride = formStride();
        push.gatherOffset = LOADER_NONE;
        return rigLaunch(ShaderId::Quantise, {64}, push,
                         {(m_product.columns + 63) / 64, m_product.tokens * m_xParts, 1});
    }

    /// From here on x is what its form stands for.
    void readForms() {
        const auto words = m_rig.words(RigBuffer::Arena);
        for (std::size_t row = 0; row < m_product.tokens * m_xParts; ++row) {
            for (std::size_t column = 0; column < m_product.columns; ++column) {
                const std::size_t block = m_formsAt + row * formStride() + column / 32 * kFormWords;
                const auto byte =
                    static_cast<std::int8_t>(words[block + column % 32 / 4] >> (column % 4 * 8));
                m_x[row * m_product.columns + column] =
                    static_cast<double>(byte) *
                    static_cast<double>(m_rig.floats(RigBuffer::Arena)[block + 8]);
            }
        }
    }

    RigLaunch productLaunch() const {
        ProductPush push{};
        push.columns = m_product.columns;
        push.rows = m_product.rows;
        push.tokens = m_product.tokens;
        push.rowBytes = m_rowBytes;
        push.xOffset = m_product.isInt8() ? m_formsAt : m_xAt;
        push.xStride = m_product.isInt8() ? formStride() * m_xParts : m_xStride;
        push.outOffset = m_outAt;
        push.outStride = m_outStride;
        push.biasOffset = m_product.bias ? kBiasAt : LOADER_NONE;
        push.gatherOffset = m_product.gather ? kGatherAt : LOADER_NONE;
        push.scale = m_product.scale;
        push.softcap = m_product.softcap;
        push.activation = m_product.activation;
        push.accumulate = m_product.accumulate ? 1 : 0;
        push.routingOffset = m_product.used != 0 ? m_routingAt : LOADER_NONE;
        push.routingStride = 2 * parts() + 1;
        push.used = m_product.used;
        push.firstExpert = kFirstExpert;
        push.expertCount = kSlices;
        push.sliceBytes = m_sliceBytes;
        push.xPartStride = !m_product.ownParts  ? 0
                           : m_product.isInt8() ? formStride()
                                                : m_product.columns + 3;
        push.outPartStride = m_outPart;

        std::vector<std::uint32_t> constants{m_product.localSize, static_cast<std::uint32_t>(m_product.type)};
        constants.insert(constants.end(), m_product.shape.begin(), m_product.shape.end());
        const std::uint32_t rowsEach = m_product.shape[m_product.isMatmul() ? 0 : 1];
        const std::uint32_t tokensEach = m_product.shape[m_product.isMatmul() ? 1 : 0];
        if (!m_product.isMatmul()) constants.push_back(m_product.pair ? 1 : 0);
        // The grid wraps into z, as it does where rows are very many.
        const std::uint32_t groups = (m_product.rows + rowsEach - 1) / rowsEach;
        const std::uint32_t wide = std::min(groups, 3u);
        const std::uint32_t high = m_product.used != 0 ? m_product.tokens * m_product.used
                                                       : (m_product.tokens + tokensEach - 1) / tokensEach;
        return rigLaunch(vulkan::inFamily(m_product.shader, m_product.type), constants, push,
                         {wide, high, (groups + wide - 1) / wide});
    }

    /// Of the terms of a sum: what its square is on average when the signs are random. The sum itself may be
    /// next to nothing where there is only one.
    double energyOf(std::size_t row, std::size_t xIndex) const {
        double sum = 0.0;
        for (std::size_t c = 0; c < m_product.columns; ++c) {
            const double term = m_weights[row * m_product.columns + c] * m_x[xIndex * m_product.columns + c];
            sum += term * term;
        }
        return sum;
    }

    double dotOf(const std::vector<double>& weights, std::size_t row, std::size_t xIndex) const {
        double sum = 0.0;
        for (std::size_t c = 0; c < m_product.columns; ++c)
            sum += weights[row * m_product.columns + c] * m_x[xIndex * m_product.columns + c];
        return sum;
    }

    /// Of row r of slice `slice`, before out is added.
    double valueOf(std::size_t slice, std::size_t r, std::size_t xIndex) const {
        const std::size_t row = slice * m_product.rows + r;
        double value = dotOf(m_weights, row, xIndex);
        if (m_product.bias) value += m_bias[row];
        value = m_product.pair ? activated(m_product.activation, dotOf(m_gate, row, xIndex)) * value
                               : activated(m_product.activation, value);
        value *= m_product.scale;
        return m_product.softcap == 0.0f ? value : m_product.softcap * std::tanh(value / m_product.softcap);
    }

    std::string compare() {
        std::vector<double> wanted;
        std::vector<double> got;
        double energy = 0.0;
        const auto arena = m_rig.floats(RigBuffer::Arena);
        for (std::size_t t = 0; t < m_product.tokens; ++t) {
            for (std::size_t part = 0; part < parts(); ++part) {
                const std::uint32_t expert =
                    m_product.used == 0 ? kFirstExpert : m_chosen[t * m_product.used + part];
                // Those of other windows are not touched.
                if (expert - kFirstExpert >= slices()) continue;
                const std::size_t xIndex = m_gathered[t] * m_xParts + (m_xParts > 1 ? part : 0);
                for (std::size_t r = 0; r < m_product.rows; ++r) {
                    const std::size_t at = m_outAt + t * m_outStride + part * m_outPart + r;
                    float before = 0.0f;
                    std::memcpy(&before, &m_before[at], sizeof(before));
                    energy += energyOf((expert - kFirstExpert) * m_product.rows + r, xIndex);
                    wanted.push_back(valueOf(expert - kFirstExpert, r, xIndex) +
                                     (m_product.accumulate ? static_cast<double>(before) : 0.0));
                    got.push_back(arena[at]);
                    std::memcpy(&m_before[at], &arena[at], sizeof(float));
                }
            }
        }
        std::ostringstream fault;
        const double error = normalisedError(wanted, got, isPlain() ? energy : 0.0);
        // A cap leaves of large sums hardly more than what small ones are, but all of their error.
        const double half = m_product.softcap == 0.0f ? 1e-6 : 1e-5;
        const double most = m_product.computesHalves() ? half : 1e-10;
        if (!(error <= most)) fault << m_product.describe() << ": error " << error << ", at most " << most;
        const auto after = m_rig.words(RigBuffer::Arena);
        const auto differs = std::mismatch(m_before.begin(), m_before.end(), after.begin());
        if (differs.first != m_before.end())
            fault << m_product.describe() << ": wrote word " << differs.first - m_before.begin()
                  << " of the arena; out begins at " << m_outAt;
        return fault.str();
    }

    static constexpr std::uint32_t kBiasAt = 3;
    static constexpr std::uint32_t kGatherAt = 11;

    VulkanRig& m_rig;
    const VulkanProduct& m_product;
    std::mt19937 m_random;
    std::uint32_t m_xParts = 1, m_xAt = 0, m_xStride = 0, m_formsAt = 0, m_routingAt = 0;
    std::uint32_t m_outAt = 0, m_outPart = 0, m_outStride = 0, m_rowBytes = 0, m_sliceBytes = 0;
    std::vector<double> m_weights, m_gate, m_x;
    std::vector<float> m_bias;
    std::vector<std::uint32_t> m_gathered, m_chosen, m_before;
};

}  // namespace

bool VulkanProduct::isMatmul() const {
    return shader == ShaderId::Matmul || shader == ShaderId::MatmulFp16 || shader == ShaderId::MatmulInt8 ||
           shader == ShaderId::MatmulMatrix || shader == ShaderId::MatmulFlexible;
}

bool VulkanProduct::computesHalves() const {
    return shader == ShaderId::MatmulFp16 || shader == ShaderId::MatmulMatrix ||
           shader == ShaderId::MatmulFlexible;
}

bool VulkanProduct::isInt8() const {
    return shader == ShaderId::MatmulInt8 || shader == ShaderId::MatvecInt8;
}

std::string VulkanProduct::describe() const {
    std::ostringstream text;
    text << vulkan::allShaders()[static_cast<std::size_t>(shader)].name << ' ' << quant::typeName(type) << ' '
         << rows << " x " << columns << " x " << tokens << ", local " << localSize << ", shape";
    for (const std::uint32_t value : shape)
        text << ' ' << value;
    text << (pair ? ", pair" : "") << (bias ? ", bias" : "") << (accumulate ? ", accumulate" : "")
         << (gather ? ", gather" : "") << ", activation " << activation << ", used " << used;
    return text.str();
}

std::string faultOf(VulkanRig& rig, const VulkanProduct& product, std::uint32_t seed) {
    return Problem(rig, product, seed).check();
}

std::uint32_t columnStep(quant::TensorType type) {
    return quant::typeInfo(type).blockValues;
}

}  // namespace loader::test
