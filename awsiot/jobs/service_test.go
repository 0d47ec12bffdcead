package jobs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pithings/mqttlink"
	"pithings/mqttlink/linktest"
)

// one runs a job with a handler, and returns how it is in the cloud at the end.
func one(t *testing.T, o Options, h Handler) *exec {
	t.Helper()
	c := &cloud{}
	c.queue("j1", 1, `{"action":"a"}`)
	synctest.Test(t, func(t *testing.T) {
		link := linktest.New()
		defer link.Close()
		o.Link, o.Thing, o.Handlers = link, "pi", map[string]Handler{"a": h}
		if o.Store == nil {
			o.Store = &memory{}
		}
		s, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		synctest.Wait()
		s.Online(true)
		for n := 1; c.first() != nil; n++ {
			m, err := link.WaitFor(t.Context(), "$aws/things/pi/jobs/#", n)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range c.serve(packet{m.Topic, string(m.Payload)}) {
				if err := link.Inject(mqttlink.Message{Topic: a.topic, Payload: []byte(a.payload)}); err != nil {
					t.Fatal(err)
				}
			}
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return c.execs[0]
}

// What is wrong with a handler is a failed job, and nothing else.
func TestHandlersThatFail(t *testing.T) {
	for _, c := range []struct {
		name   string
		h      Handler
		reason string
	}{
		{"panics", func(context.Context, *Job) Result { panic("secret") }, "an error inside the agent, which its log shows"},
		{"gives no result", func(context.Context, *Job) Result { return Result{} }, "an error inside the agent: the action gave no result"},
		{"takes too long", func(ctx context.Context, _ *Job) Result { <-ctx.Done(); return Fail("x") }, "not done within 1h0m0s"},
		{"has no boot id", AcrossBoots(func(context.Context, *Job) error { return nil }), "this system gives no boot id, so that success could not be recognised"},
		{"cannot start anew", AcrossRuns(func(context.Context, *Job) error { return errors.New("not allowed") }), "not allowed"},
		{"does not start anew", AcrossRuns(func(context.Context, *Job) error { return nil }), "the agent did not start anew within 5m0s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if e := one(t, Options{Now: Mark{Run: "r"}}, c.h); e.Status != Failed || e.Details["reason"] != c.reason {
				t.Errorf("%+v", e)
			}
		})
	}
}

// A boot that could not be noted might be followed by another one, and so on.
func TestNothingEndsTheRunUnnoted(t *testing.T) {
	called := false
	h := AcrossBoots(func(context.Context, *Job) error { called = true; return nil })
	e := one(t, Options{Now: Mark{"b", "r"}, Store: &memory{fail: errors.New("the disk is full")}}, h)
	if called || e.Status != Failed || !strings.Contains(e.Details["reason"], "the disk is full") {
		t.Errorf("%v, %+v", called, e)
	}
}

// The step's time is renewed while a handler is silent.
func TestRenewal(t *testing.T) {
	h := func(context.Context, *Job) Result { time.Sleep(42 * time.Minute); return Done(nil) }
	if e := one(t, Options{StepTime: 10 * time.Minute}, h); e.Status != Succeeded || e.Version != 2+8+1 {
		t.Errorf("%+v", e)
	}
}

// A job that has ended the agent ten times is not begun again.
func TestAttemptsAreBounded(t *testing.T) {
	h := func(context.Context, *Job) Result { t.Error("begun"); return Done(nil) }
	e := one(t, Options{Store: &memory{saved: Saved{JobID: "j1", Number: 1, Attempts: maxAttempts}}}, h)
	if e.Status != Failed || e.Details["reason"] != "the agent has ended 10 times while it did this job" {
		t.Errorf("%+v", e)
	}
}

func TestNewChecks(t *testing.T) {
	for _, o := range []Options{{Thing: "pi/#", Store: &memory{}}, {Store: &memory{}}, {Thing: "pi"}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}

func TestFile(t *testing.T) {
	f := File(filepath.Join(t.TempDir(), "jobs", "job.json"))
	if s, err := f.Load(); err != nil || s.JobID != "" {
		t.Errorf("%+v, %v", s, err)
	}
	want := Saved{JobID: "j", Number: 2, Action: "reboot", Began: Mark{"b", "r"}, Attempts: 3, Data: []byte(`{"x":1}`), Result: &Result{Failed, map[string]string{"reason": "<why>"}}}
	if err := f.Save(want); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Load(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, text := range []string{"{", "[]", strings.Repeat(" ", maxSaved+1)} {
		if err := os.WriteFile(string(f), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := f.Load(); err == nil || s.JobID != "" {
			t.Errorf("%.20q is %+v", text, s)
		}
		if err := f.Save(Saved{}); err != nil {
			t.Error(err)
		}
	}
	if err := os.WriteFile(string(f), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Load(); err != nil {
		t.Errorf("an empty file: %v", err)
	}
}

func TestThisBoot(t *testing.T) {
	a, b := ThisBoot(), ThisBoot()
	if a.Run == b.Run || len(a.Run) < 20 || a.Boot != b.Boot {
		t.Errorf("%+v, %+v", a, b)
	}
	if _, err := os.Stat(bootID); err == nil && len(a.Boot) != 36 {
		t.Errorf("boot id %q", a.Boot)
	}
}

func TestDocuments(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	for _, c := range []struct{ document, action, why string }{
		{`{"action":"diagnose","lines":50}`, "diagnose", ""},
		{`{"operation":"reboot"}`, "reboot", ""},
		{`{"version":"1.0","steps":[{"action":{"name":"Reboot","type":"runHandler","input":{"handler":"reboot.sh","path":"default"},"runAsUser":""}}]}`, "reboot", ""},
		{`{"version":"1.0","steps":[{"action":{"type":"runCommand","input":{"command":"rm,-rf,/"}}}]}`, "", "commands are not run"},
		{`{"version":"1.0","steps":[{"action":{"type":"runHandler","input":{"handler":"a"}}},{"action":{"type":"runHandler","input":{"handler":"b"}}}]}`, "", "2 steps"},
		{`{"steps":[{"action":{"type":"runHandler","input":{"handler":".sh"}}}]}`, "", "names no handler"},
		{`{}`, "", "no action"}, {`{"action":""}`, "", "no text"}, {`{"action":7}`, "", "no text"},
		{`[]`, "", "no JSON object"}, {``, "", "no JSON object"}, {`{"action":"a"} x`, "", "no JSON object"}, {`null`, "", "no action"},
		{`{"action":"a","x":` + deep + `}`, "", "32 levels"},
		{`{"action":"a","x":"` + strings.Repeat("x", MaxDocument) + `"}`, "", "at most 32768"},
	} {
		action, err := parseDocument([]byte(c.document))
		if action != c.action || (err == nil) != (c.why == "") || err != nil && !strings.Contains(err.Error(), c.why) {
			t.Errorf("%.80s: %q, %v", c.document, action, err)
		}
	}
}

func TestDetailsAreClean(t *testing.T) {
	many := map[string]string{"a b": "line\nline", "long": strings.Repeat("ä", 2000), "bad": "\xff\u202e", "": "x", "empty": " \t"}
	for i := range 20 {
		many[strings.Repeat("k", 200)+string(rune('a'+i))] = "v"
	}
	got := clean(many)
	if got["a_b"] != "line line" || got["bad"] != "?" || len(got["long"]) > MaxDetailValue {
		t.Errorf("%q", got)
	}
	for k := range got {
		if k == "" || k == "empty" || len(k) > MaxDetailKey {
			t.Errorf("the key %q", k)
		}
	}
	for i := range 20 {
		got[string(rune('a'+i))] = "v"
	}
	if n := len(clean(got)); n != MaxDetails {
		t.Errorf("%d pairs", n)
	}
}

// A connection that ends upon the first request is left alone for longer each time.
func TestLeavesAConnectionAlone(t *testing.T) {
	now := time.Unix(1e9, 0)
	m := NewMachine(Config{Thing: "pi", Session: "s"})
	var waits []time.Duration
	for range 12 {
		began := now
		m.Online(now)
		for m.Next(now) == nil {
			now = m.Wake()
		}
		waits = append(waits, now.Sub(began))
		now = now.Add(time.Second)
		m.Offline(now)
	}
	if want := []time.Duration{0, 0, 10 * time.Second, 20 * time.Second}; !reflect.DeepEqual(waits[:4], want) || waits[11] != time.Hour {
		t.Errorf("%v", waits)
	}
}
