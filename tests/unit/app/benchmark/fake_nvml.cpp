// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A management library with the functions of NVIDIA's that are used: three devices, one of them asleep, one
// of them talking nonsense. What it reports is set by the test through fakeNvmlSetBusy.

namespace {
unsigned g_busy = 0;
int g_started = 0;
int g_devices[3];
struct Rates {
    unsigned gpu;
    unsigned memory;
};
constexpr int kNotSupported = 3;
}  // namespace

extern "C" {
__attribute__((visibility("default"))) int nvmlInit_v2() {
    ++g_started;
    return 0;
}
__attribute__((visibility("default"))) int nvmlShutdown() {
    --g_started;
    return 0;
}
__attribute__((visibility("default"))) int nvmlDeviceGetCount_v2(unsigned* count) {
    *count = 3;
    return 0;
}
__attribute__((visibility("default"))) int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
    *device = &g_devices[index];
    return 0;
}
__attribute__((visibility("default"))) int nvmlDeviceGetUtilizationRates(void* device, Rates* rates) {
    if (device == &g_devices[1]) return kNotSupported;
    *rates = {device == &g_devices[0] ? g_busy : 4'000'000'000u, 1};
    return 0;
}
__attribute__((visibility("default"))) void fakeNvmlSetBusy(unsigned percent) {
    g_busy = percent;
}
__attribute__((visibility("default"))) int fakeNvmlStarted() {
    return g_started;
}
}
