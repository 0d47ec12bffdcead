package supervisor_test

import (
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"

	"pithings/gateway/supervisor"
)

// in16 is a text in UTF-16.
func in16(text string, order binary.AppendByteOrder, mark bool) (data []byte) {
	units := utf16.Encode([]rune(text))
	if mark {
		units = append([]uint16{0xFEFF}, units...)
	}
	for _, u := range units {
		data = order.AppendUint16(data, u)
	}
	return data
}

// What spreadsheets make of the files is read as it was meant.
func TestSpreadsheets(t *testing.T) {
	const plain = "Var Name,Device,Register Addr,Unit,Desc\r\nSpeed,Pump,40001,°C,\"a, b\"\r\n"
	want := supervisor.YAML(imported(t, supervisor.File{Name: "f", Data: []byte(plain)}).Settings)
	semicolons := strings.NewReplacer("\"a, b\"", "<>", ",", ";").Replace(plain)
	semicolons = strings.Replace(semicolons, "<>", "\"a, b\"", 1)
	for name, data := range map[string][]byte{
		"mark":                   []byte("\uFEFF" + plain),
		"newlines":               []byte(strings.ReplaceAll(plain, "\r\n", "\n")),
		"UTF-16, low byte first": in16(plain, binary.LittleEndian, true),
		"UTF-16, high first":     in16(plain, binary.BigEndian, true),
		"semicolons":             []byte(semicolons),
		"a line sep":             []byte("sep=;\r\n" + semicolons),
		"tabs":                   []byte("Var Name\tDevice\tRegister Addr\tUnit\tDesc\nSpeed\tPump\t40001\t°C\ta, b\n"),
		"empty rows and columns": []byte("Var Name,Device,Register Addr,Unit,Desc,,\r\nSpeed,Pump,40001,°C,\"a, b\",,,,\r\n,,,,,,\r\n"),
		"names of columns":       []byte(strings.Replace(plain, "Var Name,Device", " var name , DEVICE", 1)),
	} {
		got, err := supervisor.Import([]supervisor.File{{Name: "f", Data: data}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if yaml := supervisor.YAML(got.Settings); yaml != want {
			t.Errorf("%s:\n%s\nwant\n%s", name, yaml, want)
		}
	}
}

// What cannot be read is refused with its line, and with what to do.
func TestWhatToDo(t *testing.T) {
	const devices = "Device Name,Protocol\n"
	for name, row := range map[string]struct{ data, want string }{
		"Chinese Windows":            {devices + "\xb1\xc3,ModbusTCP\n", "f: line 2: it is not UTF-8; save it as CSV UTF-8, or convert it: iconv -f GB18030 -t UTF-8"},
		"UTF-16 without a mark":      {string(in16(devices, binary.LittleEndian, false)), "f: line 1: it has a zero byte, as UTF-16 without a mark has; save it as UTF-8"},
		"half a character of UTF-16": {string(in16(devices, binary.LittleEndian, true)) + "x", "f: it is UTF-16 with half a character at its end"},
		"a spreadsheet":              {"PK\x03\x04\x14", "f: it is a spreadsheet or an archive, and no text; save each sheet as CSV UTF-8"},
		"no columns":                 {"name;protocol\na;b\n", "f: line 1: it is none of device.csv"},
		"a column twice":             {"Device Name,Protocol,Port,Port\na,b,1,2\n", "f: line 1: the column Port is there twice"},
		"a column missing":           {"Var Name,Group\na,default\n", "f: line 1: it has no column Device, which var.csv needs"},
		"a device twice":             {devices + "Pump,x\nb,x\nPump,y\n", "f: line 4: there is a device Pump already (f: line 2); rename one of them"},
		"a variable twice":           {"Var Name,Device\na,b\na,c\na,b\n", "f: line 4: there is a variable b.a already (f: line 2)"},
		"a decimal comma":            {"Group Name;Polling Interval\ng;0,5\n", `f: line 2: group g: the interval "0,5" is no number of seconds; write 0.5`},
		"too often":                  {"Group Name,Polling Interval\ng,0.01\n", "from 0.1 to 86400"},
		"too many fields":            {devices + "Pump, the big one,ModbusTCP,x\n", `f: line 2: it has 4 fields, and the first line 2; a field with a "," needs quotes`},
		"an open quote":              {devices + "\"Pump,ModbusTCP\nb,c\n", "f: line 2: a field begins with a quote and has none at its end"},
		"an alarm without operand":   {"Warn Name,Device,Var Name,Condition1,Operand1\na,d,v,Gt,\n", "f: line 2: alarm a has no first operand"},
		"half an alarm":              {"Warn Name,Device,Var Name,Condition1,Operand1,Combine Method\na,d,v,Gt,1,And\n", "f: line 2: alarm a: And needs a second condition"},
		"an alarm among variables":   {"Warn Name,Group,Device,Var Name,Condition1,Operand1\na,default,d,v,Gt,1\n", "f: line 2: alarm a: its group default is one of variables"},
		"Python":                     {"{'controllers': []}", "looking for beginning of object key string; it is Python's notation: write it with json.dumps"},
		"a control character":        {"Device Name,Protocol\nPu\x07mp,x\n", "f: line 2: name has the control character U+0007, which a configuration cannot have; remove it"},
		"half of a file":             {"{\n\"controllers\": [{\"name\":", "f: line 2: it is no JSON: its end is missing; export it again"},
		"a comma too many":           {"{\"groups\": [{\"name\": \"a\"},\n]}", "f: line 2: it is no JSON: "},
		"a key twice":                {"{\"controllers\": [],\n\"controllers\": []}", `f: line 2: the key "controllers" is there twice`},
		"a key twice within":         {"{\"controllers\": [{\"args\": {\"a\": [1, {\"b\": 1}],\n\"b\": 1, \"b\": {}}}]}", `f: line 2: the key "b" is there twice`},
		"two documents":              {"{\"controllers\": []}\n{}", "f: line 2: it is no JSON: there is something behind the end"},
		"a list":                     {"[{\"name\": \"a\"}]", "f: line 1: it is no object; export the whole configuration"},
		"an alarm's operator":        {"{\"controllers\": [],\n\"alarms\": [\n{\"name\": \"a\", \"cond1\": {\"op\": \"between\", \"value\": 1}}]}", `f: line 3: alarms[0]: alarm a: its cond1: the operator "between" is none of eq`},
		"an alarm's level":           {"{\"controllers\": [], \"alarms\": [{\"name\": \"a\", \"alarmLevel\": 9}]}", "alarms[0]: alarm a: its alarmLevel: 9 is no whole number from 1 to 5"},
		"a parameter twice":          {"{\"controllers\": [], \"labels\": [{\"key\": \"a\", \"value\": \"1\"}, {\"key\": \"a\", \"value\": \"2\"}]}", "labels[1]: there is a parameter a already"},
		"quickfaas of another kind":  {"{\"controllers\": [], \"quickfaas\": 5}", "f: line 1: quickfaas: it is no object"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := supervisor.Import([]supervisor.File{{Name: "f", Data: []byte(row.data)}})
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("%v\nwant %s", err, row.want)
			}
		})
	}
}

// All problems of all files come at once, up to a number.
func TestAllProblems(t *testing.T) {
	bad := supervisor.File{Name: "a.csv", Data: []byte("Group Name,Polling Interval\n" + strings.Repeat("g,often\n", 30))}
	_, err := supervisor.Import([]supervisor.File{bad, {Name: "b.csv", Data: nil}})
	if err == nil || strings.Count(err.Error(), "a.csv: line ") != 20 || !strings.HasSuffix(err.Error(), "\nand 11 more") {
		t.Errorf("%v", err)
	}
	_, err = supervisor.Import([]supervisor.File{{Name: "a.csv", Data: make([]byte, supervisor.MaxBytes+1)}, {Name: "b.csv", Data: nil}})
	if err == nil || !strings.Contains(err.Error(), "a.csv: it is larger than 16 MiB") || !strings.Contains(err.Error(), "\nb.csv: it is empty") {
		t.Errorf("%v", err)
	}
}

// What works otherwise than in Device Supervisor is said, with its place.
func TestNotes(t *testing.T) {
	for name, row := range map[string]struct{ data, want string }{
		"a misspelled column":       {"Device Name,Protocoll,Port\na,b,1\n", `f: line 1: the column "Protocoll" is kept for an export, and not used; did you mean Protocol?`},
		"no group":                  {"Var Name,Device,Group\na,b,fast\n", "f: line 2: no file has its group fast; it is polled every 10s here"},
		"no device":                 {"Var Name,Device\na,b\n", "f: line 2: no file has its device b"},
		"no variable":               {"Warn Name,Device,Var Name,Condition1,Operand1\na,d,v,Gt,1\n", "f: line 2: alarm a: no file has its variable v of device d"},
		"a secret in a column":      {"Device Name,Protocol,Password\na,OPC-UA,hush\n", "f: line 2: Password is a secret, and not kept"},
		"a slave that is none":      {"Device Name,Protocol,Ip/Serial,Slave\na,ModbusTCP,h,999\n", `f: line 2: device a is bound to no thing: its slave address "999" is none`},
		"no address":                {"Device Name,Protocol,Slave\na,ModbusTCP,9\n", "f: line 2: device a is bound to no thing: it has no address"},
		"a byte order":              {"Device Name,Protocol,Ip/Serial,Byte Order\na,ModbusTCP,h,acbd\n", "its byte order \"ACBD\" is none of abcd"},
		"a disabled device":         {"{\"controllers\": [\n{\"name\": \"a\", \"enable\": 0}]}", "f: line 2: controllers[0]: device a is disabled in the file"},
		"a rule without topic":      {"{\"controllers\": [], \"quickfaas\": {\n\"uploadFuncs\": [\n{\"name\": \"u\", \"groups\": [\"default\"], \"script\": \"def main(message): pass\"}]}}", "f: line 3: quickfaas.uploadFuncs[0]: function u is kept for an export, and no rule here: publish: item 1 has no topic"},
		"a script of what is not":   {"{\"controllers\": [], \"quickfaas\": {\"downloadFuncs\": [{\"name\": \"u\", \"topic\": \"t\", \"script\": \"def main(t, p):\\n  yield 1\"}]}}", "quickfaas.downloadFuncs[0].script: subscribe rule u is off until its script is changed: "},
		"another cloud":             {"{\"controllers\": [], \"quickfaas\": {\"downloadFuncs\": [{\"name\": \"u\", \"topic\": \"t\", \"cloudName\": \"two\", \"script\": \"def main(t, p): pass\"}]}}", "subscribe rule u was of the cloud two"},
		"a parameter for a secret":  {"{\"controllers\": [], \"labels\": [{\"key\": \"token\", \"value\": \"x\"}]}", "labels[0]: the parameter token looks like a secret"},
		"a number as password":      {"{\"controllers\": [], \"iec61850Server\": {\"enable\": 0, \"password\": 123456}}", "f: line 1: iec61850Server.password: it is a secret"},
		"rules of another cloud":    {"{\"controllers\": [], \"clouds\": [{\"name\": \"c\", \"uploadRules\": [{\"a\": 1}]}]}", "clouds[0].uploadRules: they are kept for an export, and not used here"},
		"a connection that was off": {"{\"controllers\": [], \"clouds\": [{\"enable\": 0, \"name\": \"c\", \"type\": \"AWS IoT\", \"args\": {\"endPoint\": \"a.example\", \"clientId\": \"b\"}}]}", `cloud c (AWS IoT), which is disabled: for its connection set mqtt: {endpoint: "mqtts://a.example:8883", client_id: b}`},
	} {
		t.Run(name, func(t *testing.T) {
			got := imported(t, supervisor.File{Name: "f", Data: []byte(row.data)})
			if all := strings.Join(got.Notes, "\n"); !strings.Contains(all, row.want) || strings.Contains(all+got.YAML(), "hush") {
				t.Errorf("notes\n%s\nwant %s", all, row.want)
			}
		})
	}
}

// A serial line is as the file has it: a path, what is set of the gateway's port, or what the
// device says itself. Two ports of the gateway are two of the Pi, and two devices with one
// address on one port are not both bound.
func TestSerialLines(t *testing.T) {
	const columns = "Device Name,Protocol,Ip/Serial,Slave,Baud Rate,Parity,Stop Bits\n"
	const vars = "Var Name,Device,Register Addr,Data Type\nv,a,40001,WORD\nv,b,40001,WORD\nv,c,40001,WORD\n"
	got := imported(t, supervisor.File{Name: "device.csv", Data: []byte(columns +
		"a,ModbusRTU,/dev/ttyUSB3,1,9600,None,1\nb,ModbusRTU,RS485,1,,,\nc,ModbusRTU,RS-485,1,,,\n")}, supervisor.File{Name: "var.csv", Data: []byte(vars)})
	for _, want := range []string{
		"  - name: a\n    type: modbus\n    device: /dev/ttyUSB3\n    speed: 9600\n    parity: none\n    stop_bits: 1\n    unit: 1\n",
		"  - name: b\n    type: modbus\n    device: /dev/serial0\n    unit: 1\n",
	} {
		if !strings.Contains(got.Things, want) {
			t.Errorf("%s\nhas not\n%s", got.Things, want)
		}
	}
	notes := strings.Join(got.Notes, "\n")
	if strings.Contains(got.Things, "name: c\n") || !strings.Contains(notes, "device.csv: line 4: device c is bound to no thing: device b has its slave address 1 on the same serial port") {
		t.Errorf("%s\n%s", got.Things, notes)
	}
	if strings.Contains(notes, "device a: the file") || !strings.Contains(notes, "device.csv: line 3: device b: the file does not have its serial port (RS485 of the gateway, taken as /dev/serial0), speed, parity, stop bits") {
		t.Errorf("%s", notes)
	}
	second := `{"misc": {"coms": [{"name": "rs232", "baud": 4800, "bits": 7, "stopbits": 2, "parityChk": "e"}, {"name": "rs485", "baud": 115200, "stopbits": 1, "parityChk": "n"}]},
"controllers": [
{"name": "a", "protocol": "Modbus-RTU", "endpoint": "rs485", "args": {"slaveAddr": 1}},
{"name": "b", "protocol": "Modbus-RTU", "endpoint": "rs232", "args": {"slaveAddr": 1}},
{"name": "c", "protocol": "Modbus-RTU", "endpoint": "/dev/ttyUSB7", "args": {"slaveAddr": 2, "baud": 2400, "parityChk": "o", "stopbits": 1}}],
"measures": [{"name": "v", "ctrlName": "a", "uploadType": "periodic", "dataType": "WORD", "addr": "40001"}, {"name": "v", "ctrlName": "b", "uploadType": "periodic", "dataType": "WORD", "addr": "40001"},
{"name": "v", "ctrlName": "c", "uploadType": "periodic", "dataType": "WORD", "addr": "40001"}]}`
	got = imported(t, supervisor.File{Name: "f", Data: []byte(second)})
	for _, want := range []string{
		"    device: /dev/serial0\n    speed: 115200\n    parity: none\n    stop_bits: 1\n    unit: 1\n",
		"    device: /dev/ttyUSB0\n    speed: 4800\n    parity: even\n    stop_bits: 2\n    unit: 1\n",
		"    device: /dev/ttyUSB7\n    speed: 2400\n    parity: odd\n    stop_bits: 1\n    unit: 2\n",
	} {
		if !strings.Contains(got.Things, want) {
			t.Errorf("%s\nhas not\n%s", got.Things, want)
		}
	}
	if notes := strings.Join(got.Notes, "\n"); !strings.Contains(notes, "f: line 4: controllers[1]: device b: the file does not have its serial port (rs232 of the gateway, taken as /dev/ttyUSB0), line with 8 data bits") {
		t.Errorf("%s", notes)
	}
}
