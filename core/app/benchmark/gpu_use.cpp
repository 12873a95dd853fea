// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/benchmark/gpu_use.h"

#include <QLibrary>
#include <QString>
#include <algorithm>
#include <system_error>

namespace loader::app {
namespace {

constexpr double kAll = 100.0;

std::optional<double> larger(std::optional<double> a, std::optional<double> b) {
    if (!a || !b) return a ? a : b;
    return std::max(*a, *b);
}

/// The part of the management library that is used.
class NvmlUse final : public GpuUseReader {
public:
    struct Rates {
        unsigned gpu;
        unsigned memory;
    };
    using Device = struct NvmlDevice*;
    using Init = int (*)();
    using Count = int (*)(unsigned*);
    using Handle = int (*)(unsigned, Device*);
    using Utilisation = int (*)(Device, Rates*);

    explicit NvmlUse(const QString& library) : m_library(library) {}
    ~NvmlUse() override {
        // Not unloaded: the driver's threads may still be in it.
        if (m_started && m_shutdown) m_shutdown();
    }

    bool open() {
        if (!m_library.load()) return false;
        const auto init = reinterpret_cast<Init>(m_library.resolve("nvmlInit_v2"));
        const auto count = reinterpret_cast<Count>(m_library.resolve("nvmlDeviceGetCount_v2"));
        const auto handle = reinterpret_cast<Handle>(m_library.resolve("nvmlDeviceGetHandleByIndex_v2"));
        m_shutdown = reinterpret_cast<Init>(m_library.resolve("nvmlShutdown"));
        m_rates = reinterpret_cast<Utilisation>(m_library.resolve("nvmlDeviceGetUtilizationRates"));
        if (!init || !count || !handle || !m_rates || init() != 0) return false;
        m_started = true;
        unsigned devices = 0;
        if (count(&devices) != 0) return false;
        for (unsigned i = 0; i < std::min(devices, kMostDevices); ++i) {
            Device device = nullptr;
            if (handle(i, &device) == 0) m_devices.push_back(device);
        }
        return !m_devices.empty();
    }

    std::optional<double> busyPercent() override {
        std::optional<double> busiest;
        for (const Device device : m_devices) {
            Rates rates{0, 0};
            if (m_rates(device, &rates) == 0 && rates.gpu <= kAll)
                busiest = larger(busiest, static_cast<double>(rates.gpu));
        }
        return busiest;
    }

private:
    static constexpr unsigned kMostDevices = 64;

    QLibrary m_library;
    bool m_started = false;
    Init m_shutdown = nullptr;
    Utilisation m_rates = nullptr;
    std::vector<Device> m_devices;
};

/// The busiest of all.
class AllUse final : public GpuUseReader {
public:
    void add(std::unique_ptr<GpuUseReader> reader) {
        if (reader) m_readers.push_back(std::move(reader));
    }
    std::optional<double> busyPercent() override {
        std::optional<double> busiest;
        for (const auto& reader : m_readers)
            busiest = larger(busiest, reader->busyPercent());
        return busiest;
    }

private:
    std::vector<std::unique_ptr<GpuUseReader>> m_readers;
};

}  // namespace

SysfsGpuUse::SysfsGpuUse(const SystemText& system) : m_system(system) {
    constexpr const char* kFolder = "/sys/class/drm/";
    for (const std::string& name : m_system.names(kFolder)) {
        const std::string file = kFolder + name + "/device/gpu_busy_percent";
        // "card0-HDMI-A-1" is a socket of card0.
        if (name.starts_with("card") && name.find('-') == std::string::npos && m_system.exists(file))
            m_files.push_back(file);
    }
}

std::optional<double> SysfsGpuUse::busyPercent() {
    std::optional<double> busiest;
    for (const std::string& file : m_files) {
        const auto told = m_system.number(file);
        if (told && *told <= 100) busiest = larger(busiest, static_cast<double>(*told));
    }
    return busiest;
}

std::unique_ptr<GpuUseReader> openNvml(const std::string& library) {
#ifdef Q_OS_WIN
    const char* const kUsual = "nvml.dll";
#else
    const char* const kUsual = "libnvidia-ml.so.1";
#endif
    auto reader = std::make_unique<NvmlUse>(QString::fromStdString(library.empty() ? kUsual : library));
    if (!reader->open()) return nullptr;
    return reader;
}

std::unique_ptr<GpuUseReader> systemGpuUse() {
    auto all = std::make_unique<AllUse>();
    all->add(std::make_unique<SysfsGpuUse>());
    all->add(openNvml());
    return all;
}

GpuUseMonitor::GpuUseMonitor(std::unique_ptr<GpuUseReader> reader, std::chrono::milliseconds interval)
    : m_reader(std::move(reader)), m_interval(interval) {}

GpuUseMonitor::~GpuUseMonitor() {
    static_cast<void>(stop());
}

void GpuUseMonitor::start() {
    static_cast<void>(stop());
    m_sum = 0.0;
    m_count = 0;
    m_stopping = false;
    try {
        m_thread = std::thread([this] { watch(); });
    } catch (const std::system_error&) {
        // Without a thread nothing is known, and nothing is lost.
        m_thread = std::thread();
    }
}

std::optional<double> GpuUseMonitor::stop() {
    m_stopping = true;
    if (m_thread.joinable()) m_thread.join();
    if (m_count == 0) return std::nullopt;
    return m_sum / static_cast<double>(m_count);
}

void GpuUseMonitor::watch() {
    constexpr auto kStep = std::chrono::milliseconds(10);
    auto waited = m_interval;
    while (!m_stopping) {
        if (waited >= m_interval) {
            const auto busy = m_reader->busyPercent();
            if (!busy) return;
            m_sum += *busy;
            ++m_count;
            waited = std::chrono::milliseconds(0);
        }
        std::this_thread::sleep_for(kStep);
        waited += kStep;
    }
}

}  // namespace loader::app
