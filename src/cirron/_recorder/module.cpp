// The extension module cirron._recorder.native.
#include "inference.hpp"
#include "interest.hpp"
#include "python.hpp"
#include "request.hpp"
#include "request_run.hpp"

namespace cirron {

namespace {

PyObject* scope(PyObject*, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
    return make_scope(nullptr, args, count, keywords);
}

PyObject* mark(PyObject*, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
    return make_mark(nullptr, args, count, keywords);
}

PyObject* epochs(PyObject*, PyObject* iterable) { return make_loop(nullptr, iterable, true); }
PyObject* batches(PyObject*, PyObject* iterable) { return make_loop(nullptr, iterable, false); }

PyObject* innermost(PyObject*, PyObject* names) { return find_innermost(nullptr, names); }
PyObject* add_memory(PyObject*, PyObject* record) { return make_memory(nullptr, record); }

PyObject* scope_unless(PyObject*, PyObject* const* args, Py_ssize_t count) {
    return make_scope_unless(nullptr, args, count);
}

template <typename Function>
PyCFunction function(Function pointer) {
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(pointer));
}

PyMethodDef g_functions[] = {
    {"scope", function(scope), METH_FASTCALL | METH_KEYWORDS,
     "scope($module, /, name, index=None, **attrs)\n--\n\nRecord the time a block or each call of a function takes."},
    {"mark", function(mark), METH_FASTCALL | METH_KEYWORDS,
     "mark($module, /, name, value, kind='point', **attrs)\n--\n\nRecord a value in the innermost open scope."},
    {"epochs", epochs, METH_O,
     "epochs($module, iterable, /)\n--\n\nOpen an `epoch` scope for each item of `iterable`."},
    {"batches", batches, METH_O,
     "batches($module, iterable, /)\n--\n\nOpen a `batch` scope for each item of `iterable`."},
    {"add_memory", add_memory, METH_O, nullptr},
    {"innermost", innermost, METH_O, nullptr},
    {"scope_unless", function(scope_unless), METH_FASTCALL, nullptr},
    {"current_request", current_request, METH_NOARGS, nullptr},
    {"set_default", set_default, METH_O, nullptr},
    {"set_follower", set_follower, METH_O, nullptr},
    {"set_starter", set_starter, METH_O, nullptr},
    {"arm_starter", arm_starter, METH_NOARGS, nullptr},
    {"call_in_main_thread", call_in_main_thread, METH_O, nullptr},
    {"recover", function(recover), METH_VARARGS | METH_KEYWORDS, nullptr},
    {"peek", peek, METH_O, nullptr},
    {"array_stats", array_stats, METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

// What the module consists of where the core must not work: the names of elsewhere.py.
int become_stand_in(PyObject* module) {
    PyObject* elsewhere = PyImport_ImportModule("cirron._recorder.elsewhere");
    PyObject* names = elsewhere == nullptr ? nullptr : PyObject_GetAttrString(elsewhere, "__all__");
    bool whole = names != nullptr && PyList_Check(names);
    for (Py_ssize_t i = 0; whole && i < PyList_GET_SIZE(names); ++i) {
        PyObject* value = PyObject_GetAttr(elsewhere, PyList_GET_ITEM(names, i));
        whole = value != nullptr && PyObject_SetAttr(module, PyList_GET_ITEM(names, i), value) == 0;
        Py_XDECREF(value);
    }
    Py_XDECREF(names);
    Py_XDECREF(elsewhere);
    return whole ? 0 : -1;
}

int exec_module(PyObject* module) {
    if (PyInterpreterState_Get() != PyInterpreterState_Main()) return become_stand_in(module);
    init_clock();
    if (init_recorders() != 0 || init_mark() != 0) return -1;
    if (init_scope_type(module) != 0 || init_loop_types(module) != 0) return -1;
    if (init_recorder_type(module) != 0 || init_recovered_type(module) != 0) return -1;
    if (init_passage_type(module) != 0 || init_recorded_type(module) != 0 || init_steps_type(module) != 0) return -1;
    if (init_while_finite_type(module) != 0 || init_garbage_callback_type(module) != 0) return -1;
    if (init_interest() != 0 || init_inference_type(module) != 0 || init_request_run_type(module) != 0) return -1;
    return 0;
}

PyModuleDef_Slot g_slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(exec_module)},
#if PY_VERSION_HEX >= 0x030C0000
    // Of the other interpreters none gets to the process's state.
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, nullptr},
};

PyModuleDef g_module = {
    PyModuleDef_HEAD_INIT,  //
    "native",
    "The native recorder; see native.pyi.",
    0,
    g_functions,
    g_slots,
    nullptr,
    nullptr,
    nullptr,
};

}  // namespace

bool read_path(PyObject* object, std::string& path) {
    PyObject* bytes = nullptr;
    if (PyUnicode_FSConverter(object, &bytes) == 0) return false;
    path.assign(PyBytes_AS_STRING(bytes), static_cast<size_t>(PyBytes_GET_SIZE(bytes)));
    Py_DECREF(bytes);
    return true;
}

}  // namespace cirron

PyMODINIT_FUNC PyInit_native() { return PyModuleDef_Init(&cirron::g_module); }
