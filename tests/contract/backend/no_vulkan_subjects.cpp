// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "tests/contract/backend/vulkan_subjects.h"

namespace loader::test {

std::vector<Subject> vulkanSubjects() {
    return {};
}

std::unique_ptr<backend::Backend> makeVulkan(bool) {
    return nullptr;
}

}  // namespace loader::test
