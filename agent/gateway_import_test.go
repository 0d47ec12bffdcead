package agent

import (
	"strings"
	"testing"

	"pithings/gateway/supervisor"
	"pithings/hw/mock"
	"pithings/mqttlink"
)

// supervised is a configuration of Device Supervisor 2 with an alarm between 20 and 30 °C.
const supervised = `{
  "controllers": [{"protocol": "Modbus-TCP", "name": "Oven", "args": {"slaveAddr": 3}, "samplePeriod": 1, "endpoint": "192.0.2.7:1502"}],
  "measures": [{"name": "Temp", "ctrlName": "Oven", "group": "default", "uploadType": "periodic", "dataType": "INT", "addr": "400001", "readWrite": "rw", "unit": "°C", "transformType": 2, "gain": "0.1", "offset": "0"}],
  "alarms": [{"name": "Warm", "ctrlName": "Oven", "measureName": "Temp", "alarmLevel": 4, "cond1": {"op": "gt", "value": 20}, "condOp": "and", "cond2": {"op": "lt", "value": 30}, "content": "Warm, not hot", "alarmLable": "shift"}],
  "alarmLables": ["default", "shift"],
  "groups": [{"name": "default", "uploadInterval": 1}],
  "quickfaas": {
    "uploadFuncs": [{"name": "faults", "trigger": "warning_event", "topic": "hall/${line}/faults", "qos": 1, "groups": ["shift"], "funcName": "send",
      "script": "import json\nfrom quickfaas.remotebus import publish\n\ndef send(message, wizard_api):\n    publish(__topic__, json.dumps(message['values']), __qos__)\n"}],
    "downloadFuncs": [{"name": "write", "topic": "hall/write", "qos": 0, "funcName": "main",
      "script": "import json\nfrom quickfaas.measure import write_plc_values\n\ndef main(topic, payload, wizard_api):\n    write_plc_values(json.loads(payload))\n"}]
  },
  "labels": [{"key": "line", "value": "4"}]
}`

// An imported configuration works as it is printed: its device is read, both conditions of
// its alarm are watched, its functions publish and write.
func TestImportedConfigurationRaisesItsAlarm(t *testing.T) {
	imported, err := supervisor.Import([]supervisor.File{{Name: "gateway.json", Data: []byte(supervised)}})
	if err != nil {
		t.Fatal(err)
	}
	if len(imported.Notes) > 0 {
		t.Errorf("%q", imported.Notes)
	}
	l := newLab(t, mock.Options{}, imported.YAML())
	fault := func(parts ...string) {
		t.Helper()
		l.wait("hall/4/faults", func(m mqttlink.Message) bool {
			for _, part := range parts {
				if !strings.Contains(string(m.Payload), part) {
					return false
				}
			}
			return true
		})
	}
	fault(`"Warm"`, `"current": "on", "status": 0, "value": 21.5`, `"alarm_content": "Warm, not hot", "level": 4`)
	l.publish("hall/write", `{"Oven": {"Temp": 35}}`) // the first condition holds, and the second does not any more
	fault(`"Warm"`, `"current": "off", "status": 1`)
	l.publish("hall/write", `{"Oven": {"Temp": 25.5}}`)
	fault(`"Warm"`, `"current": "on", "status": 0, "value": 25.5`)
}

// The same of 1.x, whose files have no rules.
func TestImportedTablesRaiseTheirAlarm(t *testing.T) {
	imported, err := supervisor.Import([]supervisor.File{
		{Name: "device.csv", Data: []byte("Device Name,Protocol,Ip/Serial,Port,Slave,Byte Order\nTank,ModbusTCP,192.0.2.8,502,1,abcd\n")},
		{Name: "var.csv", Data: []byte("Var Name,Device,Register Addr,Data Type,Read Write,Mode,Group\nLevel,Tank,40031,WORD,read,realtime,default\n")},
		{Name: "group.csv", Data: []byte("Group Name,Polling Interval,Upload Interval,Group Type\ndefault,1,1,collect\nfaults,10,,alarm\n")},
		{Name: "warn.csv", Data: []byte("Warn Name,Group,Quotes,Device,Var Name,Condition1,Operand1,Combine Method,Condition2,Operand2,Alarm Content,Register Addr,Data Type\n" +
			"Low or high,faults,1,Tank,Level,Gt,80,Or,Lt,50,Level is 30,,\nAt address,faults,0,Tank,,Eq,32,None,,,Register 33,40033,WORD\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	l := newLab(t, mock.Options{}, imported.YAML()+"  publish: [{name: up, topic: faults, groups: [faults]}]\n")
	for _, want := range []string{`"Low or high": {"timestamp": `, `"At address": {"timestamp": `} {
		m := l.wait("faults", func(m mqttlink.Message) bool { return strings.Contains(string(m.Payload), want) })
		if !strings.Contains(string(m.Payload), `"current": "on"`) {
			t.Errorf("%s", m.Payload)
		}
	}
}

// Scripts see what the file said: its ids, and its columns under the names of get_tag_config.
func TestScriptsSeeWhatWasImported(t *testing.T) {
	imported, err := supervisor.Import([]supervisor.File{{Name: "gateway.json", Data: []byte(`{
  "devices": [{"protocol": "ModbusTCP", "device_name": "Tank", "ip": "192.0.2.8", "port": 502, "rack": "", "slot": "", "id": "d0"}],
  "groups": [{"group_name": "default", "polling_interval": 1, "upload_interval": 1, "group_type": "collect", "id": "g0"}],
  "warning": [],
  "vars": [{"device": "Tank", "protocol": "ModbusTCP", "data_type": "WORD", "register_type": "", "var_name": "Level", "register_addr": "40031", "read_write": "read", "mode": "realtime", "unit": "", "desc": "", "group": "default", "size": 1, "float_repr": 2, "id": "v0"}]
}`)}})
	if err != nil {
		t.Fatal(err)
	}
	l := newLab(t, mock.Options{}, imported.YAML()+`  publish:
    - name: up
      topic: up
      groups: [default]
      code: |
        import json
        def main(data_collect, wizard_api):
            wizard_api.get_tag_config(show)
        def show(config, tail, wizard_api):
            wizard_api.mqtt_publish("tags", json.dumps(config), 1)
`)
	got := string(l.wait("tags", nil).Payload)
	for _, want := range []string{`"ip": "192.0.2.8", "port": 502`, `"id": "d0"}]`, `"id": "g0"}]`, `"register_addr": "40031"`, `"id": "v0"}]`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
	if n := strings.Count(got, `"id": `); n != 3 {
		t.Errorf("%d ids in %s", n, got)
	}
}
