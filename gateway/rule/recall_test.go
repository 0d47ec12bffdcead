package rule_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pithings/device"
	"pithings/gateway/collect"
	"pithings/gateway/rule"
)

const recallHead = `
import json
from quickfaas.measure import recall, recall2
from quickfaas.remotebus import publish as _publish
def out(v):
    _publish('out', json.dumps(v), 1)
def back(result, tail):
    out([isinstance(result, tuple), result, tail])
`

// bubble is a time of a bubble of synctest, which begins in 2000, and of the manual's date.
var bubble = regexp.MustCompile(`\b(9466\d{5}|1589538347)(\.\d+)?\b`)

// A recall of now has the device measure: recall_data does always, and those of 2.x with
// realTime. Without an answer in time there is the tuple.
func TestRecallMeasures(t *testing.T) {
	const known, measured = `"Test1": {"raw_data": false, "status": 1}, "Test2": {"raw_data": 12, "status": 1}`, `"Test1": {"raw_data": true, "status": 1}, "Test2": {"raw_data": 99, "status": 1}`
	first := func(values string) string {
		return `{"timestamp": NOW, "values": {"S7-1200": {` + values + `}}}`
	}
	second := func(value int) string {
		return fmt.Sprintf(`{"timestamp": NOW, "values": {"S7-1200": {"Test2": {"raw_data": %d, "timestamp": NOW, "status": 1}}}}`, value)
	}
	const list, late = `[{"name": "S7-1200", "health": 1, "timestamp": NOW, "measures": [{"name": "Test2", "health": 1, "timestamp": NOW, "value": %d}]}]`, `["error", -110, "timeout"]`
	some := "[{'name': 'S7-1200', 'measures': ['Test2']}]"
	for _, tt := range []struct {
		name, call string
		slow       bool
		want       string
		reads      int32
	}{
		{"recall_data", "wizard_api.recall_data(back, 't')", false, `[false, ` + first(measured) + `, "t"]`, 1},
		{"recall_data, slow", "wizard_api.recall_data(back, tail='t', timeout=2)", true, `[true, ` + late + `, "t"]`, 1},
		{"recall knows", "out(recall(" + some + "))", false, fmt.Sprintf(list, 12), 0},
		{"recall knows, said", "out(recall(" + some + ", realTime=False))", true, fmt.Sprintf(list, 12), 0},
		{"recall now", "out(recall(" + some + ", realTime=True))", false, fmt.Sprintf(list, 99), 1},
		{"recall now, all by position", "out(recall(None, 'measure', 3, 1)[0]['measures'][1]['value'])", false, "99", 1},
		{"recall now, slow", "r = recall(" + some + ", timeout=2, realTime=True); out([isinstance(r, tuple), r])", true, `[true, ` + late + `]`, 1},
		{"recall2 knows", "recall2(" + some + ", 'measure', back)", true, `[false, ` + second(12) + `, null]`, 0},
		{"recall2 now", "recall2(" + some + ", callback=back, userdata=[1], realTime=True)", false, `[false, ` + second(99) + `, [1]]`, 1},
		{"recall2 now, slow", "recall2(callback=back, userdata=None, timeout=2, realTime=True)", true, `[true, ` + late + `, null]`, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, publish(recallHead+"def main(message, wizard_api):\n    "+tt.call+"\n"))
				var reads atomic.Int32
				r.plc.read = func(ctx context.Context) (device.Values, error) {
					reads.Add(1)
					if tt.slow {
						<-ctx.Done()
						return nil, ctx.Err()
					}
					return device.Values{"t1": true, "t2": 99}, nil
				}
				began := time.Now()
				r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
				r.wait(t, "out", 1)
				got := bubble.ReplaceAllString(undated(r.published()), "NOW")
				if got != "out 1 "+tt.want || reads.Load() != tt.reads {
					t.Errorf("got  %s\nwant %s\n%d readings, log: %s", got, tt.want, reads.Load(), r.log.String())
				}
				if took := time.Since(began); tt.slow && tt.reads > 0 && took != 2*time.Second {
					t.Errorf("the time-out came after %v", took)
				}
			})
		})
	}
}

// hangs is a device that does not answer.
func hangs(ctx context.Context) (device.Values, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// What a recall is given wrongly is an exception.
func TestWrongRecalls(t *testing.T) {
	for call, want := range map[string]string{
		"recall(realTime='yes')":                            "TypeError: realTime must be True or False, not str",
		"recall(timeout=0)":                                 "ValueError: timeout must be positive",
		"recall2(timeout='1')":                              "TypeError: timeout must be a number, not str",
		"recall2(callback=back, realTime=[])":               "TypeError: realTime must be True or False, not list",
		"recall('S7-1200')":                                 "TypeError: names must be a list, not str",
		"recall([{'measures': []}])":                        "ValueError: each item needs the name of a controller",
		"wizard_api.recall_data(back, None, -1)":            "ValueError: timeout must be positive",
		"[wizard_api.recall_data(back) for i in range(20)]": "RuntimeError: more than 16 callbacks are waited for",
	} {
		r := newRig(t, publish(recallHead+"def main(message, wizard_api):\n    "+call+"\n"))
		r.plc.read = hangs
		r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
		if s := r.Stats()[0]; !strings.Contains(s.Error, want) {
			t.Errorf("%s: %q, want %s", call, s.Error, want)
		}
	}
}

// Rules that recall at once share one reading of the device.
func TestRulesShareAReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s rule.Settings
		const rules = 30
		for i := range rules {
			one := publish(recallHead + "def main(message, wizard_api):\n    wizard_api.recall_data(back)\n    out(recall(realTime=True)[0]['measures'][1]['value'])\n").Publish[0]
			one.Name = fmt.Sprint("up", i)
			s.Publish = append(s.Publish, one)
		}
		r := newRig(t, s)
		var reads atomic.Int32
		r.plc.read = func(context.Context) (device.Values, error) {
			time.Sleep(200 * time.Millisecond)
			return device.Values{"t1": true, "t2": int64(100 + reads.Add(1))}, nil
		}
		r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
		r.wait(t, "out", 2*rules)
		for _, m := range r.link.Published("out") {
			if got := string(m.Payload); got != "101" && !strings.Contains(got, `"Test2": {"raw_data": 101,`) {
				t.Errorf("%s", got)
			}
		}
		if n := reads.Load(); n != 1 {
			t.Errorf("%d readings", n)
		}
	})
}

// limits.time ends a recall that waits longer, whatever time it allows itself.
func TestTimeBoundsARecall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, publish(recallHead+"def main(message):\n    try:\n        recall(timeout=600, realTime=True)\n    except Exception: pass\n    return 'late'\n"))
		r.plc.read = hangs
		r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
		if s := r.Stats()[0]; !strings.Contains(s.Error, "took longer than 5s") {
			t.Errorf("%+v, published %s", s, r.published())
		}
	})
}
