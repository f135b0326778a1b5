// One way through a loop: a scope an item, which begins with the wait for the item.
#include <utility>

#include "loops.hpp"

namespace cirron {

namespace {

PyObject* g_data_load_key = nullptr;

struct LoopIterator {
    PyObject ob_base;
    const Unit* unit;
    RecorderObject* bound;  // owned, may be null
    PyObject* iterator;     // owned; null once closed
    int64_t index;
    bool times_wait;
    OpenFrame open;
};

extern PyTypeObject g_loop_iterator_type;

LoopIterator* as_iterator(PyObject* object) { return reinterpret_cast<LoopIterator*>(object); }

// ---- scopes -------------------------------------------------------------------------------------------------------

// False with an exception set when it has to be passed on; the scope is closed all the same.
bool close_item(LoopIterator* self, PyObject* error) {
    OpenFrame open = std::exchange(self->open, {});
    bool goes_on = end_following(open, false);
    if (Recorder* recorder = open.recorder()) {
        guarded(recorder, "loop", [&] { recorder->close(open.frame, now_ticks(), error); });
    }
    return goes_on;
}

// Likewise.
bool cancel_item(LoopIterator* self) {
    OpenFrame open = std::exchange(self->open, {});
    bool goes_on = end_following(open, true);
    if (Recorder* recorder = open.recorder()) guarded(recorder, "loop", [&] { recorder->cancel(open.frame); });
    return goes_on;
}

// Likewise.
bool open_item(LoopIterator* self, Recorder* recorder) {
    bool opened = guarded(recorder, "loop", [&] {
        Opening opening;
        opening.name = recorder->names().number_of(self->unit->name);
        opening.index = self->index;
        opening.has_index = true;
        opening.is_epoch = self->unit->is_epoch;
        self->open = {recorder->open(opening, now_ticks()), recorder->registration()};
    });
    if (!opened) recorder->count_lost_span();
    if (g_follower == nullptr || self->open.recorder() != recorder || self->open.frame->is_ghost) [[likely]]
        return true;
    bool goes_on = begin_following(self->open, self->unit->name);
    if (self->open.frame == nullptr) Py_CLEAR(self->open.followed);  // what was called has closed this very loop
    return goes_on;
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
    bool called = arguments != nullptr;
    Py_XDECREF(arguments);
    Py_DECREF(function);
    Py_XDECREF(result);
    // The function may have ended the session, or this loop.
    recorder = self->open.recorder();
    if (recorder != nullptr) recorder->add_overhead(self->open.frame, now_ticks() - began);
    if (result != nullptr) return true;
    if (called) return false;
    PyErr_Clear();
    if (recorder != nullptr) recorder->count_internal_error("epoch end");
    return true;
}

// False with an exception set when it has to be passed on.
bool turn_to_next_item(LoopIterator* self, Recorder* recorder) {
    if (self->open.frame != nullptr) {
        bool reopened = false;
        bool is_followed = self->open.followed != nullptr || g_follower != nullptr;
        if (recorder != nullptr && self->open.recorder() == recorder && !is_followed) {
            guarded(recorder, "loop",
                    [&] { reopened = recorder->close_and_reopen(self->open.frame, now_ticks(), self->index); });
        }
        if (reopened) return true;
        if (!close_item(self, nullptr)) return false;
        if (!find_target(self->bound, recorder)) return false;  // what was called may have ended the session
    }
    return recorder == nullptr || open_item(self, recorder);
}

void note_wait(LoopIterator* self, Recorder* recorder) {
    Scalar waited;
    waited.type = ValueType::kInt;
    waited.bits = recorder->ticks_to_ns(now_ticks() - self->open.frame->start_ticks);
    guarded(recorder, "loop", [&] { recorder->add_attr(self->open.frame, g_data_load_key, waited); });
}

// The iterator gave no item. A scope opened for one is as if it had never been, unless something was recorded in it or
// the fetch failed. What goes wrong in a follower meanwhile gives way to the end, or to what failed.
void end_of_items(LoopIterator* self) {
    Recorder* recorder = self->open.recorder();
    ErrorAside aside;
    if (recorder == nullptr) {
        if (!cancel_item(self)) PyErr_WriteUnraisable(nullptr);
        return;
    }
    PyObject* error = aside.type();
    bool failed = error != nullptr && !PyErr_GivenExceptionMatches(error, PyExc_StopIteration);
    Frame* frame = self->open.frame;
    bool goes_on;
    if (failed) {
        goes_on = close_item(self, error);
    } else if (frame->used_as_parent) {
        guarded(recorder, "loop", [&] { recorder->rename(frame, self->unit->end_name); });
        goes_on = close_item(self, nullptr);
    } else {
        goes_on = cancel_item(self);
    }
    if (!goes_on) PyErr_WriteUnraisable(nullptr);
}

// From one item to the next, of which only the wait has begun. False at the end, or with an exception set.
bool begin_item(LoopIterator* self) {
    if (self->iterator == nullptr) return false;
    if (self->unit->is_epoch && (!end_epoch(self) || self->iterator == nullptr)) return false;  // null: it was closed
    Recorder* recorder;
    if (!find_target(self->bound, recorder)) return false;
    bool is_due = recorder != nullptr || self->open.frame != nullptr;
    if (is_due && !turn_to_next_item(self, recorder)) return false;
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
        if (!close_item(self, error)) PyErr_WriteUnraisable(nullptr);
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
    if (self->open.frame != nullptr) ended &= close_item(self, nullptr);
    if (!ended || !close_iterator(self)) return nullptr;
    Py_RETURN_NONE;
}

PyObject* iterator_length_hint(PyObject* object, PyObject*) {
    PyObject* iterator = as_iterator(object)->iterator;
    return iterator == nullptr ? PyLong_FromLong(0) : length_hint_of(iterator);
}

// A copy goes on where this one is, as does what a pickle gives, with scopes of its own; so far as what is wrapped can
// be copied.
PyObject* iterator_reduce(PyObject* object, PyObject*) {
    LoopIterator* self = as_iterator(object);
    PyObject* copying = PyImport_ImportModule("copy");
    PyObject* iterator = self->iterator == nullptr ? PyTuple_New(0) : Py_NewRef(self->iterator);
    PyObject* rest = copying == nullptr ? nullptr : PyObject_CallMethod(copying, "copy", "O", iterator);
    PyObject* loop = rest == nullptr ? nullptr : make_loop(self->bound, rest, self->unit->is_epoch);
    PyObject* builtins = loop == nullptr ? nullptr : PyImport_ImportModule("builtins");
    PyObject* iter = builtins == nullptr ? nullptr : PyObject_GetAttrString(builtins, "iter");
    PyObject* reduced = iter == nullptr ? nullptr : Py_BuildValue("O(O)L", iter, loop, self->index);
    for (PyObject* each : {iter, builtins, loop, rest, iterator, copying}) Py_XDECREF(each);
    return reduced;
}

PyObject* iterator_set_state(PyObject* object, PyObject* index) {
    long long number = PyLong_AsLongLong(index);
    if (number == -1 && PyErr_Occurred()) return nullptr;
    as_iterator(object)->index = number;
    Py_RETURN_NONE;
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
    {"__reduce__", iterator_reduce, METH_NOARGS, nullptr},
    {"__setstate__", iterator_set_state, METH_O, nullptr},
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

}  // namespace

PyObject* length_hint_of(PyObject* wrapped) {
    Py_ssize_t hint = PyObject_LengthHint(wrapped, -1);
    if (hint >= 0) return PyLong_FromSsize_t(hint);
    return PyErr_Occurred() ? nullptr : Py_NewRef(Py_NotImplemented);
}

PyObject* new_loop_iterator(const Unit* unit, RecorderObject* bound, PyObject* iterable, PyObject* iterator) {
    if (iterator == nullptr) return nullptr;
    auto* self = PyObject_GC_New(LoopIterator, &g_loop_iterator_type);
    if (self == nullptr) {
        Py_DECREF(iterator);
        return nullptr;
    }
    self->unit = unit;
    self->bound = bound;
    Py_XINCREF(reinterpret_cast<PyObject*>(self->bound));
    self->iterator = iterator;
    self->index = 0;
    self->times_wait = !unit->is_epoch && waits_for_data(iterable);
    self->open = {};
    PyObject_GC_Track(reinterpret_cast<PyObject*>(self));
    return reinterpret_cast<PyObject*>(self);
}

PyObject* loop_iterator_next(PyObject* iterator) { return iterator_next(iterator); }

int init_loop_iterator_type() {
    g_data_load_key = PyUnicode_InternFromString("data_load_ns");
    return g_data_load_key == nullptr ? -1 : PyType_Ready(&g_loop_iterator_type);
}

}  // namespace cirron
