// Static Python types in C++, which cannot name single fields after PyVarObject_HEAD_INIT.
#pragma once

#include <Python.h>

namespace cirron {

inline PyTypeObject empty_type() {
    PyVarObject head = {PyObject_HEAD_INIT(nullptr) 0};
    PyTypeObject type{};
    type.ob_base = head;
    return type;
}

}  // namespace cirron
