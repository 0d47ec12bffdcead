import json, re, struct, base64, hashlib, copy, math
from collections import defaultdict, Counter, deque, namedtuple, OrderedDict
from datetime import datetime, timedelta, date, timezone
out = []
def p(*a): out.append(" ".join(str(x) for x in a))
class A:
    n = 0
    def __init__(self, x=1): self.x = x; A.n += 1
    def __repr__(self): return "A(%r)" % self.x
    def __eq__(self, o): return isinstance(o, A) and self.x == o.x
    def __lt__(self, o): return self.x < o.x
    def __add__(self, o): return A(self.x + (o.x if isinstance(o, A) else o))
    def __radd__(self, o): return A(self.x + o)
    def __len__(self): return self.x
    def __getitem__(self, i):
        if i >= self.x: raise IndexError(i)
        return i * 10
    def __contains__(self, v): return v == self.x
    def __call__(self, y): return self.x * y
    def __bool__(self): return self.x != 0
    def __hash__(self): return hash(self.x)
class B(A):
    def __init__(self, x, y):
        super().__init__(x)
        self.y = y
    def __str__(self): return "B<%s,%s>" % (self.x, self.y)
    double = property(lambda self: self.x * 2)
    def make(cls, x): return cls(x, 0)
    make = classmethod(make)
p(A(3), A(2) < A(3), A(1) == A(1), [A(2), A(1)], sorted([A(3), A(1)]), A(2) + 3, 3 + A(2), sum([A(1), A(2)], A(0)))
b = B(5, 6); p(b, repr(b), b.double, B.make(9), isinstance(b, A), len(b), list(b), 5 in b, b(3), A.n)
d = {A(1): 'a'}; p(d[A(1)])
def gen(n): return (i * i for i in range(n) if i % 2)
p(list(gen(7)), sum(x for x in range(10)), [y for x in [[1, 2], [3]] for y in x], {k: v for k, v in zip('ab', (1, 2))})
def f(a, b=2, *c, d=4, **e): return a, b, c, d, e
p(f(1), f(1, 2, 3, 4, d=5, z=6), f(*[1, 2], **{'d': 3}))
def outer():
    n = 0
    def inc():
        nonlocal n
        n += 1
        return n
    return inc
i = outer(); i(); p(i())
try:
    try:
        1 / 0
    except ZeroDivisionError as e:
        raise ValueError("x") from e
    finally:
        p("fin")
except (KeyError, ValueError) as e:
    p(type(e).__name__, e, e.args)
else:
    p("no")
def tr():
    for k in range(3):
        try:
            if k == 1: continue
            if k == 2: return "r%d" % k
        finally:
            p("f", k)
p(tr())
class CM:
    def __enter__(self): p("in"); return 7
    def __exit__(self, t, v, tb): p("out", t and t.__name__); return True
with CM() as c:
    p(c); raise KeyError("a")
a, *b2, c = range(5); p(a, b2, c)
(x, y), z = (1, 2), 3; p(x, y, z)
x = y = 5; x += 1; p(x, y)
l = [1, 2, 3, 4, 5]; l[1:3] = [9]; del l[0]; p(l, l[::-1], l[-2:]); l[::2] = [0, 0]; p(l)
p(1 < 2 < 3 > 2, 1 if [] else 2, (n := 10) + n)
dd = defaultdict(list); dd['a'].append(1); p(dd, dict(dd))
cn = Counter("abracadabra"); p(cn.most_common(2), cn['z'], cn)
dq = deque([1, 2, 3], maxlen=3); dq.append(4); dq.appendleft(0); p(dq, dq[0], len(dq), list(dq)); dq.rotate(1); p(dq)
P = namedtuple("P", "x y"); q = P(1, y=2); p(q, q.x, q._replace(x=5), q._asdict(), q == (1, 2)); x, y = q
p(re.findall(r"(\w)=(\d+)", "a=1, b=22"), re.sub(r"(\d+)", r"<\1>", "a1b22"), re.match(r"(?P<n>\w+)", "héllo wörld").group("n"), re.split(r"[,;]\s*", "a, b;c"))
m = re.search("b+", "aabbb"); p(m.span(), m.group(), m.start())
p(struct.unpack(">hH", struct.pack(">hH", -2, 65535)), struct.pack("<f", 1.5), base64.b64encode(b"hi"), hashlib.md5(b"a").hexdigest())
p(datetime(2024, 2, 29, 12) + timedelta(days=1), date(2024, 1, 1) - date(2023, 1, 1), datetime(2024, 1, 1, tzinfo=timezone.utc).isoformat(), timedelta(hours=25))
p("%-10s|%+.2e|%#x" % ("ab", 12345.678, 255), "{:>10,.2f}|{:^7}|{!r}".format(1234.5, "mid", "q"), f"{3.14159:.3f} {42:08b} {'x':*<5} {1000000:_}")
p(f"{x=} {y!r:>4} {{}}", f"{'a' if x else 'b'}")
p(json.dumps({"a": [1, 2.5, None, True], "é": "ü"}, ensure_ascii=False, indent=1), json.dumps({"b": 1, "a": (1, 2)}, sort_keys=True, separators=(",", ":")))
p(10 ** 20, -7 // 2, -7 % 3, 7.5 // 2, divmod(-7, 2), 2 ** 0.5, 1e100, 5 / 2, 0.1 + 0.2, 1e16, round(2.5), round(-1.5), round(2.675, 2), int("ff", 16))
p("abc".center(8, "*"), "a,b,,c".split(","), " x ".strip(), "Hello World".swapcase(), "x".join(["1", "2"]), "abc"[::-1], "äöü".upper(), "a\tb".expandtabs(4))
p(set([3, 1, 2]) & {1, 2}, {1} <= {1, 2}, frozenset([1]), sorted({"b", "a"}))
p(math.floor(-2.5), math.gcd(12, 18), math.isclose(0.1 + 0.2, 0.3), math.log(8, 2))
p(any(x > 2 for x in [1, 2, 3]), all([]), max([1, 5, 3], key=lambda v: -v), min("b", "a"), list(enumerate("ab", 1)), list(zip([1, 2], "ab")), list(map(str, [1, 2])), list(filter(None, [0, 1])))
p(copy.deepcopy([[1], {"a": [2]}]), bytes([1, 2]), bytearray(b"ab") + b"c", b"\x00\xff".hex(), "é".encode(), bytes.fromhex("00ff"), (258).to_bytes(2, "big"), int.from_bytes(b"\x01\x02", "little"))
p(isinstance(True, int), type(1).__name__, callable(len), hasattr([], "append"), getattr(A(1), "zz", None), str(None), repr("it's"), [1, [2, [3]]], {"a": {"b": ()}})
while True:
    n += 1
    if n > 12: break
else:
    p("never")
for k in []: pass
else: p("else")
print("\n".join(out))
