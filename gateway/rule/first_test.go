package rule_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"pithings/gateway/collect"
	"pithings/gateway/rule"
	"pithings/mqttlink"
)

// upload reshapes as the script of Device Supervisor's AWS manual does.
const upload = `
import logging
from datetime import datetime
"""
Puts the values of each device into an object of its own.
"""

def main(data_collect, wizard_api):
    result = []
    for device, variables in data_collect['values'].items():
        one = {
               "Device": device,
               "timestamp": data_collect["timestamp"],
               "Data": {}
               }
        for name, value in variables.items():
            one["Data"][name] = value["raw_data"]
        result.append(one)
    logging.info(result)
    END
`

// uploaded is what Python's json.dumps makes of it.
const uploaded = `awsiot/test 1 [{"Device": "S7-1200", "timestamp": 1589538347.560471, "Data": {"Test1": false, "Test2": 12}}]`

// The two ways of the manual: by return, and by awsiot_publish.
func TestUpload(t *testing.T) {
	for name, end := range map[string]string{"return": "return result", "awsiot_publish": `wizard_api.awsiot_publish("awsiot/test", result, 1)`} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, publish(strings.ReplaceAll(upload, "END", end)))
			r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
			if got := r.published(); got != uploaded {
				t.Errorf("got  %s\nwant %s\nlog: %s", got, uploaded, r.log.String())
			}
			if m := r.link.Published("#")[0]; !m.Time.Equal(at) || m.Time != m.Time.Round(0) || m.Alarm {
				t.Errorf("sampling time %v, alarm %v", m.Time, m.Alarm)
			}
			for _, line := range []string{`msg="Build module: main, type: publish"`, `msg="[{'Device': 'S7-1200', 'timestamp': 1589538347.560471, 'Data': {'Test1': False, 'Test2': 12}}]" rule=up`} {
				if !strings.Contains(r.log.String(), line) {
					t.Errorf("the log lacks %s:\n%s", line, r.log.String())
				}
			}
		})
	}
}

// A message reaches the subscribe script, and its log line.
func TestSubscribe(t *testing.T) {
	r := newRig(t, rule.Settings{Subscribe: []rule.Subscribe{{Name: "down", Topic: "awsiot/${device_id}/send", Script: script(`
import logging
def main(topic, payload, wizard_api):
    logging.info("%s: %s", topic, payload)
    wizard_api.mqtt_publish("seen", payload, 0)
`)}}})
	if err := r.link.Inject(mqttlink.Message{Topic: "awsiot/1/send", Payload: []byte("hello")}); err != nil {
		t.Fatal(err)
	}
	r.wait(t, "seen", 1)
	if !strings.Contains(r.log.String(), `msg="awsiot/1/send: hello" rule=down`) || !strings.Contains(r.log.String(), "Build module: main, type: subscribe") {
		t.Errorf("log: %s", r.log.String())
	}
}

// The log level holds for logger of common.Logger, and not for logging.
func TestLevelsOfLines(t *testing.T) {
	r := newRig(t, rule.Settings{Subscribe: []rule.Subscribe{{Name: "down", Topic: "send", Script: script(`
import logging
from common.Logger import logger
def main(topic, payload, wizard_api):
    logging.debug("one")
    logging.getLogger("x").debug("two")
    logging.log(10, "three")
    logger.debug("four")
    logger.log(10, "five")
    logger.info("six")
    wizard_api.mqtt_publish("seen", payload, 0)
`)}}})
	r.level.Set(slog.LevelInfo)
	if err := r.link.Inject(mqttlink.Message{Topic: "send", Payload: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	r.wait(t, "seen", 1)
	for line, want := range map[string]bool{"DEBUG msg=one": true, "DEBUG msg=two": true, "DEBUG msg=three": true, "msg=four": false, "msg=five": false, "INFO msg=six": true} {
		if got := strings.Contains(r.log.String(), line); got != want {
			t.Errorf("the log has %s: %t, want %t:\n%s", line, got, want, r.log.String())
		}
	}
}

// The data of 1.x, each as json.dumps writes it, with and without a script.
func TestShapesOfFirst(t *testing.T) {
	const collected = `{"timestamp": 1589538347.560471, "group_name": "default", "values": {"S7-1200": {"Test1": {"raw_data": false, "status": 1}, "Test2": {"raw_data": 12, "status": 1}}}}`
	const on = `{"timestamp": 1589434527.362869, "group_name": "warning", "values": {"Warn1": {"timestamp": 1589434527, "current": "on", "status": 0, "value": 33, "alarm_content": "The speed has exceeded 30.", "level": 1}}}`
	off := strings.NewReplacer(`"on"`, `"off"`, `"status": 0`, `"status": 1`, `"value": 33`, `"value": 29`).Replace(on)
	for name, code := range map[string]string{"no script": "", "script": "def main(data_collect, wizard_api):\n    return data_collect\n", "encoded": `
import json
def main(data_collect, wizard_api):
    wizard_api.mqtt_publish("awsiot/test", json.dumps(data_collect), 1)
`} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, publish(code))
			r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
			r.Handle(t.Context(), rule.Batch{Alarms: []collect.AlarmEvent{alarm(true, 33), alarm(false, 29)}})
			var got []string
			for _, m := range r.link.Published("awsiot/test") {
				got = append(got, string(m.Payload))
				if isAlarm := strings.Contains(string(m.Payload), "Warn1"); m.Alarm != isAlarm || m.QoS != 1 {
					t.Errorf("alarm %v, QoS %d: %s", m.Alarm, m.QoS, m.Payload)
				}
			}
			if want := []string{collected, on, off}; strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("got\n%s\nwant\n%s\nlog: %s", strings.Join(got, "\n"), strings.Join(want, "\n"), r.log.String())
			}
		})
	}
	// A value that could not be collected has another status than 1.
	r := newRig(t, publish(""))
	round := r.round()
	round.Samples[0].Value, round.Samples[0].Good = nil, false
	r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{round}})
	if !strings.Contains(r.published(), `"Test1": {"raw_data": null, "status": 0}`) {
		t.Error(r.published())
	}
	// A group that no rule has is published nowhere.
	round.Group = "other"
	r.link.Forget()
	r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{round}})
	if got := r.published(); got != "" {
		t.Error(got)
	}
}

// Every method of wizard_api, with what it publishes. Those with a callback answer later.
func TestWizardAPI(t *testing.T) {
	const head = `
import json
from common.Logger import logger
def show(result, tail, wizard_api):
    wizard_api.mqtt_publish("answer", json.dumps([result, tail]), 1)
def main(data_collect, wizard_api):
    `
	for _, tt := range []struct {
		name, code string
		away       bool
		want       string // published in the end
	}{
		{"mqtt_publish returns True", `wizard_api.mqtt_publish("b", str(wizard_api.mqtt_publish("a/${device_id}", "x", 0)), 2)`, false, "a/1 0 x\nb 1 True"},
		{"mqtt_publish keeps nothing", `wizard_api.awsiot_publish("b", wizard_api.mqtt_publish("a", "x", 1))`, true, "b 1 false"},
		{"awsiot_publish takes objects, and keeps them", `wizard_api.awsiot_publish("a", {"x": [1, 2.0, None, "é"]}, 0)`, true, `a 0 {"x": [1, 2.0, null, "\u00e9"]}`},
		{"save_data with a topic", `wizard_api.save_data({"topic": "a", "qos": 0, "payload": {"x": 1}})`, true, `a 0 {"x": 1}`},
		{"save_data with a group", `wizard_api.save_data([1], "default")`, true, `awsiot/test 1 [1]`},
		{"save_data comes after results", "wizard_api.save_data(1, 'default')\n    return 2", false, "awsiot/test 1 2\nawsiot/test 1 1"},
		{"write_plc_values by variable", `wizard_api.write_plc_values({"Test2": 13}, show, "t")`, false,
			`answer 1 [[{"value": 13, "device": "S7-1200", "var_name": "Test2", "result": "OK", "error": ""}], "t"]`},
		{"write_plc_values by device", `wizard_api.write_plc_values({"S7-1200": {"Test1": True, "Test9": 1}, "Modbus_test": {"SP1": 12.3}}, show)`, false,
			`answer 1 [[{"value": true, "device": "S7-1200", "var_name": "Test1", "result": "OK", "error": ""}, {"value": 1, "device": "S7-1200", "var_name": "Test9", "result": "Failed", "error": "Variable 'Test9' not found."}, {"value": 12.3, "device": "Modbus_test", "var_name": "SP1", "result": "Failed", "error": "Device 'Modbus_test' not found."}], null]`},
		{"get_tag_config", `wizard_api.get_tag_config(show, tail=1, timeout=5)`, false,
			`answer 1 [{"devices": [{"device_name": "S7-1200", "protocol": "ISO-on-TCP"}], "groups": [{"group_name": "default", "upload_interval": 10, "group_type": "collect"}], "warning": [], "vars": []}, 1]`},
		{"recall_data", `wizard_api.recall_data(show)`, false,
			`answer 1 [{"timestamp": NOW, "values": {"S7-1200": {"Test1": {"raw_data": false, "status": 1}, "Test2": {"raw_data": 12, "status": 1}}}}, null]`},
		{"get_global_parameter", `return wizard_api.get_global_parameter()`, false,
			`awsiot/test 1 {"gateway_sn": "GT902XX", "log_level": "INFO", "catch_recording": 100000, "warning_recording": 2000, "device_id": "1"}`},
		{"get_group", `return wizard_api.get_group()`, false, `awsiot/test 1 [{"name": "default", "uploadInterval": 10}]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, publish(head+tt.code+"\n"))
			r.link.away.Store(tt.away)
			r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
			if strings.HasPrefix(tt.want, "answer") {
				r.wait(t, "answer", 1)
			}
			if got := undated(r.published()); got != tt.want {
				t.Errorf("got  %s\nwant %s\nlog: %s", got, tt.want, r.log.String())
			}
		})
	}
}

// A thing that does not answer in time: the callback gets a tuple.
func TestTimeout(t *testing.T) {
	r := newRig(t, publish(`
import json
def done(result, tail, wizard_api):
    wizard_api.mqtt_publish("answer", json.dumps({"tuple": isinstance(result, tuple), "result": result, "tail": tail}), 0)
def main(data_collect, wizard_api):
    wizard_api.write_plc_values({"Test2": 13}, done, ["x"], timeout = 0.05)
`))
	r.plc.hang = make(chan struct{})
	r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
	r.wait(t, "answer", 1)
	if got, want := r.published(), `answer 0 {"tuple": true, "result": ["error", -110, "timeout"], "tail": ["x"]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// What a method is given wrongly is an exception of Python, with the words of one.
func TestWrongArguments(t *testing.T) {
	for code, want := range map[string]string{
		`wizard_api.mqtt_publish("a", {"x": 1}, 0)`:                      "TypeError: payload must be a str, not dict",
		`wizard_api.mqtt_publish("a", "x", 3)`:                           "ValueError: qos must be 0, 1 or 2, not 3",
		`wizard_api.mqtt_publish("a/${none}", "x")`:                      "ValueError: topic a/${none}: there is no global parameter none",
		`wizard_api.mqtt_publish("a")`:                                   "TypeError: mqtt_publish() missing required argument 'payload' (pos 2)",
		`wizard_api.awsiot_publish("a", wizard_api)`:                     "is not JSON serializable",
		`wizard_api.save_data({"topic": "a"})`:                           "ValueError: save_data needs a dict",
		`wizard_api.save_data(1, "none")`:                                "ValueError: no publish rule has the group 'none'",
		`wizard_api.write_plc_values(1)`:                                 "TypeError: what is written must be a dict or a list, not int",
		`wizard_api.write_plc_values({"Test2": 1}, timeout=0)`:           "ValueError: timeout must be positive",
		`[wizard_api.write_plc_values({"Test2": 1}) for i in range(20)]`: "RuntimeError: more than 16 callbacks are waited for",
		`[wizard_api.mqtt_publish("a", "") for i in range(1001)]`:        "RuntimeError: one call publishes at most 1000 messages",
		`wizard_api.update_group({"group_name": "g"})`:                   "RuntimeError: scripts cannot change groups: edit the configuration",
		`return wizard_api`:                                              "is not JSON serializable",
	} {
		r := newRig(t, publish("def main(data_collect, wizard_api):\n    "+code+"\n"))
		r.plc.hang = make(chan struct{})
		r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
		stats := r.Stats()[0]
		if !strings.Contains(stats.Error, want) || stats.Failed == 0 {
			t.Errorf("%s: %+v, want %s", code, stats, want)
		}
	}
}

// Results go out in the order of the times of their data, whichever rule is faster, and what
// is saved behind them.
func TestOrder(t *testing.T) {
	s := publish("import time\ndef main(d, w):\n    time.sleep(0.05)\n    w.save_data('saved', 'default')\n    return 'slow'\n")
	s.Publish[0].Name, s.Publish[0].Topic = "slow", "slow"
	s.Publish = append(s.Publish, rule.Publish{Name: "fast", Topic: "fast", QoS: 1, Groups: []string{"other"}, Script: script("def main(d, w):\n    return 'fast'\n")})
	r := newRig(t, s)
	older, newer := r.round(), r.round()
	newer.At, newer.Group = older.At.Add(time.Second), "other"
	r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{newer, older}})
	if got, want := r.published(), "slow 1 \"slow\"\nfast 1 \"fast\"\nslow 1 \"saved\""; got != want {
		t.Errorf("got  %s\nwant %s\n%s", got, want, r.log.String())
	}
}

// What the link refuses is counted, and logged once.
func TestRefused(t *testing.T) {
	r := newRig(t, publish("def main(d, w):\n    return 1\n"))
	r.link.FailPublish(errors.New("the queue is full"))
	for range 3 {
		r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
	}
	if s := r.Stats()[0]; s.Refused != 3 || s.Published != 0 || s.Calls != 3 {
		t.Errorf("%+v", s)
	}
	if n := strings.Count(r.log.String(), "the queue is full"); n != 1 {
		t.Errorf("logged %d times", n)
	}
}
