// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A program as text: stable, so that a new architecture is reviewed as a readable difference.

#include <charconv>
#include <string>

#include "core/engine/graph/program.h"

namespace loader::graph {
namespace {

/// The shortest text that reads back as the same number, independent of the locale.
std::string number(float value) {
    char buffer[32];
    const auto result = std::to_chars(buffer, buffer + sizeof buffer, value);
    return std::string(buffer, result.ptr);
}

/// In single precision: mathematical libraries differ in the last bit of a power or logarithm.
std::string rounded(double value) {
    return number(static_cast<float>(value));
}

struct Printer {
    const Program& program;
    std::string text;

    std::string slot(SlotId id) const { return program.slots[id].name; }
    void tensor(std::string_view role, TensorId id) {
        if (id != kNone) text += " " + std::string(role) + "=" + program.weights[id].name;
    }
    void linear(std::string_view role, const Linear& value) {
        tensor(role, value.weight);
        tensor(std::string(role) + ".bias", value.bias);
    }
    void field(std::string_view role, const std::string& value) {
        text += " " + std::string(role) + "=" + value;
    }
    void field(std::string_view role, std::uint32_t value) { field(role, std::to_string(value)); }
    void scaled(float scale) {
        if (scale != 1.0f) field("scale", number(scale));
    }
    void capped(float softcap) {
        if (softcap != 0.0f) field("softcap", number(softcap));
    }
    void flow(const std::string& in, const std::string& out, bool accumulate = false) {
        text += " " + in + (accumulate ? " +> " : " -> ") + out;
    }
    void experts(std::uint32_t count, std::uint32_t used, bool separate) {
        field("experts", count);
        field("used", used);
        if (separate) text += " separate";
    }

    void operator()(const EmbedOp& op) {
        flow("tokens", slot(op.out));
        tensor("table", op.tokens);
        tensor("positions", op.positions);
        scaled(op.scale);
    }
    void operator()(const NormOp& op) {
        flow(slot(op.in), slot(op.out), op.accumulate);
        field("kind", std::string(nameOf(op.kind)));
        tensor("weight", op.weight);
        tensor("bias", op.bias);
        field("epsilon", number(op.epsilon));
    }
    void operator()(const QkvOp& op) {
        flow(slot(op.in), slot(op.queryOut) + "," + slot(op.keyOut) + "," + slot(op.valueOut));
        linear("query", op.query);
        linear("key", op.key);
        linear("value", op.value);
        linear("fused", op.fused);
        tensor("query-norm", op.queryNorm);
        tensor("key-norm", op.keyNorm);
        if (op.queryNorm != kNone) field("epsilon", number(op.normEpsilon));
        field("heads", std::to_string(op.heads) + "/" + std::to_string(op.kvHeads));
        field("lengths", std::to_string(op.keyLength) + "/" + std::to_string(op.valueLength));
    }
    void operator()(const RopeStoreOp& op) {
        flow(slot(op.query) + "," + slot(op.key) + "," + slot(op.value), "kv" + std::to_string(op.kvLayer));
        field("rope", op.rope == kNone ? std::string("none") : std::to_string(op.rope));
    }
    void operator()(const AttendOp& op) {
        flow(slot(op.query) + ",kv" + std::to_string(op.kvLayer), slot(op.out));
        field("heads", op.heads);
        field("scale", number(op.scale));
        capped(op.softcap);
    }
    void operator()(const ProjectOp& op) {
        flow(slot(op.in), slot(op.out), op.accumulate);
        linear("weight", op.linear);
        scaled(op.scale);
    }
    void operator()(const GateUpOp& op) {
        flow(slot(op.in), slot(op.out));
        linear("gate", op.gate);
        linear("up", op.up);
        field("activation", std::string(nameOf(op.activation)));
    }
    void operator()(const RouteOp& op) {
        flow(slot(op.in), slot(op.out));
        linear("weight", op.linear);
        experts(op.experts, op.used, false);
        field("gating", std::string(nameOf(op.gating)));
        if (op.normalise) text += " normalise";
        scaled(op.scale);
    }
    void operator()(const ExpertGateUpOp& op) {
        flow(slot(op.in) + "," + slot(op.routing), slot(op.out));
        tensor("gate", op.gate);
        tensor("up", op.up);
        experts(op.experts, op.used, op.separate);
        field("activation", std::string(nameOf(op.activation)));
    }
    void operator()(const ExpertDownOp& op) {
        flow(slot(op.in) + "," + slot(op.routing), slot(op.out), op.accumulate);
        tensor("down", op.down);
        experts(op.experts, op.used, op.separate);
    }
    void operator()(const HeadOp& op) {
        flow(slot(op.in), "logits");
        linear("weight", op.linear);
        scaled(op.scale);
        capped(op.softcap);
    }
};

void printTables(const Program& program, std::string& text) {
    for (std::size_t i = 0; i < program.slots.size(); ++i) {
        text += "slot " + program.slots[i].name + " width=" + std::to_string(program.slots[i].width) + "\n";
    }
    for (std::size_t i = 0; i < program.ropes.size(); ++i) {
        const Rope& rope = program.ropes[i];
        text += "rope " + std::to_string(i) + " pairs=" + std::string(nameOf(rope.pairs)) +
                " dims=" + std::to_string(rope.dims()) + " first=" + rounded(rope.frequencies.front()) +
                " last=" + rounded(rope.frequencies.back()) + " magnitude=" + rounded(rope.magnitude);
        if (rope.factors != kNone) text += " factors=" + program.weights[rope.factors].name;
        text += "\n";
    }
    for (std::size_t i = 0; i < program.kvLayers.size(); ++i) {
        const KvLayer& kv = program.kvLayers[i];
        text += "kv " + std::to_string(i) + " layer=" + std::to_string(kv.layer) +
                " heads=" + std::to_string(kv.kvHeads) + " lengths=" + std::to_string(kv.keyLength) + "/" +
                std::to_string(kv.valueLength);
        if (kv.window != 0) text += " window=" + std::to_string(kv.window);
        text += "\n";
    }
}

}  // namespace

std::string dump(const Program& program) {
    std::string text = "program " + program.architecture + " layers=" + std::to_string(program.layers) +
                       " width=" + std::to_string(program.width) +
                       " vocabulary=" + std::to_string(program.vocabulary) +
                       " context=" + std::to_string(program.trainedContext) + "\n";
    printTables(program, text);
    for (const Segment& segment : program.segments) {
        text += "segment " + std::string(nameOf(segment.kind));
        const bool inLayer = segment.kind == SegmentKind::Mixer || segment.kind == SegmentKind::FeedForward;
        if (inLayer) text += " " + std::to_string(segment.layer);
        if (!segment.carried.empty()) text += " carries";
        for (SlotId slot : segment.carried)
            text += " " + program.slots[slot].name;
        text += "\n";
        for (const Op& op : segment.ops) {
            Printer printer{program, {}};
            std::visit(printer, op);
            text += "  " + std::string(nameOf(op)) + printer.text + "\n";
        }
    }
    return text;
}

}  // namespace loader::graph
