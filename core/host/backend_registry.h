// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Which back ends there are: the linked-in one first, then plugins of one folder, whose JSON metadata is read
// without loading them. A plugin that cannot be used stays in the list with the reason.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backends/api/backend.h"

namespace loader::host {

enum class BackendState : std::uint8_t {
    /// There, but refused; see refusal.
    Found,
    /// Metadata fits this program; not loaded yet.
    Compatible,
    Loaded,
};
/// "found", "compatible" or "loaded".
std::string_view nameOf(BackendState state);

struct BackendFacts {
    std::string id;
    std::string displayName;
    /// Empty for a back end that is linked in.
    std::string path;
    int priority = 0;
    /// False: only used when asked for by name.
    bool automatic = false;
    /// True: it is of no use where nothing may be on a GPU.
    bool gpuOnly = false;
    BackendState state = BackendState::Found;
    /// B706 another version, B707 not a usable plugin.
    std::optional<Error> refusal;
};

/// @thread confined to one thread; the back ends themselves as backend.h says.
class BackendRegistry {
public:
    /// Looks through a folder; a missing folder holds nothing. The linked-in back end is always there.
    explicit BackendRegistry(const std::string& folder);
    ~BackendRegistry();
    BackendRegistry(const BackendRegistry&) = delete;
    BackendRegistry& operator=(const BackendRegistry&) = delete;

    /// ../lib/gguf-loader/backends beside the program.
    static std::string defaultFolder();

    std::span<const BackendFacts> backends() const { return m_facts; }
    /// Loads the back end on first use; it lives as long as the registry.
    /// @errors B701 not known, B706, B707, B703 its factory failed
    Result<backend::Backend*> open(const std::string& id);
    /// Back ends that may be chosen without being named, best first, the linked-in one last.
    std::vector<std::string> automaticOrder() const;
    /// Whether a back end says of itself that it runs on GPUs only; it is not opened to learn that.
    bool isGpuOnly(const std::string& id) const;
    /// For messages: "cpu, reference".
    std::string knownIds() const;

private:
    struct Slot;
    void addLinkedIn();
    void addPlugin(const std::string& path);

    std::vector<BackendFacts> m_facts;
    std::vector<std::unique_ptr<Slot>> m_slots;  // parallel to m_facts
};

}  // namespace loader::host
