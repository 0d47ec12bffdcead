package rule_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pithings/gateway/collect"
	"pithings/gateway/rule"
	"pithings/mqttlink"
)

// manual is a script in the form of the manuals of Device Supervisor.
func manual(t *testing.T, name, function string) rule.Script {
	t.Helper()
	code, err := os.ReadFile(filepath.Join("..", "script", "testdata", "scripts", name))
	if err != nil {
		t.Fatal(err)
	}
	return rule.Script{Function: function, Code: string(code), API: "auto"}
}

// The scripts of the AWS manual: up by return and by awsiot_publish, and down.
func TestManualScripts(t *testing.T) {
	for _, name := range []string{"vars_upload_test.py", "vars_upload_awsiot.py"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, rule.Settings{
				Publish:   []rule.Publish{{Name: "up", Topic: "awsiot/test", QoS: 1, Groups: []string{"default"}, Script: manual(t, name, "vars_upload_test")}},
				Subscribe: []rule.Subscribe{{Name: "down", Topic: "awsiot/send", Script: manual(t, "vars_upload_awsiot.py", "ctl_test")}},
			})
			r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
			if got := r.published(); got != uploaded {
				t.Errorf("got  %s\nwant %s", got, uploaded)
			}
			for _, line := range []string{`msg="Build module: vars_upload_test, type: publish" rule=up`, `msg="Build module: ctl_test, type: subscribe" rule=down`,
				`level=INFO msg="[{'Device': 'S7-1200', 'timestamp': 1589538347.560471, 'Data': {'Test1': False, 'Test2': 12}}]" rule=up`} {
				if !strings.Contains(r.log.String(), line) {
					t.Errorf("the log lacks %s:\n%s", line, r.log.String())
				}
			}
			if err := r.link.Inject(mqttlink.Message{Topic: "awsiot/send", Payload: []byte(`{"a": 1}`)}); err != nil {
				t.Fatal(err)
			}
			r.log.await(t, "msg=awsiot/send rule=down")
			r.log.await(t, `msg="{\"a\": 1}" rule=down`)
		})
	}
}

// What a callback, a write or a recall is waited for unless the script says it: 60 s, and 10 s
// for recalls of 2.x. The result of a time-out is the tuple, with the tail of the request.
func TestDefaultTimeouts(t *testing.T) {
	const head = recallHead + "from quickfaas.measure import write, write_plc_values\ndef main(message, wizard_api):\n    "
	for call, want := range map[string]time.Duration{
		"wizard_api.write_plc_values({'Test2': 1}, back, 'x')":            time.Minute,
		"write_plc_values({'Test2': 1}, back, 'x')":                       time.Minute,
		"wizard_api.recall_data(back, 'x')":                               time.Minute,
		"recall2(callback=back, userdata='x', realTime=True)":             10 * time.Second,
		"back(write({'Test2': 1}), 'x')":                                  time.Minute,
		"back(recall(realTime=True), 'x')":                                10 * time.Second,
		"back(write({'Test2': 1}, timeout=0.5), 'x')":                     500 * time.Millisecond,
		"wizard_api.write_plc_values({'Test2': 1}, back, 'x', 7200)":      10 * time.Minute,
		"wizard_api.write_plc_values({'Test2': 1}, back, 'x', timeout=2)": 2 * time.Second,
	} {
		t.Run(call, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, publish(head+call+"\n"), func(e *rule.Env) { e.Limits.Time.Duration = time.Hour })
				r.plc.hang = make(chan struct{})
				r.plc.read = hangs
				began := time.Now()
				r.Rules.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
				for time.Since(began) < time.Hour && len(r.link.Published("out")) == 0 {
					time.Sleep(want / 2)
					synctest.Wait()
				}
				if took := time.Since(began); took != want {
					t.Errorf("it took %v, want %v; log: %s", took, want, r.log.String())
				}
				if got := r.published(); got != `out 1 [true, ["error", -110, "timeout"], "x"]` {
					t.Error(got)
				}
			})
		})
	}
}

// The global variables of 2.x are those of all scripts, until the program ends: over a reload,
// too. What one script has set another cannot change.
func TestGlobalVariablesAreShared(t *testing.T) {
	const get = "from quickfaas.global_variables import get\ndef main(m):\n    v = get('k')\n    if v: v['x'].append(9)\n    return v\n"
	s := publish("from quickfaas.global_variables import set\nn = 0\ndef main(m):\n    global n\n    n += 1\n    set('k', {'x': [n], 'y': None})\n")
	s.Publish = append(s.Publish, rule.Publish{Name: "reader", Topic: "read", QoS: 1, Groups: []string{"read"}, Script: script(get)})
	r := newRig(t, s)
	read := func(rules *rule.Rules) string {
		t.Helper()
		r.link.Forget()
		round := r.round()
		round.Group = "read"
		rules.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{round}})
		rules.Drain(t.Context())
		return r.published()
	}
	if got := read(r.Rules); got != "" { // None is not published
		t.Error(got)
	}
	for _, want := range []string{"1", "2"} {
		r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
		for range 2 {
			if got := read(r.Rules); got != `read 1 {"x": [`+want+`, 9], "y": null}` {
				t.Error(got)
			}
		}
	}
	r.Close()
	s.Publish = s.Publish[1:]
	s.Publish[0].Code += "\n" // another script
	again := rule.New(r.env, s, r.Rules)
	t.Cleanup(again.Close)
	if got := read(again); got != `read 1 {"x": [2, 9], "y": null}` {
		t.Error(got)
	}
}

// The modules that the manuals name, and the levels of their log.
func TestModulesOfTheManuals(t *testing.T) {
	r := newRig(t, publish(`
import logging
import json
from datetime import datetime
from common.Logger import logger
def main(data_collect, wizard_api):
    logging.warning("by logging")
    logger.error("by %s", "logger")
    logger.debug({"d": None})
    return [json.loads('{"a": [1.0]}'), str(datetime.utcfromtimestamp(data_collect["timestamp"]))]
`))
	r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
	if got := r.published(); got != `awsiot/test 1 [{"a": [1.0]}, "2020-05-15 10:25:47.560471"]` {
		t.Error(got)
	}
	for _, line := range []string{`level=WARN msg="by logging" rule=up`, `level=ERROR msg="by logger" rule=up`, `level=DEBUG msg="{'d': None}" rule=up`} {
		if !strings.Contains(r.log.String(), line) {
			t.Errorf("the log lacks %s:\n%s", line, r.log.String())
		}
	}
}

// A script that raises is logged with its name, line and function, and counted.
func TestScriptErrorsHaveTheirLine(t *testing.T) {
	r := newRig(t, publish("def main(d, w):\n    return d['none']\n"))
	r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
	if want := `script up, line 2, in main: KeyError: 'none'`; !strings.Contains(r.log.String(), want) || r.Stats()[0].Error != want || r.Stats()[0].Failed != 1 {
		t.Errorf("%+v, log:\n%s", r.Stats()[0], r.log.String())
	}
}
