package script

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// Functions, objects and modules of the host, with its errors as exceptions.
func TestHost(t *testing.T) {
	var published []string
	publish := NewFunc("publish", func(_ context.Context, c *Call) (Value, error) {
		a, err := c.Bind("topic", "payload", "qos=")
		if err != nil {
			return nil, err
		}
		qos := a[2]
		if qos == nil {
			qos = Int(1)
		}
		published = append(published, c.Text(a[0])+" "+c.Text(a[1])+" "+c.Text(qos))
		return Bool(true), nil
	})
	each := NewFunc("each", func(_ context.Context, c *Call) (Value, error) {
		for i := range 3 {
			if _, err := c.Run(c.Args[0], Int(i)); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
	broken := NewFunc("broken", func(context.Context, *Call) (Value, error) {
		return nil, fmt.Errorf("the wire is cut: %w", fs.ErrClosed)
	})
	refused := NewFunc("refused", func(context.Context, *Call) (Value, error) { return nil, Exception("ValueError", "not so") })
	api := NewObject("WizardApi", map[string]Value{"publish": publish, "version": Str("2.0")})
	s, err := start(t, `
import quickfaas
import quickfaas.remotebus as bus
from quickfaas.remotebus import publish
from quickfaas import remotebus
log = []
def main(message, api):
    log.append((publish("a", 1), quickfaas.remotebus is bus is remotebus, bus.publish(payload="p", topic="b", qos=0)))
    log.append((api.publish("c", [None, 1.5]), api.version, type(api).__name__))
    each(lambda i: log.append(i))
    for f, args in ((publish, ()), (publish, (1, 2, 3, 4)), (broken, ()), (refused, ()), (each, (lambda i: 1 / i,))):
        try:
            f(*args)
        except Exception as e:
            log.append("%s: %s" % (type(e).__name__, e))
    try:
        api.version = 3
    except AttributeError as e:
        log.append(str(e))
    return log
`, Options{Modules: map[string]Module{"quickfaas.remotebus": {"publish": publish, "each": each}}})
	if err != nil {
		t.Fatal(err)
	}
	s.SetGlobal("each", each)
	s.SetGlobal("broken", broken)
	s.SetGlobal("refused", refused)
	v, err := s.Call(context.Background(), "main", None, api)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.JSON(context.Background(), v)
	if err != nil {
		t.Fatal(err)
	}
	const want = `[[true, true, true], [true, "2.0", "WizardApi"], 0, 1, 2, ` +
		`"TypeError: publish() missing required argument 'topic' (pos 1)", "TypeError: publish() takes at most 3 arguments (4 given)", ` +
		`"RuntimeError: the wire is cut: file already closed", "ValueError: not so", "ZeroDivisionError: division by zero", ` +
		`"'WizardApi' object attribute 'version' is read-only"]`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if p := strings.Join(published, ", "); p != "a 1 1, b p 0, c [None, 1.5] 1" {
		t.Errorf("published %s", p)
	}
	if names, ok := Params(s.Global("main")); !ok || !reflect.DeepEqual(names, []string{"message", "api"}) {
		t.Errorf("params %v", names)
	}
}

// The seed's script gives the bytes that its manual promises, as Python writes them.
func TestSeed(t *testing.T) {
	var log []string
	s, err := New(context.Background(), seedProgram(t), Options{Log: func(level, text string) { log = append(log, level+" "+text) }})
	if err != nil {
		t.Fatal(err)
	}
	data, err := FromJSON([]byte(`{"timestamp": 1589538347.5604711, "group_name": "default", "values": {"S7-1200": {"Test1": {"raw_data": false, "status": 1}, "Test2": {"raw_data": 12, "status": 1}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	v, err := s.Call(context.Background(), "vars_upload_test", data, None)
	if err != nil {
		t.Fatal(err)
	}
	const want = `[{"Device": "S7-1200", "timestamp": 1589538347.560471, "Data": {"Test1": false, "Test2": 12}}]`
	if got, err := s.JSON(context.Background(), v); got != want || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
	if len(log) != 1 || log[0] != "info [{'Device': 'S7-1200', 'timestamp': 1589538347.560471, 'Data': {'Test1': False, 'Test2': 12}}]" {
		t.Errorf("logged %q", log)
	}
}

// An error names script, line and function, and has Python's traceback.
func TestErrors(t *testing.T) {
	s, err := start(t, "def outer(x):\n    return inner(x)\n\ndef inner(x):\n    y = 1\n    return y / x\n\nclass Own(Exception):\n    def __str__(self): return 'own ' + str(1 / 0)\ndef own(): raise Own()\n", Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Call(context.Background(), "outer", Int(0))
	var e *Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	want := Error{Script: "attack", Line: 6, Function: "inner", Kind: "ZeroDivisionError", Text: "division by zero",
		Traceback: "Traceback (most recent call last):\n  File \"attack\", line 2, in outer\n  File \"attack\", line 6, in inner\nZeroDivisionError: division by zero\n"}
	if *e != want {
		t.Errorf("got  %#v\nwant %#v", *e, want)
	}
	if got := err.Error(); got != "script attack, line 6, in inner: ZeroDivisionError: division by zero" {
		t.Error(got)
	}
	if _, err := s.Call(context.Background(), "own"); !strings.Contains(fmt.Sprint(err), "line 10, in own: Own: <exception str() failed>") {
		t.Error(err)
	}
	if _, err := s.Call(context.Background(), "nope"); !errors.Is(err, ErrNoFunction) {
		t.Error(err)
	}
	_, err = start(t, "x = 1\nraise KeyError('body')\n", Options{})
	if !errors.As(err, &e) || e.Line != 2 || e.Function != "<module>" || e.Text != "'body'" {
		t.Errorf("got %v", err)
	}
}

// Values go to Go and back.
func TestValues(t *testing.T) {
	large, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	in := map[string]any{"b": true, "n": nil, "i": int64(-5), "f": 1.5, "s": "ä", "l": []any{int64(1), "x"}, "m": map[string]any{"k": int64(1)}, "big": large, "raw": []byte{1, 255}}
	v, err := FromGo(in)
	if err != nil {
		t.Fatal(err)
	}
	out, err := ToGo(v)
	if err != nil || !reflect.DeepEqual(out, in) {
		t.Errorf("got %#v, %v", out, err)
	}
	if _, err := FromGo(make(chan int)); err == nil {
		t.Error("a channel became a value")
	}
	if _, err := FromJSON([]byte(`{"a": `)); err == nil || !strings.Contains(err.Error(), "Expecting value: line 1 column 7 (char 6)") {
		t.Errorf("got %v", err)
	}
	if _, err := FromJSON([]byte(strings.Repeat("[", 100_000))); err == nil {
		t.Error("deep JSON was taken")
	}
	s, err := start(t, "def f(v): return [type(x).__name__ for x in v.values()], sorted\n", Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Call(context.Background(), "f", v)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := ToGo(r.(*Tuple).Items[0]); fmt.Sprint(got) != "[bool int float int list dict NoneType bytes str]" {
		t.Errorf("types %v", got)
	}
	if _, err := ToGo(r); err == nil {
		t.Error("a function went to Go")
	}
}

// A value that stands for a far larger one in Go is refused before it is made.
func TestLargeValuesStayInTheScript(t *testing.T) {
	double := func(inner Value, times int, outer func(v Value) Value) Value {
		for range times {
			inner = outer(inner)
		}
		return inner
	}
	pair := func(v Value) Value { return NewList(v, v) }
	tuple := func(v Value) Value { return NewTuple(v, v) }
	dict := func(v Value) Value { d := NewDict(); d.SetStr("a", v); d.SetStr("b", v); return d }
	for name, tt := range map[string]struct {
		v    Value
		want string // in the error; "" for none
	}{
		"shared lists":  {double(Int(0), 90, pair), "10000 values"},
		"shared tuples": {double(Int(0), 90, tuple), "10000 values"},
		"shared dicts":  {double(Int(0), 90, dict), "10000 values"},
		"shared texts":  {double(Str(strings.Repeat("x", 10_000)), 10, pair), "1048576 bytes"},
		"shared bytes":  {double(Bytes(strings.Repeat("x", 10_000)), 10, pair), "1048576 bytes"},
		"a few lists":   {double(Int(0), 12, pair), ""},
		"a few texts":   {double(Str(strings.Repeat("x", 10_000)), 6, pair), ""},
	} {
		_, err := ToGo(tt.v)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	var e Exporter
	for i := range 20 {
		if _, err := e.ToGo(double(Int(0), 10, pair)); (err != nil) != (i >= 4) {
			t.Fatalf("value %d of 2047 items: %v", i, err)
		}
	}
}

// One program serves scripts that run at a time, each with its own variables.
func TestScriptsOfOneProgramAreApart(t *testing.T) {
	p, err := Compile("rule", "import re, json, datetime, collections, logging\nfrom common.Logger import logger\nkept = []\ndef add(x):\n    logger.info(x)\n    kept.append(json.loads(json.dumps({'x': re.sub('a', 'b', str(x))})))\n    return len(kept)\n")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			s, err := New(context.Background(), p, Options{})
			if err != nil {
				t.Error(err)
				return
			}
			for i := range 50 {
				v, err := s.Call(context.Background(), "add", Int(i))
				if err != nil || v != Int(i+1) {
					t.Errorf("got %v, %v", v, err)
					return
				}
			}
		})
	}
	group.Wait()
}

// A second call while one runs is refused.
func TestBusy(t *testing.T) {
	var s *Script
	inside := NewFunc("inside", func(ctx context.Context, _ *Call) (Value, error) {
		_, err := s.Call(ctx, "f")
		if !errors.Is(err, ErrBusy) {
			return nil, fmt.Errorf("got %w", err)
		}
		return Str("busy"), nil
	})
	s, err := start(t, "def f(): return g()\ng = 0\n", Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.SetGlobal("g", inside)
	if v, err := s.Call(context.Background(), "f"); v != Str("busy") {
		t.Errorf("got %v, %v", v, err)
	}
}

// memoryFiles are Files in memory.
type memoryFiles map[string][]byte

func (m memoryFiles) Read(name string, most int) ([]byte, error) {
	data, ok := m[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	if len(data) > most {
		return nil, errors.New("too large")
	}
	return data, nil
}

func (m memoryFiles) Write(name string, data []byte) error {
	if strings.Contains(name, "/") {
		return fs.ErrPermission
	}
	m[name] = append([]byte(nil), data...)
	return nil
}

func (m memoryFiles) Remove(name string) error { delete(m, name); return nil }

func (m memoryFiles) List() ([]string, error) { return nil, nil }

// open works on the files of the host.
func TestFiles(t *testing.T) {
	files := memoryFiles{"old.txt": []byte("one\ntwo\nthrée"), "raw": {0xff}}
	s, err := start(t, `
import json
out = []
def tried(f, *a):
    try:
        return f(*a)
    except Exception as e:
        return type(e).__name__ + ": " + str(e)
with open("old.txt") as f:
    out.append([f.readline(), f.read(3), f.readlines()])
out.append([line.rstrip() for line in open("old.txt")])
with open("new.json", "w") as f:
    json.dump({"a": [1, None]}, f)
out.append(json.load(open("new.json")))
with open("new.json", "a") as f:
    out.append(f.write("\nmörê"))
f = open("new.json")
out.append(f.read())
f.close()
out.append([tried(f.read), tried(open, "nope"), tried(open, "../x", "w"), tried(open, "raw"), tried(open, "old.txt", "x"), tried(open, "a", "q"), tried(open("old.txt").write, "x")])
out.append(list(open("raw", "rb").read()))
with open("bin", "wb") as f:
    f.write(bytes([1, 2])); f.write(b"\x03")
`, Options{Files: files})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.JSON(context.Background(), s.Global("out"))
	if err != nil {
		t.Fatal(err)
	}
	const want = `[["one\n", "two", ["\n", "thr\u00e9e"]], ["one", "two", "thr\u00e9e"], {"a": [1, null]}, 5, "{\"a\": [1, null]}\nm\u00f6r\u00ea", ` +
		`["ValueError: I/O operation on closed file.", "FileNotFoundError: [Errno 2] No such file or directory: 'nope'", "PermissionError: [Errno 13] Permission denied: '../x'", ` +
		`"UnicodeDecodeError: 'utf-8' codec can't decode the bytes of raw: open it with mode 'rb'", "FileExistsError: [Errno 17] File exists: 'old.txt'", "ValueError: invalid mode: 'q'", "OSError: not writable"], [255]]`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if string(files["bin"]) != "\x01\x02\x03" {
		t.Errorf("bin is %q", files["bin"])
	}
	if _, err := start(t, "open('x')", Options{}); !strings.Contains(fmt.Sprint(err), "OSError: [Errno 5] the script has no folder: 'x'") {
		t.Errorf("without files: %v", err)
	}
}

// The script sees the time and the zone of its host.
func TestTime(t *testing.T) {
	now := time.Date(2024, 5, 6, 7, 8, 9, 123456789, time.UTC)
	s, err := start(t, "import time\nfrom datetime import datetime, timezone, date\nx = [time.time(), str(datetime.now()), str(datetime.utcnow()), str(datetime.now(timezone.utc)), str(date.today()), time.localtime().tm_hour, datetime.now().timestamp(), str(datetime.now().astimezone())]\n",
		Options{Now: func() time.Time { return now }, Zone: time.FixedZone("CST", 8*3600)})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.JSON(context.Background(), s.Global("x"))
	const want = `[1714979289.1234567, "2024-05-06 15:08:09.123456", "2024-05-06 07:08:09.123456", "2024-05-06 07:08:09.123456+00:00", "2024-05-06", 15, 1714979289.123456, "2024-05-06 15:08:09.123456+08:00"]`
	if got != want || err != nil {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
}
