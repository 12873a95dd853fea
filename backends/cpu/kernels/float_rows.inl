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

/// Asks for the beginning of each page that is as far ahead of this row as a page is long. The processor
/// follows a stream by itself, but only to the end of a page: what is missing is the next page's address and
/// first lines (docs/adr/0013-few-token-kernels.md). Only a hint: the address may lie beyond the mapping.
inline void openPagesAhead(const std::byte* row, std::size_t bytes) {
#if defined(__GNUC__)
    constexpr std::uintptr_t kPage = 4096;
    const std::uintptr_t ahead = reinterpret_cast<std::uintptr_t>(row) + kPage;
    for (std::uintptr_t page = (ahead + kPage - 1) / kPage * kPage; page < ahead + bytes; page += kPage) {
        __builtin_prefetch(reinterpret_cast<const void*>(page));
        __builtin_prefetch(reinterpret_cast<const void*>(page + 64));
    }
#else
    (void)row;
    (void)bytes;
#endif
}

inline void emit(const RowsJob& job, std::size_t row, std::size_t token, float value) {
    float& out = job.out[token * job.outStride + row];
    out = job.accumulate ? out + value : value;
}

/// One row times `tokens` tokens; several sums per token hide the latency of the additions.
template <class Source, std::size_t tokens>
inline void multiplyFloatRow(const RowsJob& job, const std::byte* row, std::size_t rowIndex,
                             std::size_t firstToken) {
    constexpr std::size_t kSums = tokens == 1 ? 4 : tokens == 2 ? 2 : 1;
    const std::size_t columns = job.weights.columns;
    const float* x[tokens];
    Floats sums[tokens][kSums];
    LOADER_UNROLL
    for (std::size_t t = 0; t < tokens; ++t) {
        x[t] = job.activation.floats(firstToken + t);
        LOADER_UNROLL
        for (std::size_t u = 0; u < kSums; ++u)
            sums[t][u] = zero();
    }
    std::size_t i = 0;
    for (; i + kSums * kLanes <= columns; i += kSums * kLanes) {
        LOADER_UNROLL
        for (std::size_t u = 0; u < kSums; ++u) {
            const std::size_t k = i + u * kLanes;
            const Floats w = Source::read(row + k * Source::kBytes);
            LOADER_UNROLL
            for (std::size_t t = 0; t < tokens; ++t)
                sums[t][u] = multiplyAdd(w, load(x[t] + k), sums[t][u]);
        }
    }
    for (; i < columns; i += kLanes) {
        const std::size_t rest = columns - i < kLanes ? columns - i : kLanes;
        const Floats w = Source::readPart(row + i * Source::kBytes, rest);
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t) {
            sums[t][0] = multiplyAdd(w, loadPart(x[t] + i, rest), sums[t][0]);
        }
    }
    LOADER_UNROLL
    for (std::size_t t = 0; t < tokens; ++t) {
        Floats total = sums[t][0];
        LOADER_UNROLL
        for (std::size_t u = 1; u < kSums; ++u)
            total = add(total, sums[t][u]);
        emit(job, rowIndex, firstToken + t, sumOf(total));
    }
}

template <class Source>
inline void multiplyFloatRowAllTokens(const RowsJob& job, const std::byte* row, std::size_t rowIndex) {
    std::size_t t = 0;
    for (; t + 4 <= job.tokens; t += 4)
        multiplyFloatRow<Source, 4>(job, row, rowIndex, t);
    switch (job.tokens - t) {
        case 3: return multiplyFloatRow<Source, 3>(job, row, rowIndex, t);
        case 2: return multiplyFloatRow<Source, 2>(job, row, rowIndex, t);
        case 1: return multiplyFloatRow<Source, 1>(job, row, rowIndex, t);
        default: return;
    }
}

template <class Source>
void floatRows(const RowsJob& job) {
    for (std::size_t r = job.rowBegin; r < job.rowEnd; ++r) {
        const std::byte* row = job.weights.data + r * job.weights.rowBytes;
        openPagesAhead(row, job.weights.rowBytes);
        multiplyFloatRowAllTokens<Source>(job, row, r);
    }
}

/// Any type that core/engine/quant can decode.
void genericRows(const RowsJob& job) {
    auto* row = reinterpret_cast<float*>(job.scratch.data);
    for (std::size_t r = job.rowBegin; r < job.rowEnd; ++r) {
        const std::byte* in = job.weights.data + r * job.weights.rowBytes;
        quant::dequantizeRow(job.weights.type, in, row, job.weights.columns);
        multiplyFloatRowAllTokens<SourceF32>(job, reinterpret_cast<const std::byte*>(row), r);
    }
}
