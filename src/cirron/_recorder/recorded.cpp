// A function in a scope of its own, for the hooks. It has no Python frame, so that a traceback shows nothing of it, and
// touches little memory: what a scope costs in a program whose own work fills the caches is the memory it touches.
#include "python.hpp"

namespace cirron {

namespace {

struct RecordedObject {
    PyObject ob_base;
    vectorcallfunc call;
    // All owned. The first is null where `after` is set; `find` and the last five may be null.
    PyObject* function;
    PyObject* after;
    PyObject* find;  // gives the recorder; null: the default one records
    PyObject* name;
    PyObject* unless;
    PyObject* names;
    PyObject* task;
    PyObject* is_special;
    PyObject* special;
    PyObject* before;
    PyObject* dict;  // for functools.update_wrapper
    PyObject* weak;
};

RecordedObject* as_recorded(PyObject* object) { return reinterpret_cast<RecordedObject*>(object); }

// The `__call__` that the class of `self` has behind `after` in its order, as super() would find it. Borrowed; null
// without an exception where there is none.
PyObject* next_call(PyObject* self, PyObject* after) {
    static PyObject* name = PyUnicode_InternFromString("__call__");
    PyObject* order = Py_TYPE(self)->tp_mro;
    bool is_behind = false;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(order); ++i) {
        PyObject* type = PyTuple_GET_ITEM(order, i);
        PyObject* dict = reinterpret_cast<PyTypeObject*>(type)->tp_dict;  // null for some of the built-in types
        PyObject* found = is_behind && dict != nullptr ? PyDict_GetItemWithError(dict, name) : nullptr;
        if (found != nullptr) return found;
        is_behind = is_behind || type == after;
    }
    return nullptr;
}

PyObject* call_next(PyObject* after, PyObject* const* args, size_t flags, PyObject* keywords) {
    PyObject* found = PyVectorcall_NARGS(flags) > 0 ? next_call(args[0], after) : nullptr;
    if (found == nullptr) {
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "the class of the first argument has no such __call__");
        return nullptr;
    }
    Py_INCREF(found);
    descrgetfunc bind = PyFunction_Check(found) ? nullptr : Py_TYPE(found)->tp_descr_get;
    PyObject* result = nullptr;
    if (bind == nullptr) {
        result = PyObject_Vectorcall(found, args, flags, keywords);
    } else if (PyObject* bound = bind(found, args[0], reinterpret_cast<PyObject*>(Py_TYPE(args[0])))) {
        size_t rest = static_cast<size_t>(PyVectorcall_NARGS(flags) - 1);
        result = PyObject_Vectorcall(bound, args + 1, rest, keywords);
        Py_DECREF(bound);
    }
    Py_DECREF(found);
    return result;
}

PyObject* call_function(RecordedObject* self, PyObject* const* args, size_t flags, PyObject* keywords) {
    if (self->function == nullptr) return call_next(self->after, args, flags, keywords);
    return PyObject_Vectorcall(self->function, args, flags, keywords);
}

// Whether what a callable says is true. False with an exception set that is meant for the program, as all of these.
bool ask(PyObject* callable, bool& answer) {
    PyObject* result = PyObject_CallNoArgs(callable);
    int yes = result == nullptr ? -1 : PyObject_IsTrue(result);
    Py_XDECREF(result);
    answer = yes > 0;
    return yes >= 0;
}

bool is_in_task(RecordedObject* self, bool& answer) {
    PyObject* task = PyObject_CallNoArgs(self->task);
    long number = task == nullptr ? -1 : PyLong_AsLong(task);
    Py_XDECREF(task);
    answer = number >= 0;
    return PyErr_Occurred() == nullptr;
}

// What records the call: null where it has no scope.
bool find_for_call(RecordedObject* self, Recorder*& recorder, PyObject*& held) {
    bool is_one = false;
    if (self->task != nullptr && !is_in_task(self, is_one)) return false;
    if (!is_one && !find_target_by(self->find, recorder, held)) return false;
    if (recorder == nullptr) return true;
    if (!is_within(recorder, self->unless, self->names, is_one)) return false;
    if (is_one) recorder = nullptr;
    return true;
}

bool tell_before(RecordedObject* self, PyObject* first) {
    PyObject* before = Py_NewRef(self->before);
    PyObject* result = PyObject_CallOneArg(before, first);
    Py_DECREF(before);
    Py_XDECREF(result);
    return result != nullptr;
}

// The exception that is set, if any, stays, while something is told of its type; else what that raises is the
// program's.
template <typename Tell>
PyObject* after_telling(PyObject* result, Tell tell) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (!tell(type == nullptr ? Py_None : type)) Py_CLEAR(result);
    if (type != nullptr) PyErr_Restore(type, value, traceback);
    return result;
}

PyObject* call_in_scope(RecordedObject* self, Recorder* recorder, PyObject* const* args, size_t flags,
                        PyObject* keywords) {
    OpenFrame open;
    bool opened = guarded(recorder, "recorded call", [&] {
        Opening opening;
        opening.name = recorder->names().number_of(self->name);
        open.frame = recorder->open(opening, now_ticks());
        open.owner = recorder->registration();
    });
    if (!opened) recorder->count_lost_span();
    PyObject* result = begin_calls(recorder, open, self->name) ? call_function(self, args, flags, keywords) : nullptr;
    return after_telling(result, [&](PyObject* error) { return close_frame(open, error); });
}

// In the scope that `special` makes of the name.
PyObject* call_in_special(RecordedObject* self, PyObject* const* args, size_t flags, PyObject* keywords) {
    PyObject* scope = PyObject_CallOneArg(self->special, self->name);
    PyObject* entered = scope == nullptr ? nullptr : PyObject_CallNoArgs(scope);
    PyObject* result = entered == nullptr ? nullptr : call_function(self, args, flags, keywords);
    if (entered != nullptr) {
        result = after_telling(result, [&](PyObject* error) {
            PyObject* const given[] = {error, Py_None, Py_None};
            PyObject* left = PyObject_Vectorcall(scope, given, 3, nullptr);
            Py_XDECREF(left);
            return left != nullptr;
        });
    }
    Py_XDECREF(entered);
    Py_XDECREF(scope);
    return result;
}

PyObject* call_where_due(RecordedObject* self, PyObject*& held, PyObject* const* args, size_t flags,
                         PyObject* keywords) {
    Recorder* recorder = nullptr;
    bool is_special = false;
    if (!find_for_call(self, recorder, held)) return nullptr;
    if (recorder == nullptr) return call_function(self, args, flags, keywords);
    if (self->is_special != nullptr && !ask(self->is_special, is_special)) return nullptr;
    return is_special ? call_in_special(self, args, flags, keywords)
                      : call_in_scope(self, recorder, args, flags, keywords);
}

PyObject* recorded_call(PyObject* object, PyObject* const* args, size_t flags, PyObject* keywords) {
    RecordedObject* self = as_recorded(object);
    if (self->before != nullptr) [[unlikely]] {
        if (!tell_before(self, PyVectorcall_NARGS(flags) > 0 ? args[0] : Py_None)) return nullptr;
    }
    PyObject* held = nullptr;
    PyObject* result = call_where_due(self, held, args, flags, keywords);
    Py_XDECREF(held);
    return result;
}

// What stands in for a function of a module is pickled by where it is found, as that. Whoever pickles a class of the
// program's by value, as cloudpickle does, takes our functions in it along: they find None in place of this then, for
// nobody records there.
PyObject* recorded_reduce(PyObject* object, PyObject*) {
    PyObject* dict = as_recorded(object)->dict;
    PyObject* name = dict == nullptr ? nullptr : PyDict_GetItemString(dict, "__qualname__");
    if (name != nullptr) return Py_NewRef(name);
    return Py_BuildValue("O()", reinterpret_cast<PyObject*>(Py_TYPE(Py_None)));
}

// ---- the type -----------------------------------------------------------------------------------------------------

PyObject* recorded_new(PyTypeObject* type, PyObject* args, PyObject* keywords) {
    static const char* names[] = {"function", "find_recorder", "name",    "unless", "names",
                                  "task",     "is_special",    "special", nullptr};
    PyObject *function, *find, *name, *unless, *among, *task = Py_None;
    PyObject *is_special = Py_None, *special = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OOUO!O!|OOO:Recorded", const_cast<char**>(names), &function,
                                     &find, &name, &PyTuple_Type, &unless, &PyTuple_Type, &among, &task, &is_special,
                                     &special)) {
        return nullptr;
    }
    PyObject* object = type->tp_alloc(type, 0);
    if (object == nullptr) return nullptr;
    RecordedObject* self = as_recorded(object);
    self->call = recorded_call;
    (PyType_Check(function) ? self->after : self->function) = Py_NewRef(function);
    if (find != Py_None) self->find = Py_NewRef(find);
    self->name = Py_NewRef(name);
    self->unless = Py_NewRef(unless);
    self->names = Py_NewRef(among);
    if (task != Py_None) self->task = Py_NewRef(task);
    if (is_special != Py_None) self->is_special = Py_NewRef(is_special);
    self->special = Py_NewRef(special);
    return object;
}

int recorded_traverse(PyObject* object, visitproc visit, void* arg) {
    RecordedObject* self = as_recorded(object);
    Py_VISIT(self->function);
    Py_VISIT(self->after);
    Py_VISIT(self->find);
    Py_VISIT(self->task);
    Py_VISIT(self->is_special);
    Py_VISIT(self->special);
    Py_VISIT(self->before);
    Py_VISIT(self->dict);
    return 0;
}

// The rest is needed by a call, which may come as long as it is there.
int recorded_clear(PyObject* object) {
    Py_CLEAR(as_recorded(object)->before);
    Py_CLEAR(as_recorded(object)->dict);
    return 0;
}

void recorded_dealloc(PyObject* object) {
    RecordedObject* self = as_recorded(object);
    PyObject_GC_UnTrack(object);
    if (self->weak != nullptr) PyObject_ClearWeakRefs(object);
    recorded_clear(object);
    Py_XDECREF(self->function);
    Py_XDECREF(self->after);
    Py_XDECREF(self->find);
    Py_XDECREF(self->name);
    Py_XDECREF(self->unless);
    Py_XDECREF(self->names);
    Py_XDECREF(self->task);
    Py_XDECREF(self->is_special);
    Py_XDECREF(self->special);
    Py_TYPE(object)->tp_free(object);
}

PyObject* get_before(PyObject* object, void*) {
    PyObject* before = as_recorded(object)->before;
    return Py_NewRef(before == nullptr ? Py_None : before);
}

int set_before(PyObject* object, PyObject* before, void*) {
    PyObject* earlier = as_recorded(object)->before;
    as_recorded(object)->before = before == Py_None ? nullptr : Py_XNewRef(before);
    Py_XDECREF(earlier);
    return 0;
}

PyMethodDef g_recorded_methods[] = {
    {"__reduce__", recorded_reduce, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef g_recorded_properties[] = {
    {"before", get_before, set_before, nullptr, nullptr},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyTypeObject g_recorded_type = [] {
    PyTypeObject type = empty_type();
    type.tp_name = "cirron._recorder.native.Recorded";
    type.tp_basicsize = sizeof(RecordedObject);
    type.tp_dealloc = recorded_dealloc;
    type.tp_vectorcall_offset = offsetof(RecordedObject, call);
    type.tp_dictoffset = offsetof(RecordedObject, dict);
    type.tp_call = PyVectorcall_Call;
    type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL;
    type.tp_doc = "A function in a scope of its own.";
    type.tp_traverse = recorded_traverse;
    type.tp_clear = recorded_clear;
    type.tp_weaklistoffset = offsetof(RecordedObject, weak);
    type.tp_methods = g_recorded_methods;
    type.tp_getset = g_recorded_properties;
    type.tp_new = recorded_new;
    return type;
}();

}  // namespace

int init_recorded_type(PyObject* module) {
    if (PyType_Ready(&g_recorded_type) != 0) return -1;
    return PyModule_AddObjectRef(module, "Recorded", reinterpret_cast<PyObject*>(&g_recorded_type));
}

}  // namespace cirron
