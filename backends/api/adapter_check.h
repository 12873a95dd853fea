// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Whether a session's adapters fit a program: an adapter that no operation would apply must be refused, not
// forgotten. Header only, so that back ends share no library.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "backends/api/backend.h"

namespace loader::backend {

/// The weights of every dense projection of an operation.
struct ProjectionsOf {
    std::vector<graph::TensorId> operator()(const graph::QkvOp& op) const {
        return {op.query.weight, op.key.weight, op.value.weight, op.fused.weight};
    }
    std::vector<graph::TensorId> operator()(const graph::ProjectOp& op) const { return {op.linear.weight}; }
    std::vector<graph::TensorId> operator()(const graph::GateUpOp& op) const {
        return {op.gate.weight, op.up.weight};
    }
    std::vector<graph::TensorId> operator()(const graph::RouteOp& op) const { return {op.linear.weight}; }
    std::vector<graph::TensorId> operator()(const graph::HeadOp& op) const { return {op.linear.weight}; }
    template <class Other>
    std::vector<graph::TensorId> operator()(const Other&) const {
        return {};
    }
};

inline bool isProjection(const graph::Program& program, graph::TensorId target) {
    for (const graph::Segment& segment : program.segments) {
        for (const graph::Op& op : segment.ops) {
            const std::vector<graph::TensorId> ids = std::visit(ProjectionsOf{}, op);
            if (std::find(ids.begin(), ids.end(), target) != ids.end()) return true;
        }
    }
    return false;
}

/// @errors X001 the target is no dense projection, or the matrices do not have its shape
inline Status checkAdapters(const graph::Program& program, std::span<const Adapter> adapters) {
    for (const Adapter& adapter : adapters) {
        if (adapter.target >= program.weights.size() || !isProjection(program, adapter.target))
            return Error(Errc::X001, {"An adapter changes a tensor that is no dense projection."});
        const graph::WeightRef& weight = program.weights[adapter.target];
        const bool fits = adapter.a.size() == std::uint64_t{adapter.rank} * weight.columns &&
                          adapter.b.size() == std::uint64_t{adapter.rank} * weight.rows;
        if (!fits) return Error(Errc::X001, {"An adapter does not have the shape of " + weight.name + "."});
    }
    return {};
}

}  // namespace loader::backend
