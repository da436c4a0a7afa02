"""chaos_matrix: each way a server misbehaves, times each operation that may meet it. Read by chaos.py of the tests' own.

A row names the way, the operations, and what they have to come to:

  want   exit codes: the first is for all, then NAME[,NAME]:CODE for operations or groups
  most   in the same words, how often the operation may ask (its target, not what it takes to get there)
  peak   in the same words, the MiB of memory it may take
"""
import chaos_ops
from chaos import CASES, PEAK, Case
from chaos_ops import OPS, members

COUNTS = {}


def choose(text, op):
    """The value a row gives for one operation: the last word that names it counts."""
    first, *rest = str(text).split()
    value = first
    for word in rest:
        names, _, code = word.partition(":")
        if op in members(names.replace(",", " ")):
            value = code
    return int(value)


def row(name, ops, way, want=0, most=0, seconds=10, peak=PEAK, at="main", auth=None, target=None, check=None, who=None):
    """Registers way(r, n, ok) for each operation: n counts the requests it sees, ok() answers as an honest server does."""
    for op in (OPS[word] for word in members(ops)):
        register(f"mx/{name}/{op.name}", op, way, choose(want, op.name), choose(most, op.name), seconds, choose(peak, op.name), at,
                 op.auth if auth is None else auth, target or op.is_target, check, who or op.who)
    COUNTS[name] = len(members(ops))


def register(name, op, way, wanted, most, seconds, peak, at, auth, is_target, check, who):
    def answer(r, _):
        if "landed" not in r.query and auth and chaos_ops.rest_of(r) != "token" and not chaos_ops.is_known(r):
            r.read_body()
            r.reply(401, b"", [chaos_ops.challenge(r)])
            return
        if not is_target(r) or not getattr(way, "early", False):
            r.read_body()
        if not is_target(r):
            chaos_ops.send(r, chaos_ops.honest(r, op.name))
            return
        with r.case.lock:
            n = r.state["hits"] = r.state.get("hits", -1) + 1
        way(r, n, lambda: chaos_ops.honest(r, op.name))
    scheme = "http" if at == "main" else "https"
    command = op.command.replace("{scheme}", scheme).replace("{at}", "{" + at + "}")
    if name in CASES:
        raise ValueError(f"{name} twice")
    CASES[name] = Case(name, answer, wanted, command, seconds, most, (op.check if check is None else check) if wanted == 0 else
                       check or "-", who, peak, is_target)


def once(way):
    """The way at first, honest afterwards."""
    return lambda r, n, ok: chaos_ops.send(r, ok()) if n else way(r, n, ok)


def every_second(way):
    return lambda r, n, ok: chaos_ops.send(r, ok()) if n % 2 else way(r, n, ok)


def early(way):
    """The answer comes before the content of the request was read, unless it is the honest one."""
    def spoiled(r, n, ok):
        way(r, n, lambda: (r.read_body(), ok())[1])
    spoiled.early = True
    return spoiled


def says(status, body=b"", headers=()):
    return lambda r, n, ok: r.reply(status, body, headers)


def spoils(**how):
    """The honest answer, given another way: headers, length, cut."""
    return lambda r, n, ok: chaos_ops.send(r, ok(), **how)


import sys  # noqa: E402

sys.modules["chaos_matrix"] = sys.modules[__name__]
import chaos_ways_answer  # noqa: E402,F401
import chaos_ways_line  # noqa: E402,F401
import chaos_ways_auth  # noqa: E402,F401
