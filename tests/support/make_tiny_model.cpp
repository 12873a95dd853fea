// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// make_tiny_model PATH [option=value ...]: tiny models for tests that are no C++. Options: architecture,
// type, embedding, layers, width, feed_forward, heads, kv_heads, context, experts, bpe, template, tied, seed,
// order (little, big), parts (tensors in each part of a split set; PATH is then the prefix).

#include <charconv>
#include <cstdio>
#include <map>
#include <string>

#include "tests/support/tiny_model.h"

namespace {

using namespace loader;

std::uint32_t numberOf(const std::string& text) {
    std::uint32_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

int fail(const std::string& sentence) {
    std::fprintf(stderr, "%s\n", sentence.c_str());
    return 1;
}

}  // namespace

int main(int count, char** words) {
    if (count < 2) return fail("make_tiny_model PATH [option=value ...]");
    std::map<std::string, std::string> given;
    for (int i = 2; i < count; ++i) {
        const std::string word = words[i];
        const std::size_t equals = word.find('=');
        if (equals == std::string::npos) return fail("no option=value: " + word);
        given[word.substr(0, equals)] = word.substr(equals + 1);
    }
    test::TinyModelOptions options;
    std::size_t parts = 0;
    const std::map<std::string, std::uint32_t*> numbers = {
        {"layers", &options.layers},   {"width", &options.width},      {"feed_forward", &options.feedForward},
        {"heads", &options.heads},     {"kv_heads", &options.kvHeads}, {"context", &options.context},
        {"experts", &options.experts},
    };
    for (const auto& [name, value] : given) {
        const auto number = numbers.find(name);
        const auto type = quant::typeFromName(value);
        if (number != numbers.end())
            *number->second = numberOf(value);
        else if (name == "architecture")
            options.architecture = value;
        else if (name == "type" && type)
            options.type = *type;
        else if (name == "embedding" && type)
            options.embeddingType = *type;
        else if (name == "bpe")
            options.bytePair = value == "1";
        else if (name == "template")
            options.chatTemplate = value == "1";
        else if (name == "tied")
            options.tiedHead = value == "1";
        else if (name == "seed")
            options.seed = numberOf(value);
        else if (name == "order")
            options.byteOrder = value == "big" ? gguf::ByteOrder::Big : gguf::ByteOrder::Little;
        else if (name == "parts")
            parts = numberOf(value);
        else
            return fail(std::string("not an option: ").append(name).append("=").append(value));
    }
    auto model = test::TinyModel::make(options);
    if (!model.ok()) return fail(model.error().toString());
    if (parts != 0) {
        const auto paths = model->writeSplit(words[1], parts);
        if (!paths.ok()) return fail(paths.error().toString());
        std::printf("%s\n", paths->front().c_str());
        return 0;
    }
    const auto written = model->write(words[1]);
    return written.ok() ? 0 : fail(written.error().toString());
}
