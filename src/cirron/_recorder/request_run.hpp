// The body of a request that hands over control: a coroutine, a generator or an asynchronous generator.
#pragma once

#include "inference.hpp"
#include "request.hpp"

namespace cirron {

// A coroutine, generator or asynchronous generator that does what `inner` does, of which it steals the reference, as a
// request: `request` if that has begun already, else one that begins with the body. Null with an exception set.
PyObject* wrap(Inference* by, PyObject* inner, PyObject* given_id, Request* request);

// Ends a request whose function has returned `result`, a reference that is stolen, and returns that; or, if it is a
// stream that nobody else has, the same as a part of the request, which goes on with it. Null with an exception set.
PyObject* deliver(Inference* by, Request* request, PyObject* result);

int init_request_run_type(PyObject* module);

}  // namespace cirron
