// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Where a model's weights are for the back ends: mapped and used in place, or read into memory (asked for, or
// because the file has the other byte order). Also locks them and asks the system to read ahead.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "backends/api/backend.h"
#include "core/engine/gguf/model_file.h"
#include "core/host/mapping_guard.h"

namespace loader::host {

struct WeightOptions {
    bool useMmap = true;
    bool lockMemory = false;
};

/// @thread const after open. The model file must outlive it.
class ModelWeights {
public:
    /// @errors F801, F805, R901 no memory for the copy, X002
    static Result<std::unique_ptr<ModelWeights>> open(gguf::ModelFile& file, const graph::Program& program,
                                                      const WeightOptions& options,
                                                      backend::Progress* progress, CancelToken cancel);
    ~ModelWeights();
    ModelWeights(const ModelWeights&) = delete;
    ModelWeights& operator=(const ModelWeights&) = delete;

    /// Parallel to Program::weights.
    backend::Weights weights() const { return m_weights; }
    /// Bytes that were read into memory of this process; 0 where the file is mapped.
    std::uint64_t copiedBytes() const { return m_copiedBytes; }
    std::uint64_t totalBytes() const { return m_totalBytes; }
    /// True once a page of a mapped file was missing.
    bool damaged() const;
    const std::string& mapEffect() const { return m_mapEffect; }
    const std::string& lockEffect() const { return m_lockEffect; }

private:
    struct FreeAligned {
        void operator()(std::byte* memory) const;
    };
    using Block = std::unique_ptr<std::byte[], FreeAligned>;

    ModelWeights() = default;
    void place(const gguf::ModelFile& file, const graph::Program& program);
    Status copy(const gguf::ModelFile& file, const graph::Program& program, backend::Progress* progress,
                CancelToken cancel);
    void lock(const gguf::ModelFile& file);
    bool lockCopies() const;
    void readAhead(const gguf::ModelFile& file);

    std::vector<backend::Weight> m_weights;
    std::vector<Block> m_blocks;
    std::vector<std::unique_ptr<MappingGuard>> m_guards;
    std::uint64_t m_copiedBytes = 0;
    std::uint64_t m_totalBytes = 0;
    std::string m_mapEffect;
    std::string m_lockEffect = "not asked";
    std::thread m_reader;
    std::atomic<bool> m_stopReader{false};
};

}  // namespace loader::host
