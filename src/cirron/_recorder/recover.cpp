// Sealing what a dead process left in its journal.
#include <algorithm>
#include <optional>
#include <utility>

#include "drain.hpp"
#include "errors.hpp"
#include "python.hpp"

namespace cirron {

namespace {

struct RecoveredFacts {
    std::string session_id;
    int64_t pid = 0;
    DrainTotals totals;
    std::string damage;
};

// Puts `read` where the unsealed records begin. What the producer has overwritten of those in flight is lost with the
// process, and counted.
void rewind_to_sealed(RingBlock* ring, uint64_t head) {
    ring->dropped.add(std::exchange(ring->overtaken, {}));
    RecordCounts in_flight = std::exchange(ring->in_flight, {});
    uint64_t written = std::max(head, ring->writing_to.load(std::memory_order_acquire));
    if (written - ring->sealed <= ring->capacity) {
        ring->read.store(ring->sealed, std::memory_order_relaxed);
    } else {
        ring->dropped.add(in_flight);
        ring->sealed = ring->read.load(std::memory_order_relaxed);
    }
    ring->sealing_to = ring->sealed;
}

void rewind_rings(Journal& journal, Drain& drain) {
    for (RingBlock* ring : journal.ring_blocks()) {
        uint64_t head = ring->head.load(std::memory_order_acquire);
        uint64_t read = ring->read.load(std::memory_order_relaxed);
        if (ring->sealed <= read && read <= head && head - read <= ring->capacity) {
            rewind_to_sealed(ring, head);
        } else {
            drain.report_damage("the positions of ring " + std::to_string(ring->number()) + " are impossible");
            ring->read.store(head, std::memory_order_relaxed);
        }
    }
}

RecoveredFacts seal_dead(Journal& journal, const std::string& spool_dir, bool fsync) {
    NameTexts names(journal);
    TickClock clock(journal.header().clock);
    DeferredValues deferred;
    Drain drain(journal, names, clock, deferred, {.spool_dir = spool_dir, .fsync = fsync, .recovered = true});
    if (!journal.damage().empty()) drain.report_damage(journal.damage());
    bool was_closed = drain.settle();
    rewind_rings(journal, drain);
    if (!was_closed) drain.run_to_end();
    return {drain.session_id(), journal.header().session.pid, drain.totals(), drain.damage()};
}

std::optional<RecoveredFacts> recover_journal(const std::string& path, const std::string& spool_dir, bool fsync) {
    std::unique_ptr<Journal> journal = Journal::open_dead(path);
    if (!journal) return std::nullopt;
    RecoveredFacts facts = seal_dead(*journal, spool_dir, fsync);
    journal->unlink();
    return facts;
}

// ---- the result's type --------------------------------------------------------------------------------------------

PyStructSequence_Field g_fields[] = {
    {"session_id", "32 hex digits"},
    {"pid", "of the process that died"},
    {"batches", "sealed by this recovery"},
    {"spans", "closed ones sealed by this recovery; open scopes and the session come on top"},
    {"marks", "sealed by this recovery"},
    {"damage", "why reading stopped early in a part of the journal, or None"},
    {nullptr, nullptr},
};

PyStructSequence_Desc g_description = {
    "cirron._recorder.native.Recovered",
    "What recover() found in a dead process's journal.",
    g_fields,
    6,
};

PyTypeObject* g_recovered_type = nullptr;

PyObject* to_python(const RecoveredFacts& facts) {
    PyObject* result = PyStructSequence_New(g_recovered_type);
    if (result == nullptr) return nullptr;
    PyObject* items[] = {
        PyUnicode_FromStringAndSize(facts.session_id.data(), static_cast<Py_ssize_t>(facts.session_id.size())),
        PyLong_FromLongLong(facts.pid),
        PyLong_FromUnsignedLongLong(facts.totals.batches),
        PyLong_FromUnsignedLongLong(facts.totals.spans),
        PyLong_FromUnsignedLongLong(facts.totals.marks),
        facts.damage.empty() ? Py_NewRef(Py_None) : PyUnicode_FromString(facts.damage.c_str()),
    };
    bool whole = true;
    for (Py_ssize_t i = 0; i < 6; ++i) {
        whole = whole && items[i] != nullptr;
        PyStructSequence_SetItem(result, i, items[i]);
    }
    if (!whole) Py_CLEAR(result);
    return result;
}

}  // namespace

PyObject* recover(PyObject*, PyObject* args, PyObject* keywords) {
    static const char* names[] = {"journal_path", "spool_dir", "fsync", nullptr};
    PyObject* path;
    PyObject* spool_dir;
    int fsync = 0;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OO|p:recover", const_cast<char**>(names), &path, &spool_dir,
                                     &fsync)) {
        return nullptr;
    }
    std::string journal_path;
    std::string spool;
    if (!read_path(path, journal_path) || !read_path(spool_dir, spool)) return nullptr;
    return translated([&]() -> PyObject* {
        std::optional<RecoveredFacts> facts;
        without_gil([&] { facts = recover_journal(journal_path, spool, fsync != 0); });
        if (!facts) Py_RETURN_NONE;
        return to_python(*facts);
    });
}

int init_recovered_type(PyObject* module) {
    g_recovered_type = PyStructSequence_NewType(&g_description);
    if (g_recovered_type == nullptr) return -1;
    return PyModule_AddObjectRef(module, "Recovered", reinterpret_cast<PyObject*>(g_recovered_type));
}

}  // namespace cirron
