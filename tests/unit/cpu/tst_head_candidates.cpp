// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Best tokens gathered in parts by several members are those of the whole row.

#include <QTest>
#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "backends/cpu/exec/head_candidates.h"

using namespace loader;
using namespace loader::cpu;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

backend::ForwardOutput gathered(std::vector<float> logits, std::size_t top, std::size_t parts) {
    const KernelTable kernels = selectKernels(detectTier());
    std::vector<HeadCandidates> members(parts);
    for (HeadCandidates& member : members)
        member.start(top);
    // Uneven parts, dealt to the members in turn.
    std::size_t begin = 0;
    for (std::size_t turn = 0; begin < logits.size(); ++turn) {
        const std::size_t end = std::min(logits.size(), begin + 1 + turn * 97 % 700);
        members[turn % parts].add(kernels.vectors, begin, std::span(logits).subspan(begin, end - begin));
        begin = end;
    }
    for (std::size_t i = 1; i < parts; ++i)
        members[0].merge(members[i]);
    backend::ForwardOutput out;
    members[0].append(out);
    return out;
}

backend::ForwardOutput whole(std::vector<float> logits, std::size_t top) {
    backend::OutputRequest request;
    request.kind = backend::OutputKind::TopTokens;
    request.top = static_cast<std::uint32_t>(top);
    backend::ForwardOutput out;
    backend::appendLogits(logits, request, out);
    return out;
}

void same(const std::vector<float>& logits, std::size_t top) {
    const backend::ForwardOutput expected = whole(logits, top);
    for (std::size_t parts : {1, 2, 3}) {
        const backend::ForwardOutput actual = gathered(logits, top, parts);
        QCOMPARE(actual.top.size(), expected.top.size());
        for (std::size_t i = 0; i < top; ++i) {
            QCOMPARE(actual.top[i].token, expected.top[i].token);
            QCOMPARE(actual.top[i].logit, expected.top[i].logit);
        }
        const float difference = std::abs(actual.logSumExp[0] - expected.logSumExp[0]);
        QVERIFY2(actual.logSumExp[0] == expected.logSumExp[0] || difference < 1e-5f,
                 qPrintable(QString("%1 %2").arg(actual.logSumExp[0]).arg(expected.logSumExp[0])));
    }
}

}  // namespace

class TestHeadCandidates : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void randomRows() {
        std::mt19937 random(7);
        std::normal_distribution<float> normal(0.0f, 5.0f);
        for (std::size_t size : {1, 5, 255, 256, 257, 5000}) {
            std::vector<float> logits(size);
            for (float& logit : logits)
                logit = normal(random);
            for (std::size_t top : {0, 1, 40, 300})
                same(logits, top);
        }
    }

    void equalLogitsTakeTheLowerToken() { same(std::vector<float>(3000, 1.5f), 20); }

    void unusualValues() {
        std::vector<float> logits(1000, -kInfinity);
        same(logits, 3);
        logits[700] = 2.0f;
        same(logits, 3);
        logits[3] = std::numeric_limits<float>::quiet_NaN();
        logits[900] = 80.0f;
        same(logits, 3);
        logits[10] = kInfinity;
        same(logits, 3);
    }
};

QTEST_GUILESS_MAIN(TestHeadCandidates)
#include "tst_head_candidates.moc"
