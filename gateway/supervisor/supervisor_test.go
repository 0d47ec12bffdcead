package supervisor_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"pithings/conf"
	"pithings/gateway"
	"pithings/gateway/rule"
	"pithings/gateway/supervisor"
)

// The files of 1.x, with protocols that are not supported.
var first = []supervisor.File{
	{Name: "device.csv", Data: []byte("Device Name,Protocol,Ip/Serial,Port,Rack,Slot,Mode,Slave,Byte Order\nS7-1200,ISO-on-TCP,10.5.16.73,102,0,1,Rack/Slot,,\nMeter,ModbusRTU,RS485,,,,,1,abcd\n")},
	{Name: "var.csv", Data: []byte("Var Name,Device,Protocol,Dbnumber,Register Type,Register Addr,Register Bit,Data Type,Read Write,Float Repr,Mode,Unit,Size,Desc,Group\nTest1,S7-1200,ISO-on-TCP,0,I,0,0,BOOL,read/write,2,realtime,,1,,default\nTest2,S7-1200,ISO-on-TCP,6,DB,2,,WORD,read,2,onchange,rpm,1,\"speed, of the motor\",fast\n")},
	{Name: "group.csv", Data: []byte("Group Name,Polling Interval,Upload Interval,Group Type\ndefault,10,10,collect\nfast,0.5,60,collect\nwarning,10,,alarm\n")},
	{Name: "warn.csv", Data: []byte("Warn Name,Group,Quotes,Device,Var Name,Condition1,Operand1,Combine Method,Condition2,Operand2,Alarm Content,Register Addr,Dbnumber,Data Type,Symbol,Register Type,Register Bit,Namespace Index,Identifier,Identifier Type,Float Repr\nWarn1,warning,1,S7-1200,Test2,Gt,30,And,Lt,50,The speed has exceeded 30.,,,,,,,,,,\nWarn2,warning,0,Meter,,Eq,1,None,,,by address,40001,,WORD,,,,,,,\n")},
}

// decode reads a section as a configuration has it.
func decode(t *testing.T, yaml string) *gateway.Settings {
	t.Helper()
	var all struct {
		Gateway gateway.Settings `json:"gateway"`
	}
	conf.Fill(&all)
	d := conf.NewDecoder("test.yaml", conf.NewVariables(nil))
	d.Struct(d.Document([]byte(yaml), ""), &all, "", "configuration")
	all.Gateway.Check(func(path, format string, args ...any) { d.Bad("gateway."+path, format, args...) }, &rule.Params{Serial: "s", MAC: "m", Custom: all.Gateway.Params})
	if _, err := d.Result(); err != nil {
		t.Fatalf("%v\n%s", err, yaml)
	}
	return &all.Gateway
}

// An import becomes a section of a configuration, which is right, and its export is what was
// imported, byte for byte.
func TestFirst(t *testing.T) {
	imported, err := supervisor.Import(first)
	if err != nil {
		t.Fatal(err)
	}
	s := imported.Settings
	if got := imported.Notes; len(got) != 2 || !strings.HasPrefix(got[0], "device.csv: line 3: device Meter: the file does not have its serial port") ||
		!strings.Contains(got[1], "device S7-1200: its protocol ISO-on-TCP is not supported") {
		t.Errorf("notes: %q", got)
	}
	yaml := supervisor.YAML(s)
	again := decode(t, yaml)
	if !reflect.DeepEqual(s, again) {
		t.Errorf("as YAML it is another:\n%s", yaml)
	}
	for _, want := range []string{
		`- {name: S7-1200, protocol: ISO-on-TCP, columns: {"Ip/Serial": "10.5.16.73", `,
		`- {name: fast, polling: 500ms, upload: 1m}`,
		`- {name: Warn1, group: warning, device: S7-1200, variable: Test2, condition1: Gt, operand1: "30", combine: And, condition2: Lt, operand2: "50", content: "The speed has exceeded 30.", columns: {Quotes: "1"}}`,
	} {
		if !strings.Contains(strings.ReplaceAll(yaml, "Ip/Serial:", `"Ip/Serial":`), want) {
			t.Errorf("%s is not in\n%s", want, yaml)
		}
	}
	files, _, err := supervisor.ExportCSV(again)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range files {
		if f.Name != first[i].Name || string(f.Data) != string(first[i].Data) {
			t.Errorf("%s is\n%s\nwas\n%s", f.Name, f.Data, first[i].Data)
		}
	}
	// A device that is bound has no note, and is exported as before.
	again.Devices[0].Thing = "bme680"
	if bound, _, err := supervisor.ExportCSV(again); err != nil || string(bound[0].Data) != string(first[0].Data) {
		t.Errorf("%s, %v", bound[0].Data, err)
	}
}

// Files as editors save them are read, too: with a mark, carriage returns, columns in another
// order and further ones.
func TestOtherSpellings(t *testing.T) {
	imported, err := supervisor.Import([]supervisor.File{{Name: "x", Data: []byte("\uFEFFGroup,Var Name,Device,Future\r\n,a,d,7\r\n")}})
	if err != nil {
		t.Fatal(err)
	}
	s := imported.Settings
	if len(s.Variables) != 1 || s.Variables[0].Group != "default" || s.Variables[0].Columns["Future"] != "7" {
		t.Fatalf("%+v, %v", s, err)
	}
	files, _, err := supervisor.ExportCSV(s)
	if err != nil || !strings.Contains(string(files[1].Data), "Group,Future\na,d,") {
		t.Errorf("%s, %v", files[1].Data, err)
	}
}

const second = `{
  "controllers": [{"protocol": "Modbus-TCP", "name": "S71200", "args": {"slaveAddr": 1, "int16Ord": "ab"}, "samplePeriod": 1, "expired": 10000, "endpoint": "10.5.23.28:502"}],
  "measures": [{"name": "DATA1", "ctrlName": "S71200", "group": "default", "uploadType": "periodic", "dataType": "WORD", "addr": "40001", "readWrite": "rw", "unit": "", "desc": "", "transformType": 0, "gain": "1.0", "offset": "0.0"},
    {"name": "DATA2", "ctrlName": "S71200", "group": "default", "uploadType": "never", "dataType": "FLOAT", "addr": "40002", "readWrite": "ro", "unit": "°C", "desc": "x", "transformType": 2, "gain": "0.1", "offset": "5.0"}],
  "alarmLables": ["default"], "alarms": [],
  "groups": [{"name": "default", "uploadInterval": 10}],
  "labels": [{"key": "device_id", "value": "1"}],
  "version": "2.2.1"
}`

func TestSecond(t *testing.T) {
	imported, err := supervisor.Import([]supervisor.File{{Name: "ds2.json", Data: []byte(second)}})
	if err != nil {
		t.Fatal(err)
	}
	s := imported.Settings
	again := decode(t, supervisor.YAML(s))
	if !reflect.DeepEqual(s, again) {
		t.Errorf("as YAML it is another:\n%s", supervisor.YAML(s))
	}
	if v := s.Variables[1]; v.Gain != 0.1 || v.Offset != 5 || v.Mode != "never" || s.Variables[0].Gain != 1 || s.Params["device_id"] != "1" {
		t.Errorf("%+v", s)
	}
	out, _, err := supervisor.ExportJSON(again)
	if err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	_ = json.Unmarshal([]byte(second), &want)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("exported\n%s", out)
	}
}

// Modbus devices of 1.x and 2.x become things, to whose registers the variables are bound.
func TestThings(t *testing.T) {
	imported, err := supervisor.Import(append([]supervisor.File{
		{Name: "more.csv", Data: []byte("Device Name,Protocol,Ip/Serial,Port,Slave,Byte Order\nPump 1,ModbusTCP,10.0.0.2,1502,7,cdab\n")},
		{Name: "vars.csv", Data: []byte("Var Name,Device,Register Addr,Register Bit,Data Type,Read Write,Mode,Unit,Size\nSpeed,Pump 1,40001,,FLOAT,read/write,realtime,rpm,\n1st on,Pump 1,1,,BOOL,read/write,realtime,,\nfault,Pump 1,30005,3,BIT,read,realtime,,\nstatus,Pump 1,40010,,STRING,read,onchange,,5\nodd,Pump 1,40020,,BCD,read,realtime,,\n")},
		{Name: "ds2.json", Data: []byte(second)},
	}, first...))
	if err != nil {
		t.Fatal(err)
	}
	s, yaml, notes := imported.Settings, imported.Things, imported.Notes
	const want = `things:
  - name: Pump_1
    type: modbus
    device: "tcp://10.0.0.2:1502"
    unit: 7
    order: CDAB
    registers:
      - {name: Speed, address: "40001", type: float32, writable: true, unit: rpm}
      - {name: r1st_on, address: "00001", writable: true}
      - {name: fault, address: "30005", type: bool, bit: 3}
      - {name: status_2, address: "40010", type: string, length: 3}
  - name: S71200
    type: modbus
    device: "tcp://10.5.23.28:502"
    unit: 1
    order: ABCD
    interval: 1s
    registers:
      - {name: DATA1, address: "40001", type: uint16, writable: true}
      - {name: DATA2, address: "40002", type: float32, unit: "°C"}
  - name: Meter
    type: modbus
    device: /dev/serial0
    unit: 1
    order: ABCD
    registers:
      - {name: Warn2, address: "40001", type: uint16}
`
	if yaml != want {
		t.Errorf("got\n%s\nwant\n%s", yaml, want)
	}
	all := strings.Join(notes, "\n")
	if want := `group.csv: line 2: group default is in another file, too (ds2.json: line 6: groups[0]), and that one counts
vars.csv: line 6: variable odd of device Pump 1 has no values: its address "40020" with the data type "BCD" is no register here
device.csv: line 3: device Meter: the file does not have its serial port (RS485 of the gateway, taken as /dev/serial0), speed, parity, stop bits; write what is missing of device, speed, parity and stop_bits into the thing Meter
device S7-1200: its protocol ISO-on-TCP is not supported; its variables have no values until thing: NAME binds it to a thing`; all != want {
		t.Errorf("notes\n%s\nwant\n%s", all, want)
	}
	if s.Devices[0].Thing != "Pump_1" || s.Variables[0].Value != "" || s.Variables[1].Value != "r1st_on" || s.Variables[3].Value != "status_2" {
		t.Errorf("%+v %+v", s.Devices[0], s.Variables[:4])
	}
}

func TestBadFiles(t *testing.T) {
	for data, want := range map[string]string{
		"":                                       "empty",
		"a,b\n1,2\n":                             "none of device.csv",
		"Var Name,Mode\nx,often\n":               "line 2: variable x: the mode",
		"Var Name\n\"\"\n":                       "has no name",
		"Group Name,Polling Interval\ng,often\n": "line 2: group g: the interval",
		"Warn Name,Condition1\nw,More\n":         "line 2: alarm w: the condition",
		"Device Name\na,b\n":                     "line 2: it has 2 fields, and the first line 1",
		"{}":                                     "no configuration of Device Supervisor: it has neither",
		"{":                                      "line 1: it is no JSON: its end is missing",
		`{"measures": [{"name": "a", "uploadType": "x"}]}`: "measure a: its uploadType",
	} {
		if _, err := supervisor.Import([]supervisor.File{{Name: "f", Data: []byte(data)}}); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "f: ") {
			t.Errorf("%q: %v, want %s", data, err, want)
		}
	}
}
