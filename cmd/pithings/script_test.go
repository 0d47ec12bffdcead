package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// command runs a command line, and returns what it printed.
func command(args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	code = execute(context.Background(), args, strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}

func scratch(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const collected = `{"timestamp": 1589538347.560471, "group_name": "default", "values": {"S7-1200": {"Test1": {"raw_data": false, "status": 1}, "Test2": {"raw_data": 12, "status": 1}}}}`

// A script does all that it can do: the command prints it in the order in which it happens.
func TestScriptRun(t *testing.T) {
	file := scratch(t, "x.py", `
import json
from common.Logger import logger
from quickfaas.remotebus import publish
def upload(data_collect, wizard_api):
    logger.info("a %s", 1)
    logger.warning("w")
    wizard_api.mqtt_publish("t/${site}", "text", 0)
    wizard_api.awsiot_publish("t", {"b": 1, "a": 2})
    publish(__topic__, [1])
    wizard_api.write_plc_values({"Test2": 13}, done, "tail")
    wizard_api.save_data({"topic": "s", "qos": 1, "payload": None})
    return data_collect["values"]
def done(result, tail, wizard_api):
    logger.info(json.dumps(result))
`)
	data := scratch(t, "data.json", collected)
	code, out, errs := command("script", "run", file, "--data", data, "--function", "upload", "--topic", "up", "--param", "site=hall")
	const want = `INFO a 1
WARN w
t/hall text
t {"b": 1, "a": 2}
up [1]
s null
write S7-1200.Test2 13
INFO [{"value": 13, "device": "S7-1200", "var_name": "Test2", "result": "OK", "error": ""}]
{"S7-1200": {"Test1": {"raw_data": false, "status": 1}, "Test2": {"raw_data": 12, "status": 1}}}
`
	sorted := func(s string) string { // a callback runs beside the end of the call
		lines := strings.Split(s, "\n")
		var kept []string
		for _, l := range lines {
			if l != "s null" {
				kept = append(kept, l)
			}
		}
		return strings.Join(kept, "\n")
	}
	if code != exitOK || sorted(out) != sorted(want) || !strings.Contains(out, "s null\n") {
		t.Errorf("%d, printed\n%s\nwant\n%s\n%s", code, out, want, errs)
	}
	if code, _, errs := command("script", "run", file, "--data", data); code == exitOK || !strings.Contains(errs, "name the main one with --function") {
		t.Errorf("%d %s", code, errs)
	}
	if code, _, _ := command("script", "run", file); code != exitUsage {
		t.Errorf("without data: %d", code)
	}
}

// The script of a subscribe rule gets topic and payload.
func TestScriptRunWithMessage(t *testing.T) {
	file := scratch(t, "x.py", "def main(topic, payload, wizard_api):\n    return topic + payload\n")
	for data, want := range map[string]string{`{"topic": "a", "payload": "b"}`: `"ab"`, `{"topic": "a", "payload": {"x": 1}}`: `"a{\"x\": 1}"`} {
		if code, out, errs := command("script", "run", file, "--data", scratch(t, "d.json", data)); code != exitOK || strings.TrimSpace(out) != want {
			t.Errorf("%d %s %s, want %s", code, out, errs, want)
		}
	}
}

func TestScriptFails(t *testing.T) {
	data := scratch(t, "data.json", "{}")
	for script, want := range map[string]string{
		"def main(d, w):\n    return d['none']\n":      "line 2, in main: KeyError: 'none'",
		"def main(d, w):\n    while True: pass\n":      "took more than",
		"import os\ndef main(d, w): return 1\n":        "line 1: there is no module os",
		"def f(d, w): return 1\nmain = f()\n":          "TypeError",
		"main = 1\n":                                   "x.py: script x.py has no function main; write def main(…)",
		"def main(d, w): w.awsiot_publish('a/#', 1)\n": "a/#",
	} {
		if code, _, errs := command("script", "run", scratch(t, "x.py", script), "--data", data); code != exitFailure || !strings.Contains(errs, want) {
			t.Errorf("%d %s, want %s", code, errs, want)
		}
	}
	if code, _, errs := command("script", "run", scratch(t, "x.py", "def main(d, w): return 1\n"), "--data", scratch(t, "d", "{")); code != exitFailure || !strings.Contains(errs, "not JSON") {
		t.Errorf("%d %s", code, errs)
	}
}

func TestScriptCheck(t *testing.T) {
	good, bad := scratch(t, "good.py", "import json\ndef main(d, w): return d\n"), scratch(t, "bad.py", "def main(d, w):\n    yield d\n")
	if code, out, _ := command("script", "check", good); code != exitOK || out != good+": right\n" {
		t.Errorf("%d %s", code, out)
	}
	other := scratch(t, "other.py", "import os\n")
	if code, out, errs := command("script", "check", bad, other, good); code != exitFailure || out != good+": right\n" || !strings.Contains(errs, bad+": ") || !strings.Contains(errs, other+": ") {
		t.Errorf("not all files are checked: %d %s %s", code, out, errs)
	}
	if code, _, errs := command("script", "check", good, bad); code != exitFailure || !strings.Contains(errs, bad+": ") || !strings.Contains(errs, "yield is not supported") {
		t.Errorf("%d %s", code, errs)
	}
}

func TestScriptTest(t *testing.T) {
	file, data := scratch(t, "x.py", "def main(d, w):\n    w.mqtt_publish('a', 'b', 1)\n    return 1\n"), scratch(t, "d.json", "{}")
	if code, out, errs := command("script", "test", file, "--data", data, "--expect", scratch(t, "e", "a b\r\n1\r\n")); code != exitOK || !strings.Contains(out, "as expected") {
		t.Errorf("%d %s %s", code, out, errs)
	}
	if code, _, errs := command("script", "test", file, "--data", data, "--expect", scratch(t, "e", "a b\n2\n")); code != exitFailure || !strings.Contains(errs, "line 2") || !strings.Contains(errs, "want 2") {
		t.Errorf("%d %s", code, errs)
	}
}

// What was imported is exported as it was, by way of a configuration.
func TestGatewayFiles(t *testing.T) {
	const vars = "Var Name,Device,Protocol,Dbnumber,Register Type,Register Addr,Register Bit,Data Type,Read Write,Float Repr,Mode,Unit,Size,Desc,Group\nTest1,S7-1200,ISO-on-TCP,0,I,0,0,BOOL,read/write,2,realtime,,1,,default\n"
	const devices = "Device Name,Protocol,Ip/Serial,Port,Rack,Slot,Mode,Slave,Byte Order\nS7-1200,ISO-on-TCP,10.5.16.73,102,0,1,Rack/Slot,,\n"
	code, out, errs := command("gateway", "import", scratch(t, "device.csv", devices), scratch(t, "var.csv", vars))
	if code != exitOK || !strings.HasPrefix(out, "gateway:\n") || !strings.Contains(errs, "ISO-on-TCP is not supported") {
		t.Fatalf("%d %s %s", code, out, errs)
	}
	file := scratch(t, "pithings.yaml", "broker: {listen: 127.0.0.1:1883}\n"+out)
	folder := filepath.Join(t.TempDir(), "out")
	if code, _, errs := command("gateway", "export", file, "-o", folder); code != exitOK {
		t.Fatalf("%d %s", code, errs)
	}
	for name, want := range map[string]string{"device.csv": devices, "var.csv": vars} {
		if got, err := os.ReadFile(filepath.Join(folder, name)); err != nil || string(got) != want {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	if code, out, errs := command("gateway", "export", file, "--format", "json"); code != exitOK || !strings.Contains(out, `"ctrlName": "S7-1200"`) {
		t.Errorf("%d %s %s", code, out, errs)
	}
	if code, _, _ := command("gateway", "export", file); code != exitUsage {
		t.Errorf("csv without a folder: %d", code)
	}
	if code, _, errs := command("gateway", "import", scratch(t, "x.csv", "a,b\n")); code != exitFailure || !strings.Contains(errs, "none of device.csv") {
		t.Errorf("%d %s", code, errs)
	}
}

// A Modbus device becomes a thing of a configuration that is right.
func TestGatewayImportOfModbus(t *testing.T) {
	device := scratch(t, "device.csv", "Device Name,Protocol,Ip/Serial,Port,Slave,Byte Order\nMeter,ModbusTCP,10.5.16.73,502,3,cdab\n")
	vars := scratch(t, "var.csv", "Var Name,Device,Register Addr,Register Bit,Data Type,Read Write,Mode,Group\nPower,Meter,40001,,FLOAT,read,realtime,default\nPump,Meter,00001,,BOOL,read/write,onchange,default\n")
	code, out, errs := command("gateway", "import", device, vars)
	if code != exitOK || errs != "" || !strings.Contains(out, "type: modbus") || !strings.Contains(out, "thing: Meter") {
		t.Fatalf("%d %s %s", code, out, errs)
	}
	file := scratch(t, "pithings.yaml", "broker: {listen: 127.0.0.1:1883}\n"+out)
	if code, out, errs := command("config", "check", file); code != exitOK {
		t.Errorf("%d %s %s", code, out, errs)
	}
}
