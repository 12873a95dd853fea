// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// How busy graphics processors are while a model runs, where the system tells: AMD's driver by a file,
// NVIDIA's by its management library, which is opened only where it is there. No process is started.
// Everywhere else the honest answer is that it is not known.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/engine/base/system_text.h"

namespace loader::app {

/// @thread one thread at a time
class GpuUseReader {
public:
    virtual ~GpuUseReader() = default;
    /// Of the busiest GPU; nothing where none tells. @unit percent, 0 to 100
    virtual std::optional<double> busyPercent() = 0;
};

/// /sys/class/drm/card*/device/gpu_busy_percent, which amdgpu has.
/// @source Linux kernel documentation, "amdgpu: GPU power, thermal controls and monitoring"
class SysfsGpuUse final : public GpuUseReader {
public:
    explicit SysfsGpuUse(const SystemText& system = SystemText());
    std::optional<double> busyPercent() override;

private:
    SystemText m_system;
    std::vector<std::string> m_files;
};

/// NVIDIA's management library; null where there is none, or where it finds no GPU.
/// @param library its file; empty is the usual name
/// @source NVML API reference: nvmlInit_v2, nvmlDeviceGetUtilizationRates
std::unique_ptr<GpuUseReader> openNvml(const std::string& library = {});

/// All that this system has; tells nothing where it has none.
std::unique_ptr<GpuUseReader> systemGpuUse();

/// Asks again and again beside the work, and gives the mean.
/// @thread start and stop belong to one thread
class GpuUseMonitor {
public:
    explicit GpuUseMonitor(std::unique_ptr<GpuUseReader> reader,
                           std::chrono::milliseconds interval = std::chrono::milliseconds(200));
    ~GpuUseMonitor();
    GpuUseMonitor(const GpuUseMonitor&) = delete;
    GpuUseMonitor& operator=(const GpuUseMonitor&) = delete;

    /// Forgets what was measured before.
    void start();
    /// Nothing where nobody told anything.
    std::optional<double> stop();

private:
    void watch();

    std::unique_ptr<GpuUseReader> m_reader;
    std::chrono::milliseconds m_interval;
    std::atomic<bool> m_stopping{false};
    std::thread m_thread;
    double m_sum = 0.0;
    std::size_t m_count = 0;
};

}  // namespace loader::app
