# The modules, with what users do with them.
import base64, binascii, copy, hashlib, json, math, re, struct, time, traceback
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from datetime import date, datetime, timedelta, timezone
from datetime import time as daytime

def show(*a):
    print(*[repr(x) for x in a])

def tried(f, *a, **k):
    try:
        return f(*a, **k)
    except Exception as e:
        return type(e).__name__ + ": " + str(e)

# datetime
t = datetime(2024, 2, 28, 23, 59, 59, 123456)
show(t, t.year, t.microsecond, t.date(), t.time(), t.weekday(), t.isoweekday(), t.isocalendar()[1], t.toordinal())
show(t.isoformat(), t.isoformat(" "), t.isoformat(timespec="milliseconds"), t.isoformat("T", "minutes"), str(t), t.ctime())
show(t + timedelta(seconds=1), t - timedelta(days=59), t.replace(year=2020, microsecond=0), t.timetuple()[:6], t.timetuple().tm_yday)
show(t.strftime("%Y %y %m %d %H %I %M %S %f %p %j %a %A %b %B %w %u %U %W %V %G %% %F %T %D %R %C %e"), f"{t:%d.%m.%Y}", "{:%H:%M}".format(t))
show(tried(datetime, 2023, 2, 29), tried(datetime, 2023, 13, 1), tried(datetime, 0, 1, 1), tried(datetime.strptime, "2023-02-30", "%Y-%m-%d"))
show(datetime.strptime("1 Feb 2023 3:04 PM", "%d %b %Y %I:%M %p"), datetime.strptime("20230102T030405.5+0130", "%Y%m%dT%H%M%S.%f%z"), datetime.strptime("60 2024", "%j %Y"))
show(tried(datetime.strptime, "2023-01-01x", "%Y-%m-%d"), tried(datetime.strptime, "23", "%Y"), datetime.strptime("Mon 1  5", "%a %d %m"))
show(datetime.fromisoformat("2024-01-02"), datetime.fromisoformat("2024-01-02 03:04:05.678901"), datetime.fromisoformat("2024-01-02T03:04:05+02:00"), tried(datetime.fromisoformat, "x"))
u = datetime(2024, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
show(u, u.timestamp(), u.astimezone(timezone(timedelta(hours=5, minutes=30))), u.utcoffset(), u.tzname(), u == u.astimezone(timezone(timedelta(hours=-3))), u - datetime(2024, 1, 1, tzinfo=timezone.utc))
show(tried(lambda: u - t), tried(lambda: u < t)[:9], u == t, t < t + timedelta(microseconds=1), max(t, datetime.max), {t: 1}[t])
show(datetime.fromtimestamp(1589538347.560471), datetime.utcfromtimestamp(-1.5), datetime.fromtimestamp(0, timezone.utc), datetime(1970, 1, 2).timestamp(), date.fromtimestamp(86400))
show(date(2024, 3, 1) - timedelta(days=1), date(2024, 3, 1) - date(2023, 3, 1), date(2024, 1, 1).isoformat(), date(2024, 1, 1) < date(2024, 1, 2), datetime.combine(date(2024, 1, 1), daytime(1, 2, 3)))
show(timedelta(days=1.5, hours=-3, minutes=2, seconds=3.25, weeks=1), timedelta(0), timedelta(microseconds=-1), -timedelta(hours=1), timedelta(hours=1) * 2.5, timedelta(hours=1) / 2, timedelta(hours=3) / timedelta(hours=2), timedelta(hours=3) // timedelta(hours=2), timedelta(hours=3) % timedelta(hours=2), abs(timedelta(-1)), bool(timedelta(0)), sum([timedelta(1), timedelta(2)], timedelta(0)))
show(str(timedelta(days=-1, seconds=3)), str(timedelta(days=2, microseconds=5)), timedelta(1) > timedelta(0), timedelta(seconds=90).total_seconds(), tried(timedelta, days=10**10)[:13])
show(daytime(1, 2), daytime(1, 2, 3, 4).isoformat(), str(daytime(23, 59, 59)), daytime(1) < daytime(2), daytime(7, 8).strftime("%H-%M"))
# time
show(time.gmtime(1589538347), time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(1589538347)), time.mktime(time.gmtime(86400)), time.asctime(time.gmtime(0)), time.strptime("2024-05-06", "%Y-%m-%d")[:3], time.localtime(0).tm_hour)
# json
show(json.loads('[1, -0, 1.5e3, "\\u00e4\\ud83d\\ude00", true, null, {"a": {}}, 123456789012345678901234567890, NaN, -Infinity]')[:-2], json.loads('  {"a" : [ ] }  '), json.loads(b'"x"'))
for bad in ['{"a" 1}', '{"a": 1,}', '[1 2]', '"abc', '"\\x"', '"a\nb"', 'nul', '{1: 2}', '[1,\n 2,\n x]', '"\\u12"', '01', '-', '', '[', '{"a":', 'tru']:
    show(bad, tried(json.loads, bad))
show(json.dumps({"x": [1.0, 1e-7, 1e22, -0.0, 10**30], 1.5: None, True: "t", None: ()}), json.dumps("\x00\x1f\x7f\u2028\"\\/é😀"), json.dumps([float("inf")]), tried(json.dumps, float("nan"), allow_nan=False))
show(json.dumps([{"a": 1, "b": [2, {}, []]}], indent=2), json.dumps({"b": 1, "a": {"d": 1, "c": 2}}, sort_keys=True, indent="\t"), json.dumps({1: 2, "a": 1}, separators=(",", ":")), tried(json.dumps, {"a": 1, 2: 3}, sort_keys=True))
show(json.dumps(datetime(2024, 1, 1), default=str), json.dumps({(1, 2): 3, "a": 1}, skipkeys=True), tried(json.dumps, {1, 2}), json.loads('{"b": 1, "a": 2}', object_pairs_hook=OrderedDict), json.loads('{"a": {"b": 1}}', object_hook=lambda d: sorted(d)))
cycle = []; cycle.append(cycle)
show(tried(json.dumps, cycle), cycle)
# re
show(re.search(r"(\d+)-(?P<b>\w+)?", "x 12-ab 3-").groups(), re.search(r"(\d+)-(?P<b>\w+)?", "3-").groupdict(), re.match(r"b", "ab"), re.fullmatch(r"a|ab", "ab").group(), re.findall(r"a(.)(.)?", "abc ad"), re.findall("x+", "axb"))
show(re.sub(r"(?i)HELLO (\w+)", r"\1 \g<1>!", "hello äb"), re.sub("a", lambda m: m.group().upper() + str(m.start()), "banana", 2), re.subn("b", "", "abba"), re.split(r"(,)|;", "a,b;c"), re.split("x", "axbxc", 1), re.escape("a.b*c"))
p = re.compile(r"^(\w+)\s*=\s*(.*)$", re.M)
show(p.findall("a = 1\nb=2"), [m.span(2) for m in p.finditer("a = 1\nb=2")], p.sub(r"\2=\1", "a = 1"), p.pattern, p.groups, bool(p.match("")), re.search("ü", "äü").start(), re.search(r"[]a]+", "x]a").group(), re.search(r"[^\d\s]", "1 x").group(0))
show(re.match("(a)(b)?", "a").group(1, 2), re.match("(a)", "a")[1], re.match("(?P<n>a)", "a")["n"], tried(lambda: re.match("a", "a").group(1)), re.match("a.c", "a\nc", re.S).end(), re.findall(r"\bfoo\b", "foo food foo"))
# collections
d = defaultdict(lambda: [0]); d["a"].append(1); d["b"]; show(dict(d), len(d), "c" in d, d.get("c"))
c = Counter("abca"); c.update("aab"); c.subtract(["b"]); c["z"] += 1
show(c, c.most_common(2), sorted(c.elements()), c["nope"], "nope" in c, Counter(a=2, b=1), sum(c.values()))
q = deque(range(5), maxlen=4); q.append(9); q.extendleft([7, 8]); q.rotate(-1); show(q, q.pop(), q.popleft(), q[-1], 9 in q, list(reversed(q)), q.count(7), tried(deque().pop)); q.clear(); show(q)
o = OrderedDict([("a", 1), ("b", 2), ("c", 3)]); o.move_to_end("a"); show(o, o.popitem(last=False), list(o.items())); o.move_to_end("a", last=False); show(o)
P = namedtuple("P", ["x", "y"], defaults=[7]); show(P(1), P(1, 2) == (1, 2), P._fields, P(x=3)._asdict(), P(1)._replace(y=0), tried(P)[:9], P._make([4, 5]), len(P(1)), P(1) + (2,), tried(lambda: P(1).z), isinstance(P(1), tuple))
# the rest
a = [1, [2, {"k": [3]}], (4, [5])]; b = copy.deepcopy(a); s = copy.copy(a); a[1][1]["k"].append(9); a[2][1].append(8); show(a, b, s[1] is a[1])
show(math.floor(2.7), math.ceil(-2.2), math.trunc(-2.7), math.fabs(-3), math.fmod(-7, 3), math.modf(2.5), math.gcd(12, 18, 8), math.factorial(20), math.isqrt(99), math.hypot(3, 4), math.copysign(1, -0.0), tried(math.sqrt, -1), tried(math.log, 0), math.log2(8), math.log10(1000), math.inf, math.isinf(-math.inf), math.fsum([0.1] * 10), math.pow(2, 10), tried(math.exp, 1000), math.radians(180) == math.pi)
show(struct.pack(">bBhHiIqQ?", -1, 255, -2, 65535, -3, 4294967295, -4, 2**64 - 1, True), struct.unpack("<3sxh", b"abc\0\x01\x02"), struct.calcsize("<hif"), struct.unpack_from(">H", b"\0\1\2\3", 2), struct.pack("<d", 1.1), struct.pack("2s5s", b"abc", b"x"))
show(base64.b64encode(b"\xff\xfe?"), base64.b64decode("//4/"), base64.urlsafe_b64encode(b"\xff\xfe?"), tried(base64.b64decode, "abc"), binascii.hexlify(b"\x01\xab"), binascii.unhexlify("01AB"), binascii.crc32(b"hello"), hashlib.sha256(b"x").hexdigest(), hashlib.sha1(b"x").digest(), hashlib.md5().hexdigest())
h = hashlib.md5(); h.update(b"a"); h.update(b"b"); show(h.hexdigest(), tried(h.update, "text"))
try:
    {}["missing"]
except KeyError:
    text = traceback.format_exc()
    show(text.splitlines()[0], text.splitlines()[-1])

# Values that do not fit the text of a line of the log are no exception.
logging.info("value:", 5)
logging.error("%d", "x")
logging.warning("%s and %s", 1)
logging.info("%(a)s", {"a": 1})


class Silent:
    def __str__(self):
        raise ValueError("no text")

    def __repr__(self):
        return "Silent()"


logging.info(Silent())
print("after")
