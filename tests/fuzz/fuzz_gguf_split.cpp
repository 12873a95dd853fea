// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// One to five files as the parts of a model. What opens must add up; what does not must name a part.

#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/engine/gguf/model_file.h"
#include "tests/fuzz/split_input.h"

using namespace loader;
using namespace loader::gguf;

namespace {

void promise(bool kept) {
    if (!kept) __builtin_trap();
}

void checkModel(ModelFile& model) {
    promise(model.map().ok());
    std::size_t held = 0;
    for (std::size_t i = 0; i < model.shards(); ++i)
        held += model.shard(i).tensors().size();
    promise(held == model.tensors().size());
    std::set<std::string_view> names;
    for (const TensorInfo& tensor : model.tensors()) {
        promise(names.insert(tensor.name).second);
        promise(tensor.shard < model.shards());
        promise(model.tensorData(tensor).size() == tensor.bytes);
        promise(model.tensor(tensor.name) == &tensor);
    }
    promise(model.checkUnchanged().ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const test::SplitInput input = test::unpackSplit(std::as_bytes(std::span(data, size)));
    ShardName name;
    name.prefix = "m";
    name.count = input.nameCount;
    std::vector<MemoryFile> folder;
    for (std::size_t i = 0; i < input.parts.size(); ++i) {
        folder.push_back({name.path(static_cast<std::uint32_t>(i + 1)), input.parts[i]});
    }
    const std::string opened = name.path(static_cast<std::uint32_t>(input.opened + 1));
    OpenOptions options;
    options.acceptSideFiles = true;
    const auto model = ModelFile::openMemory(folder, opened, options);
    if (!model.ok()) {
        promise(model.error().place().find("m-0") != std::string::npos);
        return 0;
    }
    checkModel(**model);
    return 0;
}
