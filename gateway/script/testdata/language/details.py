# Details of the language that programs made at random do not reach.
def show(*a):
    print(*[repr(x) for x in a])

def tried(f, *a, **k):
    try:
        return f(*a, **k)
    except Exception as e:
        return type(e).__name__ + ": " + str(e)

class Meter:
    count = 0
    def __init__(self, name, *, unit="V"):
        self.name, self.unit = name, unit
        type(self).count += 1
        Meter.last = self
    def __repr__(self): return f"{type(self).__name__}({self.name!r})"
    def __str__(self): return self.name + "/" + self.unit
    def __eq__(self, other): return isinstance(other, Meter) and self.name == other.name
    def __hash__(self): return hash(self.name)
    def __format__(self, spec): return "<" + spec + ">"
    def __iter__(self): return iter(self.name)
    def __neg__(self): return Meter(self.name[::-1])
    def __mul__(self, n): return [self] * n
    def __rmul__(self, n): return (self,) * n
    def __iadd__(self, s): self.name += s; return self
    def __getattr__(self, name):
        if name.startswith("x_"): return name[2:]
        raise AttributeError("no " + name)
    def __setitem__(self, k, v): setattr(self, k, v)
    def __delitem__(self, k): delattr(self, k)
    def upper(self): return self.name.upper()
    def static(a, b=1): return a + b
    static = staticmethod(static)
    def _get(self): return self._v if hasattr(self, "_v") else None
    def _set(self, v): self._v = v * 2
    value = property(_get, _set)

class Power(Meter):
    def __init__(self, name): super(Power, self).__init__(name, unit="W")
    def upper(self): return "P" + super().upper()

m, p = Meter("u1"), Power("p1")
m += "x"; m["extra"] = 5; p.value = 4
show(m, p, str(m), f"{m:abc}", list(p), -p, m * 2, 2 * m, m.x_foo, tried(lambda: m.foo), m.extra, p.value, p.upper(), Meter.upper(p), Meter.static(2), p.static(1, 2), Meter.count, Power.count, m == Meter("u1x"), {m: 1}[Meter("u1x")], m in [Meter("u1x")], tried(Meter), tried(Meter, "a", "b"), "%s %r" % (m, p))
del m["extra"]; show(hasattr(m, "extra"), isinstance(p, Meter), isinstance(m, (int, Power)), type(p).__name__, p.__class__ is Power, Power.__name__)

class E(ValueError):
    def __init__(self, code, text="t"):
        super().__init__(text)
        self.code = code

try:
    raise E(5)
except ValueError as e:
    show(e, e.args, e.code, isinstance(e, E))
try:
    show(e)
except NameError as n:
    show(str(n))

def nested():
    try:
        try:
            raise KeyError("k")
        except KeyError:
            raise
        finally:
            show("inner")
    except LookupError as e:
        return "got %s" % e
    finally:
        show("outer")
show(nested())

def override():
    try:
        return 1
    finally:
        return 2
show(override())

def scopes():
    x = 1
    def inner():
        nonlocal x
        x += 1
        return lambda: x * 10
    f = inner()
    return x, f(), [i + x for i in range(2)], {k: x for k in "a"}, (lambda y=x: y)()
show(scopes())

def unbound():
    try:
        return late
    except UnboundLocalError as e:
        late = 1
        return type(e).__name__
show(unbound())

fs = [lambda i=i: i for i in range(3)]
gs = [lambda: j for j in range(3)]
show([f() for f in fs], [g() for g in gs])
g = (x * x for x in [1, 2, 3]); show(next(g), list(g), next(g, "end"), tried(next, g))
it = iter([1, 2]); show(next(it), next(it), tried(next, it), list(zip([1, 2], it)))
show([*range(3), *"ab"], {**{"a": 1}, "b": 2}, (*[1], 2), [x for x in (1, 2) for _ in range(x) if x > 1])
def kw(a, /, b, *, c=3, **d): return (a, b, c, d)
show(kw(1, 2), kw(1, b=2, c=4, e=5), tried(kw, 1), tried(kw, a=1, b=2), tried(kw, 1, 2, 3), kw(1, 2, a=5))
a = b = []; a.append(1); show(b, a is b)
(a, b), *c = (1, 2), 3, 4; show(a, b, c)
i, x = 0, [5, 6]; i, x[i] = 1, 9; show(i, x)
if (n := len("abc")) > 2: show(n)
show(1 < 2 == 2 != 3, not 1 == 2, 1 if 0 else 2 if 0 else 3, 2 ** 3 ** 2, -2 ** 2, ~5 & 3 | 4 ^ 1, 7 // 2 * 2 + 7 % 2, 1 << 2 + 1, "a" "b" 'c')
show(0xFF, 0o17, 0b11, 1_000, 1e3, .5, 5., 10 ** 25, -10 ** 25 // 7, 10 ** 25 % -7, 1e308 * 10, -1e308 * 10, 2 ** 200 >> 190, -1 >> 100, 5 & -2, int(1e20), 3.0 == 3, 10 ** 20 == 1e20, hash(1) == hash(1.0), 2 ** 63, -2 ** 63 - 1, (2 ** 64) // (2 ** 62), 10 ** 400 // 10 ** 399, tried(lambda: 10 ** 400 / 3), tried(lambda: 10 ** 400 + 0.5), 10 ** 400 > 1.5)
show("\x41\u00e4\N{BULLET}" if False else "ok", "a\
b", r"\n", b"\x00\n'\"", 'it\'s "q"', "tab\t", "\u200b", "\x7f\xa0é\u3000😀")
s = "Hello, World"
show(s[7:], s[-5:-1], s[::-2], s[20:], s[5:2], s.find("o", 5), s.rfind("o", 0, 5), s.index("W"), tried(s.index, "z"), s.count("l"), s.startswith(("x", "He")), s.endswith("World", 3), s.partition(", "), s.rpartition("x"), s.split("o", 1), s.rsplit("o", 1), s.replace("l", "L", 2), s.lower().islower(), s.istitle(), s.center(21, "-"), s.zfill(15), s.encode(), s.title(), s.swapcase(), "a-b_c".translate(str.maketrans("-_", "  ")), "aXbX".strip("aX"), "x".join("abc"), "".join([]), "a\tb".expandtabs(), "ab\ncd\r\n".splitlines(True), "%d%%" % 5, "ß".upper(), "ǆ".title(), "1²".isdigit(), "٣".isdigit(), "Ⅷ".isnumeric(), "a".isidentifier(), "z".removeprefix("z"), "é" < "z", "a" < "B")
l = [3, 1, 2]
l.sort(); l.insert(0, 9); l.insert(-1, 8); l.insert(99, 7); show(l, l.index(8), l.pop(0), l.pop(-2), l.count(1), tried(l.remove, 99), tried(l.index, 99), l[1:1], l * 2, l + [0], l == [1, 2, 8, 7], sorted(l, reverse=True), sorted("bAc", key=str.lower), list(reversed(l)), min(l), max(l, key=lambda v: -v), sum(l, 10))
l[1:3] = [5, 6, 7]; l[::2] = [0] * len(l[::2]); del l[-1]; l += (1,); show(l, tried(lambda: l[10]), tried(lambda: l["a"]), tried(lambda: [1, 2][1.0]))
def bad(): l[::2] = [1]
show(tried(bad), tried(sorted, [1, "a"]), tried(lambda: [1] < ["a"]), [1, 2] < [1, 3], [1] < [1, 0], (1, "a") < (2, None))
d = {"b": 1, "a": 2}
d["c"] = 3; d["b"] = 0; del d["a"]; d["a"] = 9; d.update(x=1, **{"y z": 2}); show(d, list(d), d.pop("x"), d.pop("q", None), d.popitem(), d.setdefault("b", 5), d.setdefault("n"), d.get("zz", 0), dict(zip("ab", [1, 2])), dict.fromkeys("ab", 0), {1: "a", 1.0: "b", True: "c"}, d.keys() & {"a", "b"} == {"a", "b"}, ("b", 0) in d.items(), 9 in d.values(), d == dict(d), sorted(d.items(), key=lambda kv: str(kv[1])), {(1, 2): 3}[1, 2], tried(lambda: {[]: 1}), tried(lambda: {{}: 1}), len(d))
def grow():
    for k in d: d[k + "x"] = 1
show(tried(grow))
big = {i: i * i for i in range(50)}
for i in range(0, 50, 2): del big[i]
big[0] = "again"; show(list(big)[:3], list(big)[-1], len(big), big[49], 2 in big, sum(k for k in big))
s1, s2 = {1, 2, 3}, {3, 4}
s1.add(5); s1.discard(9); show(sorted(s1 | s2), sorted(s1 & s2), sorted(s1 - s2), sorted(s1 ^ s2), s1 >= {1}, s1.isdisjoint({9}), {1, 2} == {2, 1}, frozenset([1]) in {frozenset([1])}, tried(s1.remove, 99), len({1, 1.0, True}), sorted(set("hello")), set() == set([]), {1} < {1, 2}, bool(set()))
show(range(5)[2], range(10)[2:8:3], len(range(0, 10, 3)), 4 in range(0, 10, 2), range(3) == range(0, 3, 1), list(range(5, 0, -2)), tried(range, 1, 2, 0), range(10)[-1], tuple(range(3)), range(0, -5, -1), 10 ** 10 in range(10 ** 11))
show(round(0.5), round(1.5), round(-2.5), round(2.345, 2), round(1e22), round(12345, -2), round(15, -1), round(25, -1), round(1.25, 1), round(-0.04, 1), round(5e-324, 3), int("  -12_3 "), int("0b101", 0), int("z", 36), tried(int, "1.5"), tried(int, ""), tried(int, "1__0"), tried(float, "1,5"), float("nan") != float("nan"), float(" -1e-3 "), tried(int, float("nan")), tried(int, float("inf")), divmod(-7, 3), divmod(7.5, -2), pow(2, 10, 1000), pow(3, -1, 7), abs(-3.5), bin(-5), hex(255), oct(8), chr(8364), ord("€"), bool("False"), str(b"a"), bytes(3), bytes("é", "utf-8"), b"ab"[0], b"ab"[:1], b"a" + b"b", b"a" in b"cab", bytearray(b"xy"), b"\xff".decode("latin-1"), tried(b"\xff".decode), b"\xff".decode("utf-8", "replace"), tried("é".encode, "ascii"), "é".encode("ascii", "ignore"))
show(any([]), all([]), any(x > 1 for x in [1, 2]), list(enumerate("ab", start=1)), list(map(lambda a, b: a + b, [1, 2], [3, 4])), list(filter(lambda x: x % 2, range(5))), list(zip("ab", [1, 2], (True, False))), callable(print), callable(5), getattr(s, "upper")(), tried(getattr, s, "nope"), getattr(s, "nope", None), isinstance(5, int), isinstance(True, int), isinstance("a", (int, str)), type(5) is int, type(None).__name__, type(show).__name__, type(len).__name__, type(range(1)), type({}.keys()).__name__, type((x for x in [])).__name__)
show("%s|%5s|%-5s|%05d|%+d|% d|%x|%X|%#o|%e|%.3E|%g|%G|%c|%r|%%|%5.1f|%-8.3f|%i" % ("a", "b", "c", 42, 5, 5, 255, 255, 8, 12345.678, 0.00012, 1e-5, 1e10, "z", "q", 2.25, 1.5, 3.9), "%(a)s %(b)05.1f" % {"a": 1, "b": 2.5}, "%s" % ((1, 2),), "%s %s" % ("a", [1]), tried(lambda: "%d" % "x"), tried(lambda: "%s %s" % 1), tried(lambda: "%s" % (1, 2)), tried(lambda: "%z" % 1), "%*d" % (5, 3), "%.*f" % (2, 3.14159))
show("{:<6}|{:>6}|{:^6}|{:*^7}|{:06.2f}|{:+,}|{:_}|{:e}|{:.3g}|{:%}|{:.1%}|{:#x}|{:b}|{:c}|{:n}".format("a", "b", "c", "d", 3.14159, 1234567, 10 ** 6, 12345.6789, 0.00012345, 0.5, 0.123, 255, 5, 65, 7), "{0[a]} {0[b][1]} {1.real}".format({"a": 1, "b": [2, 3]}, 4), "{a!r:>5} {b!s}".format(a="x", b=2), tried("{} {}".format, 1), tried("{a}".format), tried("{:d}".format, "a"), tried("{:s}".format, 1), tried("{:.2d}".format, 1), "{:>{w}.{p}f}".format(3.14159, w=8, p=2), "{{{}}}".format(1), tried("{".format), tried("}".format), "{:5}|{:5}|{:<5}|{:=+5}".format(True, 1, 2, 3), "{:.3}".format("abcdef"), "{:10.3}|".format(1234.5678), "{:,.2f}".format(-1234567.891), "{:.0f} {:.0e} {:g}".format(2.5, 15000.0, 100000000.0), f"{1.0} {1e100:.5g} {0.1 + 0.2:.20f} {float('nan'):5} {-float('inf'):>8.2f} {1e16:,} {123456.789:,.1f} {12:>+5d} {255:#010x} {-5:05d} {'é':>3}")
x, w = 3.14159, 8
show(f"{x:{w}.2f}|{x!r}|{'q'!r}|{{}}|{x=:.2f}|{w = }|{'a' + 'b'}|{[1, 2][0]}|{ {'k': 1}['k'] }|{(lambda v: v * 2)(3)}|{x if w > 5 else w}", f'{"nested"} {"a" "b"}', f"{'%d' % 3}{w:>3}" f"{w}")
while True:
    w -= 1
    if w % 2: continue
    if w < 3: break
else:
    show("no")
for k, (a, b) in {"x": (1, 2)}.items(): show(k, a, b)
for q in range(2):
    for r in range(2):
        if r: break
    else: show("never")
else: show("loop done", q, r)
class Ctx:
    def __init__(self, n, swallow=False): self.n, self.swallow = n, swallow
    def __enter__(self): show("enter", self.n); return self.n
    def __exit__(self, t, v, tb): show("exit", self.n, t and t.__name__); return self.swallow
with Ctx(1) as one, Ctx(2, True) as two:
    show(one, two); raise ValueError("v")
def early():
    with Ctx(3): return "ret"
show(early())
class A:
    def who(self): return "A"
class B(A):
    def who(self): return "B" + super().who()
class C(A):
    def who(self): return "C" + super().who()
class D(B, C):
    def who(self): return "D" + super().who()
show(D().who(), eval("1 + len('ab')"), tried(eval, "1 +"), tried(lambda: undefined_thing), tried(lambda: None.x), tried(lambda: (1).foo), tried(lambda: "a" + 1), tried(lambda: 1 + "a"), tried(lambda: [] + ()), tried(lambda: -"a"), tried(lambda: len(5)), tried(lambda: 5()), tried(lambda: 5[0]), tried(lambda: iter(5)), tried(lambda: "a" in 5), tried(lambda: {}["k"]), tried(lambda: 1 < "a"), tried(lambda: 1 / 0), tried(lambda: 1 % 0), tried(lambda: 1.5 // 0), tried(lambda: 0 ** -1), tried(lambda: "a" * "b"), tried(lambda: int([])), tried(lambda: [][0]), tried(lambda: ()[0]), tried(lambda: ""[0]), tried(lambda: [].pop()), tried(lambda: max()), tried(lambda: max([])), tried(lambda: sum(["a"])), tried(lambda: ",".join([1])), tried(lambda: chr(-1)), tried(lambda: ord("ab")), tried(lambda: [1, 2].index(3)), tried(lambda: f"{'a':d}"), tried(lambda: round("a")), tried(lambda: abs("a")), tried(lambda: isinstance(1, 5)), tried(lambda: float([])))
def unpack3(v):
    a, b, c = v
show(tried(unpack3, [1, 2]), tried(unpack3, [1, 2, 3, 4]), tried(unpack3, 5), tried(unpack3, "abc"))
class Items(dict):
    def total(self): return sum(self.values())
    def __missing__(self, k): return "no " + k
it = Items(a=1, b=2); it["c"] = 3; show(it.total(), it["zz"], it, isinstance(it, dict), len(it), it.get("zz"), list(it.items()))
