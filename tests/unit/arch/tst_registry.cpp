// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The list of architectures is sorted and has no name twice; derive() changes only what it is told to.

#include <QTest>
#include <algorithm>
#include <string>

#include "core/engine/arch/registry.h"

using namespace loader::arch;

class TestRegistry : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void namesAreSortedAndUnique();
    void everyNameIsFound();
    void specsAreWhole();
    void deriveLeavesTheRest();
};

void TestRegistry::namesAreSortedAndUnique() {
    const auto specs = allSpecs();
    QVERIFY(!specs.empty());
    for (std::size_t i = 1; i < specs.size(); ++i)
        QVERIFY(specs[i - 1]->name < specs[i]->name);
}

void TestRegistry::everyNameIsFound() {
    std::string names;
    for (const ArchSpec* spec : allSpecs()) {
        QCOMPARE(findSpec(spec->name), spec);
        names += (names.empty() ? "" : ", ") + std::string(spec->name);
    }
    QCOMPARE(knownNames(), names);
    QVERIFY(findSpec("") == nullptr);
    QVERIFY(findSpec("llam") == nullptr);
    QVERIFY(findSpec("LLAMA") == nullptr);
}

/// What must hold of any family.
void TestRegistry::specsAreWhole() {
    for (const ArchSpec* spec : allSpecs()) {
        const bool usable = std::ranges::all_of(spec->name, [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
        });
        QVERIFY2(usable && !spec->name.empty(), std::string(spec->name).c_str());
        QVERIFY(spec->rotary || spec->learnedPositions);
        QVERIFY(!spec->rotary || spec->ropeBase > 1.0);
        // Divisors of the rotation make no sense without one.
        QVERIFY(spec->rotary || spec->ropeFactors == Presence::No);
    }
}

void TestRegistry::deriveLeavesTheRest() {
    constexpr ArchSpec kBase = {.name = "base", .ropeBase = 500.0, .qkvBias = Presence::Yes};
    constexpr ArchSpec kRelative = derive(kBase, [](ArchSpec& spec) {
        spec.name = "relative";
        spec.headNorms = true;
    });
    QVERIFY(kRelative.name == "relative" && kBase.name == "base");
    QVERIFY(kRelative.headNorms && !kBase.headNorms);
    QVERIFY(kRelative.qkvBias == Presence::Yes);
    QCOMPARE(kRelative.ropeBase, 500.0);
}

QTEST_APPLESS_MAIN(TestRegistry)
#include "tst_registry.moc"
