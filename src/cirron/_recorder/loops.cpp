// cirron.epochs and cirron.batches: one scope an item, which begins with the wait for the item.
#include <algorithm>
#include <iterator>
#include <utility>

#include "python.hpp"

namespace cirron {

namespace {

PyObject* g_data_load_key = nullptr;

// What tells the two kinds of loop apart.
struct Unit {
    bool is_epoch;
    PyObject* name;
    PyObject* end_name;  // of the scope around a last fetch that gave no item but recorded something
};
Unit g_epoch{true, nullptr, nullptr};
Unit g_batch{false, nullptr, nullptr};

struct Loop {
    PyObject ob_base;
    const Unit* unit;
    RecorderObject* bound;  // owned, may be null
    PyObject* iterable;     // owned
    PyObject* started;      // owned: the iterator of somebody who calls next() on the loop itself
};

struct LoopIterator {
    PyObject ob_base;
    const Unit* unit;
    RecorderObject* bound;  // owned, may be null
    PyObject* iterator;     // owned; null once closed
    int64_t index;
    bool times_wait;
    OpenFrame open;
};

extern PyTypeObject g_loop_type;
extern PyTypeObject g_loop_iterator_type;

Loop* as_loop(PyObject* object) { return reinterpret_cast<Loop*>(object); }
LoopIterator* as_iterator(PyObject* object) { return reinterpret_cast<LoopIterator*>(object); }

// ---- scopes -------------------------------------------------------------------------------------------------------

void close_item(LoopIterator* self, uint64_t ticks, PyObject* error) {
    Recorder* recorder = self->open.recorder();
    Frame* frame = std::exchange(self->open.frame, nullptr);
    if (recorder == nullptr) return;
    guarded(recorder, "loop", [&] { recorder->close(frame, ticks, error); });
}

void open_item(LoopIterator* self, Recorder* recorder, uint64_t ticks) {
    bool opened = guarded(recorder, "loop", [&] {
        Opening opening;
        opening.name = recorder->names().number_of(self->unit->name);
        opening.index = self->index;
        opening.has_index = true;
        opening.is_epoch = self->unit->is_epoch;
        self->open = {recorder->open(opening, ticks), recorder->registration()};
    });
    if (!opened) recorder->count_lost_span();
}

// Before an epoch closes: whoever wants to look at what it has made of the program does it now, at the expense of the
// epoch. False with an exception set when one was raised that is meant for the program, as by a signal handler.
bool end_epoch(LoopIterator* self) {
    Recorder* recorder = self->unit->is_epoch ? self->open.recorder() : nullptr;
    if (recorder == nullptr || recorder->epoch_end() == nullptr || self->open.frame->is_ghost) return true;
    uint64_t began = now_ticks();
    PyObject* function = Py_NewRef(recorder->epoch_end());
    PyObject* arguments = scope_and_time(recorder, self->open.frame->id);
    PyObject* result = arguments == nullptr ? nullptr : PyObject_CallObject(function, arguments);
    Py_XDECREF(arguments);
    Py_DECREF(function);
    Py_XDECREF(result);
    // The function may have ended the session, or this loop.
    recorder = self->open.recorder();
    if (recorder != nullptr) recorder->add_overhead(self->open.frame, now_ticks() - began);
    if (result != nullptr) return true;
    if (!PyErr_ExceptionMatches(PyExc_Exception)) return false;
    PyErr_Clear();
    if (recorder != nullptr) recorder->count_internal_error("epoch end");
    return true;
}

void turn_to_next_item(LoopIterator* self, Recorder* recorder) {
    uint64_t now = now_ticks();
    if (self->open.frame != nullptr) {
        bool reopened = false;
        if (recorder != nullptr && self->open.recorder() == recorder) {
            guarded(recorder, "loop",
                    [&] { reopened = recorder->close_and_reopen(self->open.frame, now, self->index); });
        }
        if (reopened) return;
        close_item(self, now, nullptr);
    }
    if (recorder != nullptr) open_item(self, recorder, now);
}

void note_wait(LoopIterator* self, Recorder* recorder) {
    Scalar waited;
    waited.type = ValueType::kInt;
    waited.bits = recorder->ticks_to_ns(now_ticks() - self->open.frame->start_ticks);
    guarded(recorder, "loop", [&] { recorder->add_attr(self->open.frame, g_data_load_key, waited); });
}

// The iterator gave no item. A scope opened for one is as if it had never been, unless something was recorded in it or
// the fetch failed.
void end_of_items(LoopIterator* self) {
    Recorder* recorder = self->open.recorder();
    if (recorder == nullptr) {
        self->open.frame = nullptr;
        return;
    }
    ErrorAside aside;
    PyObject* error = aside.type();
    bool failed = error != nullptr && !PyErr_GivenExceptionMatches(error, PyExc_StopIteration);
    Frame* frame = self->open.frame;
    if (failed) {
        close_item(self, now_ticks(), error);
    } else if (frame->used_as_parent) {
        guarded(recorder, "loop", [&] { recorder->rename(frame, self->unit->end_name); });
        close_item(self, now_ticks(), nullptr);
    } else {
        self->open.frame = nullptr;
        guarded(recorder, "loop", [&] { recorder->cancel(frame); });
    }
}

// From one item to the next, of which only the wait has begun. False at the end, or with an exception set.
bool begin_item(LoopIterator* self) {
    if (self->iterator == nullptr || !end_epoch(self)) return false;
    if (self->iterator == nullptr) return false;  // closed by what was called
    Recorder* recorder;
    if (!find_target(self->bound, recorder)) return false;
    if (recorder != nullptr || self->open.frame != nullptr) turn_to_next_item(self, recorder);
    return self->iterator != nullptr;  // null: closed by what began a session
}

void item_is_there(LoopIterator* self) {
    ++self->index;
    if (self->times_wait && self->open.recorder() != nullptr) note_wait(self, self->open.recorder());
}

PyObject* iterator_next(PyObject* object) {
    LoopIterator* self = as_iterator(object);
    if (!begin_item(self)) return nullptr;
    // Held: what it runs may close this very loop.
    PyObject* iterator = Py_NewRef(self->iterator);
    PyObject* item = Py_TYPE(iterator)->tp_iternext(iterator);
    Py_DECREF(iterator);
    if (item == nullptr) {
        end_of_items(self);
    } else {
        item_is_there(self);
    }
    return item;
}

// ---- the same for `async for`, which async_items.py takes through its steps ---------------------------------------

PyObject* iterator_begin(PyObject* object, PyObject*) {
    bool began = begin_item(as_iterator(object));
    return PyErr_Occurred() ? nullptr : PyBool_FromLong(began);
}

PyObject* iterator_got(PyObject* object, PyObject*) {
    item_is_there(as_iterator(object));
    Py_RETURN_NONE;
}

PyObject* iterator_got_none(PyObject* object, PyObject* error) {
    bool ended = PyErr_GivenExceptionMatches(error, PyExc_StopAsyncIteration) != 0;
    PyErr_SetObject(ended ? PyExc_StopIteration : reinterpret_cast<PyObject*>(Py_TYPE(error)), ended ? nullptr : error);
    end_of_items(as_iterator(object));
    PyErr_Clear();
    Py_RETURN_NONE;
}

// ---- the iterator's type ------------------------------------------------------------------------------------------

int iterator_traverse(PyObject* object, visitproc visit, void* arg) {
    Py_VISIT(as_iterator(object)->iterator);
    Py_VISIT(reinterpret_cast<PyObject*>(as_iterator(object)->bound));
    return 0;
}

int iterator_clear(PyObject* object) {
    Py_CLEAR(as_iterator(object)->iterator);
    return 0;
}

void iterator_dealloc(PyObject* object) {
    LoopIterator* self = as_iterator(object);
    PyObject_GC_UnTrack(object);
    if (self->open.frame != nullptr) {
        ErrorAside aside;
        // No error after `break`, nor when the generator around the loop is closed; else an exception leaves the loop.
        PyObject* error = aside.type() == PyExc_GeneratorExit ? nullptr : aside.type();
        if (error == nullptr && !end_epoch(self)) PyErr_WriteUnraisable(nullptr);
        close_item(self, now_ticks(), error);
    }
    Py_XDECREF(self->iterator);
    Py_XDECREF(reinterpret_cast<PyObject*>(self->bound));
    PyObject_GC_Del(object);
}

// What can be closed, as generators can, is; anything else is let go. False with an exception set.
bool close_iterator(LoopIterator* self) {
    if (self->iterator == nullptr) return true;
    PyObject* close = PyObject_GetAttrString(self->iterator, "close");
    if (close == nullptr) {
        if (!PyErr_ExceptionMatches(PyExc_AttributeError)) return false;
        PyErr_Clear();
        Py_CLEAR(self->iterator);
        return true;
    }
    PyObject* result = PyObject_CallNoArgs(close);
    Py_DECREF(close);
    Py_XDECREF(result);
    return result != nullptr;
}

PyObject* iterator_close(PyObject* object, PyObject*) {
    LoopIterator* self = as_iterator(object);
    bool ended = end_epoch(self);
    if (self->open.frame != nullptr) close_item(self, now_ticks(), nullptr);
    if (!ended || !close_iterator(self)) return nullptr;
    Py_RETURN_NONE;
}

// As that of what is wrapped, which may have none.
PyObject* length_hint_of(PyObject* wrapped) {
    Py_ssize_t hint = PyObject_LengthHint(wrapped, -1);
    if (hint >= 0) return PyLong_FromSsize_t(hint);
    return PyErr_Occurred() ? nullptr : Py_NewRef(Py_NotImplemented);
}

PyObject* iterator_length_hint(PyObject* object, PyObject*) {
    PyObject* iterator = as_iterator(object)->iterator;
    return iterator == nullptr ? PyLong_FromLong(0) : length_hint_of(iterator);
}

// What it has not itself is the iterator's, such as a generator's `send`.
PyObject* iterator_getattr(PyObject* object, PyObject* name) {
    PyObject* own = PyObject_GenericGetAttr(object, name);
    PyObject* iterator = as_iterator(object)->iterator;
    if (own != nullptr || iterator == nullptr || !PyErr_ExceptionMatches(PyExc_AttributeError)) return own;
    PyErr_Clear();
    return PyObject_GetAttr(iterator, name);
}

PyMethodDef g_iterator_methods[] = {
    {"close", iterator_close, METH_NOARGS, "End the open scope and the iteration."},
    {"_begin", iterator_begin, METH_NOARGS, nullptr},
    {"_got", iterator_got, METH_NOARGS, nullptr},
    {"_got_none", iterator_got_none, METH_O, nullptr},
    {"__length_hint__", iterator_length_hint, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyTypeObject g_loop_iterator_type = [] {
    PyTypeObject type = empty_type();
    type.tp_name = "cirron._recorder.native.LoopIterator";
    type.tp_basicsize = sizeof(LoopIterator);
    type.tp_dealloc = iterator_dealloc;
    type.tp_getattro = iterator_getattr;
    type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION;
    type.tp_traverse = iterator_traverse;
    type.tp_clear = iterator_clear;
    type.tp_iter = PyObject_SelfIter;
    type.tp_iternext = iterator_next;
    type.tp_methods = g_iterator_methods;
    return type;
}();

// What batches are waited for from, told without importing any of it.
struct Loader {
    const char* module;
    const char* type;
};
constexpr Loader kLoaders[] = {
    {"torch.utils.data", "DataLoader"},
    {"torch.utils.data.dataloader", "_BaseDataLoaderIter"},
    {"tensorflow.python.data.ops.dataset_ops", "DatasetV2"},
    {"tensorflow.python.data.ops.iterator_ops", "OwnedIterator"},
};
constexpr Loader kProgressBar{"tqdm.std", "tqdm"};

bool is_of(PyObject* object, const Loader& loader) {
    PyObject* module_name = PyUnicode_FromString(loader.module);
    PyObject* module = module_name == nullptr ? nullptr : PyImport_GetModule(module_name);
    PyObject* type = module == nullptr ? nullptr : PyObject_GetAttrString(module, loader.type);
    int is_loader = type == nullptr ? 0 : PyObject_IsInstance(object, type);
    Py_XDECREF(type);
    Py_XDECREF(module);
    Py_XDECREF(module_name);
    if (PyErr_Occurred()) PyErr_Clear();
    return is_loader == 1;
}

bool is_data_loader(PyObject* iterable) {
    return std::any_of(std::begin(kLoaders), std::end(kLoaders),
                       [&](const Loader& loader) { return is_of(iterable, loader); });
}

// Also of one behind a progress bar.
bool waits_for_data(PyObject* iterable) {
    if (!is_of(iterable, kProgressBar)) return is_data_loader(iterable);
    PyObject* behind = PyObject_GetAttrString(iterable, "iterable");
    bool is_loader = behind != nullptr && is_data_loader(behind);
    Py_XDECREF(behind);
    if (PyErr_Occurred()) PyErr_Clear();
    return is_loader;
}

// Takes over the reference to `iterator`, which may be null with an exception set.
PyObject* new_iterator(Loop* loop, PyObject* iterator) {
    if (iterator == nullptr) return nullptr;
    auto* self = PyObject_GC_New(LoopIterator, &g_loop_iterator_type);
    if (self == nullptr) {
        Py_DECREF(iterator);
        return nullptr;
    }
    self->unit = loop->unit;
    self->bound = loop->bound;
    Py_XINCREF(reinterpret_cast<PyObject*>(self->bound));
    self->iterator = iterator;
    self->index = 0;
    self->times_wait = !loop->unit->is_epoch && waits_for_data(loop->iterable);
    self->open = {};
    PyObject_GC_Track(reinterpret_cast<PyObject*>(self));
    return reinterpret_cast<PyObject*>(self);
}

// ---- the loop: what the user holds, as good as the iterable itself --------------------------------------------------

PyObject* loop_iter(PyObject* object) {
    Loop* self = as_loop(object);
    return self->started != nullptr ? Py_NewRef(self->started) : new_iterator(self, PyObject_GetIter(self->iterable));
}

PyObject* loop_aiter(PyObject* object) {
    Loop* self = as_loop(object);
    PyObject* iterator = PyObject_GetAIter(self->iterable);
    PyObject* module = iterator == nullptr ? nullptr : PyImport_ImportModule("cirron._recorder.async_items");
    PyObject* steps = module == nullptr ? nullptr : new_iterator(self, Py_NewRef(iterator));
    PyObject* items = steps == nullptr ? nullptr : PyObject_CallMethod(module, "AsyncItems", "OO", steps, iterator);
    Py_XDECREF(steps);
    Py_XDECREF(module);
    Py_XDECREF(iterator);
    return items;
}

PyObject* loop_next(PyObject* object) {
    Loop* self = as_loop(object);
    if (self->started == nullptr) {
        self->started = new_iterator(self, PyObject_GetIter(self->iterable));
        if (self->started == nullptr) return nullptr;
    }
    return iterator_next(self->started);
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
    Py_VISIT(reinterpret_cast<PyObject*>(as_loop(object)->bound));
    return 0;
}

int loop_clear(PyObject* object) {
    Py_CLEAR(as_loop(object)->started);
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
    return methods;
}();

PyAsyncMethods g_loop_as_async = [] {
    PyAsyncMethods methods{};
    methods.am_aiter = loop_aiter;
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
    PyObject_GC_Track(reinterpret_cast<PyObject*>(self));
    return reinterpret_cast<PyObject*>(self);
}

int init_loop_types(PyObject* module) {
    if (!init_unit(g_epoch, "epoch", "epoch.end") || !init_unit(g_batch, "batch", "batch.end")) return -1;
    g_data_load_key = PyUnicode_InternFromString("data_load_ns");
    if (g_data_load_key == nullptr) return -1;
    for (PyTypeObject* type : {&g_loop_type, &g_async_loop_type, &g_either_loop_type, &g_loop_iterator_type}) {
        if (PyType_Ready(type) != 0) return -1;
    }
    return PyModule_AddObjectRef(module, "Loop", reinterpret_cast<PyObject*>(&g_loop_type));
}

}  // namespace cirron
