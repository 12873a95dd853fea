// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include <array>

#include "core/engine/chat/parser.h"

namespace loader::chat {
namespace {

constexpr std::array<std::string_view, 7> kForbiddenTags = {"include", "import",     "from", "extends",
                                                            "block",   "autoescape", "trans"};

}  // namespace

/// Statements up to one of the end tags, whose name is then the current token; without end tags, up to the
/// end.
Result<NodeId> Parser::parseBlock(EndTags ends) {
    const Depth depth(*this);
    LOADER_CHECK(depth.check());
    const Token where = m_token;
    Ids statements;
    while (m_token.kind != TokenKind::End) {
        if (m_token.kind == TokenKind::Data) {
            Node data;
            data.kind = NodeKind::Data;
            data.text = intern(m_token.text);
            LOADER_TRY(const NodeId id, add(data, m_token));
            statements.push_back(id);
            LOADER_CHECK(shift());
            continue;
        }
        const bool isBlock = m_token.kind == TokenKind::BlockBegin;
        const Token tag = m_token;
        LOADER_CHECK(shift());
        if (isBlock) {
            for (const std::string_view end : ends) {
                if (atName(end)) return addList(NodeKind::Block, statements, where);
            }
            LOADER_TRY(const NodeId id, parseStatement());
            if (id != kNoNode) statements.push_back(id);
            if (m_token.kind != TokenKind::BlockEnd) return fail("expected the end of the tag");
        } else {
            Node output;
            output.kind = NodeKind::Output;
            LOADER_TRY(output.a, parseTuple(true, false));
            LOADER_TRY(const NodeId id, add(output, tag));
            statements.push_back(id);
            if (m_token.kind != TokenKind::VariableEnd) return fail("expected '}}'");
        }
        LOADER_CHECK(shift());
    }
    if (ends.size() != 0) return failAt(Errc::J401, "'" + std::string(*ends.begin()) + "' is missing", where);
    return addList(NodeKind::Block, statements, where);
}

/// The body of a statement: behind the end of its tag, up to one of the end tags.
Result<NodeId> Parser::parseBodyAfterTag(EndTags ends) {
    if (at(":")) LOADER_CHECK(shift());
    if (m_token.kind != TokenKind::BlockEnd) return fail("expected the end of the tag");
    LOADER_CHECK(shift());
    return parseBlock(ends);
}

Status Parser::endTag(std::string_view name) {
    if (!atName(name)) return fail("expected '" + std::string(name) + "'");
    return shift();
}

Result<NodeId> Parser::parseStatement() {
    if (m_token.kind != TokenKind::Name) return fail("expected the name of a tag");
    const Token where = m_token;
    const std::string_view name = m_token.text;
    if (name == "for") return parseFor();
    if (name == "if") return parseIf();
    if (name == "set") return parseSet();
    if (name == "macro") return parseMacro();
    if (name == "call") return parseCallBlock();
    if (name == "filter") return parseFilterBlock();
    if (name == "with") return parseWith();
    if (name == "generation") return parseScoped("endgeneration");
    if (name == "break" || name == "continue") {
        if (m_loopDepth == 0) return fail("'" + std::string(name) + "' outside a loop");
        Node jump;
        jump.kind = name == "break" ? NodeKind::Break : NodeKind::Continue;
        LOADER_CHECK(shift());
        return add(jump, where);
    }
    if (name == "do" || name == "print") {
        Node statement;
        statement.kind = name == "do" ? NodeKind::Do : NodeKind::Output;
        LOADER_CHECK(shift());
        LOADER_TRY(statement.a, parseTuple(true, false));
        return add(statement, where);
    }
    for (const std::string_view tag : kForbiddenTags) {
        if (name == tag) return failAt(Errc::J410, "the tag '" + std::string(name) + "'", where);
    }
    return fail("the unknown tag '" + std::string(name.substr(0, 40)) + "'");
}

Result<NodeId> Parser::parseTargetName(bool allowNamespace) {
    const Token where = m_token;
    LOADER_TRY(const std::string_view name, expectName());
    for (const std::string_view constant : {"true", "false", "none", "True", "False", "None"}) {
        if (name == constant) return failAt(Errc::J401, "a constant cannot be set", where);
    }
    Node target;
    target.kind = NodeKind::Name;
    target.text = intern(name);
    if (allowNamespace && at(".")) {
        LOADER_CHECK(shift());
        Node attribute;
        attribute.kind = NodeKind::Attribute;
        LOADER_TRY(const std::string_view field, expectName());
        attribute.text = intern(field);
        LOADER_TRY(target.b, add(attribute, where));
        target.kind = NodeKind::NamespaceRef;
    }
    return add(target, where);
}

/// One name, or several in a tuple, with or without parentheses.
Result<NodeId> Parser::parseTarget(bool allowNamespace) {
    const Depth depth(*this);
    LOADER_CHECK(depth.check());
    const Token where = m_token;
    Ids names;
    bool isTuple = false;
    while (true) {
        LOADER_TRY(const bool open, skip("("));
        NodeId id = kNoNode;
        if (open) {
            LOADER_TRY(id, parseTarget(allowNamespace));
            LOADER_CHECK(expect(")"));
        } else {
            LOADER_TRY(id, parseTargetName(allowNamespace));
        }
        names.push_back(id);
        LOADER_TRY(const bool more, skip(","));
        if (!more) break;
        isTuple = true;
        if (m_token.kind != TokenKind::Name && !at("(")) break;
        if (atName("in")) break;
    }
    if (!isTuple) return names.front();
    return addList(NodeKind::Tuple, names, where);
}

Result<NodeId> Parser::parseFor() {
    const Token where = m_token;
    LOADER_CHECK(shift());
    Node loop, parts;
    loop.kind = NodeKind::For;
    parts.kind = NodeKind::ForParts;
    LOADER_TRY(loop.a, parseTarget(false));
    if (!atName("in")) return fail("expected 'in'");
    LOADER_CHECK(shift());
    LOADER_TRY(loop.b, parseTuple(false, false));
    LOADER_TRY(const bool filtered, skipName("if"));
    if (filtered) {
        LOADER_TRY(parts.a, parseExpression());
    }
    LOADER_TRY(const bool recursive, skipName("recursive"));
    loop.flag = recursive ? 1 : 0;
    ++m_loopDepth;
    LOADER_TRY(parts.b, parseBodyAfterTag({"endfor", "else"}));
    --m_loopDepth;
    LOADER_TRY(const bool hasElse, skipName("else"));
    if (hasElse) {
        LOADER_TRY(parts.c, parseBodyAfterTag({"endfor"}));
    }
    LOADER_CHECK(endTag("endfor"));
    LOADER_TRY(loop.c, add(parts, where));
    return add(loop, where);
}

Result<NodeId> Parser::parseIf() {
    const Token where = m_token;
    Node branch;
    branch.kind = NodeKind::If;
    Ids arms;
    do {
        LOADER_CHECK(shift());
        LOADER_TRY(const NodeId condition, parseTuple(false, false));
        LOADER_TRY(const NodeId body, parseBodyAfterTag({"endif", "elif", "else"}));
        arms.push_back(condition);
        arms.push_back(body);
    } while (atName("elif"));
    LOADER_TRY(const bool hasElse, skipName("else"));
    if (hasElse) {
        LOADER_TRY(branch.a, parseBodyAfterTag({"endif"}));
    }
    LOADER_CHECK(endTag("endif"));
    setList(branch, arms);
    return add(branch, where);
}

Result<NodeId> Parser::parseSet() {
    const Token where = m_token;
    LOADER_CHECK(shift());
    Node set;
    LOADER_TRY(set.a, parseTarget(true));
    LOADER_TRY(const bool inlineValue, skip("="));
    if (inlineValue) {
        set.kind = NodeKind::Set;
        LOADER_TRY(set.b, parseTuple(true, false));
        return add(set, where);
    }
    set.kind = NodeKind::SetBlock;
    if (at("|")) {
        LOADER_TRY(set.b, parsePostfix(kNoNode, true));
    }
    LOADER_TRY(set.c, parseBodyAfterTag({"endset"}));
    LOADER_CHECK(endTag("endset"));
    return add(set, where);
}

Result<Parser::Ids> Parser::parseParameters() {
    LOADER_CHECK(expect("("));
    Ids parameters;
    bool needsDefault = false;
    while (!at(")")) {
        if (!parameters.empty()) LOADER_CHECK(expect(","));
        if (at(")")) break;
        const Token where = m_token;
        Node parameter;
        parameter.kind = NodeKind::Parameter;
        LOADER_TRY(const std::string_view name, expectName());
        parameter.text = intern(name);
        LOADER_TRY(const bool hasDefault, skip("="));
        if (hasDefault) {
            LOADER_TRY(parameter.a, parseExpression());
        } else if (needsDefault) {
            return fail("a parameter without default follows one with default");
        }
        needsDefault = needsDefault || hasDefault;
        LOADER_TRY(const NodeId id, add(parameter, where));
        parameters.push_back(id);
    }
    LOADER_CHECK(expect(")"));
    return parameters;
}

Result<NodeId> Parser::macroNode(std::string_view name, const Ids& parameters, std::string_view end,
                                 const Token& where) {
    Node macro;
    macro.kind = NodeKind::Macro;
    macro.text = intern(name);
    const std::uint8_t outerUses = m_macroUses;
    const std::uint32_t outerLoops = m_loopDepth;
    m_macroUses = 0;
    m_loopDepth = 0;
    LOADER_TRY(macro.a, parseBodyAfterTag({end}));
    macro.flag = m_macroUses;
    m_macroUses |= outerUses;
    m_loopDepth = outerLoops;
    LOADER_CHECK(endTag(end));
    setList(macro, parameters);
    return add(macro, where);
}

Result<NodeId> Parser::parseMacro() {
    const Token where = m_token;
    LOADER_CHECK(shift());
    LOADER_TRY(const std::string_view name, expectName());
    LOADER_TRY(const Ids parameters, parseParameters());
    return macroNode(name, parameters, "endmacro", where);
}

Result<NodeId> Parser::parseCallBlock() {
    const Token where = m_token;
    LOADER_CHECK(shift());
    Ids parameters;
    if (at("(")) {
        LOADER_TRY(parameters, parseParameters());
    }
    Node call;
    call.kind = NodeKind::CallBlock;
    LOADER_TRY(call.a, parseExpression());
    const Node& target = node(call.a);
    const bool endsInCall = target.kind == NodeKind::Postfix && target.count > 0 &&
                            node(m_program.lists[target.first + target.count - 1]).kind == NodeKind::Call;
    if (!endsInCall) return failAt(Errc::J401, "expected a call", where);
    LOADER_TRY(call.b, macroNode("caller", parameters, "endcall", where));
    return add(call, where);
}

Result<NodeId> Parser::parseFilterBlock() {
    const Token where = m_token;
    LOADER_CHECK(shift());
    Node block;
    block.kind = NodeKind::FilterBlock;
    LOADER_TRY(const NodeId first, parseFilter());
    LOADER_TRY(block.a, parsePostfix(kNoNode, true));
    // The first filter stands without a bar, so it is put in front of the others.
    Ids filters = {first};
    const Node rest = node(block.a);
    for (std::uint32_t i = 0; i < rest.count; ++i)
        filters.push_back(m_program.lists[rest.first + i]);
    setList(node(block.a), filters);
    LOADER_TRY(block.b, parseBodyAfterTag({"endfilter"}));
    LOADER_CHECK(endTag("endfilter"));
    return add(block, where);
}

Result<NodeId> Parser::parseWith() {
    const Token where = m_token;
    LOADER_CHECK(shift());
    Node with;
    with.kind = NodeKind::With;
    Ids pairs;
    while (m_token.kind != TokenKind::BlockEnd) {
        if (!pairs.empty()) LOADER_CHECK(expect(","));
        LOADER_TRY(const NodeId target, parseTargetName(false));
        LOADER_CHECK(expect("="));
        LOADER_TRY(const NodeId value, parseExpression());
        pairs.push_back(target);
        pairs.push_back(value);
    }
    LOADER_TRY(with.a, parseBodyAfterTag({"endwith"}));
    LOADER_CHECK(endTag("endwith"));
    setList(with, pairs);
    return add(with, where);
}

Result<NodeId> Parser::parseScoped(std::string_view name) {
    const Token where = m_token;
    LOADER_CHECK(shift());
    Node scoped;
    scoped.kind = NodeKind::Scoped;
    LOADER_TRY(scoped.a, parseBodyAfterTag({name}));
    LOADER_CHECK(endTag(name));
    return add(scoped, where);
}

}  // namespace loader::chat
