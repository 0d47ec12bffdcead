package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// supervised are files of Device Supervisor: of 1.x in both formats, and of 2.x.
var supervised = map[string][]string{
	"csv":   {"first/device.csv", "first/var.csv", "first/group.csv", "first/warn.csv"},
	"json1": {"first/gateway.json"},
	"json":  {"second/gateway.json"},
}

// What is imported is a configuration that is accepted, and an export of it imports as the
// same.
func TestGatewayFilesAreAccepted(t *testing.T) {
	source, err := filepath.Abs(filepath.Join("..", "..", "gateway", "supervisor", "testdata"))
	if err != nil {
		t.Fatal(err)
	}
	for format, names := range supervised {
		t.Run(format, func(t *testing.T) {
			ownHome(t)
			var paths []string
			for _, name := range names {
				paths = append(paths, filepath.Join(source, filepath.FromSlash(name)))
			}
			yaml, said, code := cli(t, "", append([]string{"gateway", "import"}, paths...)...)
			if code != 0 || strings.Contains(said, "hush") || strings.Contains(said, "not right yet") {
				t.Fatalf("%d: %s", code, said)
			}
			write(t, "c.yaml", "broker: {listen: \"127.0.0.1:1883\"}\n"+yaml)
			if out, said, code := cli(t, "", "config", "check", "c.yaml"); code != 0 || !strings.Contains(out+said, "good configuration") {
				t.Fatalf("%d: %s%s\n%s", code, out, said, yaml)
			}
			args := []string{"gateway", "export", "c.yaml", "--format", format}
			if format == "csv" {
				args = append(args, "-o", "out")
			} else {
				args = append(args, "-o", "out.json")
			}
			if _, said, code := cli(t, "", args...); code != 0 {
				t.Fatalf("%d: %s", code, said)
			}
			again := []string{"out.json"}
			if format == "csv" {
				again = nil
				for _, name := range names {
					again = append(again, filepath.Join("out", filepath.Base(name)))
				}
			}
			if second, said, code := cli(t, "", append([]string{"gateway", "import"}, again...)...); code != 0 || second != yaml {
				t.Errorf("%d: %s\n%s\nwas\n%s", code, said, second, yaml)
			}
		})
	}
}

// Files that cannot be read are named, with what to do.
func TestGatewayFileMistakes(t *testing.T) {
	ownHome(t)
	write(t, "bad.csv", "Device Name,Protocol\nPump,ModbusTCP\nPump,x\n")
	f, err := os.Create("large.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(100 << 20); err != nil {
		t.Fatal(err)
	}
	f.Close()
	for name, row := range map[string]struct {
		args []string
		want string
	}{
		"twice":     {[]string{"import", "bad.csv"}, "bad.csv: line 3: there is a device Pump already (bad.csv: line 2); rename one of them"},
		"100 MB":    {[]string{"import", "large.json"}, "large.json: it is larger than 16 MiB; an export of Device Supervisor is smaller: import its files, and no archive or log"},
		"none":      {[]string{"import", "none.csv"}, "none.csv"},
		"no folder": {[]string{"export", "c.yaml"}, "name a folder for the four files with -o"},
		"a format":  {[]string{"export", "c.yaml", "--format", "xml"}, "--format xml: say csv, json or json1"},
	} {
		write(t, "c.yaml", "broker: {listen: \"127.0.0.1:1883\"}\nthings: [{name: x, type: motion, pin: mock}]\n")
		if out, said, code := cli(t, "", append([]string{"gateway"}, row.args...)...); code == 0 || out != "" || !strings.Contains(said, row.want) {
			t.Errorf("%s: %d: %s%s", name, code, out, said)
		}
	}
}

// A configuration that would be refused is printed all the same, and standard error says why.
func TestGatewayImportOfTooMuch(t *testing.T) {
	ownHome(t)
	var rows strings.Builder
	rows.WriteString("Var Name,Device,Register Addr,Data Type,Read Write\n")
	for i := range 2000 {
		rows.WriteString("v" + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + "_" + strings.Repeat("y", i/200) + string(rune('a'+i/26%26)) + string(rune('a'+i/676)) + ",d,40001,WORD,read\n")
	}
	write(t, "var.csv", rows.String())
	_, said, code := cli(t, "", "gateway", "import", "var.csv")
	if code != 0 || !strings.Contains(said, "the configuration is not right yet: the output:") {
		t.Errorf("%d: %.2000s", code, said)
	}
}
