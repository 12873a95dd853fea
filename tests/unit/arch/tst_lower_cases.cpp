// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What arch::lower() answers to a small valid model with one thing wrong: the 46 cases of the test plan, the
// malformed files whose judge is the architecture, and cases that the plan does not list.
//
// Not judged here, because lowering cannot: M44 (weights that are no numbers: M131 comes from the check of
// weights, what forward() does with them is in the contract tests), M45 (weights of zero: contract tests),
// M46 (M140: the host compares what plan() needs with the memory that is free).

#include <QTest>
#include <functional>
#include <limits>
#include <map>

#include "tests/support/malformed_gguf.h"
#include "tests/support/model_parts.h"

using namespace loader;
using namespace loader::test;

namespace {

using Change = std::function<void(ModelParts&)>;

struct Case {
    const char* name;
    /// Nothing where the model must be accepted.
    std::optional<Errc> error;
    Change change;
    /// What the sentence must contain.
    const char* says = "";
    const char* variant = "llama";
};

template <class T>
Change set(const char* key, T value) {
    return [key = std::string(key), value](ModelParts& parts) { parts.metadata.set<T>(key, value); };
}
Change setText(const char* key, const std::string& text) {
    return [key = std::string(key), text](ModelParts& parts) { parts.metadata.setText(key, text); };
}
Change setList(const char* key, const std::vector<std::uint32_t>& values) {
    return [key = std::string(key), values](ModelParts& parts) {
        parts.metadata.setArray<std::uint32_t>(key, values);
    };
}
Change removeKey(const char* key) {
    return [key = std::string(key)](ModelParts& parts) { parts.metadata.remove(key); };
}
Change reshape(const char* tensor, const std::vector<std::uint64_t>& dims) {
    return [tensor, dims](ModelParts& parts) { parts.find(tensor)->dims = dims; };
}
Change retype(const char* tensor, quant::TensorType type) {
    return [tensor, type](ModelParts& parts) { parts.find(tensor)->type = type; };
}
Change fill(std::uint8_t value) {
    return [value](ModelParts& parts) {
        for (PartTensor& tensor : parts.tensors)
            std::fill(tensor.data.begin(), tensor.data.end(), std::byte{value});
    };
}
Change both(const Change& first, const Change& second) {
    return [first, second](ModelParts& parts) {
        first(parts);
        second(parts);
    };
}

/// A copy of a variant; making one from random numbers each time takes a quarter of a second.
Result<ModelParts> copyOf(const std::string& variant) {
    static std::map<std::string, ModelParts> made;
    auto found = made.find(variant);
    if (found == made.end()) {
        LOADER_TRY(ModelParts parts, makeVariant(variant));
        found = made.emplace(variant, std::move(parts)).first;
    }
    return found->second.clone();
}

constexpr std::uint32_t kMax32 = 0xFFFFFFFFu;
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

std::vector<Case> planCases() {
    return {
        {"M1 no architecture", Errc::M101, removeKey("general.architecture")},
        {"M1 unknown architecture", Errc::M102, setText("general.architecture", "foo"), "foo"},
        {"M1 architecture of 10 KiB", Errc::M101, setText("general.architecture", std::string(10'240, 'a'))},
        {"M2 no layers", Errc::M103, set<std::uint32_t>("llama.block_count", 0)},
        {"M3 2^32 - 1 layers", Errc::M103, set<std::uint32_t>("llama.block_count", kMax32)},
        {"M4 10000 layers", Errc::M103, set<std::uint32_t>("llama.block_count", 10'000)},
        {"M5 -1 layers", Errc::M103, set<std::int64_t>("llama.block_count", -1)},
        {"M6 layers as a text", Errc::M103, setText("llama.block_count", "32")},
        {"M7 width 0", Errc::M104, set<std::uint32_t>("llama.embedding_length", 0)},
        {"M8 width 1", Errc::M104, set<std::uint32_t>("llama.embedding_length", 1)},
        {"M9 width 2^31", Errc::M104, set<std::uint32_t>("llama.embedding_length", 1u << 31)},
        {"M10 width no multiple of the heads", Errc::M104, set<std::uint32_t>("llama.embedding_length", 254),
         "254"},
        {"M11 no heads", Errc::M105, set<std::uint32_t>("llama.attention.head_count", 0)},
        {"M12 more heads than width", Errc::M105, set<std::uint32_t>("llama.attention.head_count", 257)},
        {"M13 heads for one layer too few", Errc::M105, setList("llama.attention.head_count", {4}),
         "1 values for 2 layers"},
        {"M14 no heads in one layer", Errc::M105, setList("llama.attention.head_count", {4, 0}), "layer 1"},
        {"M15 no kv heads", Errc::M106, set<std::uint32_t>("llama.attention.head_count_kv", 0)},
        {"M16 more kv heads than heads", Errc::M106, set<std::uint32_t>("llama.attention.head_count_kv", 8)},
        {"M17 kv heads do not divide heads", Errc::M106,
         set<std::uint32_t>("llama.attention.head_count_kv", 3)},
        {"M18 feed-forward length 0", Errc::M107, set<std::uint32_t>("llama.feed_forward_length", 0)},
        {"M19 feed-forward length 2^32 - 1", Errc::M107,
         set<std::uint32_t>("llama.feed_forward_length", kMax32)},
        {"M20 context 0", Errc::M108, set<std::uint32_t>("llama.context_length", 0)},
        {"M21 context 1", std::nullopt, set<std::uint32_t>("llama.context_length", 1)},
        {"M22 context 2^32 - 1", std::nullopt, set<std::uint32_t>("llama.context_length", kMax32)},
        {"M23 odd rotary size", Errc::M109, set<std::uint32_t>("llama.rope.dimension_count", 63)},
        {"M24 rotary size above the head", Errc::M109, set<std::uint32_t>("llama.rope.dimension_count", 66)},
        {"M25 rotary size 0", Errc::M109, set<std::uint32_t>("llama.rope.dimension_count", 0)},
        {"M26 rope base 0", Errc::M120, set("llama.rope.freq_base", 0.0f), "llama.rope.freq_base"},
        {"M27 rope base negative", Errc::M120, set("llama.rope.freq_base", -10000.0f)},
        {"M28 rope base NaN", Errc::M120, set("llama.rope.freq_base", kNaN)},
        {"M29 rope base 1e38", Errc::M120, set("llama.rope.freq_base", 1e38f)},
        {"M30 scaling factor 0", Errc::M120, set("llama.rope.scaling.factor", 0.0f)},
        {"M31 scaling factor NaN", Errc::M120, set("llama.rope.scaling.factor", kNaN)},
        {"M32 epsilon 0", Errc::M120, set("llama.attention.layer_norm_rms_epsilon", 0.0f)},
        {"M33 epsilon negative", Errc::M120, set("llama.attention.layer_norm_rms_epsilon", -1e-5f)},
        {"M34 more experts used than there are", Errc::M121, set<std::uint32_t>("llama.expert_used_count", 5),
         "", "llama-experts"},
        {"M35 2^31 experts", Errc::M121, set<std::uint32_t>("llama.expert_count", 1u << 31), "",
         "llama-experts"},
        {"M36 no experts used", Errc::M121, set<std::uint32_t>("llama.expert_used_count", 0), "",
         "llama-experts"},
        {"M37 vocab_size disagrees", Errc::M122, set<std::uint32_t>("llama.vocab_size", 7), "says 7"},
        {"M37 word list disagrees", Errc::M122,
         [](ModelParts& parts) {
             const std::vector<std::string_view> words{"a", "b"};
             parts.metadata.setTexts("tokenizer.ggml.tokens", words);
         },
         "says 2"},
        {"M37 table disagrees", Errc::M122, reshape("token_embd.weight", {256, 9}), "has 9 rows"},
        {"M38 missing tensor", Errc::M123, [](ModelParts& parts) { parts.remove("blk.0.attn_q.weight"); },
         "blk.0.attn_q.weight is missing; expected [256, 256]"},
        {"M40 table transposed", Errc::M125,
         [](ModelParts& parts) {
             std::vector<std::uint64_t>& dims = parts.find("token_embd.weight")->dims;
             std::swap(dims[0], dims[1]);
         },
         "token_embd.weight has shape ["},
        {"M41 head of type F64", Errc::M130, retype("output.weight", quant::TensorType::F64), "F64"},
        {"M41 head of type I32", Errc::M130, retype("output.weight", quant::TensorType::I32), "I32"},
        {"M41 head of type Q8_1", Errc::M130, retype("output.weight", quant::TensorType::Q8_1), "Q8_1"},
        {"M42 another head size in one layer", Errc::M125, reshape("blk.1.attn_q.weight", {256, 128}),
         "blk.1.attn_q.weight has shape [256, 128]; expected [256, 256]"},
        {"M43 heads x key length above 32 bits", Errc::M126,
         set<std::uint32_t>("llama.attention.key_length", 1u << 30)},
        {"M44 weights that are no numbers", std::nullopt, fill(0xFF)},
        {"M45 weights of zero", std::nullopt, fill(0)},
    };
}

std::vector<Case> furtherCases() {
    return {
        {"architecture is a number", Errc::M101, set<std::uint32_t>("general.architecture", 1)},
        {"no layer count", Errc::M103, removeKey("llama.block_count"), "missing"},
        {"heads as a list of floats", Errc::M105,
         [](ModelParts& parts) {
             const std::vector<float> values{4.0f, 4.0f};
             parts.metadata.setArray<float>("llama.attention.head_count", values);
         }},
        {"heads x key length above 32 bits in a later layer", Errc::M126,
         both(both(set<std::uint32_t>("llama.embedding_length", 1u << 16),
                   setList("llama.attention.head_count", {1, 1u << 16})),
              both(removeKey("llama.attention.head_count_kv"),
                   set<std::uint32_t>("llama.attention.key_length", 1u << 17)))},
        {"heads x value length above 32 bits", Errc::M126,
         both(both(set<std::uint32_t>("llama.embedding_length", 1u << 16),
                   set<std::uint32_t>("llama.attention.head_count", 1u << 16)),
              both(removeKey("llama.attention.head_count_kv"),
                   both(set<std::uint32_t>("llama.attention.key_length", 64),
                        set<std::uint32_t>("llama.attention.value_length", 1u << 20))))},
        {"experts used x their length above 32 bits", Errc::M126,
         both(set<std::uint32_t>("llama.expert_count", 4096),
              both(set<std::uint32_t>("llama.expert_used_count", 4096),
                   set<std::uint32_t>("llama.expert_feed_forward_length", 1u << 24))),
         "", "llama-experts"},
        {"value length 0", Errc::M105, set<std::uint32_t>("llama.attention.value_length", 0)},
        {"rope base 1", Errc::M120, set("llama.rope.freq_base", 1.0f)},
        {"rope base as a text", Errc::M111, setText("llama.rope.freq_base", "10000")},
        {"epsilon infinite", Errc::M120,
         set("llama.attention.layer_norm_rms_epsilon", std::numeric_limits<float>::infinity())},
        {"unknown scaling", Errc::M127, setText("llama.rope.scaling.type", "longrope"), "longrope"},
        {"scaling of type none", std::nullopt,
         both(setText("llama.rope.scaling.type", "none"), set("llama.rope.scaling.factor", 4.0f))},
        {"experts where the family has none", Errc::M127, set<std::uint32_t>("qwen2.expert_count", 4), "",
         "qwen2"},
        {"no expert_used_count", Errc::M121, removeKey("llama.expert_used_count"), "", "llama-experts"},
        {"one expert missing", Errc::M123, [](ModelParts& parts) { parts.remove("blk.1.ffn_up.2.weight"); },
         "blk.1.ffn_up.2.weight", "llama-experts-separate"},
        {"experts neither joined nor separate", Errc::M123,
         [](ModelParts& parts) { parts.remove("blk.0.ffn_gate_exps.weight"); }, "blk.0.ffn_gate_exps.weight",
         "llama-experts"},
        {"experts partly joined", Errc::M125,
         [](ModelParts& parts) {
             ModelParts split = parts.clone();
             split.splitExperts();
             parts.remove("blk.0.ffn_up_exps.weight");
             for (const PartTensor& tensor : split.tensors) {
                 if (tensor.name.starts_with("blk.0.ffn_up.")) parts.tensors.push_back(tensor);
             }
         },
         "partly joined", "llama-experts"},
        {"a bias that the family needs is missing", Errc::M123,
         [](ModelParts& parts) { parts.remove("blk.1.attn_k.bias"); }, "blk.1.attn_k.bias", "qwen2"},
        {"a head norm is missing", Errc::M123,
         [](ModelParts& parts) { parts.remove("blk.1.attn_k_norm.weight"); }, "blk.1.attn_k_norm.weight",
         "qwen3"},
        {"rope divisors for another head", Errc::M125,
         [](ModelParts& parts) { parts.putFloats("rope_freqs.weight", std::vector<float>(31, 1.0f)); },
         "rope_freqs.weight"},
        {"a tensor in a layer that nobody knows", Errc::M124,
         [](ModelParts& parts) { parts.putFloats("blk.0.surprise.weight", std::vector<float>(8, 1.0f)); },
         "blk.0.surprise.weight"},
        {"a bias that the family does not have", Errc::M124,
         [](ModelParts& parts) { parts.putFloats("blk.0.attn_q.bias", std::vector<float>(256, 1.0f)); },
         "blk.0.attn_q.bias", "qwen3"},
        {"a fourth dimension", Errc::M125, reshape("blk.0.attn_q.weight", {256, 128, 1, 2})},
        {"no embedding table", Errc::M123, [](ModelParts& parts) { parts.remove("token_embd.weight"); },
         "token_embd.weight"},
        {"vocabulary above 31 bits", Errc::M122, reshape("token_embd.weight", {256, std::uint64_t{1} << 31})},
        {"positions of another width", Errc::M125, reshape("position_embd.weight", {128, 256}),
         "position_embd.weight", "gpt2"},
    };
}

}  // namespace

class TestLowerCases : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void everyVariantIsAccepted();
    void changedModelGetsItsCode_data();
    void changedModelGetsItsCode();
    void unknownArchitectureListsTheKnownOnes();
    void layersBeyondTheLastAreAWarning();
    void contextOfTheFileIsKept();
    void overrideReadsTheKeysOfTheFile();
    void malformedFilesGetTheirCode_data();
    void malformedFilesGetTheirCode();
};

void TestLowerCases::everyVariantIsAccepted() {
    for (const std::string_view name : modelVariants()) {
        const auto parts = copyOf(std::string(name));
        QVERIFY2(parts.ok(), parts.ok() ? "" : parts.error().toString().c_str());
        const auto lowered = parts->lower();
        QVERIFY2(lowered.ok(), lowered.ok() ? "" : lowered.error().toString().c_str());
        QVERIFY(lowered->warnings.empty());
        QCOMPARE(lowered->program.segments.size(), std::size_t(6));
    }
}

void TestLowerCases::changedModelGetsItsCode_data() {
    QTest::addColumn<int>("index");
    std::vector<Case> cases = planCases();
    for (const Case& one : furtherCases())
        cases.push_back(one);
    for (std::size_t i = 0; i < cases.size(); ++i)
        QTest::addRow("%s", cases[i].name) << int(i);
}

void TestLowerCases::changedModelGetsItsCode() {
    QFETCH(const int, index);
    std::vector<Case> cases = planCases();
    for (const Case& one : furtherCases())
        cases.push_back(one);
    const Case& one = cases[std::size_t(index)];
    auto parts = copyOf(one.variant);
    QVERIFY(parts.ok());
    one.change(*parts);
    QVERIFY(parts->metadata.status().ok());
    const auto lowered = parts->lower();
    if (!one.error) {
        QVERIFY2(lowered.ok(), lowered.ok() ? "" : lowered.error().toString().c_str());
        return;
    }
    QVERIFY2(!lowered.ok(), "accepted");
    QVERIFY2(lowered.error().code() == *one.error, lowered.error().toString().c_str());
    const std::string message = lowered.error().message();
    QVERIFY2(message.find(one.says) != std::string::npos, message.c_str());
    QVERIFY(!lowered.error().action().empty());
}

void TestLowerCases::unknownArchitectureListsTheKnownOnes() {
    auto parts = copyOf("llama");
    QVERIFY(parts.ok());
    const auto lowered = parts->lower("foo");
    QVERIFY(!lowered.ok() && lowered.error().code() == Errc::M102);
    QVERIFY(lowered.error().action().find("gpt2, llama, qwen2, qwen3") != std::string::npos);
}

// M39
void TestLowerCases::layersBeyondTheLastAreAWarning() {
    auto parts = copyOf("llama");
    QVERIFY(parts.ok());
    parts->putFloats("blk.99.attn_norm.weight", std::vector<float>(256, 1.0f));
    parts->putFloats("blk.2.ffn_norm.weight", std::vector<float>(256, 1.0f));
    const auto lowered = parts->lower();
    QVERIFY(lowered.ok());
    QCOMPARE(lowered->warnings.size(), std::size_t(2));
    for (const Error& warning : lowered->warnings)
        QVERIFY(warning.code() == Errc::M124);
    QCOMPARE(lowered->warnings[0].place(), std::string("blk.99.attn_norm.weight"));
}

void TestLowerCases::contextOfTheFileIsKept() {
    auto parts = copyOf("llama");
    QVERIFY(parts.ok());
    parts->metadata.set<std::uint32_t>("llama.context_length", kMax32);
    const auto lowered = parts->lower();
    QVERIFY(lowered.ok());
    QCOMPARE(lowered->program.trainedContext, kMax32);
    QCOMPARE(lowered->program.positionLimit, 0u);
    const auto learned = copyOf("gpt2");
    QVERIFY(learned.ok());
    const auto withLimit = learned->lower();
    QVERIFY(withLimit.ok());
    QCOMPARE(withLimit->program.positionLimit, 256u);
}

void TestLowerCases::overrideReadsTheKeysOfTheFile() {
    auto parts = copyOf("qwen3");
    QVERIFY(parts.ok());
    parts->metadata.setText("general.architecture", "someone-elses-name");
    QVERIFY(parts->lower().error().code() == Errc::M102);
    // The keys still carry the prefix of the family, not of the name in the file.
    QVERIFY(parts->lower("qwen3").error().code() == Errc::M103);
    auto renamed = copyOf("llama");
    QVERIFY(renamed.ok());
    renamed->metadata.set<std::uint32_t>("llama.vocab_size", 7);
    for (std::uint32_t layer = 0; layer < 2; ++layer) {
        const std::string prefix = "blk." + std::to_string(layer) + ".attn_";
        renamed->putFloats(prefix + "q.bias", std::vector<float>(256, 0.1f));
        renamed->putFloats(prefix + "k.bias", std::vector<float>(128, 0.1f));
        renamed->putFloats(prefix + "v.bias", std::vector<float>(128, 0.1f));
    }
    const auto disagrees = renamed->lower("qwen2");
    QVERIFY2(!disagrees.ok() && disagrees.error().code() == Errc::M122,
             disagrees.ok() ? "accepted" : disagrees.error().toString().c_str());
    renamed->metadata.remove("llama.vocab_size");
    const auto lowered = renamed->lower("qwen2");
    QVERIFY2(lowered.ok(), lowered.ok() ? "" : lowered.error().toString().c_str());
    QCOMPARE(lowered->program.architecture, std::string("qwen2"));
    QVERIFY(lowered->program.ropes[0].pairs == graph::RopePairs::Halves);
}

void TestLowerCases::malformedFilesGetTheirCode_data() {
    QTest::addColumn<int>("index");
    for (const MalformedCase& one : malformedCases()) {
        if (one.judge != Judge::Architecture) continue;
        QTest::addRow("%03d %s", one.number, one.description.c_str()) << one.number - 1;
    }
}

void TestLowerCases::malformedFilesGetTheirCode() {
    QFETCH(const int, index);
    const MalformedCase& one = malformedCases()[std::size_t(index)];
    const HoledFile content = one.build();
    const auto file = gguf::File::parse(HoledSource(content));
    QVERIFY2(file.ok(), "the container must accept it");
    const auto lowered = arch::lower(file->metadata(), file->tensors());
    QVERIFY2(!lowered.ok(), "accepted");
    QVERIFY2(lowered.error().code() == *one.later, lowered.error().toString().c_str());
}

QTEST_APPLESS_MAIN(TestLowerCases)
#include "tst_lower_cases.moc"
