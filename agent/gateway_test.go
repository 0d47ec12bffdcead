package agent

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pithings/hw/mock"
	"pithings/mqttlink"
	"pithings/spool/control"
)

// wait waits until a message on a topic was heard that is ok; nil: any.
func (l *lab) wait(topic string, ok func(mqttlink.Message) bool) (found mqttlink.Message) {
	l.t.Helper()
	for limit := time.After(patience); ; {
		l.mu.Lock()
		i := slices.IndexFunc(l.heard, func(m mqttlink.Message) bool { return m.Topic == topic && (ok == nil || ok(m)) })
		if i >= 0 {
			found = l.heard[i]
		}
		l.mu.Unlock()
		if i >= 0 {
			return found
		}
		select {
		case <-l.more:
		case <-limit:
			l.t.Fatalf("no such message on %s within %v", topic, patience)
		}
	}
}

// client asks the agent on its socket.
func (l *lab) client() *control.Client {
	c := control.NewClient(l.agent.folder.Socket())
	l.t.Cleanup(c.Close)
	return c
}

// blocks are the code blocks of a page, by their language, in their order.
func blocks(t *testing.T, page, language string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		all = append(all, m[1])
	}
	return all
}

// gatewayExample is the example of docs/gateway.md with its scripts, in a folder.
func gatewayExample(t *testing.T) (yaml, folder string) {
	t.Helper()
	folder = t.TempDir()
	python := blocks(t, "gateway.md", "python")
	for i, name := range []string{"upload.py", "command.py"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(python[i]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	yaml = strings.Replace(blocks(t, "gateway.md", "yaml")[0], `broker: {listen: "127.0.0.1:1883"}`, "", 1)
	for _, name := range []string{"upload.py", "command.py"} {
		yaml = strings.ReplaceAll(yaml, name, filepath.Join(folder, name))
	}
	return yaml, folder
}

// The example of the page works as the page says: values go up, an alarm is triggered, and a
// message writes to an output.
func TestGatewayExample(t *testing.T) {
	yaml, _ := gatewayExample(t)
	l := newLab(t, mock.Options{}, yaml)
	up := l.wait("awsiot/hall/test", func(m mqttlink.Message) bool { return strings.Contains(string(m.Payload), "Fahrenheit") })
	var rounds []struct {
		Device    string
		Timestamp float64
		Data      map[string]any
	}
	if err := json.Unmarshal(up.Payload, &rounds); err != nil || len(rounds) == 0 || rounds[0].Device != "S7-1200" {
		t.Fatalf("%s: %v", up.Payload, err)
	}
	celsius, _ := rounds[0].Data["Temp"].(float64)
	fahrenheit, _ := rounds[0].Data["Fahrenheit"].(float64)
	if d := fahrenheit - (celsius*9/5 + 32); d > 1e-9 || d < -1e-9 {
		t.Errorf("%s", up.Payload)
	}
	alarm := l.wait("awsiot/hall/alarms", nil)
	if !strings.Contains(string(alarm.Payload), `"current": "on", "status": 0`) || !strings.Contains(string(alarm.Payload), `"alarm_content": "It is warm", "level": 2`) {
		t.Errorf("alarm %s", alarm.Payload)
	}
	l.publish("awsiot/hall/send", `{"device": "lamp", "values": {"state": true}}`)
	if m := l.wait("awsiot/hall/answer", nil); string(m.Payload) != `[{"value": true, "device": "lamp", "var_name": "state", "result": "OK", "error": ""}]` {
		t.Errorf("answer %s", m.Payload)
	}
	l.wait("lamp/state", func(m mqttlink.Message) bool { return strings.Contains(string(m.Payload), `"on"`) })

	client := l.client()
	if a, err := AskAcknowledge(t.Context(), client, "Warm"); err != nil || !a.On || !a.Acknowledged {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := AskAcknowledge(t.Context(), client, "none"); err == nil {
		t.Error("an alarm that is none was acknowledged")
	}
	state, err := AskGateway(t.Context(), client)
	if err != nil || len(state.Alarms) != 1 || !state.Alarms[0].Acknowledged || len(state.Rules) != 3 || state.Rules[0].Calls == 0 {
		t.Errorf("%+v, %v", state, err)
	}
	if page := string(l.get("http://" + l.agent.WebAddr() + "/metrics")); !strings.Contains(page, `pithings_gateway_alarm{alarm="Warm"} 1`) || !strings.Contains(page, `pithings_gateway_calls_total{kind="publish",rule="up"}`) {
		t.Error("the metrics lack the gateway")
	}
}

// A reload takes a changed script; one that cannot be loaded leaves the old one at work.
func TestGatewayReload(t *testing.T) {
	yaml, folder := gatewayExample(t)
	r := newReloader(t, yaml)
	write := func(code string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, "upload.py"), []byte(code), 0o600); err != nil {
			t.Fatal(err)
		}
		if did := r.mustReload(yaml); !did.Gateway {
			t.Fatalf("%+v", did)
		}
	}
	write("def main(d, w):\n    return 'second'\n")
	r.wait("awsiot/hall/test", func(m mqttlink.Message) bool { return string(m.Payload) == `"second"` })
	write("def main(d, w):\n    yield 'third'\n")
	state, err := AskGateway(t.Context(), r.client())
	if err != nil || len(state.Rules) != 3 || !strings.Contains(fmt.Sprint(state.Rules), "yield") {
		t.Errorf("%+v, %v", state.Rules, err)
	}
	r.forget()
	r.wait("awsiot/hall/test", func(m mqttlink.Message) bool { return string(m.Payload) == `"second"` })
	if did := r.mustReload(yaml); did.Gateway {
		t.Errorf("without a change: %+v", did)
	}
}

// Scripts reach the hosts that the configuration allows, and no others.
func TestScriptsReachAllowedHosts(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, `{"asked": %q}`, r.Method+" "+r.URL.Path+" "+string(body))
	}))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	yaml := func(services string) string {
		return services + `
things: [{name: bme680, type: environment, interval: 100ms}]
gateway:
  groups: [{name: default, polling: 200ms}]
  variables: [{device: bme680}]
  publish:
    - name: up
      topic: up
      groups: [default]
      code: |
        def main(message):
            try:
                return [http_get("http://` + address + `/a"), http_post("http://` + address + `/b", {"x": 1})]
            except RuntimeError as e:
                return str(e)
`
	}
	l := newLab(t, mock.Options{}, yaml("services: {allow_hosts: [127.0.0.1], allow_nets: [127.0.0.0/8]}"))
	if m := l.wait("up", nil); string(m.Payload) != `[{"asked": "GET /a "}, {"asked": "POST /b {\"x\": 1}"}]` {
		t.Errorf("%s", m.Payload)
	}
	l.stop()
	l = newLab(t, mock.Options{}, yaml(""))
	if m := l.wait("up", nil); !strings.Contains(string(m.Payload), "request refused") {
		t.Errorf("%s", m.Payload)
	}
}

// The registers of a Modbus device are variables, and are written by their names, with the
// gain of the device and that of the variable.
func TestGatewayWithModbus(t *testing.T) {
	l := newLab(t, mock.Options{}, `
things:
  - name: plc
    type: modbus
    device: mock
    interval: 1s
    registers: [{name: setpoint, address: 40001, type: int16, gain: 0.1, writable: true}, {name: pump, address: 00001, writable: true}]
gateway:
  groups: [{name: default, polling: 100ms}]
  devices: [{name: S7-1200, thing: plc}]
  variables:
    - {device: S7-1200, name: SP1, value: setpoint, gain: 2, mode: onchange}
    - {device: S7-1200, name: Pump, value: pump, mode: onchange}
  publish: [{name: up, topic: up, groups: [default]}]
  subscribe:
    - name: down
      topic: down
      code: |
        import json
        def main(topic, payload, wizard_api):
            wizard_api.write_plc_values(json.loads(payload), done)
        def done(result, tail, wizard_api):
            wizard_api.mqtt_publish("done", json.dumps(result), 1)
`)
	l.wait("up", func(m mqttlink.Message) bool { return strings.Contains(string(m.Payload), `"SP1": {"raw_data": 43`) })
	l.publish("down", `{"SP1": 50, "Pump": true}`)
	if m := l.wait("done", nil); strings.Count(string(m.Payload), `"result": "OK"`) != 2 {
		t.Errorf("%s", m.Payload)
	}
	l.wait("up", func(m mqttlink.Message) bool { return strings.Contains(string(m.Payload), `"SP1": {"raw_data": 50`) })
	l.wait("up", func(m mqttlink.Message) bool { return strings.Contains(string(m.Payload), `"Pump": {"raw_data": true`) })
}

// A recall measures between two intervals, and publishes no reading of its own.
func TestGatewayRecallsNow(t *testing.T) {
	l := newLab(t, mock.Options{}, `
things:
  - {name: plc, type: modbus, device: mock, interval: 24h, registers: [{name: clock, address: 30005, type: uint32}]}
  - {name: bme680, type: environment, interval: 24h}
gateway:
  groups: [{name: default, polling: 100ms}]
  variables: [{device: plc}, {device: bme680, value: temperature}]
  publish: [{name: up, topic: up, groups: [default]}]
  subscribe:
    - name: down
      topic: down
      code: |
        import json
        from quickfaas.measure import recall2
        from quickfaas.remotebus import publish
        def main(topic, payload):
            recall2(callback=done, userdata="done", realTime=json.loads(payload))
        def done(result, topic):
            publish(topic, json.dumps(result), 1)
`)
	type round struct {
		Values map[string]map[string]recalled
	}
	both := func(m mqttlink.Message) (plc, bme680 recalled) {
		var r round
		if err := json.Unmarshal(m.Payload, &r); err != nil {
			t.Fatalf("%s: %v", m.Payload, err)
		}
		return r.Values["plc"]["clock"], r.Values["bme680"]["temperature"]
	}
	recall := func(now bool) (plc, bme680 recalled) {
		l.forget()
		l.publish("down", fmt.Sprint(now))
		return both(l.wait("done", nil))
	}
	l.wait("up", func(m mqttlink.Message) bool { a, b := both(m); return a.Status+b.Status == 2 })
	plc, bme680 := recall(false)
	if again, other := recall(false); again != plc || other != bme680 {
		t.Errorf("known: %+v %+v, then %+v %+v", plc, bme680, again, other)
	}
	for limit := time.Now().Add(patience); ; { // its clock and the times of readings have seconds
		now, other := recall(true)
		if now.Value > plc.Value && now.Timestamp > plc.Timestamp && other.Timestamp > bme680.Timestamp && other.Status == 1 {
			break
		}
		if time.Now().After(limit) {
			t.Fatalf("not measured: %+v %+v, known were %+v %+v", now, other, plc, bme680)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.IndexFunc(l.heard, func(m mqttlink.Message) bool {
		return strings.HasPrefix(m.Topic, "plc/") || strings.HasPrefix(m.Topic, "bme680/")
	}); i >= 0 {
		t.Errorf("published %s %s", l.heard[i].Topic, l.heard[i].Payload)
	}
}

// recalled is a value of a recall.
type recalled struct {
	Value     float64 `json:"raw_data"`
	Timestamp int64
	Status    int
}

// A script of 2.x reads the configuration that is at work: the variables by their things'
// quantities, the rules, and no way to the broker.
func TestScriptReadsTheConfiguration(t *testing.T) {
	l := newLab(t, mock.Options{}, `
mqtt: {username: someone}
things: [{name: plc, type: modbus, device: mock, interval: 1s, registers: [{name: setpoint, address: 40001, type: int16, gain: 0.1, unit: °C, writable: true}, {name: hours, address: 40051}]}]
gateway:
  groups: [{name: default, polling: 100ms}]
  devices: [{name: S7-1200, thing: plc, protocol: Modbus-TCP}]
  variables: [{device: S7-1200}]
  publish:
    - name: up
      topic: up
      groups: [default]
      code: |
        from quickfaas.config import get
        def main(message):
            c = get()
            return [[m["ctrlName"] + "." + m["name"] + " " + m["readWrite"] + " " + m["unit"] for m in c["measures"]],
                    [d["name"] + " " + d["protocol"] for d in c["controllers"]], [f["name"] for f in c["quickfaas"]["uploadFuncs"]], "some" + "one" in str(c)]
`)
	want := `[["S7-1200.setpoint rw \u00b0C", "S7-1200.hours ro "], ["S7-1200 Modbus-TCP"], ["up"], false]`
	if m := l.wait("up", nil); string(m.Payload) != want {
		t.Errorf("got  %s\nwant %s", m.Payload, want)
	}
}
