// cirron.epochs and cirron.batches: what the user holds, as good as the iterable itself.
#include "loops.hpp"

namespace cirron {

namespace {

Unit g_epoch{true, nullptr, nullptr};
Unit g_batch{false, nullptr, nullptr};

struct Loop {
    PyObject ob_base;
    const Unit* unit;
    RecorderObject* bound;  // owned, may be null
    PyObject* iterable;     // owned
    PyObject* started;      // owned: the iterator of somebody who calls next() on the loop itself,
    PyObject* awaited;      // or anext()
};

Loop* as_loop(PyObject* object) { return reinterpret_cast<Loop*>(object); }

// Takes over the reference to `iterator`, which may be null with an exception set.
PyObject* new_iterator(Loop* self, PyObject* iterator) {
    return new_loop_iterator(self->unit, self->bound, self->iterable, iterator);
}

PyObject* loop_iter(PyObject* object) {
    Loop* self = as_loop(object);
    return self->started != nullptr ? Py_NewRef(self->started) : new_iterator(self, PyObject_GetIter(self->iterable));
}

PyObject* new_async_iterator(Loop* self) {
    PyObject* iterator = PyObject_GetAIter(self->iterable);
    PyObject* module = iterator == nullptr ? nullptr : PyImport_ImportModule("cirron._recorder.async_items");
    PyObject* steps = module == nullptr ? nullptr : new_iterator(self, Py_NewRef(iterator));
    PyObject* items = steps == nullptr ? nullptr : PyObject_CallMethod(module, "AsyncItems", "OO", steps, iterator);
    Py_XDECREF(steps);
    Py_XDECREF(module);
    Py_XDECREF(iterator);
    return items;
}

PyObject* loop_aiter(PyObject* object) {
    Loop* self = as_loop(object);
    return self->awaited != nullptr ? Py_NewRef(self->awaited) : new_async_iterator(self);
}

PyObject* loop_anext(PyObject* object) {
    Loop* self = as_loop(object);
    if (self->awaited == nullptr) {
        PyObject* items = new_async_iterator(self);
        if (items == nullptr) return nullptr;
        Py_XSETREF(self->awaited, items);  // what has made it may have come here too
    }
    return Py_TYPE(self->awaited)->tp_as_async->am_anext(self->awaited);
}

PyObject* loop_next(PyObject* object) {
    Loop* self = as_loop(object);
    if (self->started == nullptr) {
        self->started = new_iterator(self, PyObject_GetIter(self->iterable));
        if (self->started == nullptr) return nullptr;
    }
    return loop_iterator_next(self->started);
}

Py_ssize_t loop_length(PyObject* object) { return PyObject_Size(as_loop(object)->iterable); }

PyObject* loop_getattr(PyObject* object, PyObject* name) {
    PyObject* own = PyObject_GenericGetAttr(object, name);
    if (own != nullptr || !PyErr_ExceptionMatches(PyExc_AttributeError)) return own;
    PyErr_Clear();
    return PyObject_GetAttr(as_loop(object)->iterable, name);
}

int loop_setattr(PyObject* object, PyObject* name, PyObject* value) {
    return PyObject_SetAttr(as_loop(object)->iterable, name, value);
}

PyObject* loop_item(PyObject* object, PyObject* key) { return PyObject_GetItem(as_loop(object)->iterable, key); }

// With null for the value it is deleted.
int loop_set_item(PyObject* object, PyObject* key, PyObject* value) {
    PyObject* iterable = as_loop(object)->iterable;
    return value == nullptr ? PyObject_DelItem(iterable, key) : PyObject_SetItem(iterable, key, value);
}

int loop_contains(PyObject* object, PyObject* value) { return PySequence_Contains(as_loop(object)->iterable, value); }

PyObject* loop_reversed(PyObject* object, PyObject*) {
    Loop* self = as_loop(object);
    PyObject* backwards = PyObject_CallOneArg(reinterpret_cast<PyObject*>(&PyReversed_Type), self->iterable);
    PyObject* loop = backwards == nullptr ? nullptr : make_loop(self->bound, backwards, self->unit->is_epoch);
    PyObject* iterator = loop == nullptr ? nullptr : loop_iter(loop);
    Py_XDECREF(loop);
    Py_XDECREF(backwards);
    return iterator;
}

// A copy is another loop over the same iterable, as is what a pickle gives; one of an instance has no pickle.
PyObject* loop_reduce(PyObject* object, PyObject*) {
    Loop* self = as_loop(object);
    PyObject* owner = reinterpret_cast<PyObject*>(self->bound);
    PyObject* module = owner != nullptr ? Py_NewRef(owner) : PyImport_ImportModule("cirron._recorder");
    if (module == nullptr) return nullptr;
    PyObject* make = PyObject_GetAttrString(module, self->unit->is_epoch ? "epochs" : "batches");
    Py_DECREF(module);
    return make == nullptr ? nullptr : Py_BuildValue("N(O)", make, self->iterable);
}

PyObject* loop_length_hint(PyObject* object, PyObject*) { return length_hint_of(as_loop(object)->iterable); }

int loop_traverse(PyObject* object, visitproc visit, void* arg) {
    Py_VISIT(as_loop(object)->iterable);
    Py_VISIT(as_loop(object)->started);
    Py_VISIT(as_loop(object)->awaited);
    Py_VISIT(reinterpret_cast<PyObject*>(as_loop(object)->bound));
    return 0;
}

int loop_clear(PyObject* object) {
    Py_CLEAR(as_loop(object)->started);
    Py_CLEAR(as_loop(object)->awaited);
    Py_CLEAR(as_loop(object)->iterable);
    return 0;
}

void loop_dealloc(PyObject* object) {
    PyObject_GC_UnTrack(object);
    loop_clear(object);
    Py_XDECREF(reinterpret_cast<PyObject*>(as_loop(object)->bound));
    PyObject_GC_Del(object);
}

PyObject* loop_repr(PyObject* object) {
    Loop* self = as_loop(object);
    return PyUnicode_FromFormat("<cirron %U loop over %R>", self->unit->name, self->iterable);
}

// Without it `if loop:` would ask for a length that a generator does not have.
int loop_bool(PyObject* object) { return PyObject_IsTrue(as_loop(object)->iterable); }

PyNumberMethods g_loop_as_number = [] {
    PyNumberMethods methods{};
    methods.nb_bool = loop_bool;
    return methods;
}();

PySequenceMethods g_loop_as_sequence = [] {
    PySequenceMethods methods{};
    methods.sq_length = loop_length;
    methods.sq_contains = loop_contains;
    return methods;
}();

PyMappingMethods g_loop_as_mapping = [] {
    PyMappingMethods methods{};
    methods.mp_length = loop_length;
    methods.mp_subscript = loop_item;
    methods.mp_ass_subscript = loop_set_item;
    return methods;
}();

PyAsyncMethods g_loop_as_async = [] {
    PyAsyncMethods methods{};
    methods.am_aiter = loop_aiter;
    methods.am_anext = loop_anext;
    return methods;
}();

PyMethodDef g_loop_methods[] = {
    {"__reduce__", loop_reduce, METH_NOARGS, nullptr},
    {"__reversed__", loop_reversed, METH_NOARGS, nullptr},
    {"__length_hint__", loop_length_hint, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

// Whoever asks whether there are items, or items to await, gets the answer of the wrapped iterable.
PyTypeObject loop_type(bool is_iterable, bool is_async_iterable) {
    PyTypeObject type = empty_type();
    type.tp_name = "cirron._recorder.native.Loop";
    type.tp_basicsize = sizeof(Loop);
    type.tp_dealloc = loop_dealloc;
    type.tp_repr = loop_repr;
    type.tp_as_number = &g_loop_as_number;
    type.tp_as_sequence = &g_loop_as_sequence;
    type.tp_as_mapping = &g_loop_as_mapping;
    type.tp_getattro = loop_getattr;
    type.tp_setattro = loop_setattr;
    type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION;
    type.tp_doc = "An iterable that opens one scope an item; anything else is passed on to the wrapped iterable.";
    type.tp_traverse = loop_traverse;
    type.tp_clear = loop_clear;
    type.tp_methods = g_loop_methods;
    if (is_iterable) {
        type.tp_iter = loop_iter;
        type.tp_iternext = loop_next;
    }
    if (is_async_iterable) type.tp_as_async = &g_loop_as_async;
    return type;
}

PyTypeObject g_loop_type = loop_type(true, false);
PyTypeObject g_async_loop_type = loop_type(false, true);
PyTypeObject g_either_loop_type = loop_type(true, true);

PyTypeObject* type_of_loop_over(PyObject* iterable) {
    PyTypeObject* type = Py_TYPE(iterable);
    if (type->tp_as_async == nullptr || type->tp_as_async->am_aiter == nullptr) return &g_loop_type;
    return type->tp_iter == nullptr ? &g_async_loop_type : &g_either_loop_type;
}

bool init_unit(Unit& unit, const char* name, const char* end_name) {
    unit.name = PyUnicode_InternFromString(name);
    unit.end_name = PyUnicode_InternFromString(end_name);
    return unit.name != nullptr && unit.end_name != nullptr;
}

}  // namespace

PyObject* make_loop(RecorderObject* bound, PyObject* iterable, bool is_epoch) {
    auto* self = PyObject_GC_New(Loop, type_of_loop_over(iterable));
    if (self == nullptr) return nullptr;
    self->unit = is_epoch ? &g_epoch : &g_batch;
    self->bound = bound;
    Py_XINCREF(reinterpret_cast<PyObject*>(bound));
    self->iterable = Py_NewRef(iterable);
    self->started = nullptr;
    self->awaited = nullptr;
    PyObject_GC_Track(reinterpret_cast<PyObject*>(self));
    return reinterpret_cast<PyObject*>(self);
}

int init_loop_types(PyObject* module) {
    if (!init_unit(g_epoch, "epoch", "epoch.end") || !init_unit(g_batch, "batch", "batch.end")) return -1;
    if (init_loop_iterator_type() != 0) return -1;
    for (PyTypeObject* type : {&g_loop_type, &g_async_loop_type, &g_either_loop_type}) {
        if (PyType_Ready(type) != 0) return -1;
    }
    return PyModule_AddObjectRef(module, "Loop", reinterpret_cast<PyObject*>(&g_loop_type));
}

}  // namespace cirron
