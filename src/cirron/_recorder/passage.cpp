// A callable that does something of ours before it passes a call on. It has no Python frame, so that the traceback of
// what the call raises shows no line of cirron's.
#include "python.hpp"
#include "types.hpp"

namespace cirron {

namespace {

struct PassageObject {
    PyObject_HEAD PyObject* before;
    PyObject* target;
    PyObject* leaving;
};

PassageObject* as_passage(PyObject* object) { return reinterpret_cast<PassageObject*>(object); }

PyObject* passage_new(PyTypeObject* type, PyObject* args, PyObject* keywords) {
    static const char* names[] = {"before", "target", "leaving", nullptr};
    PyObject* before;
    PyObject* target;
    PyObject* leaving;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OOO:Passage", const_cast<char**>(names), &before, &target,
                                     &leaving)) {
        return nullptr;
    }
    PyObject* object = type->tp_alloc(type, 0);
    if (object == nullptr) return nullptr;
    as_passage(object)->before = Py_NewRef(before);
    as_passage(object)->target = Py_NewRef(target);
    as_passage(object)->leaving = Py_NewRef(leaving);
    return object;
}

int passage_traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(as_passage(self)->before);
    Py_VISIT(as_passage(self)->target);
    Py_VISIT(as_passage(self)->leaving);
    return 0;
}

int passage_clear(PyObject* self) {
    Py_CLEAR(as_passage(self)->before);
    Py_CLEAR(as_passage(self)->target);
    Py_CLEAR(as_passage(self)->leaving);
    return 0;
}

void passage_dealloc(PyObject* self) {
    PyObject_GC_UnTrack(self);
    passage_clear(self);
    Py_TYPE(self)->tp_free(self);
}

// Ours may fail only by a signal that comes in the middle of it, whose exception is the user's.
bool call_ours(PyObject* function) {
    PyObject* result = PyObject_CallNoArgs(function);
    Py_XDECREF(result);
    return result != nullptr;
}

PyObject* passage_call(PyObject* self, PyObject* args, PyObject* keywords) {
    if (!call_ours(as_passage(self)->before)) return nullptr;
    PyObject* result = PyObject_Call(as_passage(self)->target, args, keywords);
    if (result == nullptr && PyErr_ExceptionMatches(PyExc_SystemExit)) {
        ErrorAside aside;
        if (!call_ours(as_passage(self)->leaving)) PyErr_Clear();
    }
    return result;
}

PyTypeObject g_passage_type = [] {
    PyTypeObject type = empty_type();
    type.tp_name = "cirron._recorder.native.Passage";
    type.tp_basicsize = sizeof(PassageObject);
    type.tp_dealloc = passage_dealloc;
    type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC;
    type.tp_doc = "Passes calls on, after something of ours.";
    type.tp_traverse = passage_traverse;
    type.tp_clear = passage_clear;
    type.tp_call = passage_call;
    type.tp_new = passage_new;
    return type;
}();

}  // namespace

int init_passage_type(PyObject* module) {
    if (PyType_Ready(&g_passage_type) != 0) return -1;
    return PyModule_AddObjectRef(module, "Passage", reinterpret_cast<PyObject*>(&g_passage_type));
}

}  // namespace cirron
