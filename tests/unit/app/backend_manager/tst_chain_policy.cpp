// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What load.fallback, load.fallback_order and a preferred back end make of the chain.

#include <QTest>

#include "core/app/backend_manager/chain.h"

using namespace loader;
using namespace loader::app;

namespace {

BackendCandidate backend(const std::string& id, int priority, bool automatic = true) {
    BackendCandidate candidate;
    candidate.entry.id = id;
    candidate.entry.priority = priority;
    candidate.entry.automatic = automatic;
    protocol::DeviceEntry device;
    device.id = id + "0";
    device.kind = protocol::DeviceClass::DiscreteGpu;
    candidate.devices.push_back(device);
    return candidate;
}

const std::vector<BackendCandidate> kBackends = {backend("slow", 10), backend("fast", 100),
                                                 backend("odd", 500, false), backend("cpu", 0)};

/// "fast odd cpu", and who was passed over: "| slow".
QString chainOf(const ChainPolicy& policy, const std::string& wanted = "auto") {
    protocol::LoadRequest request;
    request.backend = wanted;
    std::vector<protocol::LoadStep> passedOver;
    QString text;
    for (const Link& link : makeChain(request, kBackends, passedOver, policy))
        text += QString::fromStdString(link.backend) + " ";
    for (const protocol::LoadStep& step : passedOver) {
        if (step.reason.empty()) return "a step without a reason";
        text += "| " + QString::fromStdString(step.backend) + " ";
    }
    return text.trimmed();
}

ChainPolicy order(std::vector<std::string> ids) {
    return {true, std::move(ids), {}};
}

}  // namespace

class TestChainPolicy : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void chains() {
        QCOMPARE(chainOf({}), QString("fast slow cpu"));
        QCOMPARE(chainOf(order({"slow"})), QString("slow fast cpu"));
        QCOMPARE(chainOf(order({"none", "slow", "fast"})), QString("slow fast cpu"));
        // The processor in the order: only what is in front of it.
        QCOMPARE(chainOf(order({"cpu"})), QString("cpu | slow | fast"));
        QCOMPARE(chainOf(order({"slow", "cpu"})), QString("slow cpu | fast"));
        QCOMPARE(chainOf(order({"slow", "cpu", "fast"})), QString("slow cpu | fast"));
        // A preferred one comes first, also one that is never chosen by itself.
        QCOMPARE(chainOf({true, {}, "slow"}), QString("slow fast cpu"));
        QCOMPARE(chainOf({true, {"fast", "cpu"}, "odd"}), QString("odd fast cpu | slow"));
        QCOMPARE(chainOf({true, {}, "gone"}), QString("fast slow cpu | gone"));
        // Without fallback one link, and the others are named.
        QCOMPARE(chainOf({false, {}, {}}), QString("fast | slow | cpu"));
        QCOMPARE(chainOf({false, {"slow"}, {}}), QString("slow | fast | cpu"));
        // Whom the request names is not the policy's business.
        QCOMPARE(chainOf({false, {"cpu"}, "slow"}, "fast"), QString("fast"));
        QCOMPARE(chainOf({true, {"slow"}, {}}, "cpu"), QString("cpu"));
    }
};

QTEST_GUILESS_MAIN(TestChainPolicy)
#include "tst_chain_policy.moc"
