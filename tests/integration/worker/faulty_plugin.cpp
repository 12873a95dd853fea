// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A back end that is broken in one way; FAULT says which. Each becomes a real plugin file that a worker
// loads.

#include <QObject>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include "backends/api/device_list.h"
#include "backends/api/plugin.h"

#define FAULT_NONE 0
#define FAULT_MISSING_SYMBOL 1
#define FAULT_CRASH_IN_INITIALISER 2
#define FAULT_HANG_IN_INITIALISER 3
#define FAULT_EXIT_IN_INITIALISER 4
#define FAULT_THROW_IN_FACTORY 5
#define FAULT_NULL_FROM_FACTORY 6
#define FAULT_ILLEGAL_INSTRUCTION 7
#define FAULT_CRASH_IN_PROBE 8
#define FAULT_HANG_IN_PROBE 9
#define FAULT_ABORT_IN_PROBE 10
#define FAULT_NO_DEVICE 11
#define FAULT_PROBE_FAILS 12
#define FAULT_HUGE_SIZES 13

namespace {

[[noreturn]] void hang() {
    while (true)
        std::this_thread::sleep_for(std::chrono::hours(1));
}

#if FAULT == FAULT_MISSING_SYMBOL
}  // namespace
extern "C" int loader_symbol_that_nobody_has();
namespace {
#endif

struct AtStart {
    AtStart() {
#if FAULT == FAULT_CRASH_IN_INITIALISER
        std::raise(SIGSEGV);
#elif FAULT == FAULT_HANG_IN_INITIALISER
        hang();
#elif FAULT == FAULT_EXIT_IN_INITIALISER
        std::_Exit(0);
#endif
    }
};
const AtStart g_atStart;

using namespace loader;

class FaultyBackend final : public backend::Backend {
public:
    std::string id() const override { return "faulty"; }
    Result<std::vector<backend::DeviceFacts>> devices() override {
#if FAULT == FAULT_CRASH_IN_PROBE
        std::raise(SIGSEGV);
#elif FAULT == FAULT_HANG_IN_PROBE
        hang();
#elif FAULT == FAULT_ABORT_IN_PROBE
        std::abort();
#elif FAULT == FAULT_NO_DEVICE
        return std::vector<backend::DeviceFacts>{};
#elif FAULT == FAULT_PROBE_FAILS
        return Error(Errc::B703, {"faulty", "the driver is too old"});
#endif
        backend::DeviceFacts device;
        device.id = "faulty-0";
        device.name = "A faulty device";
        device.kind = backend::DeviceKind::DiscreteGpu;
        return std::vector<backend::DeviceFacts>{device};
    }
    Result<backend::DeviceFacts> device(const std::string& id) override {
        return backend::findDevice(*this, id);
    }
    Result<backend::PlanReport> plan(const graph::Program&, std::span<const std::uint32_t>,
                                     const std::string&, const backend::LoadOptions&) override {
        backend::PlanReport report;
#if FAULT == FAULT_HUGE_SIZES
        report.needed.weights = ~std::uint64_t{0};
        report.needed.kv = ~std::uint64_t{0};
#else
        report.unsupported.push_back("it runs nothing");
#endif
        return report;
    }
    Result<std::unique_ptr<backend::Model>> load(const graph::Program&, backend::Weights,
                                                 std::span<const std::uint32_t>, const std::string&,
                                                 const backend::LoadOptions&, backend::Progress*,
                                                 CancelToken) override {
        return Error(Errc::B703, {"faulty", "it cannot load anything"});
    }
};

}  // namespace

class FaultyPlugin final : public QObject, public backend::BackendPlugin {
    Q_OBJECT
    Q_PLUGIN_METADATA(IID LOADER_BACKEND_IID FILE "faulty.json")
    Q_INTERFACES(loader::backend::BackendPlugin)

public:
    Result<std::unique_ptr<backend::Backend>> create() override {
#if FAULT == FAULT_THROW_IN_FACTORY
        throw std::runtime_error("the factory is shut");
#elif FAULT == FAULT_NULL_FROM_FACTORY
        return std::unique_ptr<backend::Backend>();
#elif FAULT == FAULT_ILLEGAL_INSTRUCTION
        std::raise(SIGILL);
#elif FAULT == FAULT_MISSING_SYMBOL
        if (loader_symbol_that_nobody_has() == 1) hang();
#endif
        return std::unique_ptr<backend::Backend>(std::make_unique<FaultyBackend>());
    }
};

#include "faulty_plugin.moc"
