// A loop over batches, step by step: each ends when the next begins, and that begins with the wait for its batch.
#include "python.hpp"

#include <structmember.h>

namespace cirron {

namespace {

struct StepsObject {
    PyObject ob_base;
    // All owned; null before __init__, and `find` also where the default recorder records.
    PyObject* find;
    PyObject* step;  // a scope, which is entered time and again
    PyObject* no_step_in;
    PyObject* load;  // likewise, but another for the first batch
    PyObject* load_name;
    PyObject* no_load_in;
    PyObject* names;
    long long count;
    long long attend_at;  // 0: at no step
    char is_ready;
};

StepsObject* as_steps(PyObject* object) { return reinterpret_cast<StepsObject*>(object); }

// Enters a scope unless it is within another that forbids it. False with an exception set that is meant for the
// program, as all of these.
bool enter_unless(StepsObject* self, PyObject* scope, PyObject* unless) {
    Recorder* recorder = nullptr;
    PyObject* held = nullptr;
    bool is_one = true;
    bool goes_on = find_target_by(self->find, recorder, held);
    if (goes_on && recorder != nullptr) goes_on = is_within(recorder, unless, self->names, is_one);
    if (goes_on && !is_one) goes_on = enter_scope(scope, recorder);
    Py_XDECREF(held);
    return goes_on;
}

bool next_step(StepsObject* self, long long index) {
    if (!leave_scope(self->step)) return false;
    number_scope(self->step, index);
    return enter_unless(self, self->step, self->no_step_in);
}

bool attend(StepsObject* self) {
    PyObject* result = PyObject_CallMethod(reinterpret_cast<PyObject*>(self), "attend", nullptr);
    Py_XDECREF(result);
    return result != nullptr;
}

PyObject* named_scope(PyObject* name) { return make_scope(nullptr, &name, 1, nullptr); }

// That of the first batch, for which a loader starts its workers.
PyObject* first_load_scope(PyObject* name) {
    PyObject* keys = Py_BuildValue("(s)", "first");
    if (keys == nullptr) return nullptr;
    PyObject* const given[] = {name, Py_True};
    PyObject* scope = make_scope(nullptr, given, 1, keys);
    Py_DECREF(keys);
    return scope;
}

bool begin_load(StepsObject* self) {
    if (self->count == 2) {
        PyObject* load = named_scope(self->load_name);
        if (load == nullptr) return false;
        Py_SETREF(self->load, load);
    }
    return enter_unless(self, self->load, self->no_load_in);
}

bool begin_step(StepsObject* self) {
    if (!next_step(self, self->count++) || !begin_load(self)) return false;
    return self->count != self->attend_at || attend(self);
}

// False with an exception set.
bool get_ready(StepsObject* self, bool& has_step) {
    PyObject* answer = PyObject_CallMethod(reinterpret_cast<PyObject*>(self), "get_ready", nullptr);
    has_step = answer == Py_True;
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
    if (!begin_step(self)) return nullptr;
    PyObject* batch = PyObject_CallOneArg(function, argument);
    if (batch != nullptr && !leave_scope(self->load)) Py_CLEAR(batch);
    return batch;
}

PyObject* steps_fetch(PyObject* object, PyObject* const* args, Py_ssize_t count) {
    StepsObject* self = as_steps(object);
    if (count != 2 || self->load == nullptr) {
        PyErr_SetString(PyExc_TypeError, "fetch() takes a function and its argument, once __init__ has been called");
        return nullptr;
    }
    bool has_step = self->is_ready != 0;
    if (!has_step && !get_ready(self, has_step)) return nullptr;
    if (!has_step) return PyObject_CallOneArg(args[0], args[1]);
    PyObject* batch = fetch_in_step(self, args[0], args[1]);
    if (batch == nullptr) tell_of_none(self);
    return batch;
}

PyObject* steps_next(PyObject* object, PyObject* number) {
    long long index = PyLong_AsLongLong(number);
    if (index == -1 && PyErr_Occurred()) return nullptr;
    if (as_steps(object)->load == nullptr) {
        PyErr_SetString(PyExc_TypeError, "next() may be called once __init__ has been");
        return nullptr;
    }
    if (!next_step(as_steps(object), index)) return nullptr;
    Py_RETURN_NONE;
}

int steps_init(PyObject* object, PyObject* args, PyObject* keywords) {
    static const char* names[] = {"find_recorder", "step", "no_step_in", "load", "no_load_in", "names", nullptr};
    PyObject *find, *step, *no_step_in, *load, *no_load_in, *among;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OUO!UO!O!:Steps", const_cast<char**>(names), &find, &step,
                                     &PyTuple_Type, &no_step_in, &load, &PyTuple_Type, &no_load_in, &PyTuple_Type,
                                     &among)) {
        return -1;
    }
    StepsObject* self = as_steps(object);
    Py_XSETREF(self->find, find == Py_None ? nullptr : Py_NewRef(find));
    Py_XSETREF(self->no_step_in, Py_NewRef(no_step_in));
    Py_XSETREF(self->load_name, Py_NewRef(load));
    Py_XSETREF(self->no_load_in, Py_NewRef(no_load_in));
    Py_XSETREF(self->names, Py_NewRef(among));
    Py_XSETREF(self->step, named_scope(step));
    if (self->step == nullptr) return -1;
    make_ending_early(self->step, false);
    Py_XSETREF(self->load, first_load_scope(load));  // the last one: what has it has all
    return self->load == nullptr ? -1 : 0;
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
    Py_VISIT(self->find);
    return 0;
}

int steps_clear(PyObject* object) {
    StepsObject* self = as_steps(object);
    for (PyObject** each : {&self->find, &self->load, &self->step, &self->no_step_in, &self->load_name,
                            &self->no_load_in, &self->names}) {
        Py_CLEAR(*each);
    }
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
    {"next", steps_next, METH_O, nullptr},
    {"get_ready", steps_get_ready, METH_NOARGS, nullptr},
    {"has_none", steps_nothing, METH_O, nullptr},
    {"attend", steps_nothing, METH_NOARGS, nullptr},
    {"end", steps_nothing, METH_O, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyMemberDef g_steps_members[] = {
    {"step", T_OBJECT, offsetof(StepsObject, step), READONLY, nullptr},
    {"load", T_OBJECT, offsetof(StepsObject, load), READONLY, nullptr},
    {"count", T_LONGLONG, offsetof(StepsObject, count), READONLY, nullptr},
    {"attend_at", T_LONGLONG, offsetof(StepsObject, attend_at), 0, nullptr},
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
