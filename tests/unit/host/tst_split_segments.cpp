// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Which segments go to a device: the last layers and the head, whole layers, and never half of those that
// share keys and values.

#include <QTest>

#include "core/host/split_model.h"

using namespace loader;
using host::SegmentSplit;
using host::splitSegments;
using Indices = std::vector<std::uint32_t>;

namespace {

/// Embedding, a mixer and a feed-forward part for each layer, head. Layer i reads the keys and values of
/// layer sources[i].
graph::Program programOf(const std::vector<std::uint32_t>& sources) {
    graph::Program program;
    program.layers = static_cast<std::uint32_t>(sources.size());
    program.segments.push_back({graph::SegmentKind::Embedding, 0, {}, {}});
    for (std::uint32_t layer = 0; layer < program.layers; ++layer) {
        program.kvLayers.push_back({layer, 1, 1, 1, 0});
        graph::Segment mixer{graph::SegmentKind::Mixer, layer, {}, {}};
        graph::RopeStoreOp store;
        store.kvLayer = layer;
        graph::AttendOp attend;
        attend.kvLayer = sources[layer];
        if (sources[layer] == layer) mixer.ops.emplace_back(store);
        mixer.ops.emplace_back(attend);
        program.segments.push_back(std::move(mixer));
        program.segments.push_back({graph::SegmentKind::FeedForward, layer, {}, {}});
    }
    program.segments.push_back({graph::SegmentKind::Head, 0, {}, {}});
    return program;
}

}  // namespace

class TestSplitSegments : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void lastLayersAndHeadGo();
    void allIsTheEmbeddingToo();
    void noneStays();
    void everyNumberCoversTheProgram();
    void sharedKeysAndValuesStayTogether();
    void layersOfOnePartCount();
};

void TestSplitSegments::lastLayersAndHeadGo() {
    const SegmentSplit split = splitSegments(programOf({0, 1, 2}), 1);
    QCOMPARE(split.front, (Indices{0, 1, 2, 3, 4}));
    QCOMPARE(split.back, (Indices{5, 6, 7}));
    QCOMPARE(split.backLayers, 1u);
}

void TestSplitSegments::allIsTheEmbeddingToo() {
    for (const std::uint32_t layers : {3u, 4u, 0xFFFFFFFFu}) {
        const SegmentSplit split = splitSegments(programOf({0, 1, 2}), layers);
        QVERIFY(split.front.empty());
        QCOMPARE(split.back.size(), std::size_t(8));
        QCOMPARE(split.backLayers, 3u);
    }
}

void TestSplitSegments::noneStays() {
    const SegmentSplit split = splitSegments(programOf({0, 1, 2}), 0);
    QCOMPARE(split.front.size(), std::size_t(8));
    QVERIFY(split.back.empty());
    QCOMPARE(split.backLayers, 0u);
}

void TestSplitSegments::everyNumberCoversTheProgram() {
    const graph::Program program = programOf({0, 1, 2, 3, 4});
    for (std::uint32_t layers = 0; layers <= 6; ++layers) {
        const SegmentSplit split = splitSegments(program, layers);
        Indices all = split.front;
        all.insert(all.end(), split.back.begin(), split.back.end());
        for (std::uint32_t i = 0; i < all.size(); ++i)
            QCOMPARE(all[i], i);
        QCOMPARE(all.size(), program.segments.size());
        QCOMPARE(split.backLayers, std::min(layers, 5u));
    }
}

void TestSplitSegments::sharedKeysAndValuesStayTogether() {
    // Layers 3 and 4 read what layer 2 stored: a border between them would part keys from queries.
    const graph::Program shared = programOf({0, 1, 2, 2, 2, 5});
    QCOMPARE(splitSegments(shared, 5).backLayers, 5u);
    QCOMPARE(splitSegments(shared, 4).backLayers, 4u);
    QCOMPARE(splitSegments(shared, 3).backLayers, 1u);
    QCOMPARE(splitSegments(shared, 2).backLayers, 1u);
    QCOMPARE(splitSegments(shared, 1).backLayers, 1u);
    // All layers behind the first share: nothing less than all of them can go.
    const graph::Program tied = programOf({0, 0, 0});
    const SegmentSplit none = splitSegments(tied, 2);
    QVERIFY(none.back.empty());
    QCOMPARE(none.backLayers, 0u);
    QCOMPARE(splitSegments(tied, 3).backLayers, 3u);
}

/// A layer without a feed-forward part, or without a mixer, is a layer all the same.
void TestSplitSegments::layersOfOnePartCount() {
    graph::Program program = programOf({0, 1, 2});
    program.segments.erase(program.segments.begin() + 5);
    program.segments.erase(program.segments.begin() + 2);
    const SegmentSplit split = splitSegments(program, 2);
    QCOMPARE(split.front, (Indices{0, 1}));
    QCOMPARE(split.back, (Indices{2, 3, 4, 5}));
}

QTEST_APPLESS_MAIN(TestSplitSegments)
#include "tst_split_segments.moc"
