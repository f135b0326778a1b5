// The type Inference: what cirron.inference makes of a function. It is called like it, and looks like it.
#include "inference.hpp"

#include "request.hpp"
#include "request_run.hpp"

namespace cirron {

namespace {

extern PyTypeObject g_inference_type;

PyObject* g_request_id = nullptr;
PyObject* g_qualname = nullptr;

Inference* as_inference(PyObject* object) { return reinterpret_cast<Inference*>(object); }

// ---- calling ------------------------------------------------------------------------------------------------------

// What the call gives as the request's id, borrowed, or null.
PyObject* given_id(const Inference* self, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
    for (Py_ssize_t i = 0; keywords != nullptr && i < PyTuple_GET_SIZE(keywords); ++i) {
        if (is_keyword(PyTuple_GET_ITEM(keywords, i), g_request_id)) return args[count + i];
    }
    return self->id_position >= 0 && self->id_position < count ? args[self->id_position] : nullptr;
}

// Where the call is recorded; null: nowhere. False with an exception set when it has to be passed on.
bool find_recorder_of(Inference* self, Recorder*& recorder) {
    if (self->find == nullptr) return find_target(nullptr, recorder);
    recorder = nullptr;
    PyObject* found = PyObject_CallNoArgs(self->find);
    if (found == nullptr) {
        if (!PyErr_ExceptionMatches(PyExc_Exception)) return false;
        PyErr_Clear();
        return true;
    }
    // The instance keeps it alive, as long as it is not closed.
    if (RecorderObject* object = as_recorder(found)) recorder = target(object);
    Py_DECREF(found);
    return true;
}

PyObject* call_recorded(Inference* self, Recorder* recorder, PyObject* const* args, size_t flags, PyObject* keywords) {
    Request* request = begin_request(self, recorder, given_id(self, args, PyVectorcall_NARGS(flags), keywords));
    if (request == nullptr && PyErr_Occurred()) return nullptr;
    PyObject* result = PyObject_Vectorcall(self->function, args, flags, keywords);
    if (request == nullptr) return result;
    if (result == nullptr) {
        finish_failed(request);
    } else {
        result = deliver(self, request, result);
    }
    Py_DECREF(reinterpret_cast<PyObject*>(request));
    return result;
}

PyObject* inference_call(PyObject* object, PyObject* const* args, size_t flags, PyObject* keywords) {
    Inference* self = as_inference(object);
    Recorder* recorder;
    if (!find_recorder_of(self, recorder)) return nullptr;
    if (recorder == nullptr) return PyObject_Vectorcall(self->function, args, flags, keywords);
    if (self->kind == FunctionKind::kCall) return call_recorded(self, recorder, args, flags, keywords);
    // Its body has yet to begin, and the request with it.
    PyObject* inner = PyObject_Vectorcall(self->function, args, flags, keywords);
    if (inner == nullptr) return nullptr;
    return wrap(self, inner, given_id(self, args, PyVectorcall_NARGS(flags), keywords), nullptr);
}

// ---- making and unmaking ------------------------------------------------------------------------------------------

bool are_parts(PyObject* parts) {
    if (PyTuple_Check(parts) && PyTuple_GET_SIZE(parts) == static_cast<Py_ssize_t>(Part::kCount)) return true;
    PyErr_Format(PyExc_TypeError, "expected a tuple of %d parts, not %R", static_cast<int>(Part::kCount), parts);
    return false;
}

uint64_t share_of_all(double rate) {
    constexpr double kAll = 18446744073709551616.0;  // 2 to the 64
    return rate >= 1 ? UINT64_MAX : rate <= 0 ? 0 : static_cast<uint64_t>(rate * kAll);
}

uint64_t ns_to_ticks(double ns) {
    double ticks = ns * static_cast<double>(g_ticks_per_ms) / 1e6;
    return ns < 0 || ticks >= 1e18 ? UINT64_MAX : static_cast<uint64_t>(ticks);
}

PyObject* inference_new(PyTypeObject* type, PyObject* args, PyObject* keywords) {
    static const char* names[] = {"function",    "kind",        "name",    "parts", "find",
                                  "id_position", "sample_rate", "slow_ns", nullptr};
    PyObject *function, *name, *parts, *find = Py_None;
    int kind;
    Py_ssize_t id_position = -1;
    double sample_rate = 1, slow_ns = -1;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OiUO|Ondd:Inference", const_cast<char**>(names), &function, &kind,
                                     &name, &parts, &find, &id_position, &sample_rate, &slow_ns) ||
        !are_parts(parts)) {
        return nullptr;
    }
    PyObject* object = type->tp_alloc(type, 0);
    if (object == nullptr) return nullptr;
    Inference* self = as_inference(object);
    self->call = inference_call;
    self->function = Py_NewRef(function);
    self->find = find == Py_None ? nullptr : Py_NewRef(find);
    self->parts = Py_NewRef(parts);
    self->name = Py_NewRef(name);
    self->kind = static_cast<FunctionKind>(kind);
    self->binds = Py_TYPE(function)->tp_descr_get != nullptr;
    self->id_position = id_position;
    self->sample_rate = sample_rate;
    self->sample_below = share_of_all(sample_rate);
    self->slow_ticks = ns_to_ticks(slow_ns);
    return object;
}

int inference_traverse(PyObject* object, visitproc visit, void* arg) {
    Py_VISIT(as_inference(object)->function);
    Py_VISIT(as_inference(object)->dict);
    Py_VISIT(as_inference(object)->find);
    Py_VISIT(as_inference(object)->parts);
    return 0;
}

int inference_clear(PyObject* object) {
    Py_CLEAR(as_inference(object)->dict);
    return 0;
}

void inference_dealloc(PyObject* object) {
    Inference* self = as_inference(object);
    PyObject_GC_UnTrack(object);
    if (self->weak_refs != nullptr) PyObject_ClearWeakRefs(object);
    Py_XDECREF(self->function);
    Py_XDECREF(self->dict);
    Py_XDECREF(self->find);
    Py_XDECREF(self->parts);
    Py_XDECREF(self->name);
    Py_TYPE(object)->tp_free(object);
}

// ---- looking like the function ------------------------------------------------------------------------------------

PyObject* inference_getattr(PyObject* object, PyObject* name) {
    PyObject* own = PyObject_GenericGetAttr(object, name);
    if (own != nullptr || !PyErr_ExceptionMatches(PyExc_AttributeError)) return own;
    PyErr_Clear();
    return PyObject_GetAttr(as_inference(object)->function, name);
}

PyObject* inference_bind(PyObject* object, PyObject* owner, PyObject*) {
    bool is_bound = owner != nullptr && owner != Py_None && as_inference(object)->binds;
    return is_bound ? PyMethod_New(object, owner) : Py_NewRef(object);
}

PyObject* inference_repr(PyObject* object) { return PyObject_Repr(as_inference(object)->function); }

// As functions are pickled: by where they are found.
PyObject* inference_reduce(PyObject* object, PyObject*) { return PyObject_GetAttr(object, g_qualname); }

PyObject* get_class(PyObject* object, void*) {
    return Py_NewRef(reinterpret_cast<PyObject*>(Py_TYPE(as_inference(object)->function)));
}

PyMethodDef g_methods[] = {
    {"__reduce__", inference_reduce, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef g_properties[] = {
    {"__class__", get_class, nullptr, nullptr, nullptr},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyTypeObject g_inference_type = [] {
    PyTypeObject type = empty_type();
    type.tp_name = "cirron._recorder.native.Inference";
    type.tp_basicsize = sizeof(Inference);
    type.tp_dealloc = inference_dealloc;
    type.tp_vectorcall_offset = offsetof(Inference, call);
    type.tp_repr = inference_repr;
    type.tp_call = PyVectorcall_Call;
    type.tp_getattro = inference_getattr;
    type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL;
    type.tp_traverse = inference_traverse;
    type.tp_clear = inference_clear;
    type.tp_weaklistoffset = offsetof(Inference, weak_refs);
    type.tp_dictoffset = offsetof(Inference, dict);
    type.tp_methods = g_methods;
    type.tp_getset = g_properties;
    type.tp_descr_get = inference_bind;
    type.tp_new = inference_new;
    return type;
}();

}  // namespace

Recorder* target_of(Inference* self) {
    Recorder* recorder = nullptr;
    if (!find_recorder_of(self, recorder)) PyErr_Clear();
    return recorder;
}

int init_inference_type(PyObject* module) {
    g_request_id = PyUnicode_InternFromString("request_id");
    g_qualname = PyUnicode_InternFromString("__qualname__");
    if (g_request_id == nullptr || g_qualname == nullptr || PyType_Ready(&g_inference_type) != 0) return -1;
    return PyModule_AddObjectRef(module, "Inference", reinterpret_cast<PyObject*>(&g_inference_type));
}

}  // namespace cirron
