#include "stack.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "types.hpp"

namespace cirron {

namespace {

void stack_dealloc(PyObject* self) {
    auto* stack = reinterpret_cast<Stack*>(self);
    // The frames lie in the recorder's journal, which may be unmapped by now.
    if (find_recorder(stack->recorder) != nullptr) {
        for (uint32_t i = 0; i < stack->depth; ++i) stack->frames[i]->stack = nullptr;
    }
    Py_XDECREF(stack->owner);
    PyObject_Free(self);
}

PyTypeObject g_stack_type = [] {
    PyTypeObject type = empty_type();
    type.tp_name = "cirron._recorder.native._Stack";
    type.tp_basicsize = sizeof(Stack);
    type.tp_dealloc = stack_dealloc;
    type.tp_flags = Py_TPFLAGS_DEFAULT;
    return type;
}();

}  // namespace

uint64_t Stack::open_epoch_parent() const {
    if (epoch_parent != 0) return epoch_parent;
    for (uint32_t i = 0; i < depth; ++i) {
        if (frames[i]->is_epoch) return frames[i]->parent;
    }
    return 0;
}

uint64_t Stack::parent_for_epoch() const {
    uint64_t parent = open_epoch_parent();
    return parent != 0 ? parent : top_id();
}

bool Stack::owned_by(PyObject* context) const {
#if PY_VERSION_HEX >= 0x030D0000
    PyObject* referent = nullptr;
    PyWeakref_GetRef(owner, &referent);
    Py_XDECREF(referent);  // the caller holds the context, if it is the one
    return referent == context;
#else
    PyObject* referent = PyWeakref_GetObject(owner);
    return referent == context || (referent == Py_None && context == nullptr);
#endif
}

void Stack::remove_below_top(Frame* frame) {
    Frame** end = frames + depth;
    Frame** found = std::find(frames, end, frame);
    if (found == end) return;
    std::copy(found + 1, end, found);
    --depth;
}

Stack* new_stack(Registration recorder, const Stack* inherited) {
    auto* stack = PyObject_New(Stack, &g_stack_type);
    if (stack == nullptr) return nullptr;
    stack->recorder = recorder;
    stack->owner = nullptr;
    bool same_session = inherited != nullptr && inherited->recorder.generation == recorder.generation;
    stack->root_parent = same_session ? inherited->top_id() : kSessionId;
    stack->epoch_parent = same_session ? inherited->open_epoch_parent() : 0;
    stack->depth = 0;
    return stack;
}

Stack* as_stack(PyObject* object) {
    bool is_stack = object != nullptr && Py_IS_TYPE(object, &g_stack_type);
    return is_stack ? reinterpret_cast<Stack*>(object) : nullptr;
}

Stack* StackTable::find(PyObject* context) const {
    auto found = stacks_.find(context);
    // The address may have been another context's.
    return found != stacks_.end() && found->second->owned_by(context) ? found->second : nullptr;
}

void StackTable::insert(PyObject* context, Stack* stack) {
    if (stacks_.size() >= sweep_at_) sweep();
    Stack*& place = stacks_[context];
    Stack* before = std::exchange(place, stack);
    Py_XDECREF(reinterpret_cast<PyObject*>(before));
}

// Lets go of the stacks whose contexts have ended. The next sweep comes when as many again are there.
void StackTable::sweep() {
    std::vector<Stack*> ended;
    std::erase_if(stacks_, [&](const auto& entry) {
        bool has_ended = entry.second->owned_by(nullptr);
        if (has_ended) ended.push_back(entry.second);
        return has_ended;
    });
    for (Stack* stack : ended) Py_DECREF(reinterpret_cast<PyObject*>(stack));
    sweep_at_ = 2 * stacks_.size() + 64;
}

void StackTable::clear() {
    auto stacks = std::exchange(stacks_, {});
    for (auto& [context, stack] : stacks) Py_DECREF(reinterpret_cast<PyObject*>(stack));
}

int init_stack_type() { return PyType_Ready(&g_stack_type); }

}  // namespace cirron
