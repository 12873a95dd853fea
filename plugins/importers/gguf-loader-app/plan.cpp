// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "plugins/importers/gguf-loader-app/plan.h"

#include <set>

#include "core/app/config/setting_list.h"

namespace loader::app::ggufloader {

void Plan::setting(SourceKey source, std::string_view target, Json value, Json original, std::string note,
                   int rank) {
    Step step;
    step.kind = Kind::Setting;
    step.source = std::move(source);
    step.target = target;
    step.original = std::move(original);
    step.note = std::move(note);
    step.rank = rank;
    // A value that cannot be must not keep a good one of lower rank out.
    const SettingSpec* spec = findSetting(target);
    auto checked = spec ? checkedSetting(*spec, value) : Result<Json>(Error(Errc::C504, {step.target}));
    step.possible = checked.ok();
    step.value = checked ? std::move(checked).value() : std::move(value);
    add(std::move(step));
}

void Plan::append(SourceKey source, std::string_view target, std::vector<std::string> entries, Json original,
                  std::string note) {
    Step step;
    step.kind = Kind::List;
    step.source = std::move(source);
    step.target = target;
    step.value = std::move(entries);
    step.original = std::move(original);
    step.note = std::move(note);
    add(std::move(step));
}

void Plan::ignored(SourceKey source, Json value, std::string reason) {
    Step step;
    step.source = std::move(source);
    step.original = std::move(value);
    step.note = std::move(reason);
    add(std::move(step));
}

void Plan::invalid(SourceKey source, Json value, std::string reason) {
    ignored(std::move(source), std::move(value), std::move(reason));
    m_steps.back().kind = Kind::Invalid;
}

void Plan::secret(SourceKey source, std::string reason) {
    ignored(std::move(source), nullptr, std::move(reason));
    m_steps.back().kind = Kind::Secret;
}

void Plan::model(SourceKey source, ImportedModel model, std::string note) {
    ignored(std::move(source), nullptr, std::move(note));
    m_steps.back().kind = Kind::Model;
    m_steps.back().model = std::make_shared<const ImportedModel>(std::move(model));
}

void Plan::measurement(SourceKey source, ImportedMeasurement measurement, std::string note) {
    ignored(std::move(source), nullptr, std::move(note));
    m_steps.back().kind = Kind::Measurement;
    m_steps.back().measurement = std::make_shared<const ImportedMeasurement>(std::move(measurement));
}

Plan::Winners Plan::winners() const {
    Winners best;
    for (const Step& step : m_steps) {
        if (step.kind != Kind::Setting || !step.possible) continue;
        const Step*& known = best[step.target];
        if (!known || step.rank > known->rank) known = &step;
    }
    return best;
}

void Plan::deliverSetting(ImportSink& sink, const Step& step, const Winners& winners) {
    const Step* best = step.possible ? winners.at(step.target) : &step;
    if (best->value == step.value) {
        sink.setting(step.source, SettingOwner::global(), step.target, step.value, step.original, step.note);
        return;
    }
    const bool sameFile = best->source.file == step.source.file;
    const std::string reason = step.target + " is taken from " + best->source.key +
                               (sameFile ? "" : " of " + best->source.file) + ", which counts";
    sink.ignored(step.source, step.original, reason);
}

std::map<std::string, Json> Plan::mergedLists() const {
    std::map<std::string, Json> lists;
    std::map<std::string, std::set<std::string>> known;
    for (const Step& step : m_steps) {
        if (step.kind != Kind::List) continue;
        const SettingSpec* spec = findSetting(step.target);
        const auto most = spec ? static_cast<std::size_t>(spec->most) : 0;
        Json& list = lists.try_emplace(step.target, Json::array()).first->second;
        for (const Json& entry : step.value)
            if (list.size() < most && known[step.target].insert(entry.get<std::string>()).second)
                list.push_back(entry);
    }
    return lists;
}

void Plan::deliver(ImportSink& sink) {
    const Winners best = winners();
    const std::map<std::string, Json> lists = mergedLists();
    for (const Step& step : m_steps) {
        switch (step.kind) {
            case Kind::Setting: deliverSetting(sink, step, best); break;
            case Kind::Ignored: sink.ignored(step.source, step.original, step.note); break;
            case Kind::Invalid: sink.invalid(step.source, step.original, step.note); break;
            case Kind::Secret: sink.secret(step.source, step.note); break;
            case Kind::Model: sink.model(step.source, *step.model, step.note); break;
            case Kind::Measurement: sink.measurement(step.source, *step.measurement, step.note); break;
            // Each of its sources tells the whole list: so a second run finds what it would set.
            case Kind::List:
                sink.setting(step.source, SettingOwner::global(), step.target, lists.at(step.target),
                             step.original, step.note);
                break;
        }
    }
    m_steps.clear();
}

}  // namespace loader::app::ggufloader
