// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "tests/support/vulkan_faults/fault_record.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace loader::test {

FaultRecord* mapFaultRecord(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) return nullptr;
    struct stat facts {};
    void* mapped = MAP_FAILED;
    // A file that grows is full of zeros, which is an empty record.
    const bool grown =
        ::fstat(file, &facts) == 0 && (facts.st_size >= static_cast<off_t>(sizeof(FaultRecord)) ||
                                       ::ftruncate(file, static_cast<off_t>(sizeof(FaultRecord))) == 0);
    if (grown) mapped = ::mmap(nullptr, sizeof(FaultRecord), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ::close(file);
    return mapped == MAP_FAILED ? nullptr : static_cast<FaultRecord*>(mapped);
}

void unmapFaultRecord(FaultRecord* record) {
    if (record != nullptr) ::munmap(record, sizeof(FaultRecord));
}

}  // namespace loader::test
