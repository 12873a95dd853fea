// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Writes the seeds of fuzz_gguf and fuzz_gguf_split below the folder that is named: small files from the list
// of malformed ones, one per answer, and written ones of every version and byte order.

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "core/engine/gguf/keys.h"
#include "core/engine/gguf/writer.h"
#include "tests/fuzz/split_input.h"
#include "tests/support/malformed_gguf.h"

using namespace loader;
using namespace loader::gguf;
using namespace loader::test;

namespace {

namespace fs = std::filesystem;
constexpr std::size_t kMaxSeedBytes = 1200;

void save(const fs::path& path, std::span<const std::byte> bytes) {
    fs::create_directories(path.parent_path());
    std::ofstream stream(path, std::ios::binary);
    stream.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    if (!stream) std::fprintf(stderr, "cannot write %s\n", path.string().c_str());
}

void writeMalformed(const fs::path& folder) {
    std::set<std::string> answers;
    for (const MalformedCase& one : malformedCases()) {
        if (one.error && !answers.insert(std::string(errorName(*one.error))).second) continue;
        const HoledFile file = one.build();
        if (file.size > kMaxSeedBytes) continue;
        const std::string digits = std::to_string(one.number);
        save(folder / ("case" + std::string(3 - digits.size(), '0') + digits), file.bytes);
    }
}

void fill(Writer& writer, const std::vector<std::byte>& data) {
    Metadata& metadata = writer.metadata();
    metadata.setText(keys::kArchitecture, "test");
    metadata.set<std::int8_t>("a", -1);
    metadata.set<std::uint64_t>("b", 1);
    metadata.set<float>("c", 0.5f);
    metadata.set<bool>("d", true);
    const std::string_view texts[] = {"", "x", "\xC3\xA4"};
    metadata.setTexts("e", texts);
    const std::int16_t numbers[] = {-1, 2};
    metadata.setArray<std::int16_t>("f", numbers);
    writer.setAlignment(8);
    const std::uint64_t shape[] = {4, 2};
    const std::uint64_t row[] = {32};
    writer.addTensor("t0", quant::TensorType::F32, shape, std::span(data).first(32));
    writer.addTensor("t1", quant::TensorType::Q4_0, row, std::span(data).first(18));
    writer.addTensor("t2", quant::TensorType::I8, row, std::span(data).first(32));
}

void writeWritten(const fs::path& root) {
    const std::vector<std::byte> data(32, std::byte{7});
    for (const std::uint32_t version : {1u, 2u, 3u}) {
        for (const ByteOrder order : {ByteOrder::Little, ByteOrder::Big}) {
            Writer writer({version, order});
            fill(writer, data);
            const std::string name =
                "v" + std::to_string(version) + (order == ByteOrder::Big ? "big" : "little");
            if (const auto bytes = writer.toBytes(); bytes.ok()) save(root / "fuzz_gguf" / name, *bytes);
            for (const std::size_t each : {1u, 2u}) {
                SplitInput input;
                auto parts = writer.splitToBytes(each);
                if (!parts.ok()) continue;
                input.parts = std::move(parts).value();
                input.nameCount = static_cast<std::uint32_t>(input.parts.size());
                input.opened = version % input.parts.size();
                save(root / "fuzz_gguf_split" / (name + std::to_string(each)), packSplit(input));
            }
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: write_gguf_seeds CORPUS_FOLDER\n");
        return 2;
    }
    writeMalformed(fs::path(argv[1]) / "fuzz_gguf");
    writeWritten(argv[1]);
    return 0;
}
