// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What a worker is told and what it answers, one struct per row of message_types.inc. The application trusts
// none of what a worker sends: session.h checks it.
#pragma once

#include "core/protocol/request_messages.h"
#include "core/protocol/worker_messages.h"
