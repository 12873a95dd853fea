// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A real computation for sandbox_probe: before the sandbox is entered, across it, and wholly inside.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/engine/base/result.h"
#include "core/host/loaded_model.h"

namespace loader::test {

/// As many as a comparison of bits needs to have work shared out.
inline constexpr unsigned kProbeThreads = 2;

/// @thread confined
class ProbeEngine {
public:
    /// Loads by path with the host's own loader, as --in-process does.
    static Result<std::unique_ptr<ProbeEngine>> load(const std::string& path, unsigned threads);

    /// Logits after a fixed prompt and eight tokens one by one, from an empty context.
    Result<std::vector<float>> compute();
    /// Processor seconds of all threads for so many tokens, one by one.
    Result<double> measure(std::size_t tokens);

private:
    host::BackendRegistry m_registry{""};
    std::unique_ptr<host::LoadedModel> m_model;
};

/// The same logits by parsing, loading and computing from a descriptor, without any path.
Result<std::vector<float>> computeFromDescriptor(int descriptor);

}  // namespace loader::test
