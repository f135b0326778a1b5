// What the interpreter calls around each collection of garbage: marks those that last. It runs no Python code, for what
// a signal handler raises there, such as KeyboardInterrupt, the interpreter would print and drop.
#include <bit>

#include "python.hpp"

namespace cirron {

namespace {

PyObject* g_pause = nullptr;
PyObject* g_generation = nullptr;
PyObject* g_collected = nullptr;

struct GarbageCallbackObject {
    PyObject ob_base;
    vectorcallfunc call;
    RecorderObject* recorder;  // owned; null: the default one records
    uint64_t least_ns;
    uint64_t began_ns;  // of the collection that is under way: there is only one, whichever thread it holds up
};

GarbageCallbackObject* as_callback(PyObject* object) { return reinterpret_cast<GarbageCallbackObject*>(object); }

void add_attr(AttrWriter& attrs, PyObject* info, PyObject* key) {
    PyObject* value = PyDict_GetItemWithError(info, key);
    if (value != nullptr && is_atom(value)) attrs.add(key, value);
}

void mark_pause(Recorder* recorder, uint64_t duration_ns, PyObject* info) {
    Scalar pause_ms;
    pause_ms.type = ValueType::kFloat;
    pause_ms.bits = std::bit_cast<uint64_t>(static_cast<double>(duration_ns) / 1e6);
    AttrWriter attrs(recorder->names());
    add_attr(attrs, info, g_generation);
    add_attr(attrs, info, g_collected);
    recorder->mark(recorder->names().number_of(g_pause), pause_ms, false, attrs.bytes());
}

PyObject* callback_call(PyObject* object, PyObject* const* args, size_t flags, PyObject* keywords) {
    if (PyVectorcall_NARGS(flags) != 2 || keywords != nullptr || !PyUnicode_Check(args[0]) || !PyDict_Check(args[1])) {
        PyErr_SetString(PyExc_TypeError, "expected what gc.callbacks are called with, a phase and a dict");
        return nullptr;
    }
    GarbageCallbackObject* self = as_callback(object);
    uint64_t now_ns = read_clock_ns(kMonotonic);
    if (PyUnicode_CompareWithASCIIString(args[0], "start") == 0) {
        self->began_ns = now_ns;
        Py_RETURN_NONE;
    }
    uint64_t duration_ns = now_ns - self->began_ns;
    Recorder* recorder = target(self->recorder);  // not find_target(): a pause begins no session
    if (recorder == nullptr || duration_ns < self->least_ns) Py_RETURN_NONE;
    if (!guarded(recorder, "mark", [&] { mark_pause(recorder, duration_ns, args[1]); })) recorder->count_lost_mark();
    Py_RETURN_NONE;
}

PyObject* callback_new(PyTypeObject* type, PyObject* args, PyObject* keywords) {
    static const char* names[] = {"recorder", "least_ns", nullptr};
    PyObject* recorder;
    unsigned long long least_ns;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OK:GarbageCallback", const_cast<char**>(names), &recorder,
                                     &least_ns)) {
        return nullptr;
    }
    if (recorder != Py_None && as_recorder(recorder) == nullptr) {
        PyErr_Format(PyExc_TypeError, "expected a Recorder or None, not %s", Py_TYPE(recorder)->tp_name);
        return nullptr;
    }
    PyObject* object = type->tp_alloc(type, 0);
    if (object == nullptr) return nullptr;
    GarbageCallbackObject* self = as_callback(object);
    self->call = callback_call;
    self->recorder = recorder == Py_None ? nullptr : as_recorder(Py_NewRef(recorder));
    self->least_ns = least_ns;
    return object;
}

void callback_dealloc(PyObject* object) {
    Py_XDECREF(as_callback(object)->recorder);
    Py_TYPE(object)->tp_free(object);
}

PyTypeObject g_garbage_callback_type = [] {
    PyTypeObject type = empty_type();
    type.tp_name = "cirron._recorder.native.GarbageCallback";
    type.tp_basicsize = sizeof(GarbageCallbackObject);
    type.tp_dealloc = callback_dealloc;
    type.tp_vectorcall_offset = offsetof(GarbageCallbackObject, call);
    type.tp_call = PyVectorcall_Call;
    type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL;
    type.tp_doc = "Marks the collections of garbage that last, as one of gc.callbacks.";
    type.tp_new = callback_new;
    return type;
}();

}  // namespace

int init_garbage_callback_type(PyObject* module) {
    g_pause = PyUnicode_InternFromString("gc_pause_ms");
    g_generation = PyUnicode_InternFromString("generation");
    g_collected = PyUnicode_InternFromString("collected");
    if (g_pause == nullptr || g_generation == nullptr || g_collected == nullptr) return -1;
    if (PyType_Ready(&g_garbage_callback_type) != 0) return -1;
    return PyModule_AddObjectRef(module, "GarbageCallback", reinterpret_cast<PyObject*>(&g_garbage_callback_type));
}

}  // namespace cirron
