package jobs

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A document is refused with a reason, or has an action and bounds.
func FuzzDocument(f *testing.F) {
	for _, s := range []string{`{"action":"diagnose"}`, `{"operation":"reboot"}`, `{"version":"1.0","steps":[{"action":{"type":"runHandler","input":{"handler":"reboot.sh"}}}]}`, `{"action":[[]]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		action, err := parseDocument(document)
		if (err == nil) != (action != "") || err == nil && len(document) > MaxDocument {
			t.Errorf("%q: %q, %v", document, action, err)
		}
	})
}

// What a state file holds, whatever it is, leaves a job that can be begun.
func FuzzFile(f *testing.F) {
	f.Add([]byte(`{"job":"j","number":1,"action":"a","began":{"boot":"b","run":"r"},"attempts":1,"result":{"status":"SUCCEEDED"}}`))
	f.Add([]byte("null"))
	name := File(filepath.Join(f.TempDir(), "job.json"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(string(name), text, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := name.Load()
		if err != nil && (s.JobID != "" || s.Result != nil) {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

// Whatever the cloud or another client sends, the machine stays able to work: the next job is
// begun.
func FuzzReceive(f *testing.F) {
	for _, s := range []struct{ topic, text string }{
		{"start-next/accepted", `{"execution":{"jobId":"j","thingName":"pi","status":"IN_PROGRESS","statusDetails":{"a":"b"},"versionNumber":2,"executionNumber":1,"jobDocument":{"action":"a"}},"timestamp":1,"clientToken":"s-1"}`},
		{"start-next/rejected", `{"code":"RequestThrottled","message":"m","clientToken":"s-1"}`},
		{"notify-next", `{"execution":{"jobId":"k","versionNumber":1},"timestamp":1}`},
		{"j/update/rejected", `{"code":"VersionMismatch","clientToken":"s-2","executionState":{"status":"IN_PROGRESS","versionNumber":9223372036854775807}}`},
		{"j/get/accepted", `{"execution":{"jobId":"j","status":"CANCELED","executionNumber":1},"clientToken":"s-2"}`},
	} {
		f.Add(s.topic, []byte(s.text), []byte(s.text))
	}
	f.Fuzz(func(t *testing.T, topic string, first, second []byte) {
		now := time.Unix(1e9, 0)
		m := NewMachine(Config{Thing: "pi", Session: "s"})
		m.Online(now)
		m.Next(now)
		for _, payload := range [][]byte{first, second} {
			for _, x := range []string{topic, "start-next/accepted", "j/update/accepted", "j/update/rejected", "notify-next"} {
				_ = m.Receive(now, prefix("pi")+x, payload)
				for _, e := range m.Events() {
					if !jobID.MatchString(e.JobID) || len(e.Details) > MaxDetails {
						t.Fatalf("%+v", e)
					}
					_, _ = parseDocument(e.Document)
					m.Progress(e.JobID, e.Number, map[string]string{"a": "b"})
				}
				m.Next(now)
			}
		}
		m.Online(now)
		for m.Next(now) == nil {
			now = m.Wake()
		}
		for range 2 { // the job of before is over, if there is one
			answer := `{"execution":{"jobId":"last","status":"IN_PROGRESS","versionNumber":2,"executionNumber":7},"clientToken":"` + m.flight.token + `"}`
			if err := m.Receive(now, prefix("pi")+"start-next/accepted", []byte(answer)); err != nil {
				t.Fatal(err)
			}
			if m.job != nil && m.job.JobID == "last" && m.Wake().After(now) {
				return
			}
		}
		t.Fatalf("%+v, %s", m.job, m.problem)
	})
}
