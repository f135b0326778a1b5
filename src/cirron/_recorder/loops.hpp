// What a loop and its iterators share.
#pragma once

#include "python.hpp"

namespace cirron {

// What tells the two kinds of loop apart.
struct Unit {
    bool is_epoch;
    PyObject* name;
    PyObject* end_name;  // of the scope around a last fetch that gave no item but recorded something
};

// A new iterator over `iterable`. Takes over the reference to `iterator`, what that gave for it, which may be null with
// an exception set.
PyObject* new_loop_iterator(const Unit* unit, RecorderObject* bound, PyObject* iterable, PyObject* iterator);
PyObject* loop_iterator_next(PyObject* iterator);

// The length hint of what is wrapped, which may have none.
PyObject* length_hint_of(PyObject* wrapped);

int init_loop_iterator_type();

}  // namespace cirron
