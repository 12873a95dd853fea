// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Products of every weight type on the Vulkan device of this machine, in every tier that it has, against
// double precision. LOADER_TEST_LONG takes all shapes instead of a selection.

#include <QTest>

#include "tests/contract/kernels/vulkan_product.h"

using namespace loader;
using loader::vulkan::ShaderId;

Q_DECLARE_METATYPE(loader::quant::TensorType)
Q_DECLARE_METATYPE(loader::vulkan::ShaderId)

namespace {

bool isFloat(quant::TensorType type) {
    return test::columnStep(type) == 1;
}

bool isLong() {
    return qEnvironmentVariableIsSet("LOADER_TEST_LONG");
}

struct Shape {
    std::uint32_t rows;
    std::uint32_t columns;
    std::uint32_t tokens;
};

std::vector<Shape> shapesOf(quant::TensorType type) {
    const std::uint32_t step = test::columnStep(type);
    if (!isLong() && isFloat(type)) return {{7, 172, 1}, {33, 7, 5}, {5, 33, 34}};
    if (!isLong()) return {{7, 3 * step, 1}, {33, step, 5}, {3, step, 34}};
    std::vector<std::uint32_t> widths{step, 3 * step, 5 * step};
    if (isFloat(type)) widths = {1, 7, 32, 172, 257};
    std::vector<Shape> shapes;
    for (const std::uint32_t rows : {1u, 7u, 33u}) {
        for (const std::uint32_t columns : widths) {
            for (const std::uint32_t tokens : {1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u, 31u, 32u, 33u, 65u})
                shapes.push_back({rows, columns, tokens});
        }
    }
    return shapes;
}

/// Local size, then the shape constants of a pipeline.
struct Variant {
    std::uint32_t localSize;
    std::vector<std::uint32_t> shape;
};

/// Tiles of one part and of several, and more invocations than the parts need.
std::vector<Variant> matrixVariants(const vulkan::DeviceLimits& limits, bool flexible) {
    const vulkan::MatrixShape& shape = limits.matrix;
    const auto variant = [&](std::uint32_t subgroups, std::uint32_t rows, std::uint32_t tokens,
                             std::uint32_t part) {
        Variant made{subgroups * limits.subgroupMost, {rows, tokens, part, part}};
        if (!flexible) made.shape.insert(made.shape.end(), {shape.rows, shape.tokens, shape.columns});
        return made;
    };
    if (!isLong()) return {variant(4, 32, 32, 16)};
    return {variant(4, 64, 64, 32), variant(2, 64, 32, 32), variant(3, 16, 32, 16), variant(1, 16, 16, 16)};
}

std::vector<Variant> variantsOf(const test::VulkanProduct& product, const vulkan::DeviceLimits& limits) {
    const bool flexible = product.shader == ShaderId::MatmulFlexible;
    if (flexible || product.shader == ShaderId::MatmulMatrix) return matrixVariants(limits, flexible);
    if (product.isMatmul()) {
        if (!isLong()) return {{64, {32, 32, 4, 4}}};
        return {{64, {32, 32, 4, 4}}, {128, {64, 32, 4, 4}}, {32, {16, 8, 2, 2}}};
    }
    if (!isLong()) return {{32, {4, 4}}};
    return {{32, {4, 4}}, {64, {1, 1}}, {128, {8, 2}}, {40, {3, 5}}};
}

}  // namespace

class TestVulkanProducts : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();
    void types_data();
    void types();
    void scales_data();
    void scales();
    void options_data();
    void options();

private:
    void addRows(const std::vector<quant::TensorType>& types);
    void expectRight(test::VulkanProduct product);

    std::unique_ptr<test::VulkanRig> m_rig;
    std::uint32_t m_seed = 1;
};

void TestVulkanProducts::initTestCase() {
    auto rig = test::VulkanRig::open();
    if (!rig.ok()) QSKIP(rig.error().toString().c_str());
    m_rig = std::move(rig).value();
}

void TestVulkanProducts::addRows(const std::vector<quant::TensorType>& types) {
    QTest::addColumn<ShaderId>("shader");
    QTest::addColumn<quant::TensorType>("type");
    for (const ShaderId id :
         {ShaderId::Matvec, ShaderId::MatvecFp16, ShaderId::MatvecInt8, ShaderId::Matmul,
          ShaderId::MatmulFp16, ShaderId::MatmulInt8, ShaderId::MatmulMatrix, ShaderId::MatmulFlexible}) {
        const vulkan::Shader& shader = vulkan::allShaders()[static_cast<std::size_t>(id)];
        // Without a device where rows are only listed.
        if (m_rig && shader.tier > m_rig->tier()) continue;
        for (const quant::TensorType type : types) {
            if (isFloat(type) && (id == ShaderId::MatvecInt8 || id == ShaderId::MatmulInt8)) continue;
            QTest::newRow((std::string(shader.name) + "/" + std::string(quant::typeName(type))).c_str())
                << id << type;
        }
    }
}

void TestVulkanProducts::expectRight(test::VulkanProduct product) {
    for (const Variant& variant : variantsOf(product, m_rig->limits())) {
        product.localSize = variant.localSize;
        product.shape = variant.shape;
        // A workgroup of routed rows has one (token, part).
        if (product.used != 0) product.shape[0] = 1;
        const std::string fault = test::faultOf(*m_rig, product, m_seed++);
        QVERIFY2(fault.empty(), fault.c_str());
    }
}

void TestVulkanProducts::types_data() {
    addRows(test::weightTypes());
}

void TestVulkanProducts::types() {
    QFETCH(ShaderId, shader);
    QFETCH(quant::TensorType, type);
    for (const Shape& shape : shapesOf(type)) {
        test::VulkanProduct product;
        product.shader = shader;
        product.type = type;
        product.rows = shape.rows;
        product.columns = shape.columns;
        product.tokens = shape.tokens;
        expectRight(product);
        if (QTest::currentTestFailed()) return;
    }
}

void TestVulkanProducts::scales_data() {
    std::vector<quant::TensorType> types = test::weightTypes();
    std::erase_if(types, [](quant::TensorType type) { return !test::hasHalfScales(type); });
    addRows(types);
}

void TestVulkanProducts::scales() {
    QFETCH(ShaderId, shader);
    QFETCH(quant::TensorType, type);
    for (const test::Scales scales : {test::Scales::Zero, test::Scales::Denormal, test::Scales::Largest}) {
        test::VulkanProduct product;
        product.shader = shader;
        product.type = type;
        product.scales = scales;
        product.rows = 5;
        product.columns = test::columnStep(type);
        product.tokens = 2;
        expectRight(product);
        if (QTest::currentTestFailed()) return;
    }
}

void TestVulkanProducts::options_data() {
    using quant::TensorType;
    addRows({TensorType::BF16, TensorType::Q4_K, TensorType::IQ2_S});
}

void TestVulkanProducts::options() {
    QFETCH(ShaderId, shader);
    QFETCH(quant::TensorType, type);
    test::VulkanProduct plain;
    plain.shader = shader;
    plain.type = type;
    plain.rows = 9;
    plain.columns = isFloat(type) ? 38 : test::columnStep(type);
    plain.tokens = 6;
    std::vector<test::VulkanProduct> products;
    for (const std::uint32_t activation :
         {LOADER_ACTIVATE_SILU, LOADER_ACTIVATE_GELU, LOADER_ACTIVATE_RELU}) {
        products.push_back(plain);
        products.back().activation = activation;
        products.back().bias = true;
        products.back().gather = true;
        if (plain.isMatmul()) continue;
        products.push_back(products.back());
        products.back().pair = true;
        products.push_back(products.back());
        products.back().used = 3;
        products.push_back(products.back());
        products.back().pair = false;
        products.back().ownParts = true;
        products.back().gather = false;
    }
    products.push_back(plain);
    products.back().accumulate = true;
    products.back().scale = 0.37f;
    products.push_back(plain);
    products.back().softcap = 2.5f;
    products.back().scale = 3.0f;
    for (const test::VulkanProduct& product : products) {
        expectRight(product);
        if (QTest::currentTestFailed()) return;
    }
}

QTEST_GUILESS_MAIN(TestVulkanProducts)
#include "tst_vulkan_products.moc"
