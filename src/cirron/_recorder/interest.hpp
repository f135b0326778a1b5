// Which objects may hold what is said about a language model's answer. Asking runs no code of the object's, and looks
// at no tensor: objects of most types are none by their type, and that is asked once a type.
#pragma once

#include <Python.h>

namespace cirron {

// `interest` is called with a type and says 0: never, 1: always, 2: when an object has such a field, 3: it is a
// client's stream of chunks.
bool is_worth_reading(PyObject* interest, PyObject* result);
// The same, of an item of a stream.
bool is_worth_seeing(PyObject* interest, PyObject* chunk);
// Whether it takes its chunks from a generator in its attribute `_iterator`.
bool is_client_stream(PyObject* interest, PyObject* result);
int init_interest();

}  // namespace cirron
