// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Results of probes on disk, one file for each back end, so that a start asks no driver that it has asked
// before. They hold as long as the identity of the drivers is the same (driver_identity.h), failures too: a
// driver that hangs costs its time limit once. The files may be lost and are never trusted.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/app/hardware/gpu_facts.h"

namespace loader::app {

/// @thread const; two programs may use one folder
class ProbeCache {
public:
    explicit ProbeCache(std::string folder) : m_folder(std::move(folder)) {}
    /// `probes` in the user's cache folder of this application.
    static std::string defaultFolder();

    /// What was stored under this identity; nothing where that is missing, damaged or of other drivers. What
    /// changes by the minute (free memory, budgets) is left out.
    std::optional<ProbedBackend> find(const std::string& backend, std::string_view identity) const;
    /// @errors X003 not a usable probe, F804, F806
    Status store(const ProbedBackend& probe, std::string_view identity) const;
    /// @errors F806
    Status forget(const std::string& backend) const;

private:
    std::string m_folder;
};

}  // namespace loader::app
