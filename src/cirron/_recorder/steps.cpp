// A loop over batches, step by step: each ends when the next begins, and that begins with the wait for its batch.
#include "python.hpp"

#include <structmember.h>

#include <utility>

namespace cirron {

namespace {

struct StepsObject {
    PyObject ob_base;
    // All owned, and any may be null or None.
    PyObject* open_step;
    PyObject* open_first_load;
    PyObject* open_load;
    PyObject* step;
    PyObject* load;
    long long count;
    long long last;  // 0: nobody knows which step is the last
    char is_ready;
};

StepsObject* as_steps(PyObject* object) { return reinterpret_cast<StepsObject*>(object); }

// False with an exception set that is meant for the program, as all of these.
bool leave(PyObject*& scope) {
    PyObject* left = std::exchange(scope, nullptr);
    if (left == nullptr || left == Py_None) {
        Py_XDECREF(left);
        return true;
    }
    PyObject* const no_error[] = {Py_None, Py_None, Py_None};
    PyObject* result = PyObject_Vectorcall(left, no_error, 3, nullptr);
    Py_DECREF(left);
    Py_XDECREF(result);
    return result != nullptr;
}

// Enters what `made` is, a new reference to a scope or None; null when making it has failed.
bool enter(PyObject* made, PyObject*& scope) {
    if (made == nullptr) return false;
    PyObject* before = std::exchange(scope, made);
    Py_XDECREF(before);
    if (made == Py_None) return true;
    PyObject* entered = PyObject_CallNoArgs(made);
    Py_XDECREF(entered);
    return entered != nullptr;
}

bool begin_last(StepsObject* self) {
    PyObject* result = PyObject_CallMethod(reinterpret_cast<PyObject*>(self), "begin_last", nullptr);
    Py_XDECREF(result);
    return result != nullptr;
}

bool begin_step(StepsObject* self) {
    PyObject* number = PyLong_FromLongLong(self->count);
    if (number == nullptr) return false;
    PyObject* made = PyObject_CallOneArg(self->open_step, number);
    Py_DECREF(number);
    PyObject* open_load = self->count == 0 ? self->open_first_load : self->open_load;
    ++self->count;
    if (!enter(made, self->step) || !enter(PyObject_CallNoArgs(open_load), self->load)) return false;
    return self->count != self->last || begin_last(self);
}

// False with an exception set.
bool get_ready(StepsObject* self) {
    PyObject* answer = PyObject_CallMethod(reinterpret_cast<PyObject*>(self), "get_ready", nullptr);
    if (answer != nullptr) self->is_ready = answer == Py_True;
    Py_XDECREF(answer);
    return answer != nullptr;
}

// Called with the exception set that came in place of a batch, which stays, unless telling of it raises one.
void tell_of_none(StepsObject* self) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != nullptr) PyException_SetTraceback(value, traceback);
    PyObject* result = PyObject_CallMethod(reinterpret_cast<PyObject*>(self), "has_none", "O", value);
    if (result != nullptr) {
        PyErr_Restore(type, value, traceback);
    } else {
        Py_XDECREF(type);
        Py_XDECREF(value);
        Py_XDECREF(traceback);
    }
    Py_XDECREF(result);
}

PyObject* fetch_in_step(StepsObject* self, PyObject* function, PyObject* argument) {
    if (!leave(self->step) || !begin_step(self)) return nullptr;
    PyObject* batch = PyObject_CallOneArg(function, argument);
    if (batch != nullptr && !leave(self->load)) Py_CLEAR(batch);
    return batch;
}

PyObject* steps_fetch(PyObject* object, PyObject* const* args, Py_ssize_t count) {
    StepsObject* self = as_steps(object);
    if (count != 2 || self->open_step == nullptr) {
        PyErr_SetString(PyExc_TypeError, "fetch() takes a function and its argument, once __init__ has been called");
        return nullptr;
    }
    if (!self->is_ready && !get_ready(self)) return nullptr;
    if (!self->is_ready) return PyObject_CallOneArg(args[0], args[1]);
    PyObject* batch = fetch_in_step(self, args[0], args[1]);
    if (batch == nullptr) tell_of_none(self);
    return batch;
}

int steps_init(PyObject* object, PyObject* args, PyObject* keywords) {
    static const char* names[] = {"open_step", "open_first_load", "open_load", nullptr};
    PyObject *open_step, *open_first_load, *open_load;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OOO:Steps", const_cast<char**>(names), &open_step,
                                     &open_first_load, &open_load)) {
        return -1;
    }
    StepsObject* self = as_steps(object);
    Py_XSETREF(self->open_step, Py_NewRef(open_step));
    Py_XSETREF(self->open_first_load, Py_NewRef(open_first_load));
    Py_XSETREF(self->open_load, Py_NewRef(open_load));
    return 0;
}

// With the exception that is on its way, which Python code cannot see from a finalizer of its own.
void steps_finalize(PyObject* object) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject* result = PyObject_CallMethod(object, "end", "O", type == nullptr ? Py_None : type);
    if (result == nullptr) PyErr_WriteUnraisable(object);
    Py_XDECREF(result);
    PyErr_Restore(type, value, traceback);
}

int steps_traverse(PyObject* object, visitproc visit, void* arg) {
    StepsObject* self = as_steps(object);
    Py_VISIT(self->open_step);
    Py_VISIT(self->open_first_load);
    Py_VISIT(self->open_load);
    return 0;
}

int steps_clear(PyObject* object) {
    StepsObject* self = as_steps(object);
    Py_CLEAR(self->open_step);
    Py_CLEAR(self->open_first_load);
    Py_CLEAR(self->open_load);
    Py_CLEAR(self->load);
    Py_CLEAR(self->step);
    return 0;
}

void steps_dealloc(PyObject* object) {
    if (PyObject_CallFinalizerFromDealloc(object) < 0) return;
    PyObject_GC_UnTrack(object);
    steps_clear(object);
    Py_TYPE(object)->tp_free(object);
}

PyObject* steps_nothing(PyObject*, PyObject*) { Py_RETURN_NONE; }

PyObject* steps_get_ready(PyObject*, PyObject*) { Py_RETURN_TRUE; }

PyMethodDef g_steps_methods[] = {
    {"fetch", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(steps_fetch)), METH_FASTCALL, nullptr},
    {"get_ready", steps_get_ready, METH_NOARGS, nullptr},
    {"has_none", steps_nothing, METH_O, nullptr},
    {"begin_last", steps_nothing, METH_NOARGS, nullptr},
    {"end", steps_nothing, METH_O, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyMemberDef g_steps_members[] = {
    {"step", T_OBJECT, offsetof(StepsObject, step), 0, nullptr},
    {"load", T_OBJECT, offsetof(StepsObject, load), 0, nullptr},
    {"count", T_LONGLONG, offsetof(StepsObject, count), READONLY, nullptr},
    {"last", T_LONGLONG, offsetof(StepsObject, last), 0, nullptr},
    {"is_ready", T_BOOL, offsetof(StepsObject, is_ready), 0, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyTypeObject g_steps_type = [] {
    PyTypeObject type = empty_type();
    type.tp_name = "cirron._recorder.native.Steps";
    type.tp_basicsize = sizeof(StepsObject);
    type.tp_dealloc = steps_dealloc;
    type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE;
    type.tp_doc = "A loop over batches, step by step.";
    type.tp_traverse = steps_traverse;
    type.tp_clear = steps_clear;
    type.tp_methods = g_steps_methods;
    type.tp_members = g_steps_members;
    type.tp_init = steps_init;
    type.tp_new = PyType_GenericNew;
    type.tp_finalize = steps_finalize;
    return type;
}();

}  // namespace

int init_steps_type(PyObject* module) {
    if (PyType_Ready(&g_steps_type) != 0) return -1;
    return PyModule_AddObjectRef(module, "Steps", reinterpret_cast<PyObject*>(&g_steps_type));
}

}  // namespace cirron
