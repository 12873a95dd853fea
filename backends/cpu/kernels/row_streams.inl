// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The frame of every kernel that multiplies rows in the layout of the file: which rows are read at once, and
// how many tokens. The sums of one row are a State, which the formats define:
//
//   static constexpr std::size_t kStep     values in one step, which reads the row in the order of the file
//   void open(job, firstToken)             before the row
//   void step(row, i)                      values i to i + kStep
//   void rest(row, i)                      from i to the row's end, less than a step
//   float total(t)                         of token t

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

/// `streams` rows, `apart` rows from one to the next, times `tokens` tokens.
template <template <std::size_t> class State, std::size_t streams, std::size_t tokens>
inline void multiplyStreams(const RowsJob& job, std::size_t firstRow, std::size_t apart,
                            std::size_t firstToken) {
    State<tokens> states[streams];
    const std::byte* rows[streams];
    LOADER_UNROLL
    for (std::size_t k = 0; k < streams; ++k) {
        rows[k] = job.weights.data + (firstRow + k * apart) * job.weights.rowBytes;
        states[k].open(job, firstToken);
    }
    constexpr std::size_t kStep = State<tokens>::kStep;
    std::size_t i = 0;
    for (; i + kStep <= job.weights.columns; i += kStep) {
        LOADER_UNROLL
        for (std::size_t k = 0; k < streams; ++k)
            states[k].step(rows[k], i);
    }
    LOADER_UNROLL
    for (std::size_t k = 0; k < streams; ++k) {
        if (i < job.weights.columns) states[k].rest(rows[k], i);
        LOADER_UNROLL
        for (std::size_t t = 0; t < tokens; ++t)
            emit(job, firstRow + k * apart, firstToken + t, states[k].total(t));
    }
}

/// One row times all tokens. Where several rows are read side by side, the processor finds the next pages by
/// itself in time.
template <template <std::size_t> class State>
inline void multiplyRow(const RowsJob& job, std::size_t row) {
    openPagesAhead(job.weights.data + row * job.weights.rowBytes, job.weights.rowBytes);
    std::size_t t = 0;
    for (; t + 4 <= job.tokens; t += 4)
        multiplyStreams<State, 1, 4>(job, row, 0, t);
    switch (job.tokens - t) {
        case 3: return multiplyStreams<State, 1, 3>(job, row, 0, t);
        case 2: return multiplyStreams<State, 1, 2>(job, row, 0, t);
        case 1: return multiplyStreams<State, 1, 1>(job, row, 0, t);
        default: return;
    }
}

/// Rows of a range that are read side by side (docs/adr/0015-streams-and-large-pages.md).
constexpr std::size_t kStreams = 4;

/// One token is bound by memory, and a single stream of weights keeps too few lines of it on their way: the
/// range is cut in parts, whose first rows come first, then their second.
template <template <std::size_t> class State>
void streamRows(const RowsJob& job) {
    std::size_t row = job.rowBegin;
    if (job.tokens == 1) {
        const std::size_t apart = (job.rowEnd - job.rowBegin) / kStreams;
        for (; row < job.rowBegin + apart; ++row)
            multiplyStreams<State, kStreams, 1>(job, row, apart, 0);
        row += (kStreams - 1) * apart;
    }
    for (; row < job.rowEnd; ++row)
        multiplyRow<State>(job, row);
}
