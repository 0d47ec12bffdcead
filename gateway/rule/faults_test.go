package rule_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"pithings/gateway/collect"
	"pithings/gateway/rule"
	"pithings/mqttlink"
	"pithings/pulse"
)

func requests(asked *[]string) rule.HTTP {
	return func(_ context.Context, method, url, body string) (any, error) {
		*asked = append(*asked, method+" "+url+" "+body)
		return map[string]any{"ok": true}, nil
	}
}

// A bad rule is stopped, with its line, and the others work as before.
func TestBadRules(t *testing.T) {
	for name, tt := range map[string]struct{ code, line, text string }{
		"endless loop":  {"def main(d, w):\n    while True:\n        pass\n", "line ", "took more than"},
		"gigabyte list": {"def main(d, w):\n    return [0] * 1000000000\n", "line 2", "memory"},
		"recursion":     {"def main(d, w):\n    return main(d, w)\n", "line 2", "calls"},
		"caught":        {"def main(d, w):\n    while True:\n        try:\n            while True: pass\n        except: pass\n", "line ", "took more than"},
		"raises":        {"def main(d, w):\n    x = 1\n    return d['none']\n", "line 3", "KeyError: 'none'"},
	} {
		t.Run(name, func(t *testing.T) {
			s := publish("def main(d, w):\n    return 'good'\n")
			s.Publish = append(s.Publish, rule.Publish{Name: "bad", Topic: "bad", QoS: 1, Groups: []string{"default"}, Script: script(tt.code)})
			r := newRig(t, s, func(e *rule.Env) { e.Limits.Steps = 200_000 })
			for range 3 {
				r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
			}
			if got := len(r.link.Published("awsiot/test")); got != 3 {
				t.Errorf("the good rule published %d times", got)
			}
			stats := r.Stats()[1]
			limit := name != "raises"
			if stats.Failed == 0 || !strings.Contains(stats.Error, "script bad, "+tt.line) || !strings.Contains(stats.Error, tt.text) || limit != (stats.Skipped == 2) {
				t.Errorf("%+v", stats)
			}
			if n := strings.Count(r.log.String(), "rule stopped"); n != 1 {
				t.Errorf("%d lines in the log:\n%s", n, r.log.String())
			}
		})
	}
}

// A callback that asks for another one for ever ends.
func TestEndlessCallbacks(t *testing.T) {
	r := newRig(t, publish(`
n = 0
def again(result, tail, wizard_api):
    global n
    n += 1
    wizard_api.mqtt_publish("n", str(n), 0)
    try:
        wizard_api.recall_data(again)
    except RuntimeError as e:
        wizard_api.mqtt_publish("end", str(e), 0)
def main(d, wizard_api):
    wizard_api.recall_data(again)
`))
	r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
	r.wait(t, "end", 1)
	r.Close()
	if got := len(r.link.Published("n")); got != 8 {
		t.Errorf("%d callbacks", got)
	}
	if m := r.link.Published("end")[0]; string(m.Payload) != "more than 8 callbacks call each other" {
		t.Errorf("%s", m.Payload)
	}
}

// A script that cannot be loaded is refused with its line, and the rule is off.
func TestRefusedScripts(t *testing.T) {
	for code, want := range map[string]string{
		"def main(d, w):\n    yield d\n":                                                 "line 2",
		"import numpy\ndef main(d, w):\n    return 1\n":                                  "numpy",
		"from quickfaas import LWTSDB\ndef main(m):\n    return 1":                       "LWTSDB",
		"from quickfaas.LWTSDB import insert_request\ndef main(m):\n    return 1":        "line 1: there is no module quickfaas.LWTSDB; the time-series database of Device Supervisor is not here: keep values in variables",
		"def main(m):\n    from quickfaas.LWTSDB import query_request, remove_request\n": "line 2",
		"from quickfaas.wrong import get\ndef main(m):\n    return 1":                    "quickfaas.wrong",
		"from quickfaas.measure import recall3\ndef main(m):\n    return 1":              "quickfaas.measure has no recall3",
		"def main(d, w)\n    return d\n":                                                 "line 1",
		"def other(d, w):\n    return d\n":                                               "has no function main",
		"x = 1 / 0\ndef main(d, w):\n    return d\n":                                     "ZeroDivisionError",
	} {
		r := newRig(t, publish(code))
		if s := r.Stats(); len(s) != 1 || !strings.Contains(s[0].Error, want) {
			t.Errorf("%q: %+v, want %s", code, s, want)
		}
		if !strings.Contains(r.log.String(), "rule is off") {
			t.Errorf("log: %s", r.log.String())
		}
	}
}

// A script that is the same continues with its variables, another one replaces it, and one
// that cannot be loaded leaves the old one at work.
func TestReload(t *testing.T) {
	count := "n = 0\ndef main(d, w):\n    global n\n    n += 1\n    return n\n"
	r := newRig(t, publish(count))
	handle := func(rules *rule.Rules) string {
		r.link.Forget()
		rules.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
		rules.Drain(t.Context())
		return r.published()
	}
	next := func(before *rule.Rules, code, topic string) *rule.Rules {
		before.Close()
		s := publish(code)
		s.Publish[0].Topic = topic
		rules := rule.New(r.env, s, before)
		t.Cleanup(rules.Close)
		return rules
	}
	if got := handle(r.Rules); got != "awsiot/test 1 1" {
		t.Error(got)
	}
	same := next(r.Rules, count, "other")
	if got := handle(same); got != "other 1 2" {
		t.Error(got)
	}
	bad := next(same, "def main(d, w):\n    yield 1\n", "other")
	if got := handle(bad); got != "other 1 3" {
		t.Error(got)
	}
	if s := bad.Stats(); len(s) != 1 {
		t.Errorf("%+v", s)
	}
	if !strings.Contains(r.log.String(), "the script before stays at work") {
		t.Errorf("log: %s", r.log.String())
	}
	if got := handle(next(bad, "def main(d, w):\n    return 'new'\n", "other")); got != `other 1 "new"` {
		t.Error(got)
	}
}

// The folder of a script is small, and its own.
func TestFiles(t *testing.T) {
	for code, want := range map[string]string{
		"open('../x', 'w')":   "PermissionError",
		"open('/etc/passwd')": "PermissionError",
		"open('none')":        "FileNotFoundError",
		"open('x', 'w').write('a' * 300000) if False else write('x', 'a' * 300000)": "at most 262144 bytes",
		"[write(str(i), 'a') for i in range(40)]":                                   "at most 32 files",
	} {
		r := newRig(t, publish("from quickfaas.file import faas_write_file\ndef write(name, text):\n    faas_write_file(name, 'w', text)\ndef main(d, w):\n    "+code+"\n"), func(e *rule.Env) { e.Folder = t.TempDir() })
		r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
		if s := r.Stats()[0]; !strings.Contains(s.Error, want) {
			t.Errorf("%s: %q, want %s", code, s.Error, want)
		}
	}
	r := newRig(t, publish("def main(d, w):\n    with open('n.txt', 'w') as f:\n        f.write('seven')\n    return open('n.txt').read()\n"), func(e *rule.Env) { e.Folder = t.TempDir() })
	r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
	if got := r.published(); got != `awsiot/test 1 "seven"` {
		t.Errorf("got %s, log: %s", got, r.log.String())
	}
}

// watched is a link whose handlers take part in a pulse, as those of a connection do.
type watched struct {
	rule.Link
	pulse *pulse.Pulse
	begun chan struct{}
}

func (w watched) Subscribe(filter string, qos byte, h mqttlink.Handler) (cancel func(), err error) {
	loop := w.pulse.Loop("handler of " + filter)
	return w.Link.Subscribe(filter, qos, func(ctx context.Context, m mqttlink.Message) {
		loop.Work()
		defer loop.Wait()
		w.begun <- struct{}{}
		h(loop.In(ctx), m)
	})
}

// The handler of a message that waits for the calls of its rule before is not stuck, and gets its
// turn.
func TestAMessageThatWaitsForItsTurn(t *testing.T) {
	p, begun, called, loosened := pulse.New(), make(chan struct{}), make(chan struct{}), make(chan struct{})
	loosen := sync.OnceFunc(func() { close(loosened) })
	s := rule.Settings{Functions: []rule.Function{{Name: "f", Topic: "in", Startup: true, Script: script(`
n = 0
def main(topic=None, payload=None):
    global n
    n += 1
    if n == 1:
        http_get("http://x/")
    else:
        from quickfaas.remotebus import publish
        publish("out", payload)
`)}}}
	r := newRig(t, s, func(e *rule.Env) {
		e.Limits.Time.Duration = time.Minute
		e.Link = watched{e.Link, p, begun}
		e.HTTP = func(context.Context, string, string, string) (any, error) {
			close(called)
			<-loosened
			return nil, nil
		}
	})
	t.Cleanup(loosen)
	<-called
	if err := r.link.Inject(mqttlink.Message{Topic: "in", Payload: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	<-begun
	deadline := time.Now().Add(20 * time.Second)
	for names := []string{""}; len(names) > 0; names = p.Stuck(0) {
		if time.Now().After(deadline) {
			t.Fatalf("stuck are %q", names)
		}
		p.Stuck(0) // notes the turn
		time.Sleep(time.Millisecond)
	}
	if n := len(r.link.Published("out")); n > 0 {
		t.Error("the message did not wait")
	}
	loosen()
	r.wait(t, "out", 1)
}

// A script that stays the same begins anew with other limits.
func TestReloadOfLimits(t *testing.T) {
	const code = "def main(d, w):\n    for i in range(100000): pass\n    return 'done'\n"
	r := newRig(t, publish(code))
	r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
	if got := r.published(); got != `awsiot/test 1 "done"` {
		t.Fatalf("published %s", got)
	}
	r.Close()
	less := *r.env
	less.Limits.Steps = 1000
	rules := rule.New(&less, publish(code), r.Rules)
	t.Cleanup(rules.Close)
	rules.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
	rules.Drain(t.Context())
	if s := rules.Stats()[0]; s.Failed != 1 || !strings.Contains(s.Error, "took more than") {
		t.Errorf("%+v", s)
	}
}
