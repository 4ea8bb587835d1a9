"""A bounded cache keeps what was used last, and no more than it may."""

from __future__ import annotations

import threading

from democracy.caches import BoundedCache


def test_the_least_recently_used_value_goes_first() -> None:
    cache: BoundedCache[str, int] = BoundedCache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert (cache.keys(), cache.get("b"), len(cache)) == (["a", "c"], None, 2)


def test_putting_a_value_again_replaces_it_and_counts_as_use() -> None:
    cache: BoundedCache[str, int] = BoundedCache(2)
    for key, value in (("a", 1), ("b", 2), ("a", 3), ("c", 4)):
        cache.put(key, value)
    assert (cache.keys(), cache.get("a")) == (["a", "c"], 3)


def test_values_are_bounded_by_their_weight_and_the_newest_stays_however_heavy() -> None:
    cache: BoundedCache[str, str] = BoundedCache(10, weigh=len, most_weight=5)
    cache.put("a", "aa")
    cache.put("b", "bbb")
    assert cache.keys() == ["a", "b"]
    cache.put("c", "c")
    assert cache.keys() == ["b", "c"]
    cache.put("d", "d" * 100)
    assert cache.keys() == ["d"]
    cache.put("e", "e")
    assert cache.keys() == ["e"]


def test_a_value_that_has_grown_is_weighed_again_and_counts_as_used() -> None:
    cache: BoundedCache[str, list[int]] = BoundedCache(10, weigh=len, most_weight=5)
    for key in ("a", "b", "c"):
        cache.put(key, [1])
    grown = cache.get("a")
    assert grown is not None
    grown += [2, 3, 4]
    assert (cache.weight, cache.keys()) == (3, ["b", "c", "a"])
    cache.weigh_again("a")
    assert (cache.weight, cache.values()) == (5, [[1], grown])
    cache.weigh_again("gone")
    cache.put("a", [])
    assert (cache.weight, cache.keys()) == (1, ["c", "a"])
    cache.clear()
    assert (cache.weight, cache.keys()) == (0, [])


def test_a_value_is_made_once_and_found_again() -> None:
    cache: BoundedCache[int, object] = BoundedCache(1)
    first = cache.get_or_make(1, object)
    assert cache.get_or_make(1, object) is first
    assert cache.get_or_make(2, object) is not first
    assert cache.keys() == [2]


def test_threads_that_ask_at_once_get_the_same_value() -> None:
    cache: BoundedCache[int, object] = BoundedCache(1)
    together = threading.Barrier(8)
    answers: list[object] = []

    def ask() -> None:
        together.wait()
        answers.append(cache.get_or_make(1, object))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(answers), len(set(map(id, answers)))) == (8, 1)


def test_a_cleared_cache_is_empty() -> None:
    cache: BoundedCache[int, int] = BoundedCache(2)
    cache.put(1, 1)
    cache.clear()
    assert (len(cache), cache.get(1)) == (0, None)
