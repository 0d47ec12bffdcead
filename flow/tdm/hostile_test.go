package tdm

import (
	"fmt"
	"strings"
	"testing"

	"pithings/flow"
)

// TestHostileDocuments: the most that a file may hold of what is compared with
// each other is read, imported and exported, in about a second; what grows with
// the square of it would take hours.
func TestHostileDocuments(t *testing.T) {
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	const camera = `DeviceActivity(deviceModel: "urn:tdm:aws/examples:deviceModel:Camera", deviceId: "${p%[1]d}") { capture }`
	for name, tc := range map[string]struct{ text, want string }{
		"parameters and steps": {"query W(" + many(1000, "$p%d: string! ") + ") @workflowType(id: \"" + ns + "Workflow:W\") { steps {" +
			many(1000, `step(name: "s%[1]d") { `+camera+` }`) + "} }\n" +
			"type S @systemType(id: \"" + ns + "system:S\") { " + many(999, `p%d: C @thing(id: "urn:tdm:aws/examples:deviceModel:Camera") `) + `W: W @workflow(id: "` + ns + `Workflow:W") }`, "1 deployments"},
		"arguments": {"query W($p0: string!) @workflowType(id: \"" + ns + "Workflow:W\") { steps {" +
			many(20, `step(name: "s%d") { WebserviceActivity(webservice: "`+ns+`service:S") { a(`+strings.ReplaceAll(many(1000, "a%d: \"${P0 + P0}\" "), "%", "%%")+`) } }`) + "} }", "0 deployments"},
		"requests": {"query D @device(id: \"" + ns + "device:D\", deviceModel: \"" + ns + "deviceModel:M\") { MQTT { C(id: \"" + ns + "capability:C\") {" +
			many(8, `Action(name: "a%d") { params {`+strings.ReplaceAll(many(1000, `param(name: "p%d") `), "%", "%%")+`} Publish { Request(topic: "t") { params {`+
				strings.ReplaceAll(many(1000, `param(name: "q%[1]d", value: "${p%[1]d.value}") `), "%", "%%")+`} } } }`) + "} } }", "0 deployments"},
		"definitions": {many(8000, "type T%[1]d @stateType(id: \""+ns+"state:T%[1]d\") {ignore: void}\n"), "0 deployments"},
		"problems":    {many(20000, "type T%d {a: B}\n"), "19990 problems more"},
		"deployments": {"type S @systemType(id: \"" + ns + "system:S\") { " + many(1000, `w%[1]d: W @workflow(id: "`+ns+`Workflow:W%[1]d") `) + "}\n" +
			many(1000, "query W%[1]d @workflowType(id: \""+ns+"Workflow:W%[1]d\") { steps { step(name: \"a\") { ChoiceActivity { rule(expr: \"${1 == 1}\") default } } } }\n") +
			many(100, "query D%[1]d @deployment(id: \""+ns+"deployment:D%[1]d\", systemId: \""+ns+"system:S\") { triggers {ignore: void} }\n"), "100 deployments"},
	} {
		t.Run(name, func(t *testing.T) {
			if len(tc.text) > MaxFile {
				t.Fatalf("the document has %d bytes", len(tc.text))
			}
			outcome := ""
			d, err := Read(File{"x", []byte(tc.text)})
			if err == nil {
				var im *Import
				if im, err = d.Import(Options{}); err == nil {
					outcome = fmt.Sprintf("%d deployments", len(im.Deployments))
					for _, dep := range im.Deployments[:min(1, len(im.Deployments))] {
						exported(t, dep)
					}
				}
			}
			if ps, ok := err.(*flow.Problems); ok {
				outcome = fmt.Sprintf("%d problems more", ps.More)
			}
			if outcome != tc.want {
				t.Errorf("got %s, want %s", outcome, tc.want)
			}
		})
	}
}

func TestEntriesAreBounded(t *testing.T) {
	for name, text := range map[string]string{
		"fields":     "type T {" + strings.Repeat("a: B ", 1001) + "}",
		"arguments":  "type T @d(" + strings.Repeat("a: 1 ", 1001) + ") {}",
		"parameters": "query T(" + strings.Repeat("$a: B ", 1001) + ") {}",
		"a list":     "type T @d(a: [" + strings.Repeat("1 ", 1001) + "]) {}",
		"an object":  "type T @d(a: {" + strings.Repeat("b: 1 ", 1001) + "}) {}",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := parseText(text); err == nil || !strings.Contains(err.Error(), "more than 1000 entries in one block or list; make several of it") {
				t.Errorf("got %v", err)
			}
			if _, err := parseText(strings.Replace(strings.Replace(text, "a: B ", "", 1), "1 ", "", 1)); name == "fields" && err != nil {
				t.Error(err)
			}
		})
	}
}
