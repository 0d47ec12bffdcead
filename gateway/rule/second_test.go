package rule_test

import (
	"strings"
	"testing"
	"time"

	"pithings/conf"
	"pithings/gateway/collect"
	"pithings/gateway/rule"
	"pithings/mqttlink"
)

// The messages of 2.x, by the parameters of the main function.
func TestShapesOfSecond(t *testing.T) {
	const nested = `{"timestamp": 1589538347, "timestampMsec": 1589538347560, "group_name": "default", "values": {"S7-1200": {"Test1": {"raw_data": false, "timestamp": 1589538347, "status": 1, "timestampMsec": 1589538347560}, "Test2": {"raw_data": 12, "timestamp": 1589538347, "status": 1, "timestampMsec": 1589538347560}}}}`
	const flat = `{"timestamp": 1589538347, "timestampMsec": 1589538347560, "group": "default", "measures": [{"ctrlName": "S7-1200", "name": "Test1", "health": 1, "timestamp": 1589538347, "timestampMsec": 1589538347560, "value": false}, {"ctrlName": "S7-1200", "name": "Test2", "health": 1, "timestamp": 1589538347, "timestampMsec": 1589538347560, "value": 12}]}`
	const first = `{"timestamp": 1589538347.560471, `
	for _, tt := range []struct{ name, head, cloud, want string }{
		{"wizard_api and cloudName", "message, wizard_api, cloudName", "cloudName", nested},
		{"wizard_api", "message, wizard_api", "'default'", nested},
		{"cloudName", "message, cloudName", "cloudName", flat},
		{"message", "message", "'default'", flat},
		{"1.x", "data_collect, wizard_api", "'default'", first},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := strings.Split(tt.head, ",")[0]
			r := newRig(t, publish(`
import json
from quickfaas.remotebus import publish
def main(`+tt.head+`):
    publish(__topic__, json.dumps(`+body+`), __qos__, cloud_name=`+tt.cloud+`)
`))
			r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
			got := r.published()
			if !strings.HasPrefix(got, "awsiot/test 1 "+tt.want) || tt.want != first && got != "awsiot/test 1 "+tt.want {
				t.Errorf("got  %s\nwant %s\nlog: %s", got, tt.want, r.log.String())
			}
		})
	}
	// The version may be said.
	s := publish("def main(data_collect, wizard_api):\n    return data_collect['timestampMsec']\n")
	s.Publish[0].API = "2"
	r := newRig(t, s)
	r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
	if got := r.published(); got != "awsiot/test 1 1589538347560" {
		t.Error(got)
	}
}

// The alarms of 2.x have the names of their variables; their status is that of 1.x.
func TestAlarmsOfSecond(t *testing.T) {
	const on = `{"timestamp": 1589434527, "timestampMsec": 1589434527362, "group_name": "warning", "values": {"Warn1": {"ctrlName": "S7-1200", "measureName": "Test2", "timestamp": 1589434527, "current": "on", "status": 0, "value": 33, "alarm_content": "The speed has exceeded 30.", "level": 1}}}`
	off := strings.NewReplacer(`"on"`, `"off"`, `"status": 0`, `"status": 1`, `"value": 33`, `"value": 29`).Replace(on)
	for _, params := range []string{"message", "message, wizard_api", "message, wizard_api, cloudName"} {
		r := newRig(t, publish("from quickfaas.remotebus import publish\ndef main("+params+"):\n    publish(__topic__, message, __qos__)\n"))
		r.Handle(t.Context(), rule.Batch{Alarms: []collect.AlarmEvent{alarm(true, 33), alarm(false, 29)}})
		if got, want := r.published(), "awsiot/test 1 "+on+"\nawsiot/test 1 "+off; got != want {
			t.Errorf("%s: got\n%s\nwant\n%s\nlog: %s", params, got, want, r.log.String())
		}
		for _, m := range r.link.Published("#") {
			if !m.Alarm {
				t.Errorf("it is queued as a reading: %s", m.Payload)
			}
		}
	}
}

// Every function of the quickfaas modules.
func TestQuickfaas(t *testing.T) {
	const measured = `{"name": "S7-1200", "health": 1, "timestamp": NOW, "measures": [{"name": "Test1", "health": 1, "timestamp": 1589538347, "value": false}, {"name": "Test2", "health": 1, "timestamp": 1589538347, "value": 12}]}`
	for _, tt := range []struct {
		name, code string
		away       bool
		want       string
	}{
		{"remotebus.publish", "from quickfaas.remotebus import publish\nRUN publish('a', {'x': 1}, 0)", false, `a 0 {"x": 1}`},
		{"remotebus.publish does not cache QoS 0", "from quickfaas.remotebus import publish\nRUN publish('a', 'x', 0)", true, ""},
		{"remotebus.publish caches QoS 1", "from quickfaas.remotebus import publish\nRUN publish('a', 'x')", true, "a 1 x"},
		{"remotebus.publish caches as wizard_data", "from quickfaas.remotebus import publish\nRUN publish('a', 'x', 1, {'topic': 'history/a', 'qos': 1, 'payload': 'y'})", true, "history/a 1 y"},
		{"wizard_data is for the cache alone", "from quickfaas.remotebus import publish\nRUN publish('a', 'x', 1, wizard_data={'topic': 'history/a', 'qos': 1, 'payload': 'y'})", false, "a 1 x"},
		{"remotebus.publish to another cloud", "from quickfaas.remotebus import publish\ndef f():\n    try:\n        publish('a', 'x', cloud_name='other')\n    except ValueError as e:\n        out(str(e))\nRUN f()", false, `out 1 "there is one cloud, whose name is default"`},
		{"messagebus.publish", "from quickfaas.messagebus import publish\nRUN publish('local', 'x')", false, "local 1 x"},
		{"messagebus.publish keeps nothing", "from quickfaas.messagebus import publish\nRUN publish('local', 'x')", true, ""},
		{"measure.write", "from quickfaas.measure import write\nRUN out(write({'Test2': 5}))", false, `out 1 [{"device": "S7-1200", "var_name": "Test2", "result": "OK", "error": "Success"}]`},
		{"measure.write by controller", "from quickfaas.measure import write\nRUN out(write({'S7-1200': {'Test9': 5}}))", false, `out 1 [{"device": "S7-1200", "var_name": "Test9", "result": "Failed", "error": "Variable 'Test9' not found."}]`},
		{"measure.write by a list", "from quickfaas.measure import write\nRUN out(write([{'name': 'S7-1200', 'measures': [{'name': 'Test2', 'value': 5}, {'name': 'no', 'value': 1}]}]))", false,
			`out 1 [{"name": "S7-1200", "measures": [{"name": "Test2", "error_code": 0, "error_reason": "Success"}, {"name": "no", "error_code": 1, "error_reason": "Variable 'no' not found."}]}]`},
		{"measure.write raises", "from quickfaas.measure import write\ndef f():\n    try:\n        write({'no': 5})\n    except ValueError as e:\n        out(str(e))\nRUN f()", false, `out 1 "Variable 'no' not found."`},
		{"measure.write_plc_values without a callback", "from quickfaas.measure import write_plc_values, recall\nimport time\ndef f():\n    write_plc_values({'S7-1200': {'Test2': 5}})\n    while recall()[0]['measures'][1]['value'] != 5: time.sleep(0.01)\n    out('written')\nRUN f()", false, `out 1 "written"`},
		{"measure.write_plc_values by a list", "from quickfaas.measure import write_plc_values\ndef back(result, userdata):\n    out(result)\nRUN write_plc_values([{'name': 'S7-1200', 'measures': [{'name': 'Test2', 'value': 5}]}], back, None, 5, 'default')", false,
			`out 1 [{"name": "S7-1200", "measures": [{"name": "Test2", "error_code": 0, "error_reason": "Success"}]}]`},
		{"measure.write_plc_values", "from quickfaas.measure import write_plc_values\ndef back(result, userdata):\n    out([result, userdata])\nRUN write_plc_values(message={'Test2': 5}, callback=back, userdata='u')", false,
			`out 1 [[{"device": "S7-1200", "var_name": "Test2", "result": "OK", "error": "Success"}], "u"]`},
		{"measure.write_plc_values with wizard_api", "from quickfaas.measure import write_plc_values\ndef back(result, userdata, wizard_api):\n    out(result[0]['result'])\nRUN write_plc_values({'Test2': 5}, back)", false, `out 1 "OK"`},
		{"measure.recall", "from quickfaas.measure import recall\nRUN out(recall())", false, "out 1 [" + measured + "]"},
		{"measure.recall of some", "from quickfaas.measure import recall\nRUN out(recall([{'name': 'S7-1200', 'measures': ['Test2']}], timeout=3, realTime=True)[0]['measures'])", false, `out 1 [{"name": "Test2", "health": 1, "timestamp": 1589538347, "value": 12}]`},
		{"measure.recall2", "from quickfaas.measure import recall2\ndef back(message, userdata):\n    out(message)\nRUN recall2([{'name': 'S7-1200', 'measures': []}], callback=back, userdata='')", false,
			`out 1 {"timestamp": NOW, "values": {"S7-1200": {"Test1": {"raw_data": false, "timestamp": 1589538347, "status": 1}, "Test2": {"raw_data": 12, "timestamp": 1589538347, "status": 1}}}}`},
		{"global_dict.get", "from quickfaas.global_dict import get\nRUN out(get())", false, `out 1 [{"key": "SN", "value": "GT902XX"}, {"key": "MAC", "value": "00:18:05:0f:f0:46"}, {"key": "device_id", "value": "1"}]`},
		{"global_dict.get_global_parameter", "from quickfaas.global_dict import get_global_parameter\nRUN out(get_global_parameter())", false, `out 1 {"SN": "GT902XX", "MAC": "00:18:05:0f:f0:46", "device_id": "1"}`},
		{"controller.get_status", "from quickfaas.controller import get_status\nRUN out(get_status())", false, `out 1 [{"name": "S7-1200", "health": 1, "timestamp": NOW}]`},
		{"controller.get_controller_status", "from quickfaas.controller import get_controller_status\nRUN out(get_controller_status('S7-1200'))", false, `out 1 {"S7-1200": {"health": 1, "timestamp": NOW}}`},
		{"controller.get_status of one", "from quickfaas.controller import get_status\nRUN out(get_status(controller='S7-1200'))", false, `out 1 [{"name": "S7-1200", "health": 1, "timestamp": NOW}]`},
		{"controller.get_status of none", "from quickfaas.controller import get_status\ndef f():\n    try:\n        get_status('S7-300')\n    except ValueError as e:\n        out(str(e))\nRUN f()", false, `out 1 "Controller 'S7-300' not found."`},
		{"get_global_parameter of wizard_api", "RUN out(wizard_api.get_global_parameter())", false, `out 1 {"SN": "GT902XX", "MAC": "00:18:05:0f:f0:46", "device_id": "1"}`},
		{"clouds.get_status", "from quickfaas.clouds import get_status\nRUN out([get_status(), get_status('default'), get_status('other')])", false, `out 1 [true, true, false]`},
		{"clouds.get_status offline", "from quickfaas.clouds import get_status\nRUN out(get_status())", true, `out 1 false`},
		{"config.get", "from quickfaas.config import get\nRUN out(get())", false, `out 1 {"controllers": [{"name": "S7-1200"}], "version": "2.2.1"}`},
		{"config.get of a running one", "from quickfaas.config import get\nRUN out(get(runningConfig=True, timeout=3)['controllers'][0]['name'])", false, `out 1 "S7-1200"`},
		{"config.set", "from quickfaas.config import get, set\nRUN out(set(get()))", false, `out 1 "failed"`},
		{"file", "from quickfaas.file import faas_read_file, faas_write_file\ndef f():\n    faas_write_file('/var/user/app/t.txt', mode='w', data='one', encode='utf-8')\n    faas_write_file('t.txt', 'a', ' two')\n    out([faas_read_file('/var/user/app/t.txt'), faas_read_file('t.txt', size=2)])\nRUN f()", false, `out 1 ["one two", "on"]`},
		{"file that is not there", "from quickfaas.file import faas_read_file\ndef f():\n    try:\n        faas_read_file('none')\n    except OSError:\n        out('none')\nRUN f()", false, `out 1 "none"`},
		{"global_variables", "from quickfaas.global_variables import get, set\ndef f():\n    set('k', {'x': [1]})\n    out([get('k'), get(), get('no')])\nRUN f()", false, `out 1 [{"x": [1]}, {"k": {"x": [1]}}, null]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			head, run, _ := strings.Cut(tt.code, "RUN ")
			r := newRig(t, publish("import json\nfrom quickfaas.remotebus import publish as _publish\ndef out(v):\n    _publish('out', json.dumps(v), 1)\n"+head+"def main(message, wizard_api):\n    "+run+"\n"),
				func(e *rule.Env) { e.Folder = t.TempDir() })
			r.link.away.Store(tt.away)
			r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
			if strings.HasPrefix(tt.want, "out") {
				r.wait(t, "out", 1)
			}
			if got := undated(r.published()); got != tt.want {
				t.Errorf("got  %s\nwant %s\nlog: %s", got, tt.want, r.log.String())
			}
		})
	}
}

// A recall of groups hands their data to the rules of those groups.
func TestRecallOfGroups(t *testing.T) {
	r := newRig(t, publish("from quickfaas.measure import recall\ndef main(message):\n    recall(['default', 'other'], 'group')\n"))
	r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
	select {
	case <-r.Wake():
	default:
		t.Error("not woken")
	}
	if got := strings.Join(r.Recalled(), " "); got != "default other" {
		t.Errorf("recalled %q, log: %s", got, r.log.String())
	}
	if got := r.Recalled(); len(got) != 0 {
		t.Errorf("and again %q", got)
	}
}

// A recall of groups without names is a mistake of the script.
func TestRecallWithoutGroups(t *testing.T) {
	for _, call := range []string{"recall(recall_type='group')", "recall(None, 'group')", "recall2(recall_type='group')"} {
		r := newRig(t, publish("from quickfaas.measure import recall, recall2\ndef main(message):\n    "+call+"\n"))
		r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
		if s := r.Stats()[0]; !strings.Contains(s.Error, "TypeError: names must be a list of groups") {
			t.Errorf("%s: %+v", call, s)
		}
	}
}

// The subscribe rules of 2.x.
func TestSubscribeOfSecond(t *testing.T) {
	for _, params := range []string{"topic, payload", "topic, payload, wizard_api", "topic, payload, cloudName", "topic, payload, wizard_api, cloudName"} {
		r := newRig(t, rule.Settings{Subscribe: []rule.Subscribe{{Name: "down", Topic: "send/+", Script: script("from quickfaas.remotebus import publish\ndef main(" + params + "):\n    publish('seen', topic + payload, __qos__)\n")}}})
		_ = r.link.Inject(mqttlink.Message{Topic: "send/x", Payload: []byte("!")})
		r.wait(t, "seen", 1)
		if got := r.published(); got != "seen 0 send/x!" {
			t.Errorf("%s: %s", params, got)
		}
	}
}

// Generic functions: at an interval, for messages, and at the start.
func TestFunctions(t *testing.T) {
	code := "from quickfaas.messagebus import publish\nn = 0\ndef main(%):\n    global n\n    n += 1\n    publish('ran', '%s %d' % (#, n), 0)\n"
	fill := func(params, value string) rule.Script {
		return script(strings.NewReplacer("(%)", "("+params+")", "#", value).Replace(code))
	}
	r := newRig(t, rule.Settings{Functions: []rule.Function{
		{Name: "start", Startup: true, Script: fill("", "'start'")},
		{Name: "every", Every: conf.Duration{Duration: time.Minute}, Script: fill("wizard_api", "'every'")},
		{Name: "topic", Topic: "local/${SN}", Script: fill("topic, payload", "topic + payload")},
		{Name: "payload", Topic: "local/${SN}", Script: fill("message", "message")},
	}})
	r.wait(t, "ran", 1)
	if got := r.published(); got != "ran 0 start 1" {
		t.Errorf("got %s", got)
	}
	next := r.Next()
	if d := time.Until(next); d <= 0 || d > time.Minute {
		t.Errorf("next in %v", d)
	}
	r.Periodic(t.Context(), next)
	r.wait(t, "ran", 2)
	if again := r.Next(); again.Sub(next) != time.Minute {
		t.Errorf("the one after next is %v later", again.Sub(next))
	}
	_ = r.link.Inject(mqttlink.Message{Topic: "local/GT902XX", Payload: []byte("!")})
	r.wait(t, "ran", 4)
	for _, want := range []string{"ran 0 every 1", "ran 0 local/GT902XX! 1", "ran 0 ! 1"} {
		if !strings.Contains(r.published(), want) {
			t.Errorf("%s is not among\n%s", want, r.published())
		}
	}
}

// The local bus has the opposite status of alarms: 1 is triggered.
func TestBus(t *testing.T) {
	r := newRig(t, rule.Settings{}, func(e *rule.Env) { e.Bus = true })
	batch := rule.Batch{Rounds: []collect.Round{r.round()}, Alarms: []collect.AlarmEvent{alarm(true, 33), alarm(false, 29)}}
	r.Handle(t.Context(), batch)
	r.Connected(t.Context(), at)
	want := []string{
		`ds2/eventbus/south/read/default 0 {"controllers": [{"name": "S7-1200", "health": 1, "timestamp": 1589538347, "measures": [{"name": "Test1", "health": 1, "timestamp": 1589538347, "timestampMsec": 1589538347560, "value": false}, {"name": "Test2", "health": 1, "timestamp": 1589538347, "timestampMsec": 1589538347560, "value": 12}]}]}`,
		`ds2/eventbus/north/measures/default 0 {"group": "default", "measures": [{"ctrlName": "S7-1200", "name": "Test1", "health": 1, "timestamp": 1589538347, "timestampMsec": 1589538347560, "value": false}, {"ctrlName": "S7-1200", "name": "Test2", "health": 1, "timestamp": 1589538347, "timestampMsec": 1589538347560, "value": 12}]}`,
		`ds2/eventbus/north/alarm/Warn1 0 {"name": "Warn1", "ctrlName": "S7-1200", "measureName": "Test2", "priority": 1, "timestamp": 1589434527, "timestampMsec": 1589434527362, "status": 1, "value": 33, "alarm_value": 33, "content": "The speed has exceeded 30."}`,
		`ds2/eventbus/north/alarm/Warn1 0 {"name": "Warn1", "ctrlName": "S7-1200", "measureName": "Test2", "priority": 1, "timestamp": 1589434527, "timestampMsec": 1589434527362, "status": 0, "value": 29, "alarm_value": 33, "content": "The speed has exceeded 30."}`,
		`ds2/eventbus/system/cloud/connection/notice 0 {"cloud_name": "default", "status": 2, "timestamp": 1589538347}`,
	}
	if got := r.published(); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	r.link.Forget()
	r.link.away.Store(true)
	r.Handle(t.Context(), batch)
	if got := r.published(); got != "" {
		t.Errorf("kept for later: %s", got)
	}
}

// A request of a script goes through the function that the host hands in.
func TestHTTP(t *testing.T) {
	var asked []string
	r := newRig(t, publish(`
def main(message):
    return [http_get("http://a/x"), http_post("http://a/y", {"v": 1}, timeout=3)]
`), func(e *rule.Env) { e.HTTP = requests(&asked) })
	r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{r.round()}})
	if got := r.published(); got != `awsiot/test 1 [{"ok": true}, {"ok": true}]` {
		t.Errorf("got %s, log: %s", got, r.log.String())
	}
	if got := strings.Join(asked, "\n"); got != "GET http://a/x \nPOST http://a/y {\"v\": 1}" {
		t.Errorf("asked %s", got)
	}
}
