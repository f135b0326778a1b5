#include "registry.hpp"

#include <pthread.h>

#include <mutex>
#include <stdexcept>
#include <vector>

#include "recorder.hpp"
#include "starter.hpp"

namespace cirron {

thread_local ThreadSlot t_slots[kMaxRecorders];
Registered g_recorders[kMaxRecorders];

namespace {

std::mutex g_mutex;
uint64_t g_last_generation = 0;
std::vector<Recorder*> g_forked;

// Its destructor runs when the thread ends, possibly after the interpreter: it needs no GIL.
struct ThreadEnd {
    bool watched = false;
    ~ThreadEnd() {
        std::lock_guard lock(g_mutex);
        for (uint32_t i = 0; i < kMaxRecorders; ++i) {
            Recorder* recorder = find_recorder({i, t_slots[i].generation});
            if (recorder != nullptr) recorder->thread_ended(t_slots[i].state);
            t_slots[i] = {};
        }
    }
};
thread_local ThreadEnd t_end;

void before_fork() { g_mutex.lock(); }
void after_fork_in_parent() { g_mutex.unlock(); }

void after_fork_in_child() {
    for (Recorder* recorder : g_forked) recorder->abandon_in_child();
    for (Registered& entry : g_recorders) entry = {};
    arm_starter_in_child(g_default_recorder != nullptr);
    g_default_recorder = nullptr;
    g_mutex.unlock();
}

}  // namespace

void add_to_forked(Recorder* recorder) {
    std::lock_guard lock(g_mutex);
    g_forked.push_back(recorder);
}

void remove_from_forked(Recorder* recorder) {
    std::lock_guard lock(g_mutex);
    std::erase(g_forked, recorder);
}

Registration register_recorder(Recorder* recorder) {
    std::lock_guard lock(g_mutex);
    for (uint32_t i = 0; i < kMaxRecorders; ++i) {
        if (g_recorders[i].recorder != nullptr) continue;
        g_recorders[i] = {recorder, ++g_last_generation};
        return {i, g_last_generation};
    }
    throw std::length_error("16 recorders are alive already: shut one down first");
}

void unregister_recorder(uint32_t slot) {
    std::lock_guard lock(g_mutex);
    g_recorders[slot] = {nullptr, 0};
}

void watch_thread_end() { t_end.watched = true; }

// Once: the module may be executed again.
void install_fork_handlers() {
    [[maybe_unused]] static const int installed =
        pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

}  // namespace cirron
