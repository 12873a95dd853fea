// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/chat/heap.h"

namespace loader::chat {

MutableObject::MutableObject(Heap& heap) : Object(heap), m_owner(heap), m_next(heap.m_mutables) {
    if (m_next) m_next->m_previous = this;
    heap.m_mutables = this;
}

MutableObject::~MutableObject() {
    if (m_previous) {
        m_previous->m_next = m_next;
    } else {
        m_owner.m_mutables = m_next;
    }
    if (m_next) m_next->m_previous = m_previous;
}

Heap::~Heap() {
    // All are held while all are emptied; only then does each one go.
    for (MutableObject* object = m_mutables; object; object = object->m_next)
        object->retain();
    for (MutableObject* object = m_mutables; object; object = object->m_next)
        object->clear();
    for (MutableObject* object = m_mutables; object;) {
        MutableObject* const next = object->m_next;
        object->release();
        object = next;
    }
}

void Heap::bury(Object* object) {
    object->m_link = m_dead;
    m_dead = object;
    if (m_burying) return;
    m_burying = true;
    while (m_dead) {
        Object* const next = m_dead;
        m_dead = next->m_link;
        refund(next->m_charged);
        delete next;
    }
    m_burying = false;
}

}  // namespace loader::chat
