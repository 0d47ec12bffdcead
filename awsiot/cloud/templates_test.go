package cloud_test

import (
	"strings"
	"testing"

	"pithings/awsiot/cloud"
)

const template = `name: fleet
parameters: [SerialNumber, Site]
thing_name: pi-{SerialNumber}
device_configuration: {interval: "60"}
allow:
  Site: [hall, roof]
`

func TestReadTemplate(t *testing.T) {
	got, err := cloud.ReadTemplate("fleet.yaml", []byte(template))
	if err != nil || got.Name != "fleet" || len(got.Parameters) != 2 || got.Configuration["interval"] != "60" || got.Allow["Site"][1] != "roof" {
		t.Errorf("%+v, %v", got, err)
	}
	for name, change := range map[string][2]string{
		"unknown key":    {"allow:", "allows:"},
		"no placeholder": {"pi-{SerialNumber}", "pi"},
		"not YAML":       {"[SerialNumber", "[["},
		"two documents":  {"allow:", "---\nallow:"},
	} {
		if _, err := cloud.ReadTemplate("fleet.yaml", []byte(strings.Replace(template, change[0], change[1], 1))); err == nil || !strings.HasPrefix(err.Error(), "fleet.yaml") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzReadTemplate(f *testing.F) {
	f.Add(template)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := cloud.ReadTemplate("x", []byte(text))
		if err == nil && got.Check() != nil {
			t.Fatalf("%+v", got)
		}
	})
}
