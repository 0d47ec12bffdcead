package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pithings/flow"
)

func open(t *testing.T, dir string, o Options) *History {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	h, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// record runs an execution of two events; without end it stays running.
func run(h *History, id string, end bool) {
	x := flow.Execution{ID: id, Deployment: "d", Flow: "f", Status: flow.Running, Started: time.Now()}
	h.Started(x)
	h.Event(id, flow.ExecutionEvent{ID: 1, Type: flow.ExecutionStarted, Time: time.Now()})
	h.Event(id, flow.ExecutionEvent{ID: 2, Type: flow.StepStarted, Time: time.Now(), Payload: flow.EventPayload{Step: "s", Input: flow.Values{"a": 1.5}}})
	if end {
		x.Status, x.Ended = flow.Succeeded, time.Now()
		h.Ended(x)
	}
}

func types(t *testing.T, h *History, id string) string {
	t.Helper()
	x, events, err := h.Show(id)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for i, e := range events {
		if e.ID != i+1 {
			t.Errorf("%s: event %d has the number %d", id, i+1, e.ID)
		}
		list = append(list, string(e.Type))
	}
	return string(x.Status) + ": " + strings.Join(list, " ")
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	h := open(t, dir, Options{})
	run(h, "a", true)
	run(h, "b", false)
	if got := types(t, h, "b"); got != "RUNNING: EXECUTION_STARTED STEP_STARTED" {
		t.Errorf("got %s", got)
	}
	if err := h.Delete("b"); err == nil || !strings.Contains(err.Error(), "abort it first") {
		t.Errorf("a running one was deleted: %v", err)
	}
	h.Close()
	h.Close()
	h = open(t, dir, Options{})
	if got := types(t, h, "a"); got != "SUCCEEDED: EXECUTION_STARTED STEP_STARTED" {
		t.Errorf("got %s", got)
	}
	if got := types(t, h, "b"); got != "ABORTED: EXECUTION_STARTED STEP_STARTED EXECUTION_ABORTED" {
		t.Errorf("got %s", got)
	}
	if list := h.List(Filter{Status: flow.Aborted}); len(list) != 1 || list[0].ID != "b" || list[0].Reason != errEnded {
		t.Errorf("%+v", list)
	}
	if list := h.List(Filter{Limit: 1}); len(list) != 1 || list[0].ID != "b" {
		t.Errorf("%+v", list)
	}
	if err := h.Delete("a"); err != nil {
		t.Error(err)
	}
	h.Close()
	h = open(t, dir, Options{})
	if _, _, err := h.Show("a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleted, and still here: %v", err)
	}
	if got := types(t, h, "b"); got != "ABORTED: EXECUTION_STARTED STEP_STARTED EXECUTION_ABORTED" {
		t.Errorf("got %s", got) // and not aborted a second time
	}
}

// TestTornWrite cuts the file at many lengths, the line ends among them: what is before the cut is there,
// and what is written afterwards too.
// The folder of executions was made with 0750; all else in the state folder is 0700.
func TestOnlyTheOwnerReads(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such permissions")
	}
	for name, mode := range map[string]os.FileMode{"new": 0, "of an earlier version": 0o750, "open": 0o777} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "executions")
			if mode != 0 {
				if err := errors.Join(os.Mkdir(dir, mode), os.Chmod(dir, mode)); err != nil {
					t.Fatal(err)
				}
			}
			h, err := Open(dir, Options{Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("%v, %v", info.Mode(), err)
			}
		})
	}
}

func TestTornWrite(t *testing.T) {
	dir := t.TempDir()
	h := open(t, dir, Options{})
	run(h, "a", true)
	run(h, "b", true)
	h.Close()
	whole, err := os.ReadFile(segmentPath(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(whole) + 1 {
		atLineEnd := cut == len(whole) || cut > 0 && (whole[cut-1] == '\n' || whole[cut] == '\n')
		if cut%7 != 0 && !atLineEnd {
			continue // each one costs two syncs
		}
		dir := t.TempDir()
		if err := os.WriteFile(segmentPath(dir, 1), whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		h := open(t, dir, Options{})
		run(h, "c", true)
		h.Close()
		h = open(t, dir, Options{})
		if got := types(t, h, "c"); got != "SUCCEEDED: EXECUTION_STARTED STEP_STARTED" {
			t.Fatalf("cut at %d: %s", cut, got)
		}
		before := bytes.Count(whole[:cut], []byte("\n"))
		want := 1
		if before > 0 {
			want++
		}
		if before > 4 {
			want++
		}
		if got := len(h.List(Filter{})); got != want {
			t.Fatalf("cut at %d behind %d lines: %d executions, want %d", cut, before, got, want)
		}
		h.Close()
		data, _ := os.ReadFile(segmentPath(dir, 1))
		if _, bad, _ := readSegment(segmentPath(dir, 1), nil, func(*record) {}); bad != 0 {
			t.Fatalf("cut at %d: %d bad lines left in\n%s", cut, bad, data)
		}
	}
}

// TestDamage: a line that is damaged costs that line.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	h := open(t, dir, Options{})
	run(h, "a", true)
	run(h, "b", true)
	h.Close()
	data, _ := os.ReadFile(segmentPath(dir, 1))
	lines := bytes.SplitAfter(data, []byte("\n"))
	lines[1][20] ^= 1                            // the first event of a
	lines[5] = bytes.Repeat([]byte("x"), 300000) // an event of b
	lines[5][len(lines[5])-1] = '\n'
	os.WriteFile(segmentPath(dir, 1), bytes.Join(lines, nil), 0o600)
	var log bytes.Buffer
	h = open(t, dir, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if x, events, err := h.Show("a"); err != nil || len(events) != 1 || x.Status != flow.Succeeded {
		t.Errorf("%+v %v %v", x, events, err)
	}
	if !strings.Contains(log.String(), "n=2") {
		t.Errorf("log: %s", log.String())
	}
}

func TestRetention(t *testing.T) {
	dir := t.TempDir()
	h := open(t, dir, Options{MaxExecutions: 10})
	run(h, "runs", false)
	for i := range 50 {
		run(h, fmt.Sprint("x", i), true)
	}
	h.flush()
	list := h.List(Filter{})
	if len(list) != 10 || list[0].ID != "x49" || list[9].ID != "runs" {
		t.Errorf("%d executions, %s to %s", len(list), list[0].ID, list[len(list)-1].ID)
	}
	h.Close()
	h = open(t, dir, Options{MaxExecutions: 5})
	h.flush()
	if got := len(h.List(Filter{})); got != 5 {
		t.Errorf("%d executions", got)
	}
	h.Close()
	h = open(t, dir, Options{MaxAge: time.Nanosecond})
	h.flush()
	if got := h.List(Filter{}); len(got) != 0 {
		t.Errorf("kept %v", got)
	}
}

// TestBytes: the folder stays within its limit, whatever is recorded.
func TestBytes(t *testing.T) {
	dir := t.TempDir()
	h := open(t, dir, Options{MaxBytes: 64 << 10, MaxExecutions: 1e6})
	for i := range 2000 {
		run(h, fmt.Sprint("x", i), true)
		if i%100 == 0 {
			h.flush()
		}
	}
	h.flush()
	total := int64(0)
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, f := range files {
		st, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		total += st.Size()
	}
	list := h.List(Filter{})
	if total > 80<<10 || len(list) < 20 || list[0].ID != "x1999" {
		t.Fatalf("%d bytes in %d files, %d executions", total, len(files), len(list))
	}
	for _, x := range []string{list[0].ID, list[len(list)-1].ID} {
		if got := types(t, h, x); got != "SUCCEEDED: EXECUTION_STARTED STEP_STARTED" {
			t.Errorf("%s: %s", x, got)
		}
	}
}

// TestBytesInABurst: what is recorded faster than it is written counts for the files
// that it gets into, not for those of the time when it was recorded.
func TestBytesInABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, t.TempDir(), Options{MaxBytes: 64 << 10})
		for i := range 500 { // in one moment, and for more than MaxBytes
			run(h, fmt.Sprint("x", i), true)
		}
		h.flush()
		list := h.List(Filter{})
		if len(list) < 20 || len(list) > 400 || list[0].ID != "x499" {
			t.Fatalf("%d executions are left: %v", len(list), list)
		}
		for _, x := range []string{list[0].ID, list[len(list)-1].ID} {
			if got := types(t, h, x); got != "SUCCEEDED: EXECUTION_STARTED STEP_STARTED" {
				t.Errorf("%s: %s", x, got)
			}
		}
		h.Close()
	})
}

// TestLargeValues: an event keeps its place without its values when those are
// too large, or are no JSON.
func TestLargeValues(t *testing.T) {
	h := open(t, t.TempDir(), Options{})
	h.Started(flow.Execution{ID: "a", Status: flow.Running, Started: time.Now()})
	for i, v := range []any{strings.Repeat("x", maxLine), math.NaN(), make(chan int)} {
		h.Event("a", flow.ExecutionEvent{ID: i + 1, Type: flow.ActivitySucceeded, Payload: flow.EventPayload{Step: "s", Output: v}})
	}
	_, events, err := h.Show("a")
	if err != nil || len(events) != 3 {
		t.Fatalf("%v, %v", events, err)
	}
	for _, e := range events {
		if e.Payload.Step != "s" || e.Payload.Output != nil || !strings.Contains(e.Payload.Message, "not kept") {
			t.Errorf("%+v", e)
		}
	}
}

// TestBrokenDisk: a folder that is gone costs history and nothing else, and heals.
func TestBrokenDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "history")
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		h, err := Open(dir, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		run(h, "a", true)
		run(h, "b", true)
		h.flush()
		if h.Lost() != 8 || strings.Count(log.String(), "level=ERROR") != 1 {
			t.Errorf("lost %d; log: %s", h.Lost(), log.String())
		}
		if got := len(h.List(Filter{})); got != 2 {
			t.Errorf("%d executions in the list", got)
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(retryAfter)
		run(h, "c", true)
		if got := types(t, h, "c"); got != "SUCCEEDED: EXECUTION_STARTED STEP_STARTED" || h.Lost() != 8 {
			t.Errorf("lost %d, got %s", h.Lost(), got)
		}
	})
}

// TestEncoding: records are written as encoding/json writes them.
func TestEncoding(t *testing.T) {
	full := flow.EventPayload{Step: "a \"b\" \u2028 <é>", Attempt: 3, Thing: "t", Service: "s", Action: "x", Input: flow.Values{"k": []any{1.5, nil}}, Output: "o",
		Error: "E", Message: "m\n", Rule: "#1", Wait: "1s", Events: []string{"a", "b c"}, Trigger: "T"}
	for _, p := range []flow.EventPayload{{}, full, {Output: false, Events: []string{"one"}}, {Input: flow.Values{}},
		{Input: flow.Values{"<&>": "a"}, Output: map[string]any{"a": map[string]any{"b": true}}}, {Input: flow.Values{"b": 1, "a": ""}, Output: 1e300}, {Output: map[string]any(nil)}} {
		e := &flow.ExecutionEvent{ID: 7, Type: flow.StepFailed, Time: time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600)), Payload: p}
		got, err := appendEvent(nil, 9, e)
		want, _ := json.Marshal(record{N: 9, Event: e})
		if err != nil || string(got) != string(want) {
			t.Errorf("got  %s, %v\nwant %s", got, err, want)
		}
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))
	for _, x := range []flow.Execution{{}, {ID: "i\"", Deployment: "d", Revision: 3, Flow: "f", Trigger: "<t>", Status: flow.Failed, Started: at, Ended: at.Add(1), Reason: "r\n"}} {
		for _, r := range []record{{N: 1, Start: &x}, {N: 2, End: &x}} {
			got, err := appendRecord(nil, &r)
			want, _ := json.Marshal(r)
			if err != nil || string(got) != string(want) {
				t.Errorf("got  %s, %v\nwant %s", got, err, want)
			}
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add([]byte(`00000000 {"n":1}`))
	f.Add(bytes.TrimSpace(appendLine(nil, &record{N: 3, Deleted: true})))
	f.Fuzz(func(t *testing.T, line []byte) {
		h := &History{numbers: map[string]uint64{}, entries: map[uint64]*entry{}, o: Options{Log: slog.New(slog.DiscardHandler)}}
		if r, ok := parseLine(line); ok {
			h.apply(r)
		}
	})
}
