// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the misbehaving Vulkan layer is told: a text that is not understood must not become a test without a
// fault.

#include <QTest>

#include "tests/support/vulkan_faults/fault_script.h"

using namespace loader::test;

class TestFaultScript : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void rules();
    void lies();
    void notUnderstood_data();
    void notUnderstood();
};

void TestFaultScript::rules() {
    FaultScript script;
    QCOMPARE(
        FaultScript::read("after=armed;vkQueueSubmit@7=DEVICE_LOST;;vkAllocateMemory#3+=wait:20;", script),
        std::string());
    QVERIFY(script.countsWhenArmed);
    QCOMPARE(script.rules.size(), std::size_t{2});
    const FaultRule& lost = script.rules[0];
    QVERIFY(lost.function == FaultFunction::QueueSubmit && lost.call == 7);
    QVERIFY(!lost.andLater && !lost.allProcesses);
    QVERIFY(lost.action == FaultAction::Answer && lost.result == VK_ERROR_DEVICE_LOST);
    const FaultRule& slow = script.rules[1];
    QVERIFY(slow.function == FaultFunction::AllocateMemory && slow.andLater && slow.allProcesses);
    QVERIFY(slow.action == FaultAction::Wait && slow.milliseconds == 20);
}

void TestFaultScript::lies() {
    FaultScript script;
    QCOMPARE(
        FaultScript::read("type=discrete;api=1.0;subgroup=16;memory=window;heap=4096;budget=10;dirty=yes;"
                          "limit.maxBufferSize=99;feature=-shaderFloat16;extension=-VK_X;library=1.0",
                          script),
        std::string());
    QVERIFY(script.type == VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU);
    QVERIFY(script.apiVersion == VK_MAKE_API_VERSION(0, 1, 0, 0));
    QVERIFY(script.subgroup == 16u && script.heapBytes == 4096u && script.budgetPercent == 10u);
    QVERIFY(script.memory == MemoryLie::Window && script.dirty && script.oldLibrary);
    QCOMPARE(script.limits.at("maxBufferSize"), std::uint64_t{99});
    QVERIFY(script.hiddenFeatures.contains("shaderFloat16") && script.hiddenExtensions.contains("VK_X"));
    // A later text replaces all of it.
    QCOMPARE(FaultScript::read("", script), std::string());
    QVERIFY(script.limits.empty() && !script.type);
}

void TestFaultScript::notUnderstood_data() {
    QTest::addColumn<QString>("text");
    for (const char* text :
         {"nonsense", "vkNothing@1=UNKNOWN", "vkQueueSubmit=UNKNOWN", "vkQueueSubmit@0=UNKNOWN",
          "vkQueueSubmit@x=UNKNOWN", "vkQueueSubmit@1=NOTHING", "vkQueueSubmit@1=wait:", "limit.none=1",
          "limit.maxBufferSize=many", "feature=shaderFloat16", "feature=-none", "type=toaster", "api=1",
          "memory=none", "after=ever", "budget="})
        QTest::newRow(text) << text;
}

void TestFaultScript::notUnderstood() {
    QFETCH(QString, text);
    FaultScript script;
    QVERIFY(FaultScript::read(text.toStdString(), script).find(text.toStdString()) != std::string::npos);
}

QTEST_APPLESS_MAIN(TestFaultScript)
#include "tst_fault_script.moc"
