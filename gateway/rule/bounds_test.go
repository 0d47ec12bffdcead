package rule_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"pithings/conf"
	"pithings/gateway/collect"
	"pithings/gateway/rule"
)

// A result is encoded before a callback can change it.
func TestResultIsEncodedInItsCall(t *testing.T) {
	r := newRig(t, publish(`
kept = []
n = 0
def after(result, tail, wizard_api):
    for i in range(len(kept)):
        kept[i] = 0
    wizard_api.mqtt_publish("done", "", 0)
def main(data_collect, wizard_api):
    global n
    n += 1
    kept[:] = [n] * 3000
    wizard_api.recall_data(after)
    return kept
`))
	for n := 1; n <= 30; n++ {
		r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
		r.wait(t, "done", n)
		got := string(r.link.Published("awsiot/test")[n-1].Payload)
		if want := "[" + strings.TrimSuffix(strings.Repeat(fmt.Sprintf("%d, ", n), 3000), ", ") + "]"; got != want {
			t.Fatalf("call %d: its result was changed after it returned", n)
		}
	}
}

// Integers that an int of a Pi with 32 bits does not hold reach an action whole.
func TestLargeIntegersAreWritten(t *testing.T) {
	for _, n := range []int64{1, -1 << 31, 1<<31 - 1, 1 << 31, -1 << 40, 1 << 52} {
		r := newRig(t, publish(fmt.Sprintf("from quickfaas.measure import write\ndef main(message):\n    return write({'S7-1200': {'Test2': %d}})[0]['error']\n", n)))
		r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
		if got := r.published(); got != `awsiot/test 1 "Success"` {
			t.Errorf("%d: %s, log: %s", n, got, r.log.String())
		}
		after := r.field.Recall(time.Now(), func(v *collect.Variable) bool { return v.Name == "Test2" })
		if got := fmt.Sprint(after.Samples[0].Value); got != fmt.Sprint(n) {
			t.Errorf("%d was written as %s", n, got)
		}
	}
}

// What functions of the host return, and what they keep for the script, counts as memory.
func TestResultsOfTheHostAreCharged(t *testing.T) {
	for name, code := range map[string]string{
		"config":           "from quickfaas.config import get as f",
		"parameters":       "from quickfaas.global_dict import get as f",
		"global variables": "from quickfaas.global_variables import get as f, set\nset('a', 'x' * 5000)",
		"recall":           "from quickfaas.measure import recall as f",
		"status":           "from quickfaas.controller import get_status as f",
		"a file":           "from quickfaas.file import faas_read_file, faas_write_file\nfaas_write_file('a', 'w', 'x' * 5000)\ndef f(): faas_read_file('a')",
		"a request":        "def f(): http_get('http://a')",
		"saved data":       "text = 'x' * 5000\nf = lambda: w.save_data({'topic': 'a', 'payload': text, 'qos': 0})",
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, publish(code+"\ndef main(data_collect, wizard_api):\n    global w\n    w = wizard_api\n    for i in range(100000): f()\n"), func(e *rule.Env) {
				e.Folder = t.TempDir()
				e.Limits.Memory = 1 << 20
				e.HTTP = func(context.Context, string, string, string) (any, error) {
					return map[string]any{"text": strings.Repeat("x", 5000)}, nil
				}
			})
			r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
			if s := r.Stats()[0]; !strings.Contains(s.Error, "used more than 1048576 bytes of memory") {
				t.Errorf("%+v", s)
			}
			if got := r.published(); got != "" {
				t.Errorf("published %.200s", got)
			}
		})
	}
}

// limits.time ends a write and a request that take longer, whatever they allow themselves.
func TestTimeBoundsFunctionsOfTheHost(t *testing.T) {
	for name, code := range map[string]string{
		"write":   "from quickfaas.measure import write\ndef f(): write({'Test2': 13}, timeout=600)",
		"request": "def f(): http_get('http://a', timeout=600)",
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, publish(code+"\ndef main(message):\n    try:\n        f()\n    except Exception: pass\n    return 'late'\n"), func(e *rule.Env) {
				e.Limits.Time = conf.Duration{Duration: 50 * time.Millisecond}
				e.HTTP = func(ctx context.Context, _, _, _ string) (any, error) {
					<-ctx.Done()
					return nil, ctx.Err()
				}
			})
			r.plc.hang = make(chan struct{})
			r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
			if s := r.Stats()[0]; !strings.Contains(s.Error, "took longer than 50ms") {
				t.Errorf("%+v, published %s", s, r.published())
			}
		})
	}
}

// A script writes a bounded number of bounded lines in a call to the log.
func TestLogOfAScriptIsBounded(t *testing.T) {
	const most, cut = 1000, 4096
	for _, tt := range []struct {
		code  string
		lines int
		more  string // in the last line
	}{
		{"for i in range(1000): print('line', i)", most, ""},
		{"for i in range(1001): print('line', i)", most, "1 more line of the script was left out"},
		{"for i in range(5000): logging.debug('line')", most, "4000 more lines of the script were left out"},
		{"print('line' + 'ä' * 100000)", 1, ""},
		{"for i in range(2000): print('line')\n    1 / 0", most, "1000 more lines of the script were left out"},
	} {
		r := newRig(t, publish("import logging\ndef main(d, w):\n    "+tt.code+"\n"))
		for round := range 2 { // each call begins anew
			before := len(r.log.String())
			r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
			log := r.log.String()[before:]
			if n := strings.Count(log, "msg=line") + strings.Count(log, `msg="line`); n != tt.lines {
				t.Errorf("%.50s, round %d: %d lines", tt.code, round, n)
			}
			if tt.more == "" && strings.Contains(log, "left out") || !strings.Contains(log, tt.more) {
				t.Errorf("%.50s: the log lacks %q", tt.code, tt.more)
			}
			for line := range strings.Lines(log) {
				if len(line) > cut+300 || strings.Contains(line, "\ufffd") {
					t.Errorf("%.50s: a line of %d bytes, %.200q", tt.code, len(line), line)
				}
			}
		}
	}
}
