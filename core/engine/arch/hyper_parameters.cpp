// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/arch/hyper_parameters.h"

#include <array>
#include <cmath>
#include <limits>

#include "core/engine/base/checked.h"

namespace loader::arch {
namespace {

// Far above every published model, and small enough that products of two fit into 64 bits.
constexpr std::uint32_t kMaxLayers = 4096;
constexpr std::uint32_t kMaxWidth = 1u << 20;
constexpr std::uint32_t kMaxHeads = 1u << 16;
constexpr std::uint32_t kMaxFeedForward = 1u << 24;
constexpr std::uint32_t kMaxExperts = 4096;

/// A floating-point key and the range in which a model can work.
struct RealKey {
    const char* key;
    double least;
    double greatest;
};

constexpr RealKey kRealKeys[] = {
    {"attention.layer_norm_rms_epsilon", 1e-30, 1.0},
    {"attention.layer_norm_epsilon", 1e-30, 1.0},
    // At 1 all pairs turn alike, and the YaRN ramp would divide by the logarithm of 1.
    {"rope.freq_base", 1.001, 1e30},
    {"rope.scaling.factor", 1e-6, 1e6},
    {"rope.scale_linear", 1e-6, 1e6},
    {"rope.scaling.attn_factor", 1e-6, 1e6},
    {"rope.scaling.yarn_beta_fast", 1e-6, 1e6},
    {"rope.scaling.yarn_beta_slow", 1e-6, 1e6},
};

class Reader {
public:
    Reader(const gguf::Metadata& metadata, const ArchSpec& spec, const std::string& prefix)
        : m_metadata(metadata), m_spec(spec), m_prefix(prefix) {}

    Result<HyperParameters> read() {
        LOADER_CHECK(checkReals());
        LOADER_CHECK(readShape());
        LOADER_CHECK(readHeads());
        LOADER_CHECK(readFeedForward());
        LOADER_CHECK(readHeadLengths());
        LOADER_CHECK(readRope());
        LOADER_CHECK(readExperts());
        if (m_spec.slidingWindow) {
            m_values.window = m_metadata.get<std::uint32_t>(key("attention.sliding_window")).value_or(0);
        }
        const char* epsilonKey = m_spec.norm == graph::NormKind::Rms ? "attention.layer_norm_rms_epsilon"
                                                                     : "attention.layer_norm_epsilon";
        m_values.normEpsilon = real(epsilonKey).value_or(1e-5);
        return std::move(m_values);
    }

private:
    std::string key(const char* name) const { return m_prefix + "." + name; }
    std::optional<double> real(const char* name) const { return m_metadata.get<double>(key(name)); }

    /// Real numbers first: a NaN says that the file is damaged, whatever else is missing.
    Status checkReals() const {
        for (const RealKey& row : kRealKeys) {
            if (!m_metadata.contains(key(row.key))) continue;
            const std::optional<double> value = real(row.key);
            if (!value) return Error(Errc::M111, {key(row.key), "not a number"}, key(row.key));
            if (!(*value >= row.least && *value <= row.greatest)) {
                return Error(Errc::M120, {key(row.key), std::to_string(*value)}, key(row.key));
            }
        }
        return {};
    }

    /// An integer in [least, greatest], or the given code.
    Result<std::uint32_t> number(const char* name, Errc code, std::uint32_t least,
                                 std::uint32_t greatest) const {
        const std::string full = key(name);
        if (!m_metadata.contains(full)) return Error(code, {"it is missing"}, full);
        const std::optional<std::uint64_t> value = m_metadata.get<std::uint64_t>(full);
        if (!value) return Error(code, {"it is not a whole number"}, full);
        if (*value < least || *value > greatest) return Error(code, {std::to_string(*value)}, full);
        return static_cast<std::uint32_t>(*value);
    }

    Status readShape() {
        LOADER_TRY(const std::uint32_t layers, number("block_count", Errc::M103, 1, kMaxLayers));
        LOADER_TRY(m_values.width, number("embedding_length", Errc::M104, 2, kMaxWidth));
        LOADER_TRY(m_values.context,
                   number("context_length", Errc::M108, 1, std::numeric_limits<std::uint32_t>::max()));
        m_values.layers.resize(layers);
        return {};
    }

    /// One number for all layers, or an array with one for each.
    Result<std::vector<std::uint32_t>> perLayer(const char* name, Errc code, std::uint32_t least,
                                                std::uint32_t greatest) const {
        const std::string full = key(name);
        std::vector<std::uint32_t> values(m_values.layers.size());
        if (m_metadata.type(full) != gguf::ValueType::Array) {
            LOADER_TRY(const std::uint32_t value, number(name, code, least, greatest));
            values.assign(values.size(), value);
            return values;
        }
        const auto array = m_metadata.arrayOf<std::int64_t>(full);
        if (!array.ok()) return Error(code, {"it is not a list of whole numbers"}, full);
        if (array->size() != values.size()) {
            return Error(
                code,
                {std::to_string(array->size()) + " values for " + std::to_string(values.size()) + " layers"},
                full);
        }
        for (std::size_t i = 0; i < values.size(); ++i) {
            const std::int64_t value = (*array)[i];
            if (value < static_cast<std::int64_t>(least) || value > static_cast<std::int64_t>(greatest)) {
                return Error(code, {std::to_string(value) + " in layer " + std::to_string(i)}, full);
            }
            values[i] = static_cast<std::uint32_t>(value);
        }
        return values;
    }

    Status readHeads() {
        LOADER_TRY(const auto heads, perLayer("attention.head_count", Errc::M105, 1, kMaxHeads));
        std::vector<std::uint32_t> kvHeads = heads;
        if (m_metadata.contains(key("attention.head_count_kv"))) {
            LOADER_TRY(kvHeads, perLayer("attention.head_count_kv", Errc::M106, 1, kMaxHeads));
        }
        for (std::size_t i = 0; i < heads.size(); ++i) {
            if (heads[i] > m_values.width) {
                return Error(
                    Errc::M105,
                    {std::to_string(heads[i]) + " heads for a width of " + std::to_string(m_values.width)},
                    key("attention.head_count"));
            }
            if (kvHeads[i] > heads[i] || heads[i] % kvHeads[i] != 0) {
                return Error(Errc::M106,
                             {std::to_string(kvHeads[i]) + " for " + std::to_string(heads[i]) + " heads"},
                             key("attention.head_count_kv"));
            }
            m_values.layers[i].heads = heads[i];
            m_values.layers[i].kvHeads = kvHeads[i];
        }
        return {};
    }

    Status readFeedForward() {
        LOADER_TRY(const auto lengths, perLayer("feed_forward_length", Errc::M107, 1, kMaxFeedForward));
        for (std::size_t i = 0; i < lengths.size(); ++i)
            m_values.layers[i].feedForward = lengths[i];
        return {};
    }

    /// The rows of all heads of any layer must fit a slot's width.
    Status checkHeadRows(std::uint64_t length, const char* name) const {
        for (const LayerParameters& layer : m_values.layers) {
            const auto product = checkedMul<std::uint64_t>(length, layer.heads);
            if (product && *product <= std::numeric_limits<std::uint32_t>::max()) continue;
            return Error(Errc::M126,
                         {std::to_string(length) + " × " + std::to_string(layer.heads) + " heads"},
                         key(name));
        }
        return {};
    }

    Status readHeadLengths() {
        const std::uint32_t heads = m_values.layers.front().heads;
        const bool given = m_metadata.contains(key("attention.key_length"));
        if (!given && m_values.width % heads != 0) {
            return Error(
                Errc::M104,
                {std::to_string(m_values.width) + " is not divisible by " + std::to_string(heads) + " heads"},
                key("embedding_length"));
        }
        m_values.keyLength = m_values.width / heads;
        if (given) {
            // Read as 64 bits, so that a product above 2^32 is reported as what it is.
            const auto length = m_metadata.get<std::uint64_t>(key("attention.key_length"));
            if (!length || *length == 0)
                return Error(Errc::M105, {"the key length is 0"}, key("attention.key_length"));
            LOADER_CHECK(checkHeadRows(*length, "attention.key_length"));
            m_values.keyLength = static_cast<std::uint32_t>(*length);
        }
        m_values.valueLength = m_values.keyLength;
        if (m_metadata.contains(key("attention.value_length"))) {
            LOADER_TRY(m_values.valueLength, number("attention.value_length", Errc::M105, 1, kMaxWidth));
        }
        LOADER_CHECK(checkHeadRows(m_values.keyLength, "attention.key_length"));
        LOADER_CHECK(checkHeadRows(m_values.valueLength, "attention.value_length"));
        if (m_values.keyLength > kMaxWidth || m_values.valueLength > kMaxWidth) {
            return Error(Errc::M126, {"head size"}, key("attention.key_length"));
        }
        return {};
    }

    Status readRope() {
        if (!m_spec.rotary) return {};
        m_values.ropeDims = m_values.keyLength;
        if (m_metadata.contains(key("rope.dimension_count"))) {
            LOADER_TRY(m_values.ropeDims, number("rope.dimension_count", Errc::M109, 2, m_values.keyLength));
        }
        if (m_values.ropeDims % 2 != 0 || m_values.ropeDims == 0) {
            return Error(Errc::M109, {std::to_string(m_values.ropeDims) + " is odd"},
                         key("rope.dimension_count"));
        }
        m_values.ropeBase = real("rope.freq_base").value_or(m_spec.ropeBase);
        m_values.originalContext = m_metadata.get<std::uint32_t>(key("rope.scaling.original_context_length"))
                                       .value_or(m_values.context);
        if (m_values.originalContext == 0) m_values.originalContext = m_values.context;
        m_values.ropeAttentionFactor = real("rope.scaling.attn_factor").value_or(1.0);
        m_values.yarnBetaFast = real("rope.scaling.yarn_beta_fast").value_or(32.0);
        m_values.yarnBetaSlow = real("rope.scaling.yarn_beta_slow").value_or(1.0);
        return readScaling();
    }

    Status readScaling() {
        const std::optional<double> oldFactor = real("rope.scale_linear");
        m_values.scalingFactor = real("rope.scaling.factor").value_or(oldFactor.value_or(1.0));
        const std::string type(m_metadata.text(key("rope.scaling.type")).value_or("linear"));
        if (type == "none") {
            m_values.scalingFactor = 1.0;
        } else if (type == "linear") {
            m_values.scaling = m_values.scalingFactor == 1.0 ? RopeScaling::None : RopeScaling::Linear;
        } else if (type == "yarn") {
            m_values.scaling = RopeScaling::Yarn;
        } else {
            return Error(Errc::M127, {"rotary scaling of type " + type}, key("rope.scaling.type"));
        }
        return {};
    }

    Status readExperts() {
        const bool has = m_metadata.contains(key("expert_count"));
        if (!has && m_spec.experts != Presence::Yes) return {};
        LOADER_TRY(m_values.experts, number("expert_count", Errc::M121, 0, kMaxExperts));
        if (m_values.experts == 0) return {};
        if (m_spec.experts == Presence::No) {
            return Error(Errc::M127, {"experts in this architecture"}, key("expert_count"));
        }
        LOADER_TRY(m_values.expertsUsed, number("expert_used_count", Errc::M121, 1, m_values.experts));
        m_values.expertFeedForward = m_values.layers.front().feedForward;
        if (m_metadata.contains(key("expert_feed_forward_length"))) {
            LOADER_TRY(m_values.expertFeedForward,
                       number("expert_feed_forward_length", Errc::M107, 1, kMaxFeedForward));
        }
        if (std::uint64_t{m_values.expertsUsed} * m_values.expertFeedForward >
            std::numeric_limits<std::uint32_t>::max()) {
            return Error(Errc::M126, {"experts used × their feed-forward length"}, key("expert_used_count"));
        }
        return {};
    }

    const gguf::Metadata& m_metadata;
    const ArchSpec& m_spec;
    const std::string& m_prefix;
    HyperParameters m_values;
};

}  // namespace

Result<HyperParameters> readHyperParameters(const gguf::Metadata& metadata, const ArchSpec& spec,
                                            const std::string& prefix) {
    return Reader(metadata, spec, prefix).read();
}

}  // namespace loader::arch
