// A function that is called as long as its first argument, a tensor, is one finite number.
//
// Tensors are read through the table of functions that PyTorch offers for it, see dlpack.h at
// https://github.com/dmlc/dlpack, from version 1.2 on: that takes nanoseconds, where `item()` takes a microsecond in a
// program whose own work fills the caches.
#include <cmath>
#include <cstring>

#include "python.hpp"

namespace cirron {

namespace {

// ---- as DLPack has them -------------------------------------------------------------------------------------------

constexpr char kCapsuleName[] = "dlpack_exchange_api";
constexpr uint32_t kMajorVersion = 1;
constexpr int32_t kHost = 1;
constexpr uint8_t kFloat = 2, kBfloat = 4;

struct TensorView {
    void* data;
    int32_t device_type, device_id;
    int32_t dimensions;
    uint8_t type_code, type_bits;
    uint16_t type_lanes;
    int64_t *shape, *strides;
    uint64_t byte_offset;
};

struct Exchange {
    uint32_t major, minor;
    void* previous;
    void (*allocate)();
    void (*from_object)();
    void (*to_object)();
    int (*view)(void* object, TensorView* view);  // may be null; -1 with an exception set
};

// ---- whether it is finite -----------------------------------------------------------------------------------------

enum class Finite { kYes, kNo, kUnknown };

template <typename Number>
Number read(const TensorView& view) {
    Number number;
    std::memcpy(&number, static_cast<const char*>(view.data) + view.byte_offset, sizeof number);
    return number;
}

// Of a number of 16 bits: not so if all bits of its exponent are set.
Finite half_is_finite(const TensorView& view, uint16_t exponent) {
    return (read<uint16_t>(view) & exponent) != exponent ? Finite::kYes : Finite::kNo;
}

template <typename Number>
Finite number_is_finite(const TensorView& view) {
    return std::isfinite(read<Number>(view)) ? Finite::kYes : Finite::kNo;
}

bool is_one_number(const TensorView& view) {
    for (int32_t i = 0; i < view.dimensions; ++i)
        if (view.shape[i] != 1) return false;
    return true;
}

// Of what is not in the host's memory, or more than one number, nobody wants to know.
Finite is_finite(const TensorView& view) {
    if (view.device_type != kHost || !is_one_number(view)) return Finite::kYes;
    if (view.type_lanes != 1 || view.data == nullptr) return Finite::kUnknown;
    if (view.type_code == kBfloat && view.type_bits == 16) return half_is_finite(view, 0x7f80);
    if (view.type_code != kFloat) return Finite::kUnknown;
    if (view.type_bits == 16) return half_is_finite(view, 0x7c00);
    if (view.type_bits == 32) return number_is_finite<float>(view);
    return view.type_bits == 64 ? number_is_finite<double>(view) : Finite::kUnknown;
}

// ---- the type -----------------------------------------------------------------------------------------------------

struct WhileFiniteObject {
    PyObject ob_base;
    vectorcallfunc call;
    PyObject *function, *otherwise, *is_finite, *kind;  // owned
    const Exchange* exchange;                           // null: nobody offers one, or it has refused once
    bool is_over;
};

WhileFiniteObject* as_while_finite(PyObject* object) { return reinterpret_cast<WhileFiniteObject*>(object); }

// What is refused once is slow to refuse, and is asked in the other way from then on.
Finite look(WhileFiniteObject* self, PyObject* tensor) {
    if (self->exchange == nullptr || Py_TYPE(tensor) != reinterpret_cast<PyTypeObject*>(self->kind))
        return Finite::kUnknown;
    TensorView view{};
    if (self->exchange->view(tensor, &view) == 0) return is_finite(view);
    self->exchange = nullptr;
    PyErr_Clear();
    return Finite::kUnknown;
}

// kUnknown with an exception set that is meant for the program, as by a signal handler.
Finite ask(WhileFiniteObject* self, PyObject* tensor) {
    PyObject* answer = PyObject_CallOneArg(self->is_finite, tensor);
    int yes = answer == nullptr ? -1 : PyObject_IsTrue(answer);
    Py_XDECREF(answer);
    return yes < 0 ? Finite::kUnknown : yes > 0 ? Finite::kYes : Finite::kNo;
}

PyObject* while_finite_call(PyObject* object, PyObject* const* args, size_t flags, PyObject* keywords) {
    WhileFiniteObject* self = as_while_finite(object);
    if (!self->is_over && PyVectorcall_NARGS(flags) > 0) {
        Finite finite = look(self, args[0]);
        if (finite == Finite::kUnknown) finite = ask(self, args[0]);
        if (finite == Finite::kUnknown) return nullptr;
        if (finite == Finite::kNo && !self->is_over) {
            self->is_over = true;
            return PyObject_Vectorcall(self->otherwise, args, flags, keywords);
        }
    }
    return PyObject_Vectorcall(self->function, args, flags, keywords);
}

// Null where what is offered is another kind of table than this file knows.
const Exchange* read_exchange(PyObject* capsule) {
    if (!PyCapsule_IsValid(capsule, kCapsuleName)) return nullptr;
    auto* exchange = static_cast<const Exchange*>(PyCapsule_GetPointer(capsule, kCapsuleName));
    return exchange->major == kMajorVersion && exchange->view != nullptr ? exchange : nullptr;
}

PyObject* while_finite_new(PyTypeObject* type, PyObject* args, PyObject* keywords) {
    static const char* names[] = {"function", "otherwise", "is_finite", "kind", "exchange", nullptr};
    PyObject *function, *otherwise, *is_finite, *kind, *exchange;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OOOO!O:WhileFinite", const_cast<char**>(names), &function,
                                     &otherwise, &is_finite, &PyType_Type, &kind, &exchange)) {
        return nullptr;
    }
    PyObject* object = type->tp_alloc(type, 0);
    if (object == nullptr) return nullptr;
    WhileFiniteObject* self = as_while_finite(object);
    self->call = while_finite_call;
    self->function = Py_NewRef(function);
    self->otherwise = Py_NewRef(otherwise);
    self->is_finite = Py_NewRef(is_finite);
    self->kind = Py_NewRef(kind);
    self->exchange = read_exchange(exchange);  // of the framework, which lasts as long as the process
    return object;
}

int while_finite_traverse(PyObject* object, visitproc visit, void* arg) {
    Py_VISIT(as_while_finite(object)->function);
    Py_VISIT(as_while_finite(object)->otherwise);
    Py_VISIT(as_while_finite(object)->is_finite);
    Py_VISIT(as_while_finite(object)->kind);
    return 0;
}

void while_finite_dealloc(PyObject* object) {
    PyObject_GC_UnTrack(object);
    Py_DECREF(as_while_finite(object)->function);
    Py_DECREF(as_while_finite(object)->otherwise);
    Py_DECREF(as_while_finite(object)->is_finite);
    Py_DECREF(as_while_finite(object)->kind);
    Py_TYPE(object)->tp_free(object);
}

PyTypeObject g_while_finite_type = [] {
    PyTypeObject type = empty_type();
    type.tp_name = "cirron._recorder.native.WhileFinite";
    type.tp_basicsize = sizeof(WhileFiniteObject);
    type.tp_dealloc = while_finite_dealloc;
    type.tp_vectorcall_offset = offsetof(WhileFiniteObject, call);
    type.tp_call = PyVectorcall_Call;
    type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL;
    type.tp_doc = "A function that is called as long as its first argument is finite.";
    type.tp_traverse = while_finite_traverse;
    type.tp_new = while_finite_new;
    return type;
}();

}  // namespace

int init_while_finite_type(PyObject* module) {
    if (PyType_Ready(&g_while_finite_type) != 0) return -1;
    return PyModule_AddObjectRef(module, "WhileFinite", reinterpret_cast<PyObject*>(&g_while_finite_type));
}

}  // namespace cirron
