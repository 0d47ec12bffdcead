package script

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Scripts as users, vendors and manuals have them do under a host written in Python
// (testdata/scripts/driver.py) what they do in CPython, line by line.
func TestUsersScriptsAsInPython(t *testing.T) {
	functions := map[string]string{
		"alarm.py": "alarms", "command.py": "command", "csv.py": "csv", "deadband.py": "main", "quality.py": "upload_good", "stats.py": "stats",
		"registers.py": "main", "statistics.py": "main", "vars_upload_test.py": "vars_upload_test",
		"vars_upload_awsiot.py": "vars_upload_test, ctl_test", "write_back.py": "ctl_test",
	}
	driver, err := os.ReadFile("testdata/scripts/driver.py")
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob("testdata/scripts/*.py")
	var names, programs []string
	for _, file := range files {
		name := filepath.Base(file)
		if name == "driver.py" {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if functions[name] == "" {
			t.Errorf("%s: its functions are not listed here", name)
		}
		names = append(names, name)
		programs = append(programs, string(source)+"\n"+strings.Replace(string(driver), "FUNCTIONS", "["+functions[name]+"]", 1))
	}
	if len(programs) < len(functions) {
		t.Fatalf("only %d scripts", len(programs))
	}
	for i, want := range runPython(t, programs) {
		t.Run(names[i], func(t *testing.T) {
			if got := runHere(programs[i]); got != want {
				t.Errorf("%s\ngot:\n%s\nwant:\n%s", firstDifference(got, want, ""), got, want)
			} else if strings.Count(want, "\n") < 3 || strings.Contains(want, "uncaught") {
				t.Errorf("it shows too little:\n%s", want)
			}
		})
	}
}
