package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pithings/device"
	"pithings/gateway"
	"pithings/gateway/field"
	"pithings/gateway/rule"
	"pithings/gateway/supervisor"
	"pithings/mqttlink/linktest"
)

// plc is a thing as a Modbus device is: it can be written.
var plc = device.Model{
	Events:  map[string]device.EventModel{"state": {}},
	Actions: map[string]device.ActionModel{"set": {Params: map[string]device.ValueType{"setpoint": device.NumberType}}, "reset": {}},
	Quantities: []device.Quantity{{Name: "setpoint", Event: "state", Key: "setpoint", Unit: "°C"}, {Name: "speed", Event: "state", Key: "speed", Unit: "rpm"},
		{Name: "pump", Event: "state", Key: "pump"}},
}

type actor struct{}

func (actor) Watch(string, func(map[string]any, time.Time)) (func(), error) { return nil, nil }

func (actor) Call(context.Context, string, map[string]any) (map[string]any, error) { return nil, nil }

// configured is a configuration with a device of an imported file, one of ours, and a variable
// of each sort.
const configured = `
params: {device_id: "1"}
devices: [{name: S7-1200, thing: plc, protocol: ISO-on-TCP, columns: {Ip/Serial: 10.5.16.73, Port: "102", Rack: "0", Slot: "1"}}]
groups: [{name: default, polling: 10s}, {name: fast, polling: 500ms, upload: 5s}]
variables:
  - {device: S7-1200, name: SP1, value: setpoint, gain: 0.5, offset: 1, decimals: 1, desc: of the hall, columns: {Register Type: DB, Register Addr: "6"}}
  - {device: S7-1200, name: Speed, value: speed, group: fast, mode: onchange}
  - {device: S7-1200, name: Reset, value: speed, write: reset, mode: never}
  - {device: plc, name: pump}
  - {device: S7-1200, name: Twice, expression: "2 * values['S7-1200']['Speed']"}
  - {device: lost, name: x}
alarms: [{name: Warn1, group: warning, device: S7-1200, variable: Speed, condition1: Gt, operand1: "30", combine: And, condition2: Lt, operand2: "100", level: 2, content: The speed has exceeded 30.}]
`

// answer runs a script on a configuration, and returns what it has published, which is JSON.
func answer(t *testing.T, code string) (all map[string]any) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		link := link{linktest.New()}
		defer link.Close()
		log := new(strings.Builder)
		bus := new(device.Bus)
		yaml := configured + "functions: [{name: f, startup: true, code: " + fmt.Sprintf("%q", code) + "}]\n"
		g := gateway.New(gateway.Options{Settings: settings(t, yaml), Things: []field.Thing{{Name: "plc", Model: plc, Actor: actor{}}}, Events: bus,
			Up: func(string) bool { return true }, Link: link, Params: rule.Params{Serial: "GT9", MAC: "00:18", LogLevel: "info", Readings: 100000, Alarms: 2000},
			Second: export, Log: slog.New(slog.NewTextHandler(log, nil))})
		bus.Emit(device.Event{Thing: "plc", Name: "state", Values: device.Values{"setpoint": 40.0, "speed": int64(31), "pump": true}, At: time.Now()})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- g.Run(ctx) }()
		m, err := link.WaitFor(t.Context(), "out", 1)
		if err != nil {
			t.Fatalf("%v, log: %s", err, log)
		}
		if err := json.Unmarshal(m.Payload, &all); err != nil {
			t.Errorf("%s: %v", m.Payload, err)
		}
		cancel()
		<-done
	})
	return all
}

func export(s *gateway.Settings) ([]byte, error) {
	data, _, err := supervisor.ExportJSON(s)
	return data, err
}

// item is the item of a list that has a value under a key.
func item(t *testing.T, list any, key, value string) map[string]any {
	t.Helper()
	all, _ := list.([]any)
	for _, one := range all {
		if o, ok := one.(map[string]any); ok && o[key] == value {
			return o
		}
	}
	t.Fatalf("no %s %s in %v", key, value, list)
	return nil
}

// has compares some keys of an object.
func has(t *testing.T, what string, o map[string]any, want string) {
	t.Helper()
	var wanted map[string]any
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatal(err)
	}
	for key, v := range wanted {
		if got, there := o[key]; !there || fmt.Sprint(got) != fmt.Sprint(v) {
			t.Errorf("%s: %s is %#v, want %#v", what, key, got, v)
		}
	}
}

// What get_tag_config of 1.x hands to its callback has the keys of the manual for each device,
// group, alarm and variable. One that an action of its thing writes is read/write.
func TestTagConfig(t *testing.T) {
	all := answer(t, `
import json
def main(wizard_api):
    wizard_api.get_tag_config(done, tail="out")
def done(config, tail, wizard_api):
    wizard_api.mqtt_publish(tail, json.dumps(config), 1)
`)
	if got := slices.Sorted(maps.Keys(all)); fmt.Sprint(got) != "[devices groups vars warning]" {
		t.Errorf("keys %v", got)
	}
	has(t, "device", item(t, all["devices"], "device_name", "S7-1200"), `{"protocol": "ISO-on-TCP", "ip": "10.5.16.73", "port": 102, "rack": 0, "slot": 1}`)
	has(t, "thing", item(t, all["devices"], "device_name", "plc"), `{"protocol": "", "ip": "", "port": "", "rack": "", "slot": ""}`)
	has(t, "group", item(t, all["groups"], "group_name", "default"), `{"polling_interval": 10, "upload_interval": 10, "group_type": "collect"}`)
	has(t, "fast group", item(t, all["groups"], "group_name", "fast"), `{"polling_interval": 0.5, "upload_interval": 5, "group_type": "collect"}`)
	has(t, "alarm group", item(t, all["groups"], "group_name", "warning"), `{"upload_interval": "", "group_type": "alarm"}`)
	speed := item(t, all["vars"], "var_name", "Speed")
	has(t, "warning", item(t, all["warning"], "warn_name", "Warn1"), `{"group": "warning", "quotes": 1, "device": "S7-1200", "alarm_content": "The speed has exceeded 30.",
		"condition1": "Gt", "operand1": "30", "combine_method": "And", "condition2": "Lt", "operand2": "100", "var_name": "Speed", "var_id": "`+fmt.Sprint(speed["id"])+`",
		"data_type": "DINT", "read_write": "read", "mode": "onchange", "level": 2}`)
	has(t, "Speed", speed, `{"device": "S7-1200", "protocol": "ISO-on-TCP", "data_type": "DINT", "register_type": "", "register_addr": "", "read_write": "read",
		"mode": "onchange", "unit": "rpm", "desc": "", "group": "fast", "size": 1, "float_repr": 0, "address": "speed"}`)
	has(t, "SP1", item(t, all["vars"], "var_name", "SP1"), `{"data_type": "FLOAT", "register_type": "DB", "register_addr": 6, "read_write": "read/write",
		"mode": "realtime", "unit": "°C", "desc": "of the hall", "group": "default", "float_repr": 1, "address": "setpoint"}`)
	for name, want := range map[string]string{"Reset": "read/write", "pump": "read", "Twice": "read", "x": "read"} {
		has(t, name, item(t, all["vars"], "var_name", name), `{"read_write": "`+want+`"}`)
	}
	ids := map[any]bool{}
	for _, list := range []string{"devices", "groups", "vars", "warning"} {
		for _, one := range all[list].([]any) {
			id := one.(map[string]any)["id"]
			if text, ok := id.(string); !ok || len(text) != 32 || ids[id] {
				t.Errorf("%s: id %v", list, id)
			}
			ids[id] = true
		}
	}
}

// What quickfaas.config.get of 2.x returns has all sections, with the variables that are at
// work; a script that changes it is refused, and that is logged.
func TestConfigOfSecond(t *testing.T) {
	all := answer(t, `
import json
from quickfaas.config import get, set
from quickfaas.messagebus import publish
def main():
    config = get(runningConfig=True, timeout=10)
    config["set"] = set(config)
    publish("out", config, 1)
`)
	if got := slices.Sorted(maps.Keys(all)); fmt.Sprint(got) != "[alarmLables alarms clouds controllers groups labels measures misc quickfaas set version]" {
		t.Errorf("sections %v", got)
	}
	if all["set"] != "failed" {
		t.Errorf("set returned %v", all["set"])
	}
	has(t, "controller", item(t, all["controllers"], "name", "S7-1200"), `{"protocol": "ISO-on-TCP"}`)
	has(t, "thing", item(t, all["controllers"], "name", "plc"), `{"protocol": "", "args": {}, "endpoint": ""}`)
	has(t, "SP1", item(t, all["measures"], "name", "SP1"), `{"ctrlName": "S7-1200", "group": "default", "uploadType": "periodic", "dataType": "FLOAT", "addr": "setpoint",
		"readWrite": "rw", "unit": "°C", "desc": "of the hall", "transformType": 2, "gain": "0.5", "offset": "1"}`)
	has(t, "Speed", item(t, all["measures"], "name", "Speed"), `{"ctrlName": "S7-1200", "group": "fast", "uploadType": "onchange", "dataType": "DINT", "readWrite": "ro", "unit": "rpm", "transformType": 0, "gain": "1", "offset": "0"}`)
	has(t, "Reset", item(t, all["measures"], "name", "Reset"), `{"uploadType": "never", "readWrite": "rw"}`)
	has(t, "pump", item(t, all["measures"], "name", "pump"), `{"ctrlName": "plc", "dataType": "BOOL", "addr": "pump", "readWrite": "ro"}`)
	has(t, "group", item(t, all["groups"], "name", "default"), `{"uploadInterval": 10}`)
	has(t, "cloud", item(t, all["clouds"], "name", "default"), `{"enable": 1, "type": "Standard MQTT", "cacheSize": 100000}`)
	has(t, "serial", item(t, all["labels"], "key", "SN"), `{"value": "GT9"}`)
	has(t, "parameter", item(t, all["labels"], "key", "device_id"), `{"value": "1"}`)
	has(t, "misc", all["misc"].(map[string]any), `{"logLvl": "INFO", "maxAlarmRecordSz": 2000}`)
}
