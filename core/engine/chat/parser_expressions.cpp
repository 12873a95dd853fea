// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include <charconv>

#include "core/engine/chat/parser.h"

namespace loader::chat {

/// Several expressions with commas become a tuple.
Result<NodeId> Parser::parseTuple(bool withChoice, bool explicitParentheses) {
    const Token where = m_token;
    const auto atEnd = [&] {
        return m_token.kind == TokenKind::BlockEnd || m_token.kind == TokenKind::VariableEnd || at(")") ||
               (!withChoice && atName("recursive"));
    };
    Ids items;
    bool isTuple = false;
    while (!atEnd()) {
        LOADER_TRY(const NodeId item, parseChoice(withChoice));
        items.push_back(item);
        LOADER_TRY(const bool more, skip(","));
        if (!more) break;
        isTuple = true;
    }
    if (!isTuple && !items.empty()) return items.front();
    if (items.empty() && !explicitParentheses) return fail("expected an expression");
    return addList(NodeKind::Tuple, items, where);
}

Result<NodeId> Parser::parseChoice(bool withChoice) {
    const Depth depth(*this);
    LOADER_CHECK(depth.check());
    LOADER_TRY(NodeId expression, parseOr());
    std::uint32_t chained = 0;
    while (withChoice && atName("if")) {
        const Token where = m_token;
        // Each further condition encloses the ones before it.
        if (++chained > m_budget.parseDepth) {
            return failAt(Errc::J402, "limit: " + std::to_string(m_budget.parseDepth), where);
        }
        LOADER_CHECK(shift());
        Node choice;
        choice.kind = NodeKind::Choice;
        choice.b = expression;
        LOADER_TRY(choice.a, parseOr());
        LOADER_TRY(const bool hasElse, skipName("else"));
        if (hasElse) {
            LOADER_TRY(choice.c, parseChoice(true));
        }
        LOADER_TRY(expression, add(choice, where));
    }
    return expression;
}

Result<NodeId> Parser::parseOr() {
    const Token where = m_token;
    Ids operands;
    bool more = true;
    while (more) {
        LOADER_TRY(const NodeId operand, parseAnd());
        operands.push_back(operand);
        LOADER_TRY(more, skipName("or"));
    }
    return operands.size() == 1 ? Result<NodeId>(operands.front()) : addList(NodeKind::Or, operands, where);
}

Result<NodeId> Parser::parseAnd() {
    const Token where = m_token;
    Ids operands;
    bool more = true;
    while (more) {
        LOADER_TRY(const NodeId operand, parseNot());
        operands.push_back(operand);
        LOADER_TRY(more, skipName("and"));
    }
    return operands.size() == 1 ? Result<NodeId>(operands.front()) : addList(NodeKind::And, operands, where);
}

Result<NodeId> Parser::parseNot() {
    if (!atName("not")) return parseCompare();
    const Depth depth(*this);
    LOADER_CHECK(depth.check());
    const Token where = m_token;
    LOADER_CHECK(shift());
    Node negation;
    negation.kind = NodeKind::Not;
    LOADER_TRY(negation.a, parseNot());
    return add(negation, where);
}

std::optional<Operator> Parser::comparison() const {
    constexpr std::pair<std::string_view, Operator> kOperators[] = {
        {"==", Operator::Equal},     {"!=", Operator::NotEqual}, {"<", Operator::Less},
        {"<=", Operator::LessEqual}, {">", Operator::Greater},   {">=", Operator::GreaterEqual},
    };
    for (const auto& row : kOperators) {
        if (at(row.first)) return row.second;
    }
    if (atName("in")) return Operator::In;
    return std::nullopt;
}

Result<NodeId> Parser::parseCompare() {
    const Token where = m_token;
    Node compare;
    compare.kind = NodeKind::Compare;
    LOADER_TRY(compare.a, parseSum());
    Ids pairs;
    while (true) {
        std::optional<Operator> operation = comparison();
        if (!operation && atName("not")) {
            LOADER_CHECK(peek());
            if (m_ahead->kind == TokenKind::Name && m_ahead->text == "in") {
                LOADER_CHECK(shift());
                operation = Operator::NotIn;
            }
        }
        if (!operation) break;
        LOADER_CHECK(shift());
        LOADER_TRY(const NodeId operand, parseSum());
        pairs.push_back(static_cast<std::uint32_t>(*operation));
        pairs.push_back(operand);
    }
    if (pairs.empty()) return compare.a;
    setList(compare, pairs);
    return add(compare, where);
}

template <class Next>
Result<NodeId> Parser::parseChain(NodeKind kind, Next next,
                                  std::initializer_list<std::pair<std::string_view, Operator>> operators) {
    const Token where = m_token;
    Node chain;
    chain.kind = kind;
    LOADER_TRY(chain.a, next());
    Ids pairs;
    while (true) {
        std::optional<Operator> operation;
        for (const auto& row : operators) {
            if (at(row.first)) operation = row.second;
        }
        if (!operation) break;
        LOADER_CHECK(shift());
        LOADER_TRY(const NodeId operand, next());
        pairs.push_back(static_cast<std::uint32_t>(*operation));
        pairs.push_back(operand);
    }
    if (pairs.empty()) return chain.a;
    setList(chain, pairs);
    return add(chain, where);
}

Result<NodeId> Parser::parseSum() {
    return parseChain(NodeKind::Chain, [this] { return parseConcat(); },
                      {{"+", Operator::Add}, {"-", Operator::Subtract}});
}

Result<NodeId> Parser::parseConcat() {
    const Token where = m_token;
    Ids operands;
    bool more = true;
    while (more) {
        LOADER_TRY(const NodeId operand, parseProduct());
        operands.push_back(operand);
        LOADER_TRY(more, skip("~"));
    }
    return operands.size() == 1 ? Result<NodeId>(operands.front())
                                : addList(NodeKind::Concat, operands, where);
}

Result<NodeId> Parser::parseProduct() {
    return parseChain(NodeKind::Chain, [this] { return parsePower(); },
                      {{"*", Operator::Multiply},
                       {"/", Operator::Divide},
                       {"//", Operator::FloorDivide},
                       {"%", Operator::Modulo}});
}

Result<NodeId> Parser::parsePower() {
    return parseChain(NodeKind::Chain, [this] { return parseUnary(true); }, {{"**", Operator::Power}});
}

Result<NodeId> Parser::parseUnary(bool withFilter) {
    if (!at("-") && !at("+")) {
        LOADER_TRY(const NodeId primary, parsePrimary());
        return parsePostfix(primary, withFilter);
    }
    const Depth depth(*this);
    LOADER_CHECK(depth.check());
    const Token where = m_token;
    Node sign;
    sign.kind = at("-") ? NodeKind::Negative : NodeKind::Positive;
    LOADER_CHECK(shift());
    LOADER_TRY(sign.a, parseUnary(false));
    LOADER_TRY(const NodeId id, add(sign, where));
    return parsePostfix(id, withFilter);
}

Result<NodeId> Parser::parsePrimary() {
    switch (m_token.kind) {
        case TokenKind::Name: return parseNamePrimary();
        case TokenKind::String: return parseStringPrimary();
        case TokenKind::Integer:
        case TokenKind::Float: return parseNumber();
        default: break;
    }
    if (at("(")) {
        const Depth depth(*this);
        LOADER_CHECK(depth.check());
        LOADER_CHECK(shift());
        LOADER_TRY(const NodeId inner, parseTuple(true, true));
        LOADER_CHECK(expect(")"));
        return inner;
    }
    if (at("[")) return parseListLiteral();
    if (at("{")) return parseDictLiteral();
    return fail("expected an expression");
}

Result<NodeId> Parser::parseNamePrimary() {
    const Token where = m_token;
    const std::string_view name = m_token.text;
    LOADER_CHECK(shift());
    Node primary;
    if (name == "true" || name == "True") {
        primary.kind = NodeKind::True;
    } else if (name == "false" || name == "False") {
        primary.kind = NodeKind::False;
    } else if (name == "none" || name == "None") {
        primary.kind = NodeKind::None;
    } else {
        primary.kind = NodeKind::Name;
        primary.text = intern(name);
        if (name == "varargs") m_macroUses |= kUsesVarargs;
        if (name == "kwargs") m_macroUses |= kUsesKwargs;
        if (name == "caller") m_macroUses |= kUsesCaller;
    }
    return add(primary, where);
}

Result<NodeId> Parser::parseStringPrimary() {
    const Token where = m_token;
    std::string text;
    while (m_token.kind == TokenKind::String) {
        Result<std::string> part = decodeString(m_token.text);
        if (!part.ok()) return std::move(part).error().within(placeOf(m_token.line, m_token.column));
        text += *part;
        LOADER_CHECK(shift());
    }
    Node constant;
    constant.kind = NodeKind::String;
    constant.text = intern(text);
    return add(constant, where);
}

Result<NodeId> Parser::parseNumber() {
    const Token where = m_token;
    std::string digits;
    for (const char c : m_token.text) {
        if (c != '_') digits += c;
    }
    Node number;
    const char* begin = digits.data();
    const char* const end = begin + digits.size();
    std::errc problem{};
    if (m_token.kind == TokenKind::Float) {
        double value = 0;
        problem = std::from_chars(begin, end, value).ec;
        if (problem == std::errc::result_out_of_range) problem = {};
        number.kind = NodeKind::Float;
        number.text = static_cast<std::uint32_t>(m_program.floats.size());
        m_program.floats.push_back(value);
    } else {
        const char mark = digits.size() > 2 ? static_cast<char>(digits[1] | 0x20) : '\0';
        const int base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 10;
        std::int64_t value = 0;
        problem = std::from_chars(begin + (base == 10 ? 0 : 2), end, value, base).ec;
        number.kind = NodeKind::Integer;
        number.text = static_cast<std::uint32_t>(m_program.integers.size());
        m_program.integers.push_back(value);
    }
    if (problem != std::errc{}) return failAt(Errc::J409, "a number that is too large", where);
    LOADER_CHECK(shift());
    return add(number, where);
}

Result<NodeId> Parser::parseListLiteral() {
    const Token where = m_token;
    LOADER_CHECK(expect("["));
    Ids items;
    while (!at("]")) {
        if (!items.empty()) LOADER_CHECK(expect(","));
        if (at("]")) break;
        LOADER_TRY(const NodeId item, parseExpression());
        items.push_back(item);
    }
    LOADER_CHECK(expect("]"));
    return addList(NodeKind::List, items, where);
}

Result<NodeId> Parser::parseDictLiteral() {
    const Token where = m_token;
    LOADER_CHECK(expect("{"));
    Ids pairs;
    while (!at("}")) {
        if (!pairs.empty()) LOADER_CHECK(expect(","));
        if (at("}")) break;
        LOADER_TRY(const NodeId key, parseExpression());
        LOADER_CHECK(expect(":"));
        LOADER_TRY(const NodeId value, parseExpression());
        pairs.push_back(key);
        pairs.push_back(value);
    }
    LOADER_CHECK(expect("}"));
    return addList(NodeKind::Dict, pairs, where);
}

/// Without a base (filter blocks) a Postfix node is made even where nothing follows.
Result<NodeId> Parser::parsePostfix(NodeId base, bool withFilter) {
    const Token where = m_token;
    Ids operations;
    bool filtering = false;
    while (true) {
        NodeId operation = kNoNode;
        if (!filtering && (at(".") || at("["))) {
            LOADER_TRY(operation, parseSubscript());
        } else if (at("(")) {
            LOADER_TRY(operation, parseCall());
        } else if (withFilter && at("|")) {
            filtering = true;
            LOADER_CHECK(shift());
            LOADER_TRY(operation, parseFilter());
        } else if (withFilter && atName("is")) {
            filtering = true;
            LOADER_TRY(operation, parseTest());
        } else {
            break;
        }
        operations.push_back(operation);
    }
    if (operations.empty() && base != kNoNode) return base;
    Node postfix;
    postfix.kind = NodeKind::Postfix;
    postfix.a = base;
    setList(postfix, operations);
    return add(postfix, where);
}

Result<NodeId> Parser::parseSubscript() {
    const Token where = m_token;
    LOADER_TRY(const bool dot, skip("."));
    if (dot) {
        if (m_token.kind == TokenKind::Integer) {
            Node item;
            item.kind = NodeKind::Item;
            LOADER_TRY(item.a, parseNumber());
            return add(item, where);
        }
        Node attribute;
        attribute.kind = NodeKind::Attribute;
        LOADER_TRY(const std::string_view name, expectName());
        attribute.text = intern(name);
        return add(attribute, where);
    }
    LOADER_CHECK(expect("["));
    LOADER_TRY(NodeId subscript, parseSubscriptItem());
    if (at(",")) {
        Ids items;
        while (at(",")) {
            if (node(subscript).kind == NodeKind::Slice) return fail("a slice in a tuple");
            items.push_back(node(subscript).a);
            LOADER_CHECK(shift());
            if (at("]")) break;
            LOADER_TRY(subscript, parseSubscriptItem());
            if (!at(",")) items.push_back(node(subscript).a);
        }
        Node item;
        item.kind = NodeKind::Item;
        LOADER_TRY(item.a, addList(NodeKind::Tuple, items, where));
        LOADER_TRY(subscript, add(item, where));
    }
    LOADER_CHECK(expect("]"));
    return subscript;
}

/// An Item or a Slice node.
Result<NodeId> Parser::parseSubscriptItem() {
    const Token where = m_token;
    Node subscript;
    subscript.kind = NodeKind::Item;
    if (!at(":")) {
        LOADER_TRY(subscript.a, parseExpression());
        if (!at(":")) return add(subscript, where);
    }
    subscript.kind = NodeKind::Slice;
    LOADER_CHECK(expect(":"));
    if (!at(":") && !at("]") && !at(",")) {
        LOADER_TRY(subscript.b, parseExpression());
    }
    LOADER_TRY(const bool hasStep, skip(":"));
    if (hasStep && !at("]") && !at(",")) {
        LOADER_TRY(subscript.c, parseExpression());
    }
    return add(subscript, where);
}

Result<NodeId> Parser::parseCall() {
    const Token where = m_token;
    LOADER_TRY(const Ids arguments, parseArguments());
    return addList(NodeKind::Call, arguments, where);
}

Result<Parser::Ids> Parser::parseArguments() {
    LOADER_CHECK(expect("("));
    Ids arguments;
    bool onlyKeywords = false;
    while (!at(")")) {
        if (!arguments.empty()) LOADER_CHECK(expect(","));
        if (at(")")) break;
        LOADER_TRY(const NodeId id, parseArgument());
        const bool positional = node(id).text == kNoText && node(id).flag == 0;
        if (positional && onlyKeywords) return fail("a positional argument follows a named one");
        onlyKeywords = onlyKeywords || !positional;
        arguments.push_back(id);
    }
    LOADER_CHECK(expect(")"));
    return arguments;
}

Result<NodeId> Parser::parseArgument() {
    const Token where = m_token;
    Node argument;
    argument.kind = NodeKind::Argument;
    if (at("*") || at("**")) {
        argument.flag = at("*") ? 1 : 2;
        LOADER_CHECK(shift());
    } else if (m_token.kind == TokenKind::Name) {
        LOADER_CHECK(peek());
        if (m_ahead->kind == TokenKind::Symbol && m_ahead->text == "=") {
            argument.text = intern(m_token.text);
            LOADER_CHECK(shift());
            LOADER_CHECK(shift());
        }
    }
    LOADER_TRY(argument.a, parseExpression());
    return add(argument, where);
}

Result<NodeId> Parser::parseFilter() {
    const Token where = m_token;
    Node filter;
    filter.kind = NodeKind::Filter;
    LOADER_TRY(const std::string_view name, expectName());
    filter.text = intern(name);
    if (at("(")) {
        LOADER_TRY(const Ids arguments, parseArguments());
        setList(filter, arguments);
    }
    return add(filter, where);
}

Result<NodeId> Parser::parseTest() {
    LOADER_CHECK(shift());
    Node test;
    test.kind = NodeKind::Test;
    LOADER_TRY(const bool negated, skipName("not"));
    test.flag = negated ? 1 : 0;
    const Token where = m_token;
    LOADER_TRY(const std::string_view name, expectName());
    test.text = intern(name);
    if (at("(")) {
        LOADER_TRY(const Ids arguments, parseArguments());
        setList(test, arguments);
        return add(test, where);
    }
    const bool isOperand =
        (m_token.kind == TokenKind::Name && !atName("else") && !atName("or") && !atName("and")) ||
        m_token.kind == TokenKind::String || m_token.kind == TokenKind::Integer ||
        m_token.kind == TokenKind::Float || at("[") || at("{");
    if (isOperand) {
        if (atName("is")) return fail("tests cannot be chained");
        LOADER_TRY(const NodeId argument, parseTestArgument());
        setList(test, {argument});
    }
    return add(test, where);
}

/// "x is divisibleby 3": one argument without parentheses.
Result<NodeId> Parser::parseTestArgument() {
    const Depth depth(*this);
    LOADER_CHECK(depth.check());
    const Token where = m_token;
    Node argument;
    argument.kind = NodeKind::Argument;
    LOADER_TRY(const NodeId primary, parsePrimary());
    LOADER_TRY(argument.a, parsePostfix(primary, false));
    return add(argument, where);
}

}  // namespace loader::chat
