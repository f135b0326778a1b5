"""Very many who record."""

from __future__ import annotations

from faults.fault import Fault

FAULTS = [
    Fault(
        "10,000 threads in turn",
        "each trains two steps",
        "import threading\n"
        "ci.profile()\n"
        "for lane in range(10_000):\n"
        "    thread = threading.Thread(target=train, args=(2, lane, 0)); thread.start(); thread.join()\n"
        "print('trained')\n",
        lanes=10_000,
        steps=4,
    ),
    Fault(
        "200 threads at once",
        "a barrier, then 20 steps each",
        "import threading\n"
        "ci.profile()\n"
        "barrier = threading.Barrier(200)\n"
        "def work(lane): barrier.wait(); train(20, lane)\n"
        "threads = [threading.Thread(target=work, args=(lane,)) for lane in range(200)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
        "print('trained')\n",
        lanes=200,
        steps=32,
    ),
    Fault(
        "1,000 asyncio tasks at once",
        "each gives way inside of every scope",
        "import asyncio\n"
        "async def work(lane):\n"
        "    for number in range(5):\n"
        "        books[lane * STEPS + number] = BEGUN\n"
        "        with ci.scope('step', number, lane=lane):\n"
        "            await asyncio.sleep(0)\n"
        "            ci.mark('loss', number, lane=lane)\n"
        "            await asyncio.sleep(0)\n"
        "        books[lane * STEPS + number] = CLOSED\n"
        "async def main(): await asyncio.gather(*(work(lane) for lane in range(1000)))\n"
        "ci.profile(); asyncio.run(main()); print('trained')\n",
        lanes=1000,
        steps=8,
    ),
    Fault(
        "asyncio tasks that are cancelled",
        "500 tasks, cancelled inside of their scopes",
        "import asyncio\n"
        "async def work(lane):\n"
        "    train(2, lane)\n"
        "    books[lane * STEPS + 2] = BEGUN\n"
        "    with ci.scope('step', 2, lane=lane): await asyncio.Event().wait()\n"
        "async def main():\n"
        "    tasks = [asyncio.create_task(work(lane)) for lane in range(500)]\n"
        "    await asyncio.sleep(0)\n"
        "    for task in tasks: task.cancel()\n"
        "    print(len(await asyncio.gather(*tasks, return_exceptions=True)))\n"
        "ci.profile(); asyncio.run(main()); print('trained')\n",
        lanes=500,
        steps=4,
    ),
    Fault(
        "greenlets",
        "500 that switch inside of every scope",
        "import greenlet\n"
        "def work(lane):\n"
        "    for number in range(5):\n"
        "        books[lane * STEPS + number] = BEGUN\n"
        "        with ci.scope('step', number, lane=lane):\n"
        "            hub.switch()\n"
        "            ci.mark('loss', number, lane=lane)\n"
        "        books[lane * STEPS + number] = CLOSED\n"
        "hub = greenlet.getcurrent()\n"
        "ci.profile()\n"
        "alive = [greenlet.greenlet(work) for _ in range(500)]\n"
        "for lane, each in enumerate(alive): each.switch(lane)\n"
        "while alive:\n"
        "    for each in alive: each.switch()\n"
        "    alive = [each for each in alive if not each.dead]\n"
        "print('trained')\n",
        lanes=500,
        steps=8,
    ),
]
