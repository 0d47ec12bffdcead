package flowhost

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pithings/flow"
)

var detected = map[string]any{"isMotionDetected": true}

// TestLifecycle is a deployment's life, with a restart at each point.
func TestLifecycle(t *testing.T) {
	h := newHouse(t)
	h.run()
	if h.exists(filepath.Join(h.dir, "executions")) {
		t.Error("a process without flows has a history of them")
	}
	d := h.deploy(hall, Options{})
	if d.Status.Words() != "Deployed in target" || d.Revision != 1 {
		t.Errorf("deployed: %+v", d)
	}
	h.sensor.happens(detected)
	h.sensor.happens(map[string]any{"isMotionDetected": false})
	if x := h.ended(1)[0]; x.Status != flow.Succeeded || x.Revision != 1 || x.Deployment != "Hall" {
		t.Errorf("%+v", x)
	}
	if got := h.camera.called() + h.screen.called(); got != "capturemap[]displaymap[imageUri:http://here/1.jpg]" {
		t.Errorf("the things were asked %s", got)
	}
	h.restart()
	h.wantStatus("Hall", "DEPLOYED_IN_TARGET 1")
	h.sensor.happens(detected)
	h.ended(2)

	h.deploy(strings.Replace(hall, "when: event.isMotionDetected", "when: '!event.isMotionDetected'", 1), Options{})
	h.wantStatus("Hall", "DEPLOYED_IN_TARGET 2")
	h.sensor.happens(detected)
	h.sensor.happens(map[string]any{"isMotionDetected": false})
	if x := h.ended(3)[0]; x.Revision != 2 || len(h.ended(3)) != 3 {
		t.Errorf("after redeployment: %+v", x)
	}
	if n := h.sensor.watched(); n != 1 {
		t.Errorf("the sensor is watched %d times", n)
	}
	_, err := h.f.Delete(t.Context(), "Hall", false)
	h.refused("deleting what is deployed", err, "undeploy it first (pithings flow undeploy Hall)")
	if d, err := h.f.Undeploy(t.Context(), "Hall"); err != nil || d.Status != NotDeployed {
		t.Errorf("undeployed: %+v, %v", d, err)
	}
	if n := h.sensor.watched(); n != 0 {
		t.Errorf("the sensor is watched %d times", n)
	}
	h.restart()
	h.wantStatus("Hall", "NOT_DEPLOYED 2")
	_, err = h.f.Start(t.Context(), StartRequest{Deployment: "Hall"})
	h.refused("starting what is not in force", err, "deploy it first")
	s, err := h.f.Show(t.Context(), "Hall", 1)
	if err != nil || s.Snapshot.Files[0].Text != hall || fmt.Sprint(s.Revisions) != "[1 2]" || !strings.Contains(s.YAML, "capture") {
		t.Errorf("shown: %+v, %v", s, err)
	}
	if d, err := h.f.Delete(t.Context(), "Hall", false); err != nil || d.Status != DeletedInTarget {
		t.Errorf("deleted: %+v, %v", d, err)
	}
	h.wantStatus("Hall", "none")
	if h.exists(h.path("Hall")) {
		t.Error("a deleted deployment is still there")
	}
	_, err = h.f.Show(t.Context(), "Hall", 0)
	h.refused("showing what was deleted", err, "there is no deployment")
	h.deploy(hall, Options{})
	if _, err := h.f.Delete(t.Context(), "Hall", true); err != nil || h.sensor.watched() != 0 {
		t.Errorf("forced: %v; the sensor is watched %d times", err, h.sensor.watched())
	}
}

// TestFailedDeployment leaves what is in force as it is.
func TestFailedDeployment(t *testing.T) {
	h := newHouse(t)
	h.run()
	h.deploy(hall, Options{})
	for name, tc := range map[string]struct{ text, says string }{
		"syntax":           {"name: Hall\nsteps: [{}]\n", "hall.yaml:2:"},
		"unknown model":    {strings.Replace(hall, "camera: TG_Camera", "camera: {thing: far, model: toaster}", 1), `"toaster" is not known`},
		"unknown action":   {strings.Replace(hall, "action: capture", "action: explode", 1), "TG_Camera is of type camera"},
		"local, elsewhere": {strings.Replace(hall, "camera: TG_Camera", "camera: {thing: far, carrier: local}", 1), "far is not here"},
	} {
		_, err := h.f.Deploy(t.Context(), deployment(tc.text, Options{}))
		h.refused(name, err, tc.says)
	}
	h.wantStatus("Hall", "DEPLOYED_IN_TARGET 1")
	h.sensor.happens(detected)
	h.ended(1)
	if n := len(h.f.docs); n != 1 {
		t.Errorf("%d documents are held", n)
	}
	h.deploy(hall, Options{})
	if got := h.status("Hall"); got != "DEPLOYED_IN_TARGET 2" && got != "DEPLOYED_IN_TARGET 3" {
		t.Errorf("after failures: %s", got)
	}
}

// TestBehindTheFolder: deployments without an agent wait for one.
func TestBehindTheFolder(t *testing.T) {
	h := newHouse(t)
	h.open()
	if d := h.deploy(hall, Options{}); d.Status != Bootstrap {
		t.Errorf("%+v", d)
	}
	h.deploy(hall, Options{Name: "Second", Things: map[string]string{"screen": "far_Screen"}})
	if _, err := h.f.Undeploy(t.Context(), "Second"); err != nil {
		t.Error(err)
	}
	_, err := h.f.Start(t.Context(), StartRequest{Deployment: "Hall"})
	h.refused("starting", err, "no agent runs")
	h.f = nil
	h.run()
	h.wantStatus("Hall", "DEPLOYED_IN_TARGET 1")
	h.wantStatus("Second", "NOT_DEPLOYED 1")
}

// TestInterrupted: what a kill has left half done is done at the next start.
func TestInterrupted(t *testing.T) {
	h := newHouse(t)
	h.open()
	for _, name := range []string{"Deploying", "Undeploying", "Deleting", "Damaged", "Gone", "Changed"} {
		h.deploy(hall, Options{Name: name})
	}
	put := func(name string, s Status, revision int) {
		if err := h.f.store.put(&state{Name: name, Status: s, Revision: revision}); err != nil {
			t.Fatal(err)
		}
	}
	put("Deploying", DeployInProgress, 1)
	put("Undeploying", UndeployInProgress, 1)
	put("Deleting", PendingDelete, 1)
	put("Gone", DeployedInTarget, 7)
	for _, f := range []struct{ path, text string }{
		{h.path("Damaged", "status"), `{"name": "Dam`},
		{h.path("Changed", "00000001.json"), `{"name": "Changed", "revision": 1, "files": [{"name": "x.yaml", "text": "name: Changed"}]}`},
	} {
		if err := os.WriteFile(f.path, []byte(f.text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(h.path("NeverComplete"), 0o700); err != nil {
		t.Fatal(err)
	}
	h.f = nil
	h.run()
	h.wantStatus("Deploying", "DEPLOYED_IN_TARGET 1")
	h.wantStatus("Undeploying", "NOT_DEPLOYED 1")
	h.wantStatus("Deleting", "none")
	h.wantStatus("Damaged", "none")
	h.wantStatus("Gone", "FAILED 7")
	h.wantStatus("Changed", "FAILED 1")
	if h.exists(h.path("Deleting")) || h.exists(h.path("NeverComplete")) || !h.exists(h.path("Damaged")) {
		t.Error("not the right folders were removed")
	}
	list, err := h.f.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		if d.Name == "Changed" && !strings.Contains(d.Reason, "x.yaml") {
			t.Errorf("the reason is %q", d.Reason)
		}
	}
	h.deploy(hall, Options{Name: "Changed"}) // which repairs it
	h.wantStatus("Changed", "DEPLOYED_IN_TARGET 2")
	if _, err := h.f.Delete(t.Context(), "Gone", false); err != nil {
		t.Error(err)
	}
}

// TestRevisionsAreBounded: the newest are kept.
func TestRevisionsAreBounded(t *testing.T) {
	h := newHouse(t)
	h.open()
	for range MaxRevisions + 3 {
		h.deploy(hall, Options{})
	}
	s, err := h.f.Show(t.Context(), "Hall", 0)
	if err != nil || len(s.Revisions) != MaxRevisions || s.Revisions[0] != 4 || s.Snapshot.Revision != MaxRevisions+3 {
		t.Errorf("%v, %v", s.Revisions, err)
	}
	_, err = h.f.Show(t.Context(), "Hall", 3)
	h.refused("a revision that is gone", err, "has no revision 3")
}

// TestThingsGraph: the guide's three documents are one deployment.
func TestThingsGraph(t *testing.T) {
	var r DeployRequest
	for _, name := range []string{"workflow", "system", "deployment"} {
		f, err := ReadFile(filepath.Join("..", "flow", "tdm", "testdata", "security", name+".graphql"))
		if err != nil {
			t.Fatal(err)
		}
		r.Files = append(r.Files, f)
	}
	h := newHouse(t)
	h.run()
	d, err := h.f.Deploy(t.Context(), r)
	if err != nil || len(d) != 1 || d[0].Name != "Room215" {
		t.Fatalf("%+v, %v", d, err)
	}
	h.sensor.happens(detected)
	if x := h.ended(1)[0]; x.Status != flow.Succeeded {
		t.Errorf("%+v", x)
	}
	if got := h.screen.called(); got != "displaymap[imageUri:http://here/1.jpg]" {
		t.Errorf("the screen was asked %s", got)
	}
	h.restart()
	h.sensor.happens(detected)
	h.ended(2)
	s, err := h.f.Show(t.Context(), "Room215", 0)
	if err != nil {
		t.Fatal(err)
	}
	documents, err := Export(File{"Room215.yaml", s.YAML})
	if err != nil || len(documents) != 3 {
		t.Errorf("exported: %v, %v", documents, err)
	}
	r.Options.Name = "Again"
	if _, err := h.f.Deploy(t.Context(), DeployRequest{Files: documents, Options: r.Options}); err != nil {
		t.Errorf("what was exported is not deployed: %v", err)
	}
	made, needs, _, err := Import(r.Files, Options{})
	if err != nil || len(needs) > 0 || len(made) != 1 || made[0].Name != "Room215.yaml" {
		t.Fatalf("%v, %v, %v", made, needs, err)
	}
	if _, err := h.f.Deploy(t.Context(), DeployRequest{Files: made, Options: Options{Name: "Imported"}}); err != nil {
		t.Errorf("what was imported is not deployed: %v", err)
	}
	r.Options.Things = map[string]string{"lamp": "x"}
	_, err = h.f.Deploy(t.Context(), r)
	h.refused("a role that is not there", err, `no role "lamp"`)
	_, err = h.f.Deploy(t.Context(), DeployRequest{Files: r.Files[:1]})
	h.refused("a workflow alone", err, "neither a system nor a deployment")
	if v, err := Validate(r.Files[:1], Options{}); err != nil || len(v) != 1 || v[0].Flows[0] != "SecurityFlow" {
		t.Errorf("a workflow alone is not right: %+v, %v", v, err)
	}
}

// TestConfigured: flows of the configuration run beside the deployed ones.
func TestConfigured(t *testing.T) {
	h := newHouse(t)
	h.open()
	b := Builtin{Name: "My flow", Things: map[string]string{"motionSensor": "TG_MS", "camera": "TG_Camera", "screen": "TG_Screen"}, Carrier: "local"}
	for range 2 {
		if err := h.f.AddBuiltin(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.f.AddFiles(deployment(hall, Options{}), 0); err != nil {
		t.Fatal(err)
	}
	h.refused("twice", h.f.AddFiles(deployment(hall, Options{}), 0), "a second flow of the configuration")
	h.run()
	for _, name := range []string{"My_flow", "My_flow-2", "Hall"} {
		h.wantStatus(name, "DEPLOYED_IN_TARGET 0")
	}
	_, err := h.f.Deploy(t.Context(), deployment(hall, Options{}))
	h.refused("deploying over it", err, "deploy under another name with --name")
	_, err = h.f.Undeploy(t.Context(), "Hall")
	h.refused("undeploying it", err, "configuration")
	if s, err := h.f.Show(t.Context(), "Hall", 0); err != nil || s.Snapshot != nil {
		t.Errorf("%+v, %v", s, err)
	}
	h.sensor.happens(detected)
	h.ended(3)
	if h.camera.most != 1 {
		t.Errorf("%d captures were in flight", h.camera.most)
	}
}

// TestStart: by hand, with arguments.
func TestStart(t *testing.T) {
	h := newHouse(t)
	h.open()
	notRunning := func(what string) {
		t.Helper()
		if _, err := h.f.Start(t.Context(), StartRequest{Deployment: "By_hand", Args: map[string]any{"uri": "x"}}); !errors.Is(err, ErrNotRunning) {
			t.Errorf("%s: %v", what, err)
		}
	}
	notRunning("before Run")
	h.f.mu.Lock()
	h.f.live = true // as while Run activates them one by one
	h.f.mu.Unlock()
	notRunning("while Run is at work")
	h.run()
	h.deploy(`name: By_hand
things: {screen: TG_Screen}
parameters: {uri: String, times: {type: Number, default: 1}}
steps: [{name: Show, thing: screen, action: display, input: {imageUri: "${uri + times}"}}]
`, Options{})
	for _, tc := range []struct {
		r    StartRequest
		says string
	}{
		{StartRequest{Deployment: "By_hand"}, `needs the parameter "uri"`},
		{StartRequest{Deployment: "By_hand", Args: map[string]any{"url": "x"}}, `no parameter "url"`},
		{StartRequest{Deployment: "By_hand", Flow: "Other"}, `no flow "Other"`},
		{StartRequest{Deployment: "By_hond"}, `did you mean "By_hand"?`},
	} {
		_, err := h.f.Start(t.Context(), tc.r)
		h.refused(fmt.Sprint(tc.r), err, tc.says)
	}
	id, err := h.f.Start(t.Context(), StartRequest{Deployment: "By_hand", Args: map[string]any{"uri": "http://x/", "times": 2.0}})
	if err != nil {
		t.Fatal(err)
	}
	h.ended(1)
	story, err := h.f.Execution(t.Context(), id[len(id)-36:])
	if err != nil || story.Execution.ID != id || len(story.Events) < 5 {
		t.Errorf("%+v, %v", story, err)
	}
	if got := h.screen.called(); !strings.Contains(got, "http://x/2") {
		t.Errorf("the screen was asked %s", got)
	}
	_, err = h.f.Execution(t.Context(), "12345678-1234-4123-8123-123456789012")
	h.refused("another execution", err, "no such execution")
	h.f.mu.Lock()
	e := h.f.engine
	h.f.mu.Unlock()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	notRunning("while Close is at work")
	if err := h.f.Close(); err != nil {
		t.Fatal(err)
	}
	notRunning("after Close")
}

// FuzzStore: whatever is in the folder, nothing breaks, and what is reported to be there
// can be shown or has a reason why not.
func FuzzStore(f *testing.F) {
	good, err := json.Marshal(&Snapshot{Name: "a", Revision: 1, Files: []File{{"a.yaml", hall}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"name": "a", "status": "DEPLOYED_IN_TARGET", "revision": 1}`), good)
	f.Add([]byte(`{"name": "a", "status": "?", "revision": -1}`), []byte(`{"files": [{"name": "x", "text": "{"}]}`))
	f.Add([]byte(`null`), []byte(`[]`))
	f.Fuzz(func(t *testing.T, status, revision []byte) {
		h := newHouse(t)
		if err := os.MkdirAll(h.path("a"), 0o700); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string][]byte{"status": status, "00000001.json": revision} {
			if err := os.WriteFile(h.path("a", name), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		h.run()
		h.f.Show(t.Context(), "a", 0)
		h.f.List(t.Context())
		if _, err := h.f.Delete(t.Context(), "a", true); err != nil && h.status("a") != "none" {
			t.Errorf("cannot be deleted: %v", err)
		}
	})
}
