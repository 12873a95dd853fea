// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Rows times few tokens in float: F32, F16 and BF16 straight from the file's layout, every other type by
// converting a row to float once for all tokens. Written against the vector vocabulary.

struct SourceF32 {
    static constexpr quant::TensorType kType = quant::TensorType::F32;
    static constexpr std::size_t kBytes = 4;
    static Floats read(const void* p) { return load(p); }
    static Floats readPart(const void* p, std::size_t count) { return loadPart(p, count); }
};

struct SourceF16 {
    static constexpr quant::TensorType kType = quant::TensorType::F16;
    static constexpr std::size_t kBytes = 2;
    static Floats read(const void* p) { return loadHalf(p); }
    static Floats readPart(const void* p, std::size_t count) { return loadHalfPart(p, count); }
};

struct SourceBF16 {
    static constexpr quant::TensorType kType = quant::TensorType::BF16;
    static constexpr std::size_t kBytes = 2;
    static Floats read(const void* p) { return loadBfloat(p); }
    static Floats readPart(const void* p, std::size_t count) { return loadBfloatPart(p, count); }
};

/// Several sums per token hide the latency of the additions.
template <class Source, std::size_t tokens>
struct FloatRow {
    static constexpr std::size_t kSums = tokens == 1 ? 2 : tokens == 2 ? 2 : 1;
    static constexpr std::size_t kStep = kSums * kLanes;
    const float* x[tokens];
    std::size_t columns;
    Floats sums[tokens][kSums];

    inline void open(const RowsJob& job, std::size_t firstToken) {
        columns = job.weights.columns;
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            x[t] = job.activation.floats(firstToken + t);
            LOADER_UNROLL
            for (std::size_t u = 0; u < kSums; ++u)
                sums[t][u] = zero();
        }
    }

    inline void step(const std::byte* row, std::size_t i) {
        LOADER_UNROLL
        for (std::size_t u = 0; u < kSums; ++u) {
            const std::size_t k = i + u * kLanes;
            const Floats w = Source::read(row + k * Source::kBytes);
            LOADER_UNROLL
            for (std::size_t t = 0; t < tokens; ++t)
                sums[t][u] = multiplyAdd(w, load(x[t] + k), sums[t][u]);
        }
    }

    inline void rest(const std::byte* row, std::size_t i) {
        for (; i < columns; i += kLanes) {
            const std::size_t count = columns - i < kLanes ? columns - i : kLanes;
            const Floats w = Source::readPart(row + i * Source::kBytes, count);
            LOADER_UNROLL
            for (std::size_t t = 0; t < tokens; ++t)
                sums[t][0] = multiplyAdd(w, loadPart(x[t] + i, count), sums[t][0]);
        }
    }

    inline float total(std::size_t t) const {
        Floats total = sums[t][0];
        LOADER_UNROLL
        for (std::size_t u = 1; u < kSums; ++u)
            total = add(total, sums[t][u]);
        return sumOf(total);
    }
};

template <class Source>
struct FloatRowOf {
    template <std::size_t tokens>
    using State = FloatRow<Source, tokens>;
};

template <class Source>
void floatRows(const RowsJob& job) {
    streamRows<FloatRowOf<Source>::template State>(job);
}

/// A row that was converted to floats in scratch, times all tokens.
inline void multiplyConvertedRow(const RowsJob& job, const float* row, std::size_t rowIndex) {
    RowsJob converted = job;
    converted.weights.type = quant::TensorType::F32;
    converted.weights.data = reinterpret_cast<const std::byte*>(row);
    converted.weights.rowBytes = 0;
    multiplyRow<FloatRowOf<SourceF32>::State>(converted, rowIndex);
}

/// Any type that core/engine/quant can decode.
void genericRows(const RowsJob& job) {
    auto* row = reinterpret_cast<float*>(job.scratch.data);
    for (std::size_t r = job.rowBegin; r < job.rowEnd; ++r) {
        const std::byte* in = job.weights.data + r * job.weights.rowBytes;
        quant::dequantizeRow(job.weights.type, in, row, job.weights.columns);
        multiplyConvertedRow(job, row, r);
    }
}
