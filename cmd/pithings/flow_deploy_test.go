package main

import (
	"os"
	"strings"
	"testing"
)

const hallFlow = `name: Hall
things: {motion: TG_MS, camera: TG_Camera}
trigger: {thing: motion, event: StateChanged, when: event.isMotionDetected}
steps: [{name: Take, thing: camera, action: capture}]
`

// flowCLI runs a flow command and wants its exit status.
func flowCLI(t *testing.T, want int, stdin string, args ...string) (stdout, stderr string) {
	t.Helper()
	stdout, stderr, code := cli(t, stdin, append([]string{"flow"}, args...)...)
	if code != want {
		t.Errorf("flow %s: exit status %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
	}
	return stdout, stderr
}

// A deployment is deployed again by its name: after undeploy, and as an earlier
// revision was. What show prints is a file that can be deployed.
func TestDeployAgainByName(t *testing.T) {
	ownHome(t)
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile("hall.yaml", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	revision := func(n string, args ...string) {
		t.Helper()
		out, _ := flowCLI(t, 0, "", args...)
		if !strings.Contains(out, "Hall: Bootstrap, revision "+n) {
			t.Errorf("flow %s: %s", strings.Join(args, " "), out)
		}
	}
	write(hallFlow)
	revision("1", "deploy", "hall.yaml")
	write(strings.Replace(hallFlow, "name: Take", "name: Shoot", 1))
	revision("2", "deploy", "hall.yaml")
	flowCLI(t, 0, "", "undeploy", "Hall")
	revision("3", "deploy", "Hall")
	if out, _ := flowCLI(t, 0, "", "show", "Hall"); !strings.Contains(out, "name: Shoot") {
		t.Errorf("deployed again is\n%s", out)
	}
	revision("4", "deploy", "Hall", "--revision", "1", "--thing", "camera=TG_Other")
	shown, _ := flowCLI(t, 0, "", "show", "Hall")
	if !strings.Contains(shown, "name: Take") || !strings.Contains(shown, "camera: TG_Other") {
		t.Errorf("revision 1 deployed again is\n%s", shown)
	}
	if out, _ := flowCLI(t, 0, shown, "deploy", "-", "--name", "Copy"); !strings.Contains(out, "Copy: Bootstrap, revision 1") {
		t.Errorf("from standard input: %s", out)
	}
	if again, _ := flowCLI(t, 0, "", "show", "Copy"); !strings.Contains(again, "name: Take") || !strings.Contains(again, "camera: TG_Other") {
		t.Errorf("the copy is\n%s\nof\n%s", again, shown)
	}
	flowCLI(t, 0, shown, "validate", "-")
	for _, tt := range []struct {
		code int
		says string
		args []string
	}{
		{1, `there is no deployment "Hal"; did you mean "Hall"?`, []string{"deploy", "Hal"}},
		{1, "has no revision 9", []string{"deploy", "Hall", "--revision", "9"}},
		{1, "no such file", []string{"deploy", "hal.yaml"}},
		{1, "leave out --name", []string{"deploy", "Hall", "--name", "X"}},
		{2, "name one deployment", []string{"deploy", "Hall", "Copy", "--revision", "1"}},
		{2, "can be read once", []string{"deploy", "-", "-"}},
	} {
		if _, errs := flowCLI(t, tt.code, hallFlow, tt.args...); !strings.Contains(errs, tt.says) {
			t.Errorf("flow %s: %s", strings.Join(tt.args, " "), errs)
		}
	}
}

// validate refuses what deploy refuses, in the same words, at the same place.
func TestValidateRefusesWhatDeployRefuses(t *testing.T) {
	ownHome(t)
	for text, says := range map[string]string{
		strings.Replace(hallFlow, "capture", "captuer", 1):                                      `standard input:4:9: step Take: no thing of pithings has the action "captuer"; did you mean "capture"?`,
		strings.Replace(hallFlow, "event: StateChanged", "event: StateChange", 1):               `standard input:3:10: trigger motionStateChange: no thing of pithings has the event "StateChange"; did you mean "StateChanged"?`,
		strings.Replace(hallFlow, "TG_Camera}", "{thing: TG_Camera, model: camra}}", 1):         `standard input:2:25: role camera: the device model "camra" is not known; did you mean "camera"?`,
		strings.Replace(hallFlow, "thing: camera, action: capture", "service: x, action: y", 1): `standard input:4:9: step Take: the web service "x" is not known`,
	} {
		for _, command := range []string{"validate", "deploy"} {
			if _, errs := flowCLI(t, 1, text, command, "-"); !strings.Contains(errs, says) {
				t.Errorf("%s: %s\nwant %s", command, errs, says)
			}
		}
	}
}

const modelOnly = `type M @deviceModel(id: "urn:tdm:eu/1/default:deviceModel:M", capability: "urn:tdm:eu/1/default:capability:C") {ignore: void}
type C @capabilityType(id: "urn:tdm:eu/1/default:capability:C") { }
query D @device(id: "urn:tdm:eu/1/default:device:D", deviceModel: "urn:tdm:eu/1/default:deviceModel:M") { MQTT { C(id: "urn:tdm:eu/1/default:capability:C") { } } }
`

// Documents of devices alone are right, and import says why it writes nothing.
func TestDocumentsWithoutAFlow(t *testing.T) {
	ownHome(t)
	if err := os.WriteFile("model.graphql", []byte(modelOnly), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, _ := flowCLI(t, 0, "", "validate", "model.graphql"); out != "right: 1 device, 1 model, 1 capability; no flow in it\n" {
		t.Errorf("%q", out)
	}
	if _, errs := flowCLI(t, 1, "", "import", "model.graphql"); !strings.Contains(errs, "there is no flow in the documents, but 1 device, 1 model, 1 capability; import them together") {
		t.Errorf("%s", errs)
	}
	if _, errs := flowCLI(t, 1, "", "deploy", "model.graphql"); !strings.Contains(errs, "neither a system nor a deployment") {
		t.Errorf("%s", errs)
	}
}
