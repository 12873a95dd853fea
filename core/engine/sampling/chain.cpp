// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
#include "core/engine/sampling/chain.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "core/engine/base/random.h"

namespace loader::sampling {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
/// Draw numbers within one position.
constexpr std::uint32_t kDrawToken = 0;
constexpr std::uint32_t kDrawXtc = 1;

}  // namespace

Chain::Chain(SamplingParameters parameters, std::uint32_t vocabularySize)
    : m_parameters(std::move(parameters)), m_vocabularySize(vocabularySize), m_bias(m_parameters.logitBias) {
    std::sort(m_bias.begin(), m_bias.end(),
              [](const TokenBias& a, const TokenBias& b) { return a.id < b.id; });
    const bool penalises = active(SamplerStage::Penalties) || active(SamplerStage::Dry);
    if (penalises) m_marks.resize(vocabularySize);
    // The tokens that a stage can change; an unlimited window grows the buffers as the history grows.
    const auto reach = [this, vocabularySize](SamplerStage stage, std::int32_t lastN) -> std::size_t {
        return active(stage) && lastN > 0 ? std::min(static_cast<std::uint32_t>(lastN), vocabularySize) : 0;
    };
    const std::size_t marked = reach(SamplerStage::Penalties, m_parameters.repeatLastN) +
                               reach(SamplerStage::Dry, m_parameters.dryPenaltyLastN);
    m_marked.reserve(marked);
    m_overlay.reserve(m_bias.size() + marked);
    m_merged.reserve(m_bias.size() + marked);
    if (!active(SamplerStage::Dry)) return;
    m_breakers.resize(vocabularySize);
    for (const TokenId id : m_parameters.dryBreakerTokens)
        m_breakers[static_cast<std::size_t>(id)] = true;
}

bool Chain::active(SamplerStage stage) const {
    const SamplingParameters& p = m_parameters;
    switch (stage) {
        case SamplerStage::Penalties:
            return p.repeatLastN != 0 &&
                   (p.repeatPenalty != 1.0F || p.frequencyPenalty != 0.0F || p.presencePenalty != 0.0F);
        case SamplerStage::Dry: return p.dryMultiplier != 0.0F && p.dryPenaltyLastN != 0;
        case SamplerStage::TopK: return p.topK != 0 && p.topK < m_vocabularySize;
        case SamplerStage::Typical: return p.typicalP < 1.0F;
        case SamplerStage::TopP: return p.topP < 1.0F;
        case SamplerStage::MinP: return p.minP > 0.0F;
        case SamplerStage::Xtc: return p.xtcProbability > 0.0F && p.xtcThreshold <= 0.5F;
        case SamplerStage::Temperature: return p.temperature != 1.0F;
    }
    return false;
}

void Chain::startDense(std::span<const float> logits) {
    m_logits = logits;
    m_dense = true;
    m_items.clear();
    m_overlay.clear();
    for (const TokenBias& entry : m_bias) {
        const double logit = logits.empty() ? 0.0 : logits[static_cast<std::size_t>(entry.id)];
        m_overlay.push_back({logit + entry.bias, 0.0, entry.id});
    }
}

void Chain::startListed(std::span<const Candidate> candidates) {
    m_dense = false;
    m_overlay.clear();
    m_items.clear();
    for (const Candidate& candidate : candidates) {
        if (candidate.logit > -std::numeric_limits<float>::infinity())
            m_items.push_back({candidate.logit, 0.0, candidate.id});
    }
}

Status Chain::apply(SamplerStage stage, std::span<const TokenId> history, const DrawPlace& place) {
    if (!active(stage)) return {};
    m_history = history;
    m_place = place;
    using Function = Status (Chain::*)();
    static constexpr std::array<Function, kStageCount> kFunctions = {
#define LOADER_SAMPLER(row, name, function) &Chain::function,
#include "core/engine/sampling/samplers.inc"
    };
    return (this->*kFunctions[static_cast<std::size_t>(stage)])();
}

template <class Run, class Single>
void Chain::walkDense(Run run, Single single) const {
    std::size_t next = 0;
    for (const Item& changed : m_overlay) {
        const auto at = static_cast<std::size_t>(changed.id);
        run(m_logits.subspan(next, at - next), static_cast<TokenId>(next));
        single(changed.logit, changed.id);
        next = at + 1;
    }
    run(m_logits.subspan(next), static_cast<TokenId>(next));
}

void Chain::list() {
    if (!m_dense) return;
    m_dense = false;
    m_items.clear();
    m_items.reserve(m_logits.size());
    const auto add = [this](double logit, TokenId id) {
        if (logit > -kInfinity) m_items.push_back({logit, 0.0, id});
    };
    walkDense(
        [&add](std::span<const float> logits, TokenId first) {
            for (std::size_t i = 0; i < logits.size(); ++i)
                add(logits[i], first + static_cast<TokenId>(i));
        },
        add);
}

void Chain::keepGreatest(std::size_t k) {
    if (!m_dense) {
        keepFirst(m_items, k, CanonicalLess{});
        return;
    }
    m_dense = false;
    TopScan scan(m_items, k);
    walkDense([&scan](std::span<const float> logits, TokenId first) { scan.offer(logits, first); },
              [&scan](double logit, TokenId id) { scan.offer(logit, id); });
    scan.finish();
}

std::span<const TokenId> Chain::window(std::int32_t lastN) const {
    if (lastN < 0 || static_cast<std::size_t>(lastN) >= m_history.size()) return m_history;
    return m_history.last(static_cast<std::size_t>(lastN));
}

/// Makes every marked token part of the overlay. Both lists are in ascending ids, so one merge does.
void Chain::addToOverlay() {
    std::sort(m_marked.begin(), m_marked.end());
    m_merged.clear();
    auto changed = m_overlay.begin();
    for (const TokenId id : m_marked) {
        while (changed != m_overlay.end() && changed->id < id)
            m_merged.push_back(*changed++);
        if (changed != m_overlay.end() && changed->id == id) continue;
        m_merged.push_back({m_logits.empty() ? 0.0 : m_logits[static_cast<std::size_t>(id)], 0.0, id});
    }
    m_merged.insert(m_merged.end(), changed, m_overlay.end());
    std::swap(m_merged, m_overlay);
}

template <class Change>
void Chain::changeMarked(Change change) {
    if (m_dense) addToOverlay();
    for (Item& item : m_dense ? m_overlay : m_items) {
        const std::uint32_t mark = m_marks[static_cast<std::size_t>(item.id)];
        if (mark != 0) item.logit = change(item.logit, mark);
    }
    for (const TokenId id : m_marked)
        m_marks[static_cast<std::size_t>(id)] = 0;
    m_marked.clear();
}

/// @source repetition: Keskar et al. 2019 (CTRL) section 4.1, with the sign rule that every engine adds,
/// since a
///         negative logit divided would rise; frequency and presence: the OpenAI API reference
Status Chain::applyPenalties() {
    const std::span<const TokenId> tokens = window(m_parameters.repeatLastN);
    const auto outside =
        std::find_if(tokens.begin(), tokens.end(), [this](TokenId id) { return !inVocabulary(id); });
    if (outside != tokens.end())
        return Error(Errc::T211, {std::to_string(*outside), std::to_string(m_vocabularySize)});
    for (const TokenId id : tokens) {
        if (m_marks[static_cast<std::size_t>(id)]++ == 0) m_marked.push_back(id);
    }
    const double repeat = m_parameters.repeatPenalty;
    const double frequency = m_parameters.frequencyPenalty;
    const double presence = m_parameters.presencePenalty;
    changeMarked([repeat, frequency, presence](double logit, std::uint32_t count) {
        const double repeated = logit > 0.0 ? logit / repeat : logit * repeat;
        return repeated - static_cast<double>(count) * frequency - presence;
    });
    return {};
}

std::size_t Chain::tokensSinceBreaker(std::span<const TokenId> tokens) const {
    std::size_t count = 0;
    while (count < tokens.size() && !m_breakers[static_cast<std::size_t>(tokens[tokens.size() - 1 - count])])
        ++count;
    return count;
}

/// Marks every token that followed an earlier copy of the end of `tokens` with the length of the longest
/// copy. The Z-function of the reversed tokens gives all lengths in linear time.
/// @source Gusfield 1997, "Algorithms on Strings, Trees and Sequences", section 1.4
void Chain::measureMatches(std::span<const TokenId> tokens, std::size_t limit) {
    const std::size_t count = tokens.size();
    const auto reversed = [tokens, count](std::size_t index) { return tokens[count - 1 - index]; };
    m_matches.assign(count, 0);
    std::size_t left = 0;
    std::size_t right = 0;
    for (std::size_t i = 1; i < count; ++i) {
        std::size_t length = i < right ? std::min<std::size_t>(right - i, m_matches[i - left]) : 0;
        while (i + length < count && reversed(length) == reversed(i + length))
            ++length;
        if (i + length > right) {
            left = i;
            right = i + length;
        }
        m_matches[i] = static_cast<std::uint32_t>(length);
        const auto counted = static_cast<std::uint32_t>(std::min(length, limit));
        const TokenId follower = reversed(i - 1);
        if (counted < m_parameters.dryAllowedLength || m_breakers[static_cast<std::size_t>(follower)])
            continue;
        std::uint32_t& mark = m_marks[static_cast<std::size_t>(follower)];
        if (mark == 0) m_marked.push_back(follower);
        mark = std::max(mark, counted);
    }
}

/// "Don't repeat yourself": a token that would lengthen a repetition of n tokens loses
/// multiplier * base^(n - allowed length). Neither the repetition nor the token may be or hold a breaker.
/// @source p-e-w 2024, text-generation-webui pull request 5677
Status Chain::applyDry() {
    const std::span<const TokenId> tokens = window(m_parameters.dryPenaltyLastN);
    const auto outside =
        std::find_if(tokens.begin(), tokens.end(), [this](TokenId id) { return !inVocabulary(id); });
    if (outside != tokens.end())
        return Error(Errc::T211, {std::to_string(*outside), std::to_string(m_vocabularySize)});
    const std::size_t limit = tokensSinceBreaker(tokens);
    if (limit < m_parameters.dryAllowedLength) return {};
    measureMatches(tokens, limit);
    const double multiplier = m_parameters.dryMultiplier;
    const double base = m_parameters.dryBase;
    const std::uint32_t allowed = m_parameters.dryAllowedLength;
    changeMarked([multiplier, base, allowed](double logit, std::uint32_t length) {
        // Capped so that it stays a finite float when a back end applies it; no logit survives this much
        // anyway.
        constexpr double kMost = 1e37;
        return logit - std::min(kMost, multiplier * std::pow(base, static_cast<double>(length - allowed)));
    });
    return {};
}

/// @source Fan, Lewis & Dauphin 2018, section 5.4
Status Chain::applyTopK() {
    keepGreatest(std::max(m_parameters.topK, m_parameters.minKeep));
    return {};
}

double Chain::greatest() const {
    double most = -kInfinity;
    for (const Item& item : m_items)
        most = std::max(most, item.logit);
    return most;
}

double Chain::weigh() {
    const double most = greatest();
    double sum = 0.0;
    for (Item& item : m_items) {
        // The comparison lets infinities share: infinity - infinity would be NaN.
        item.weight = item.logit == most ? 1.0 : std::exp(item.logit - most);
        sum += item.weight;
    }
    return sum;
}

/// The tokens whose surprise is nearest to the entropy, up to the mass typicalP.
/// @source Meister, Pimentel, Wiher & Cotterell 2022, "Locally typical sampling", equation 10
Status Chain::applyTypical() {
    list();
    const double total = weigh();
    const double most = greatest();
    const double logTotal = std::log(total);
    const auto surprise = [most, logTotal](const Item& item) {
        return item.logit == most ? logTotal : most - item.logit + logTotal;
    };
    double entropy = 0.0;
    for (const Item& item : m_items) {
        if (item.weight > 0.0) entropy += item.weight / total * surprise(item);
    }
    const auto less = [surprise, entropy](const Item& a, const Item& b) {
        const double distanceA = std::abs(surprise(a) - entropy);
        const double distanceB = std::abs(surprise(b) - entropy);
        return distanceA != distanceB ? distanceA < distanceB : a.id < b.id;
    };
    const std::size_t count =
        smallestPrefix(std::span<Item>(m_items), m_parameters.typicalP * total, false, less);
    keepFirst(m_items, std::max<std::size_t>(count, m_parameters.minKeep), less);
    return {};
}

void Chain::keepHeaviest(std::size_t count) {
    keepFirst(m_items, std::max<std::size_t>(count, m_parameters.minKeep), CanonicalLess{});
}

/// @source Holtzman, Buys, Du, Forbes & Choi 2020, section 3.1
Status Chain::applyTopP() {
    list();
    const double total = weigh();
    keepHeaviest(smallestPrefix(std::span<Item>(m_items), m_parameters.topP * total, false, CanonicalLess{}));
    return {};
}

/// @source Nguyen et al. 2024, "Turning up the heat: min-p sampling", section 3
Status Chain::applyMinP() {
    list();
    const double threshold = greatest() + std::log(static_cast<double>(m_parameters.minP));
    const auto high = std::partition(m_items.begin(), m_items.end(),
                                     [threshold](const Item& item) { return item.logit >= threshold; });
    const auto count = static_cast<std::size_t>(high - m_items.begin());
    if (count >= m_parameters.minKeep) {
        m_items.erase(high, m_items.end());
    } else {
        keepHeaviest(count);
    }
    return {};
}

/// "Exclude top choices": with some probability, of the tokens at or above the threshold only the least
/// likely stays.
/// @source p-e-w 2024, text-generation-webui pull request 6335
Status Chain::applyXtc() {
    if (draw(m_place, kDrawXtc) >= m_parameters.xtcProbability) return {};
    list();
    const double bar = static_cast<double>(m_parameters.xtcThreshold) * weigh();
    std::size_t viable = 0;
    const Item* last = nullptr;
    for (const Item& item : m_items) {
        if (item.weight < bar) continue;
        ++viable;
        if (last == nullptr || CanonicalLess{}(*last, item)) last = &item;
    }
    if (viable < 2 || m_items.size() - (viable - 1) < m_parameters.minKeep) return {};
    const Item least = *last;
    std::erase_if(m_items, [&least](const Item& item) { return CanonicalLess{}(item, least); });
    return {};
}

Status Chain::applyTemperature() {
    list();
    const double temperature = m_parameters.temperature;
    for (Item& item : m_items)
        item.logit /= temperature;
    return {};
}

double Chain::draw(const DrawPlace& place, std::uint32_t number) const {
    return uniformAt(m_parameters.seed, place.sequence, place.position, number);
}

Result<Choice> Chain::pick(const DrawPlace& place) {
    list();
    return pickWeighted(place);
}

/// Inverse of the cumulative distribution in canonical order. The order depends on what is left and on
/// nothing else, so all logits and a list of candidates give the same token.
Result<Choice> Chain::pickWeighted(const DrawPlace& place) {
    if (m_items.empty()) return Error(Errc::M132, {std::to_string(place.position)});
    const double total = weigh();
    std::size_t count = 1;
    if (m_items.size() > 1) {
        const double target = draw(place, kDrawToken) * total;
        count = smallestPrefix(std::span<Item>(m_items), target, true, CanonicalLess{});
    }
    const Item* chosen = &m_items[count - 1];
    // Rounding may place the target behind the last weight; then the last token that has one is meant.
    if (chosen->weight == 0.0) {
        chosen = &*std::max_element(m_items.begin(), m_items.end(), [](const Item& a, const Item& b) {
            if ((a.weight > 0.0) != (b.weight > 0.0)) return b.weight > 0.0;
            return CanonicalLess{}(a, b);
        });
    }
    Choice choice;
    choice.id = chosen->id;
    choice.probability = chosen->weight / total;
    choice.survivors = static_cast<std::uint32_t>(m_items.size());
    return choice;
}

/// How many of the most likely tokens mirostat 1 leaves, from an estimate of the Zipf exponent.
/// @source Basu, Ramachandran, Keskar & Varshney 2021, "Mirostat", equation 30 and algorithm 1
std::size_t Chain::mirostatCount(double mu, double total) {
    constexpr std::size_t kEstimated = 100;
    const std::size_t count = std::min(kEstimated, m_items.size());
    const auto end = m_items.begin() + static_cast<std::ptrdiff_t>(count);
    if (count < m_items.size()) std::nth_element(m_items.begin(), end, m_items.end(), CanonicalLess{});
    std::sort(m_items.begin(), end, CanonicalLess{});
    double products = 0.0;
    double squares = 0.0;
    for (std::size_t i = 0; i + 1 < count && m_items[i + 1].weight / total > 0.0; ++i) {
        const double rank = std::log(static_cast<double>(i + 2) / static_cast<double>(i + 1));
        products += rank * std::log(m_items[i].weight / m_items[i + 1].weight);
        squares += rank * rank;
    }
    if (squares == 0.0) return 1;
    const double exponent = products / squares;
    const double epsilon = exponent - 1.0;
    const double size = m_vocabularySize;
    // The limit at epsilon = 0 is 1 / ln(size); near it the quotient would lose all digits.
    const double share = std::abs(epsilon) < 1e-9 ? 1.0 / std::log(std::max(size, 2.0))
                                                  : epsilon / (1.0 - std::pow(size, -epsilon));
    const double k = std::pow(share * std::exp2(mu), 1.0 / exponent);
    // Flat logits make the exponent 0, and k may be infinite or NaN: nothing to cut.
    if (!(k < static_cast<double>(m_items.size()))) return m_items.size();
    return std::max<std::size_t>(1, static_cast<std::size_t>(k));
}

/// Both versions measure the surprise of the token in the distribution before the cut, as algorithms 1 and 2
/// have it.
Result<Choice> Chain::pickMirostat(const DrawPlace& place, double& mu) {
    list();
    if (m_items.empty()) return Error(Errc::M132, {std::to_string(place.position)});
    if (std::isnan(mu)) mu = 2.0 * m_parameters.mirostatTau;
    const double total = weigh();
    if (m_parameters.mirostat == Mirostat::V1) {
        keepFirst(m_items, mirostatCount(mu, total), CanonicalLess{});
    } else {
        const double least = total * std::exp2(-mu);
        const auto tail = std::partition(m_items.begin(), m_items.end(),
                                         [least](const Item& item) { return item.weight >= least; });
        if (tail == m_items.begin()) {
            keepFirst(m_items, 1, CanonicalLess{});
        } else {
            m_items.erase(tail, m_items.end());
        }
    }
    // Cutting keeps the greatest logit, so weights before and after are to the same scale.
    const double leftTotal = weigh();
    LOADER_TRY(const Choice choice, pickWeighted(place));
    const double surprise = std::log2(total / leftTotal) - std::log2(choice.probability);
    mu -= m_parameters.mirostatEta * (surprise - m_parameters.mirostatTau);
    return choice;
}

}  // namespace loader::sampling
