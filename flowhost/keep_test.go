package flowhost

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pithings/flow"
	"pithings/flow/history"
)

const patient = `name: Patient
things: {motionSensor: TG_MS, camera: TG_Camera}
trigger: {thing: motionSensor, event: StateChanged, when: event.isMotionDetected}
vars: {count: 0}
steps:
  - {name: Count, set: {count: "${vars.count + 1}"}}
  - {name: Wait, wait: 1h}
  - {name: Take, thing: camera, action: capture}
`

// TestWaitingExecutionsStay: an execution that waits is RUNNING over restarts and in the
// eyes of commands between them; its vars are shown; deleting the flow forgets all.
func TestWaitingExecutionsStay(t *testing.T) {
	h := newHouse(t)
	h.open()
	h.run()
	h.deploy(patient, Options{})
	h.sensor.happens(map[string]any{"isMotionDetected": true})
	kept := filepath.Join(h.dir, "flow-values", "Patient")
	saved := func() bool {
		files, _ := filepath.Glob(filepath.Join(kept, "wait-*.json"))
		return len(files) == 1
	}
	h.until("the execution is saved", saved)
	running := func(when string) {
		h.Helper()
		list, err := h.f.Executions(h.Context(), history.Filter{})
		if err != nil || len(list) != 1 || list[0].Status != flow.Running {
			h.Errorf("%s: %+v, %v", when, list, err)
		}
		shown, err := h.f.Show(h.Context(), "Patient", 0)
		if err != nil || fmt.Sprint(shown.Vars) != "map[count:1]" {
			h.Errorf("%s: vars %v, %v", when, shown.Vars, err)
		}
	}
	running("before")
	if err := h.f.Close(); err != nil {
		t.Fatal(err)
	}
	h.open() // a command while no agent runs
	running("between")
	h.run()
	running("after")
	if _, err := h.f.Undeploy(h.Context(), "Patient"); err != nil {
		t.Fatal(err)
	}
	if x := h.ended(1)[0]; x.Status != flow.Aborted {
		t.Errorf("%+v", x)
	}
	h.until("nothing waits", func() bool { return !saved() })
	if _, err := h.f.Delete(h.Context(), "Patient", false); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(kept); !os.IsNotExist(err) {
		t.Errorf("%s: %v", kept, err)
	}
	if h.camera.called() != "" {
		t.Errorf("the camera was called: %s", h.camera.called())
	}
}

// TestDaysOfAConfigurationAreKept: a clock of days in a configuration's file keeps when
// it began (it counted from the start of the process).
func TestDaysOfAConfigurationAreKept(t *testing.T) {
	h := newHouse(t)
	text := strings.Replace(patient, "{thing: motionSensor, event: StateChanged, when: event.isMotionDetected}", "{every: 1 days}", 1)
	path := filepath.Join(h.dir, "flow-values", "Patient", "state.json")
	var first string
	for i := range 2 {
		h.open()
		if err := h.f.AddFiles(deployment(text, Options{}), 0); err != nil {
			t.Fatal(err)
		}
		h.run()
		if err := h.f.Close(); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(data), `"Clock every 1 day":"2`) {
			t.Fatalf("%s, %v", data, err)
		}
		if i == 1 && string(data) != first {
			t.Errorf("it began anew: %s, before %s", data, first)
		}
		first = string(data)
	}
	h.f = nil
}
