package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestPasswordInsteadOfCertificate: HOST alone means mutual TLS to the seeds' scripts; with a
// user name it means TLS with that (MQTT-Explorer#670).
func TestPasswordInsteadOfCertificate(t *testing.T) {
	t.Setenv("PITHINGS_MQTT_USERNAME", "")
	for _, tc := range []struct {
		f        connection
		username string // in the environment
		want     string // of the error
	}{
		{connection{endpoint: "broker.example", username: "me"}, "", ""},
		{connection{endpoint: "broker.example"}, "me", ""},
		{connection{endpoint: "broker.example"}, "", "Missing credentials for authentication. Give -c CERTIFICATE and -k KEY, or --username"},
	} {
		t.Setenv("PITHINGS_MQTT_USERNAME", tc.username)
		c := &cobra.Command{}
		m, err := tc.f.section(c)
		if tc.want != "" {
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
			continue
		}
		if err != nil || m["endpoint"] != "mqtts://broker.example" || m["username"] != "me" {
			t.Errorf("%v, %v", m, err)
		}
	}
}
